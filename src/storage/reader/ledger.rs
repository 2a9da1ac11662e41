//! The ledger itself, entry by entry, those of other platforms and of runs that are gone among them.

use std::cmp::Reverse;

use futures_util::Stream;
use futures_util::stream::try_unfold;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::record::{AUDIT_ACTION, AUDIT_RESOURCE_TYPE};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use reconciler_jobs::stamp::{Stamp, whole_seconds};
use sqlx::FromRow;

use super::open::Reader;
use crate::storage::column::{Id, OptionalId, StoredMoment};
use crate::storage::error::{Result, StoreError};
use crate::storage::model::RecordedVerdict;
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// How many entries are read together where each is judged again.
const JUDGED_TOGETHER: u32 = 2_000;

/// How many entries are passed together where those that are asked for are listed.
const LISTED_TOGETHER: u32 = 200;

/// How many entries of one run are shown: the latest.
const OF_ONE_RUN_MAX: u32 = 50;

/// The longest context of a run that is compared, in bytes: what stood in it before may be kept in it.
const CONTEXT_BYTES_MAX: u32 = 128 * 1024;

/// How many positions of the feed are passed together.
const POSITIONS_TOGETHER: u32 = 5_000;

/// Which entries are asked for. What is none says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Only those of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only those of this environment.
    pub environment: Option<EnvironmentId>,
    /// Only those with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those with this primary reason.
    pub reason: Option<ReasonCode>,
    /// Decided at this moment or later.
    pub since: Option<Timestamp>,
    /// Decided before this moment.
    pub until: Option<Timestamp>,
}

/// What the ledger is passed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerParts {
    /// Entries are listed: small parts.
    Listed,
    /// Each entry is judged again: larger ones.
    Judged,
    /// It is compared with what else was written with it, too.
    Compared,
}

/// An entry of the ledger, and whose it says it is.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct LedgerRow {
    /// The verdict.
    #[sqlx(flatten)]
    pub verdict: RecordedVerdict,
    /// The run's workspace.
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub workspace: WorkspaceId,
    /// The run's environment.
    #[sqlx(rename = "managed_environment_id", try_from = "OptionalId")]
    pub environment: Option<EnvironmentId>,
    /// When the run was created; none where that is not known.
    #[sqlx(try_from = "StoredMoment")]
    pub run_created_at: Option<Timestamp>,
    /// Because of what it was decided.
    pub source: String,
    /// Where it stands in the feed, if it has a position.
    pub position: Option<i64>,
}

/// An entry that was passed, with what else was written with it, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each column answers for itself"
)]
pub struct PassedEntry {
    /// The entry. Where it was not asked for, without facts and decision.
    #[sqlx(flatten)]
    pub row: LedgerRow,
    is_wanted: bool,
    /// The workspace that its facts are filed under.
    #[sqlx(rename = "facts_workspace_id", try_from = "OptionalId")]
    pub facts_workspace: Option<WorkspaceId>,
    /// Whether it is on record that its facts were erased.
    pub is_forgotten: bool,
    /// Whether no later one of the same run counts instead.
    pub is_current: bool,
    /// What the row of its run says, where that is still there.
    pub run_status: Option<String>,
    /// What the row of its run says.
    pub run_outcome: Option<String>,
    /// Whether the context of its run names this decision.
    pub names_decision: Option<bool>,
    /// When its run ended.
    #[sqlx(try_from = "StoredMoment")]
    pub run_completed_at: Stamp,
    /// The context of its run; none of one that is too long.
    pub run_context: Option<Vec<u8>>,
    /// What the audit log says about the run in the second of the verdict: a word of each kind, with commas between.
    pub audit_outcome: Option<String>,
    /// Whether another verdict was reached on the run in that second.
    #[sqlx(skip)]
    pub shares_second: bool,
    /// The workspace that its position is filed under.
    #[sqlx(rename = "position_workspace_id", try_from = "OptionalId")]
    pub position_workspace: Option<WorkspaceId>,
    /// Whether it may be without a position: it is older than the feed, or waits, or there is no feed.
    pub may_lack_position: bool,
}

