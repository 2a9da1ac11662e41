//! `man`: manual pages, one a verb, made of what `--help` says.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, ValueHint};
use clap_mangen::Man;

use super::exit::Exit;
use super::failure::Failure;
use super::screen::Screen;

/// Which page.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The verb; without it, the page of the program.
    #[arg(value_name = "VERB", conflicts_with = "to")]
    verb: Vec<String>,
    /// Write every page into this directory, which is there already, instead of printing one.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
}

/// Prints a page for `man -l -`, or writes all of them. It is the same with `--output json`.
pub(super) fn run(screen: &mut Screen, args: &Args, mut program: Command) -> anyhow::Result<Exit> {
    program.build();
    if let Some(directory) = &args.to {
        write_all(&program, directory)?;
        return Ok(Exit::Done);
    }
    let mut page = &program;
    for verb in &args.verb {
        page = page.find_subcommand(verb).ok_or_else(|| {
            let advice = "`restore-reconciler --help` lists the verbs.";
            Failure::new(format!("there is no verb `{verb}`"), advice)
        })?;
    }
    screen.text(&rendered(page)?)?;
    Ok(Exit::Done)
}

fn write_all(page: &Command, directory: &Path) -> anyhow::Result<()> {
    let name = page.get_display_name().unwrap_or(page.get_name());
    let file = directory.join(format!("{name}.1"));
    fs::write(&file, rendered(page)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let verbs = page
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help");
    for verb in verbs {
        write_all(verb, directory)?;
    }
    Ok(())
}

fn rendered(page: &Command) -> anyhow::Result<String> {
    let mut text = Vec::new();
    Man::new(page.clone()).render(&mut text)?;
    Ok(String::from_utf8(text)?)
}
