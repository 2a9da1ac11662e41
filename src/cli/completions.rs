//! `completions SHELL`: a script that completes this program's commands in a shell.

use clap::Command;
use clap_complete::{Shell, generate};

use super::exit::Exit;
use super::screen::Screen;

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Where each shell looks for the script:
  bash        /etc/bash_completion.d/restore-reconciler
  zsh         _restore-reconciler in a directory of $fpath
  fish        ~/.config/fish/completions/restore-reconciler.fish
  elvish      a module that ~/.config/elvish/rc.elv uses
  powershell  a script that $PROFILE runs")]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for `program`. It is the same with `--output json`.
pub(super) fn run(screen: &mut Screen, args: &Args, program: &mut Command) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(args.shell, program, env!("CARGO_PKG_NAME"), &mut script);
    screen.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
