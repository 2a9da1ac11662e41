//! The program `restore-reconciler`. See [`restore_reconciler::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    restore_reconciler::cli::main()
}