/// A part of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPart {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The entries that are asked for.
    pub entries: Vec<PassedEntry>,
    /// How many entries were passed.
    pub passed: usize,
    /// The lowest id of a run that was passed; none at the end.
    pub below: Option<RunId>,
}

/// A position of the feed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PositionSeen {
    /// Where it stands.
    pub position: i64,
    /// The verdict that it leads to.
    pub decision_id: String,
    /// The workspace that it is filed under.
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub workspace: WorkspaceId,
    /// When it was given.
    #[sqlx(try_from = "StoredMoment")]
    pub placed_at: Timestamp,
    /// How many positions before it are missing.
    pub skipped: i64,
    /// Whether the ledger has no such entry.
    pub leads_nowhere: bool,
}

impl Reader {
    /// The ledger part by part, the highest ids of runs first, from below `below` on. Each part is one snapshot.
    ///
    /// Fails where rows may be hidden that would be compared.
    pub fn walk_ledger(
        &self,
        filter: LedgerFilter,
        below: RunId,
        parts: LedgerParts,
    ) -> impl Stream<Item = Result<LedgerPart>> {
        try_unfold(Some(below), move |below| async move {
            let Some(below) = below else { return Ok(None) };
            let reading = self
                .database
                .read(async |tx| load_part(tx, filter, below, parts).await);
            let part = reading.await?;
            let next = part.below;
            Ok(Some((part, next)))
        })
    }

    /// Entries by decision or by run, the latest first.
    pub async fn find_entries(
        &self,
        decision: Option<&str>,
        run: Option<RunId>,
    ) -> Result<Vec<LedgerRow>> {
        let statement = statement!("read the ledger", "find_entries");
        let values = values![decision, run, OF_ONE_RUN_MAX];
        self.database.read_all(statement, values).await
    }

    /// The positions of the feed after `after`: those that are missing before one or that lead nowhere, and last the
    /// last one that was passed. None at the end, and on SQLite.
    pub async fn walk_positions(&self, after: i64) -> Result<Vec<PositionSeen>> {
        let statement = statement!("read the feed", postgres "walk_positions");
        let values = values![after, POSITIONS_TOGETHER];
        self.database.read_all(statement, values).await
    }
}

async fn load_part(
    tx: &mut DatabaseTransaction,
    filter: LedgerFilter,
    below: RunId,
    parts: LedgerParts,
) -> Result<LedgerPart> {
    let statement = statement!("read the ledger", "walk_ledger");
    let compared = parts == LedgerParts::Compared;
    if let Some(distrust) = tx.distrust().filter(|_| compared) {
        return Err(StoreError::fatal(statement.step, distrust));
    }
    let together = match parts {
        LedgerParts::Listed => LISTED_TOGETHER,
        LedgerParts::Judged | LedgerParts::Compared => JUDGED_TOGETHER,
    };
    let values = values![
        below,
        together,
        filter.workspace,
        filter.environment,
        filter.outcome.map(Outcome::name),
        filter.reason.map(ReasonCode::code),
        filter.since,
        filter.until,
        compared,
        AUDIT_ACTION,
        AUDIT_RESOURCE_TYPE,
        CONTEXT_BYTES_MAX,
    ];
    let mut entries: Vec<PassedEntry> = tx.driver().fetch_all(statement, values).await?;
    // Here, because a server sorts so many facts on its disk.
    entries.sort_unstable_by_key(|entry| {
        let verdict = &entry.row.verdict;
        Reverse((verdict.run, verdict.decided_at))
    });
    let second = |entry: &PassedEntry| {
        let verdict = &entry.row.verdict;
        (verdict.run, whole_seconds(verdict.decided_at))
    };
    for same in entries.chunk_by_mut(|one, next| second(one) == second(next)) {
        let shares_second = same.len() > 1;
        for entry in same {
            entry.shares_second = shares_second;
        }
    }
    let passed = entries.len();
    let last = entries.last().map(|entry| entry.row.verdict.run);
    entries.retain(|entry| entry.is_wanted);
    Ok(LedgerPart {
        as_of: tx.as_of,
        entries,
        passed,
        below: last.filter(|_| passed >= usize::try_from(together).unwrap_or(usize::MAX)),
    })
}
