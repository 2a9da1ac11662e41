//! `config default`, `config check` and `config schema`.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output::{Document, Settings};
use super::screen::{Output, Screen};
use super::session::Session;
use crate::config::{Config, Environment};

/// What to show of the configuration.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print every key with its default and what it means.
    Default,
    /// Check a configuration file, and say what is wrong with it.
    Check {
        /// The file; without it, the one that `--config` or `RECONCILER_CONFIG` names.
        file: Option<PathBuf>,
    },
    /// Print a JSON Schema.
    Schema {
        /// What it describes.
        #[arg(long, value_enum, default_value_t)]
        of: Subject,
    },
}

/// What a JSON Schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Subject {
    /// The configuration file.
    #[default]
    Config,
    /// What `--output json` writes.
    Output,
}

/// Shows it. Needs neither a database nor a configuration that works.
pub(super) fn run(
    screen: &mut Screen,
    command: &Command,
    flag: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<Exit> {
    match command {
        Command::Default => default(screen)?,
        Command::Check { file } => check(screen, file.as_deref().or(flag), environment)?,
        Command::Schema {
            of: Subject::Config,
        } => screen.json(&Config::schema())?,
        Command::Schema {
            of: Subject::Output,
        } => screen.json(&Document::schema())?,
    }
    Ok(Exit::Done)
}

fn default(screen: &mut Screen) -> anyhow::Result<()> {
    match screen.output {
        Output::Table => screen.text(Config::annotated_default())?,
        Output::Json => show(screen, Config::default())?,
    }
    Ok(())
}

fn check(
    screen: &mut Screen,
    file: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = Session::load_config(file, environment)?;
    match screen.output {
        Output::Table => screen.line("The configuration can be used.")?,
        Output::Json => show(screen, settings)?,
    }
    Ok(())
}

fn show(screen: &mut Screen, settings: Config) -> anyhow::Result<()> {
    Ok(screen.json(&Document::Config(Box::new(Settings { settings })))?)
}
