//! The shapes in which anything is shown: pages, the API and the command line render the same view.
//!
//! ```text
//! reader ─▶ facts and rows ─▶ pure readings ─▶ view ─┬▶ template ─▶ page
//!                                                    ├▶ JSON of the API
//!                                                    └▶ table or JSON of a command
//! ```
//!
//! **Invariants:**
//! - A view is a function of what was read and of what its viewer may see. It reads no clock: every age is measured
//!   against the database's clock, which the view carries.
//! - Whoever lacks `evidence.view` is told that evidence is unavailable, and nothing that could only be told by looking
//!   at it. A verdict or an opinion is a record of the run: it is shown as it was written.
//! - Sentences about restores are the pure crate's.

pub mod counterfactual;
pub mod environment;
pub mod explain;
pub mod failure;
pub mod later;
pub mod mix;
pub mod moment;
pub mod opinion;
pub mod overview;
pub mod past;
pub mod queue;
pub mod restore;
pub mod restores;
pub mod run;
pub mod runs;
pub mod simulation;
pub mod state;
pub mod status;
pub mod survey;
pub mod timeline;
pub mod verdict;

use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use moment::Moment;
pub use state::RunState;

/// A workspace or an environment, as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Named{Id}")]
pub struct Named<Id> {
    /// The row's id.
    pub id: Id,
    /// The row's name, as the platform shows it.
    pub name: String,
}

/// Where something belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The workspace that something belongs to.
    pub workspace: Named<WorkspaceId>,
    /// The environment; none for what belongs to the workspace alone.
    pub environment: Option<Named<EnvironmentId>>,
    /// Whether that was deleted, or is another workspace's by now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_orphaned: bool,
}

/// A state with the words that people read for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Labelled{State}")]
pub struct Labelled<State> {
    /// The state.
    pub state: State,
    /// The label that pages and tables show.
    pub label: &'static str,
}

/// Something to do, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// The text of the link.
    pub label: &'static str,
    /// The page of this console that it leads to; none where it is done elsewhere.
    pub href: Option<String>,
}

/// Something to do, as other consoles draw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ActionLink {
    /// The text of the link.
    pub label: &'static str,
    /// The page of this console that it leads to, or that of the platform; none where neither has one.
    pub url: Option<String>,
    /// Whether it cannot be followed here.
    pub disabled: bool,
    /// Where it leads, or why it does not.
    pub helper_text: &'static str,
}

impl ActionLink {
    /// Whether it leads to the platform.
    pub fn is_elsewhere(&self) -> bool {
        self.url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}

/// What a viewer may see of a run beside its row and its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visibility {
    /// Whether evidence is shown.
    pub evidence: bool,
}

/// The fixed sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("const" = CLAIM_BOUNDARY))]
pub struct ClaimBoundary(String);

impl Default for ClaimBoundary {
    fn default() -> Self {
        Self(CLAIM_BOUNDARY.to_owned())
    }
}

/// What an environment is called that was deleted, or is another workspace's by now.
pub(crate) fn gone(environment: EnvironmentId) -> String {
    format!("environment {environment}, deleted or moved")
}

/// The word under which a value is stored, for enums that are written as one.
pub(crate) fn stored_word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
