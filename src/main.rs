//! The program `restore-reconciler`. See [`restore_reconciler::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    restore_reconciler::main()
}
