//! What a person reads when a command could not do its work: what was being done, what happened,
//! and what to do about it.

use std::io;

use anyhow::Error;

use super::exit::Exit;
use super::output::{Document, FailedCommand};
use super::screen::Screen;
use crate::config::ConfigError;
use crate::storage::StoreError;

/// A failure of the command line's own.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Failure {
    what: String,
    advice: String,
}

impl Failure {
    /// `what` happened, and what to do about it.
    pub(super) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: advice.into(),
        }
    }
}

/// Where nothing better is known.
const ADVICE: &str = "Run `restore-reconciler doctor`; it says what is missing.";

/// Writes a failure to standard error, and returns the exit code of a command that could not do its work.
pub(super) fn show(error: &Error, screen: &mut Screen) -> Exit {
    let mut texts = causes(error).into_iter();
    let failed = FailedCommand {
        code: Exit::CouldNotRun.code(),
        error: texts.next().unwrap_or_default(),
        because: texts.collect(),
        mistakes: error
            .downcast_ref()
            .map(ConfigError::texts)
            .unwrap_or_default(),
        advice: advice_for(error),
    };
    if screen.fails_in_json() {
        screen.json_note(&Document::Error(failed));
        return Exit::CouldNotRun;
    }
    let because = failed.because.iter().map(|it| format!("\n  because: {it}"));
    let to_do = failed.advice.map(|advice| format!("\n  to do: {advice}"));
    let rest: String = because.chain(to_do).collect();
    screen.trouble(&format!("error: {}{rest}", failed.error));
    Exit::CouldNotRun
}

/// Writes what is wrong with the command line to standard error.
pub(super) fn show_usage(message: &clap::Error, screen: &mut Screen) -> Exit {
    let text = message.render().to_string();
    if !screen.fails_in_json() {
        screen.trouble(text.trim_end());
        return Exit::Usage;
    }
    let (error, advice) = match text.strip_prefix("error: ") {
        Some(text) => text.split_once("\n\n").unwrap_or((text, "")),
        None => ("a verb is missing", text.as_str()),
    };
    screen.json_note(&Document::Error(FailedCommand {
        code: Exit::Usage.code(),
        error: error.trim().to_owned(),
        because: Vec::new(),
        mistakes: Vec::new(),
        advice: Some(advice.trim().to_owned()).filter(|advice| !advice.is_empty()),
    }));
    Exit::Usage
}

/// What happened, from the outside in. A cause that the text before it repeats is left out.
pub(super) fn causes(error: &Error) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if texts.last().is_none_or(|before| !before.contains(&text)) {
            texts.push(text);
        }
    }
    texts
}

/// What to do, where that is known. What the command line added says more than the store can.
pub(super) fn known_advice_for(error: &Error) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.advice.clone());
    }
    if error.is::<ConfigError>() {
        return Some("Correct what is named, and run this again.".to_owned());
    }
    if error.is::<io::Error>() {
        return Some(
            "Make room for it, or have it written elsewhere, and run this again.".to_owned(),
        );
    }
    let store = error.downcast_ref::<StoreError>()?;
    store.advice().map(str::to_owned)
}

/// What to do, where that is known or where the database is involved.
pub(super) fn advice_for(error: &Error) -> Option<String> {
    let concerns_the_database = error.downcast_ref::<StoreError>().is_some();
    known_advice_for(error).or_else(|| concerns_the_database.then(|| ADVICE.to_owned()))
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn causes_are_not_repeated_and_the_outermost_advice_counts() {
        let inner = io::Error::other("disk on fire");
        let error = Err::<(), _>(inner)
            .context("cannot read the file: disk on fire")
            .context(Failure::new("cannot do it", "Call somebody."))
            .unwrap_err();
        assert_eq!(
            causes(&error),
            ["cannot do it", "cannot read the file: disk on fire"]
        );
        assert_eq!(advice_for(&error).as_deref(), Some("Call somebody."));
    }
}
