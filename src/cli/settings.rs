//! `config default`, `config show`, `config check` and `config schema`.

use std::path::{Path, PathBuf};

use clap::ValueHint;

use super::exit::Exit;
use super::output::{Document, SettingList, SettingShown, Settings};
use super::screen::{Output, Screen};
use super::session::Session;
use super::table::kept;
use crate::config::{Config, Environment, variable_of};

/// What to show of the configuration.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print every key with its default and what it means.
    Default,
    /// Show every setting that is in force, and where it comes from: the default, the file, or a variable.
    Show,
    /// Check a configuration file, and say what is wrong with it.
    Check {
        /// The file; without it, the one that `--config` or `RECONCILER_CONFIG` names.
        #[arg(value_hint = ValueHint::FilePath)]
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
        Command::Show => show_all(screen, flag, environment)?,
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
        Output::Json | Output::Jsonl => show(screen, Config::default())?,
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
        Output::Json | Output::Jsonl => show(screen, settings)?,
    }
    Ok(())
}

fn show_all(
    screen: &mut Screen,
    flag: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let (config, mut origins) = Session::load_config_with_origins(flag, environment)?;
    let settings = config
        .settings()
        .into_iter()
        .map(|(key, value)| SettingShown {
            from: origins.remove(&key).unwrap_or_else(|| "default".to_owned()),
            variable: variable_of(&key),
            key,
            value,
        });
    let list = SettingList {
        settings: settings.collect(),
    };
    if screen.output.is_json() {
        return Ok(screen.json(&Document::ConfigShow(list))?);
    }
    let rows = list.settings.into_iter().map(|it| {
        let value = it.value.to_string();
        [it.key, value, it.from]
    });
    Ok(screen.table(["SETTING", "VALUE", "FROM"].map(kept), rows)?)
}

fn show(screen: &mut Screen, settings: Config) -> anyhow::Result<()> {
    Ok(screen.json(&Document::Config(Box::new(Settings { settings })))?)
}
