//! The filters above the list of runs, filled in as they were asked for.

use std::borrow::Cow;

use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use url::form_urlencoded;

use super::words;
use crate::console::query::RunQuery;
use crate::views::stored_word;

/// The filters.
pub struct Form {
    pub(super) fields: Vec<Field>,
    pub(super) undecided: bool,
    pub(super) unproven: bool,
    pub(super) orphaned: bool,
    /// What is wrong with them.
    pub(super) error: Option<String>,
}

/// One filter.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) mode: &'static str,
    /// What it can be; any text where there is no choice.
    pub(super) choices: Vec<Choice>,
}

/// What a filter can be.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

impl From<&RunQuery> for Form {
    fn from(query: &RunQuery) -> Self {
        let given = query.pairs().into_iter();
        Self::holding(given.map(|(name, value)| (name.into(), value.into())))
    }
}

impl Form {
    /// As it was sent, where it cannot be understood.
    pub(super) fn refused(text: &str, error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::holding(form_urlencoded::parse(text.as_bytes()))
        }
    }

    fn holding<'t>(given: impl Iterator<Item = (Cow<'t, str>, Cow<'t, str>)>) -> Self {
        let given: Vec<_> = given.collect();
        let is_set = |name: &str| {
            given
                .iter()
                .any(|(it, value)| it == name && value == "true")
        };
        let field = |name: &'static str, label, mode, choices| {
            let found = given.iter().find(|(given, _)| *given == name);
            Field {
                name,
                label,
                value: found.map_or_else(String::new, |(_, value)| value.to_string()),
                mode,
                choices,
            }
        };
        Self {
            fields: vec![
                field("workspace", "Workspace id", "numeric", Vec::new()),
                field("environment", "Environment id", "numeric", Vec::new()),
                field("state", "Restore result", "text", states()),
                field("outcome", "Outcome on the run", "text", outcomes()),
                field("reason", "Reason", "text", reasons()),
                field("older_than", "Older than", "text", Vec::new()),
                field("younger_than", "Younger than", "text", Vec::new()),
            ],
            undecided: is_set("undecided"),
            unproven: is_set("unproven"),
            orphaned: is_set("orphaned"),
            error: None,
        }
    }
}

fn states() -> Vec<Choice> {
    let choice = |state: ResultState| Choice {
        value: stored_word(&state),
        label: state.label().to_owned(),
    };
    ResultState::ALL.map(choice).into()
}

fn outcomes() -> Vec<Choice> {
    let decided = Outcome::ALL.map(|outcome| Choice {
        value: outcome.name().to_owned(),
        label: words::outcome_label(&outcome).to_owned(),
    });
    let pending = Choice {
        value: "pending".to_owned(),
        label: "pending".to_owned(),
    };
    decided.into_iter().chain([pending]).collect()
}

fn reasons() -> Vec<Choice> {
    let choice = |reason: &ReasonCode| Choice {
        value: reason.code().to_owned(),
        label: reason.code().to_owned(),
    };
    ReasonCode::ALL.iter().map(choice).collect()
}
