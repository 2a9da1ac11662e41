//! `version`, and what `--version` prints: which program this is, and by which rules it judges.

use std::sync::LazyLock;

use reconciler_jobs::restore_execute::RULESET;

use super::exit::Exit;
use super::output::{Build, Document};
use super::screen::{Output, Screen};
use crate::release;

const FEATURES: &[&str] = if cfg!(feature = "otlp") {
    &["otlp", "tls"]
} else {
    &["tls"]
};

/// What `--version` prints after the program's name.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let Build {
        version,
        commit,
        features,
        ruleset,
    } = build();
    format!(
        "{version}\ncommit: {}\nfeatures: {}\nruleset: {ruleset}",
        commit.as_deref().unwrap_or("unknown"),
        features.join(", ")
    )
});

/// What `--version` prints after the program's name; `-V` prints the number alone.
pub(super) fn text() -> &'static str {
    &TEXT
}

/// Shows it. Needs neither a database nor a configuration.
pub(super) fn run(screen: &mut Screen) -> anyhow::Result<Exit> {
    match screen.output {
        Output::Table => screen.verbatim(&format!("{} {}", env!("CARGO_PKG_NAME"), text()))?,
        Output::Json | Output::Jsonl => screen.json(&Document::Version(build()))?,
    }
    Ok(Exit::Done)
}

fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: release::commit().map(str::to_owned),
        features: FEATURES.iter().map(ToString::to_string).collect(),
        ruleset: RULESET.to_owned(),
    }
}
