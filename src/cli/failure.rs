//! What a person reads when a command could not do its work: what was being done, what happened,
//! and what to do about it.

use anyhow::Error;

use super::screen::{Screen, Tint};
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

/// Writes a failure to standard error.
pub(super) fn show(error: &Error, screen: &mut Screen) {
    let mut texts = causes(error).into_iter();
    let what = texts.next().unwrap_or_default();
    screen.tinted_note(Tint::Bad, &format!("error: {what}"));
    for cause in texts {
        screen.note(&format!("  because: {cause}"));
    }
    if let Some(advice) = advice_for(error) {
        screen.note(&format!("  to do: {advice}"));
    }
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
        let inner = std::io::Error::other("disk on fire");
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
