//! How many environments are in which posture: all of them, read and judged part by part.
//!
//! Pages and metrics of the console count for one viewer each, and judge by [`posture`] alone.
//!
//! **Invariant:** what is counted says how far it goes. Environments that were not gone through are in no count,
//! and [`Postures::coverage`] tells so of each workspace.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::SeenRestore;
use reconciler_jobs::reading::attention::attention;
use reconciler_jobs::reading::posture::{EnvironmentPosture, Posture, WorkspacePosture};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::At;
use schemars::JsonSchema;
use serde::Serialize;

use crate::storage::StoreError;
use crate::storage::reader::{Latest, Reader, Walk, Walked, Workspaces};
use crate::views::state::KnownRun;

/// How many environments are in which posture, workspace by workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postures {
    /// The counts. A workspace of which no environment was gone through is not among them.
    pub workspaces: BTreeMap<WorkspaceId, WorkspacePosture>,
    /// The first environment that was not gone through, where there were too many.
    pub ended_before: Option<(WorkspaceId, EnvironmentId)>,
}

/// How many of the environments of a workspace were gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// All of them.
    All,
    /// The first of them: there were too many.
    First,
    /// None of them: there were too many of other workspaces, or it had none.
    Nothing,
}

/// The posture of an environment whose latest executed restore this is. Without evidence, it is judged as by a
/// viewer who may not see any.
pub fn posture(latest: Option<&Latest>, at: At<'_>, with_evidence: bool) -> EnvironmentPosture {
    let history = latest.map(|(restore, run, evidence, record)| {
        let cause = attention(&SeenRestore {
            at,
            restore,
            run: run.as_ref(),
            evidence: with_evidence.then_some(evidence),
        });
        let known = run.as_ref().map(|run| KnownRun {
            run,
            restore: Some(restore),
            record,
        });
        (restore.id, known.map_or(cause, |known| known.beside(cause)))
    });
    EnvironmentPosture::of(history)
}

/// Goes through the environments that may be seen, at most so many, and counts them; with the moment as of which
/// it was so.
///
/// Fails where the database does.
pub async fn count(
    reader: &Reader,
    of: &Workspaces,
    walk: Walk,
    policy: &Policy,
    with_evidence: bool,
) -> Result<(Timestamp, Postures), StoreError> {
    let mut counted = Postures::default();
    let walked = reader
        .walk_environments(of, &walk, policy, &mut |as_of, passed| {
            for environment in passed {
                let at = At { as_of, policy };
                let found = posture(environment.latest.as_ref(), at, with_evidence);
                counted.add(environment.workspace, found.posture());
            }
        })
        .await?;
    Ok((walked.as_of, counted.ended(walked)))
}

impl Postures {
    /// Counts one more environment.
    pub fn add(&mut self, workspace: WorkspaceId, posture: Posture) {
        self.workspaces.entry(workspace).or_default().add(posture);
    }

    /// Notes where the walk came to its end, which says whether these are all environments.
    #[must_use]
    pub fn ended(mut self, walked: Walked) -> Self {
        self.ended_before = walked.ended_before;
        self
    }

    /// The counts of all workspaces together.
    pub fn total(&self) -> WorkspacePosture {
        let mut total = WorkspacePosture::default();
        for counts in self.workspaces.values() {
            total += *counts;
        }
        total
    }

    /// How many of the environments of a workspace are in the counts.
    pub fn coverage(&self, workspace: WorkspaceId) -> Coverage {
        let is_cut = |(first, _)| workspace >= first;
        if !self.workspaces.contains_key(&workspace) {
            Coverage::Nothing
        } else if self.ended_before.is_some_and(is_cut) {
            Coverage::First
        } else {
            Coverage::All
        }
    }
}
