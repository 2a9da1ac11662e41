//! What is read to be shown, and for whom.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reconciler_jobs::ids::{BackupSetId, EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;
use reconciler_jobs::reading::gates::PreparationFacts;
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, RestoreFacts, RunFacts, RunOutcome};

use crate::storage::model::{Assessment, RecordedVerdict, Tally};

/// How many runs are looked at to fill one page, where a filter leaves some out.
pub const LOOKED_AT_MAX: u32 = 2_000;

/// How many runs are looked at to fill one page, where each has to be judged to know whether it belongs there.
pub const JUDGED_MAX: u32 = 250;

/// How many bytes of restores' documents are parsed for one page of runs, or a few more: a tenth of a second's work.
pub const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many items of a backup set are looked at.
pub const ITEMS_MAX: u32 = 2_000;

/// Longest metadata of an item that are read, in bytes.
pub const ITEM_METADATA_BYTES_MAX: i64 = 16 * 1024;

/// Longest document about the preparation of a restore that is read, in bytes.
pub const PREPARATION_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// How many environments are gone through for one answer, unless it says otherwise.
pub const WALKED_MAX: u32 = 5_000;

/// How many of them are in memory at a time: results of restores may be large.
pub const WALKED_AT_ONCE: u32 = 250;

/// Whose rows may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// Everybody's.
    All,
    /// The rows of these workspaces.
    Only(BTreeSet<WorkspaceId>),
}

impl Workspaces {
    /// The given workspace alone if it may be seen, and none otherwise.
    #[must_use]
    pub fn narrowed(&self, workspace: WorkspaceId) -> Self {
        let narrowed = Some(workspace).filter(|_| self.may_include(Some(workspace)));
        Self::Only(narrowed.into_iter().collect())
    }

    /// Whether what belongs to this workspace is among it. What belongs to none is everybody's who may see all.
    #[must_use]
    pub fn may_include(&self, workspace: Option<WorkspaceId>) -> bool {
        match (self, workspace) {
            (Self::All, _) => true,
            (Self::Only(_), None) => false,
            (Self::Only(set), Some(workspace)) => set.contains(&workspace),
        }
    }

    /// The ids as statements take them: null stands for all.
    pub(super) fn ids(&self) -> Option<Vec<i64>> {
        match self {
            Self::All => None,
            Self::Only(set) => Some(set.iter().map(|workspace| workspace.0).collect()),
        }
    }
}

/// Which runs are to be listed. What is none says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only runs of this environment.
    pub environment: Option<EnvironmentId>,
    /// Whose outcome column says so.
    pub outcome: Option<RunOutcome>,
    /// Whose verdict, or whose entry on the watch list, has this primary reason.
    pub reason: Option<ReasonCode>,
    /// Whose restore reads so now. Those without a restore that can be tied to them have no state.
    pub state: Option<ResultState>,
    /// Whether that restore is read with the evidence of its run, as whoever may see evidence reads it.
    pub with_evidence: bool,
    /// Only runs that are queued or running.
    pub undecided: bool,
    /// Created at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Created before this moment.
    pub created_before: Option<Timestamp>,
}

/// A part of the list of runs, the highest ids first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunListing {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The runs.
    pub rows: Vec<RunSeen>,
    /// Where to go on: below this id. None at the end of the list. A page may be short, or empty, and still not
    /// be the last one: then [`LOOKED_AT_MAX`] or [`JUDGED_MAX`] runs were looked at, or [`PAGE_BYTES_MAX`] read.
    pub below: Option<RunId>,
}

/// One run with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSeen {
    /// The run's facts, and what the rules say of them as they stand.
    pub assessment: Assessment,
    /// The name of the run's workspace.
    pub workspace_name: String,
    /// The name of the run's environment; none for a run without one.
    pub environment_name: Option<String>,
    /// The verdict's place in the ledger.
    pub verdict: Option<VerdictSeen>,
    /// That the database refuses the run a verdict; none for a run that is closed.
    pub refusal: Option<RefusalSeen>,
}

/// That the database refuses an open run its verdict. Whatever the verdict would say was proven to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalSeen {
    /// Since when the run is on the watch list.
    pub since: Timestamp,
    /// When it was refused last.
    pub tried_at: Timestamp,
    /// When it is tried again by itself.
    pub again_at: Timestamp,
    /// How often it was tried.
    pub tries: u64,
    /// What the database said the last time, made visible and cut to a length; never a row.
    pub said: Option<String>,
}

