//! The list of restores, and why somebody came to look at it.

use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::reading::SeenRestore;
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::posture::PostureReason;
use reconciler_jobs::reading::result_state::{RestoreResult, ResultState};
use reconciler_jobs::restore_execute::facts::{At, RestoreStatus};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::stamp::Stamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::Judging;
use super::run::{AttentionShown, attention_shown, tone};
use super::state::{KnownRun, RunStateShown};
use super::{Labelled, Moment, Named, Place};
use crate::storage::reader::{RestoreInList, RestoreKind, RestoreListing};

/// A part of the list, the highest ids first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RestoreList {
    /// The database's clock.
    pub as_of: Moment,
    /// Why somebody came here, where the address says so.
    pub came_for: Option<CameFor>,
    /// The restores. There may be none although `next` leads on: looking through the list stops after a while.
    pub restores: Vec<ListedRestore>,
    /// Asks for the next part; none at the end.
    pub next: Option<String>,
    /// What none of this claims.
    pub claim_boundary: &'static str,
}

/// Why somebody came from an environment's recovery posture to its restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CameFor {
    /// The reason of the posture, as it was when the link was drawn.
    pub recovery_posture_reason: PostureReason,
    /// What was found, in one sentence.
    pub summary: &'static str,
    /// What to do next.
    pub next_action: &'static str,
}

/// One restore in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedRestore {
    /// The restore.
    pub restore: RestoreId,
    /// What is known of it from its row alone.
    pub kind: Labelled<RestoreKind>,
    /// Where it belongs.
    pub place: Place,
    /// The platform's status of the restore.
    pub status: RestoreStatus,
    /// Whether it can only be a preview.
    pub is_dry_run: bool,
    /// How it reads.
    pub result: Labelled<ResultState>,
    /// Why, in the contract's words.
    pub reason: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// Whether it needs somebody.
    pub attention: AttentionShown,
    /// The run that it points at, in its own scope.
    pub run: Option<RunId>,
    /// The state of that run.
    pub run_state: Option<RunStateShown>,
    /// When it ended, or started where no end is noted; none for one that did neither.
    pub executed_at: Option<Moment>,
    /// When it was created, where that can be read.
    pub created_at: Option<Moment>,
}

impl From<PostureReason> for CameFor {
    fn from(reason: PostureReason) -> Self {
        Self {
            recovery_posture_reason: reason,
            summary: reason.summary(),
            next_action: reason.next_action(),
        }
    }
}

impl RestoreList {
    /// From a page of restores; `next` is how to ask for the one below.
    pub fn new(
        page: &RestoreListing,
        came_for: Option<PostureReason>,
        judging: Judging<'_>,
        next: impl Fn(RestoreId) -> String,
    ) -> Self {
        let at = At {
            as_of: page.as_of,
            policy: judging.policy,
        };
        let line = |row: &RestoreInList| {
            let seen = SeenRestore {
                at,
                restore: &row.found.0,
                run: row.found.1.as_ref(),
                evidence: judging.visibility.evidence.then_some(&row.found.2),
            };
            ListedRestore::new(row, &seen, judging.freshness)
        };
        Self {
            as_of: Moment(page.as_of),
            came_for: came_for.map(CameFor::from),
            restores: page.rows.iter().map(line).collect(),
            next: page.below.map(next),
            claim_boundary: CLAIM_BOUNDARY,
        }
    }
}

impl ListedRestore {
    fn new(row: &RestoreInList, seen: &SeenRestore<'_>, limits: &FreshnessThresholds) -> Self {
        let (restore, run, _, record) = &row.found;
        let result = RestoreResult::of(seen);
        let known = run.as_ref().map(|run| KnownRun {
            run,
            restore: Some(restore),
            record,
        });
        let situation = result.situation;
        let as_of = seen.at.as_of;
        let run_state =
            known.map(|known| RunStateShown::new(known, None, Some(situation), as_of, limits));
        let kind = if seen.is_not_executed() {
            RestoreKind::Preparing
        } else if !row.names_run {
            RestoreKind::WithoutRun
        } else {
            RestoreKind::Executed
        };
        let moments = [restore.completed_at, restore.started_at];
        Self {
            restore: restore.id,
            kind: Labelled {
                state: kind,
                label: kind.label(),
            },
            place: Place {
                workspace: Named {
                    id: restore.workspace_id,
                    name: row.workspace_name.clone(),
                },
                environment: Some(Named {
                    id: restore.environment_id,
                    name: row.environment_name.clone(),
                }),
                is_orphaned: false,
            },
            status: restore.status,
            is_dry_run: restore.is_dry_run,
            result: Labelled {
                state: result.state(),
                label: situation.label(),
            },
            reason: situation.reason(),
            tone: tone(result.state(), run_state.as_ref()),
            attention: attention_shown(seen, record),
            run: run.as_ref().map(|run| run.id),
            run_state,
            executed_at: moments.into_iter().find_map(Stamp::moment).map(Moment),
            created_at: restore.created_at.moment().map(Moment),
        }
    }
}
