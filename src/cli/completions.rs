//! `completions SHELL`: a script that completes this program's commands in a shell.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;
use super::exit::Exit;
use super::screen::Screen;

/// Which shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script. It is the same with `--output json`.
pub(super) fn run(screen: &mut Screen, args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(
        args.shell,
        &mut Cli::command(),
        env!("CARGO_PKG_NAME"),
        &mut script,
    );
    screen.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