/// A verdict without the texts that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictSeen {
    /// The outcome.
    pub outcome: String,
    /// The primary reason.
    pub reason_code: String,
    /// When, by the database's clock.
    pub decided_at: Timestamp,
}

/// One run with its verdict in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInFull {
    /// What the list has of it.
    pub seen: RunSeen,
    /// The verdict on record.
    pub verdict: Option<RecordedVerdict>,
    /// Backup set of the restore that is tied to the run.
    pub backup_set: Option<BackupSetId>,
}

/// One restore that may have no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSeen {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The restore.
    pub restore: RestoreFacts,
    /// The run that it points at, in its own scope.
    pub run: Option<RunFacts>,
    /// Evidence captured for that run.
    pub evidence: EvidenceFacts,
    /// Workspace's name.
    pub workspace_name: String,
    /// Environment's name.
    pub environment_name: String,
    /// Who asked for it.
    pub requested_by: Option<String>,
    /// What is known before it is executed.
    pub preparation: PreparationFacts,
}

/// A restore, the run that it points at, and that run's evidence.
pub type Latest = (RestoreFacts, Option<RunFacts>, EvidenceFacts);

/// Environments, in the order of workspaces, then of environments.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentPage {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The environments.
    pub rows: Vec<EnvironmentSeen>,
    /// Where to go on: after this one. None at the end.
    pub after: Option<(WorkspaceId, EnvironmentId)>,
}

/// One environment with what its posture and its backup health are read from.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentSeen {
    /// The workspace that the environment belongs to.
    pub workspace: WorkspaceId,
    /// The name of that workspace.
    pub workspace_name: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's name.
    pub name: String,
    /// The restore with the highest id that was executed to its end.
    pub latest: Option<Latest>,
    /// The latest completed backup set.
    pub backup: Option<BackupSetFacts>,
    /// The restore that is being prepared and has the highest id.
    pub preparing: Option<RestoreId>,
    /// Open runs, and when the oldest was created.
    pub open: OpenRuns,
}

/// Which environments are gone through, from the first on, and what is read of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Only environments of this workspace, where one is given.
    pub workspace: Option<WorkspaceId>,
    /// How many at most.
    pub environments_max: u32,
    /// How many are read together; never more than [`WALKED_AT_ONCE`].
    pub at_once: u32,
    /// Whether more than its history is read of each.
    pub with_more: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            workspace: None,
            environments_max: WALKED_MAX,
            at_once: WALKED_AT_ONCE,
            with_more: false,
        }
    }
}

/// One environment that is passed on a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentPassed {
    /// The workspace that the environment belongs to.
    pub workspace: WorkspaceId,
    /// The name of that workspace.
    pub workspace_name: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's name.
    pub name: String,
    /// The restore with the highest id that was executed to its end.
    pub latest: Option<Latest>,
    /// What else was read; none where only histories were asked for.
    pub more: Option<More>,
}

/// What may need somebody beside a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct More {
    /// The latest completed backup set.
    pub backup: Option<BackupSetFacts>,
    /// Open runs, and when the oldest was created.
    pub open: OpenRuns,
}

/// Where a walk came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The database's clock: everything was read as it was at this moment.
    pub as_of: Timestamp,
    /// The first environment that was not passed, where there were more than were asked for.
    pub ended_before: Option<(WorkspaceId, EnvironmentId)>,
}

/// Open runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenRuns {
    /// How many.
    pub runs: u64,
    /// When the oldest was created, as far as that can be read.
    pub oldest: Option<Timestamp>,
    /// The one with the lowest id.
    pub first: Option<RunId>,
}

/// A pass over the due runs, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepSeen {
    /// The sweep's id.
    pub id: i64,
    /// Who swept.
    pub worker: String,
    /// The workspace that it was confined to.
    pub workspace: Option<WorkspaceId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none where it is still going on, or died.
    pub ended_at: Option<Timestamp>,
    /// The tick of the schedule that it was for.
    pub tick_at: Option<Timestamp>,
    /// Which part of the workspaces, of how many parts.
    pub shard: (i64, i64),
    /// When it was last heard of.
    pub beat_at: Option<Timestamp>,
    /// What became of the runs.
    pub tally: Tally,
}
