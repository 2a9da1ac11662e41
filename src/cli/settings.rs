//! `config default`, `config show`, `config check`, `config alerts` and `config schema`.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use serde_json::Value as Json;
use url::Url;

use super::exit::Exit;
use super::output::{Document, SettingList, SettingShown, Settings};
use super::screen::{Output, Screen};
use super::session::Session;
use super::table::kept;
use crate::clock;
use crate::config::{Config, Environment, variable_of};

/// The alerts that ship.
const ALERTS: &str = include_str!("../../config/prometheus/alerts.yml");
/// The group of alerts about processes.
const OF_WORKERS: &str = "restore-reconciler-workers";
/// The dashboard that shows what these are about.
const WORKER: &str = "restore-proof-worker";
/// The dashboard that shows what all others are about.
const OPERATOR: &str = "restore-proof-operator";

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
    /// Print the alerts for Prometheus, in YAML, with the addresses of your runbooks and dashboards.
    Alerts {
        /// Where the runbooks of `config/runbooks` can be read; each alert gets its page as `runbook_url`.
        #[arg(long, value_name = "URL", value_parser = address)]
        runbooks: Option<String>,
        /// Where Grafana is; each alert gets the dashboard that shows it as `dashboard_url`.
        #[arg(long, value_name = "URL", value_parser = address)]
        dashboards: Option<String>,
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
        Command::Alerts {
            runbooks,
            dashboards,
        } => screen.text(&alerts(runbooks.as_deref(), dashboards.as_deref()))?,
        Command::Schema {
            of: Subject::Config,
        } => screen.json(&Config::schema())?,
        Command::Schema {
            of: Subject::Output,
        } => screen.json(&Document::schema())?,
    }
    Ok(Exit::Done)
}

/// Reads the beginning of addresses, to be written into a file between quotation marks.
fn address(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok();
    url.filter(|url| ["http", "https"].contains(&url.scheme()))
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .map(|url| url.as_str().trim_end_matches('/').replace('\'', "%27"))
        .ok_or_else(|| "it must be an address such as https://grafana.example".to_owned())
}

/// The alerts that ship, each with its runbook and its dashboard where somebody says where these are.
fn alerts(runbooks: Option<&str>, dashboards: Option<&str>) -> String {
    let mut text = String::new();
    let mut dashboard = "";
    for line in ALERTS.lines() {
        text.extend([line, "\n"]);
        let (space, said) = line.split_at(line.len() - line.trim_start().len());
        if let Some(group) = said.strip_prefix("- name: ") {
            dashboard = if group == OF_WORKERS {
                WORKER
            } else {
                OPERATOR
            };
        }
        let Some(page) = said.strip_prefix("runbook: config/runbooks/") else {
            continue;
        };
        if let Some(at) = runbooks {
            text.extend([space, "runbook_url: '", at, "/", page, "'\n"]);
        }
        if let Some(at) = dashboards {
            text.extend([space, "dashboard_url: '", at, "/d/", dashboard, "'\n"]);
        }
    }
    text
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
        Output::Table => {
            screen.line("The configuration can be used.")?;
            for said in settings.console.token_ends(clock::wall()) {
                screen.line(&said)?;
            }
        }
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
        // Lists fold between their entries.
        let value = match it.value {
            Json::Array(entries) => {
                let entries: Vec<String> = entries.iter().map(Json::to_string).collect();
                format!("[{}]", entries.join(", "))
            }
            value => value.to_string(),
        };
        [it.key, value, it.from]
    });
    Ok(screen.table(["SETTING", "VALUE", "FROM"].map(kept), rows)?)
}

fn show(screen: &mut Screen, settings: Config) -> anyhow::Result<()> {
    Ok(screen.json(&Document::Config(Box::new(Settings { settings })))?)
}
