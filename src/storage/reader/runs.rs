//! Pages of runs.
//!
//! The database says which runs are wanted as far as columns tell; the result state is read from facts, run by
//! run, so that no page can say of a run what the run's own page does not say.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::reading::SeenRestore;
use reconciler_jobs::reading::result_state::{RestoreResult, ResultState};
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::{Outcome, Policy, ReasonCode};
use sqlx::FromRow;

use super::names::NameColumn;
use super::open::Reader;
use super::run::{RunSeen, load_seen};
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, Id, StoredMoment};
use crate::storage::connection::Connection;
use crate::storage::error::Result;
use crate::storage::statement::{Statement, statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// How many runs are looked at to fill one page, where a filter leaves some out.
pub const LOOKED_AT_MAX: u32 = 2_000;

/// How many runs are looked at to fill one page, where each has to be judged to know whether it belongs there.
pub const JUDGED_MAX: u32 = 250;

/// How many bytes of restores' documents are parsed for one page of runs or of restores, or a few more: a tenth of a
/// second's work.
pub(super) const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many runs are looked at before all of [`LOOKED_AT_MAX`] are, where a filter may leave some out. Most filters
/// leave enough of these, and the database finds few at less expense.
const LOOKED_AT_FIRST: u32 = 250;

/// How many runs are judged before all of [`JUDGED_MAX`] are, where only some of them may be wanted.
const JUDGED_FIRST: usize = 50;

/// How many runs are read before it is known how large they are.
const READ_FIRST: usize = 10;

/// Which runs are to be listed. What is none says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each asks for itself")]
pub struct RunFilter {
    /// Only runs of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only runs of this environment.
    pub environment: Option<EnvironmentId>,
    /// Whose outcome column says so.
    pub outcome: Option<RunOutcome>,
    /// Whose verdict, opinion or entry on the watch list has this primary reason.
    pub reason: Option<ReasonCode>,
    /// Whose restore reads so now. Those without a restore that can be tied to them have no state.
    pub state: Option<ResultState>,
    /// Whether that restore is read with the evidence of its run, as whoever may see evidence reads it.
    pub with_evidence: bool,
    /// Only runs that are queued or running.
    pub undecided: bool,
    /// Only runs that say they succeeded where that is not proven.
    pub unproven: bool,
    /// Only open runs of environments that were deleted or moved, which whoever may see all sees.
    pub orphaned: bool,
    /// Created at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Created before this moment.
    pub created_before: Option<Timestamp>,
    /// Whether the lowest ids come first, and the list goes on above them.
    pub upwards: bool,
}

/// A part of the list of runs, the highest ids first unless it was asked for upwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunListing {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The runs.
    pub rows: Vec<RunSeen>,
    /// Where to go on: below this id, or above it. None at the end of the list. A page may be short, or empty, and still not
    /// be the last one: then [`LOOKED_AT_MAX`] or [`JUDGED_MAX`] runs were looked at, or [`PAGE_BYTES_MAX`] read.
    pub below: Option<RunId>,
}

/// Open runs of an environment that was deleted, or is another workspace's by now.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OrphanedRuns {
    /// The workspace of the runs.
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub workspace: WorkspaceId,
    /// The name of that workspace.
    #[sqlx(try_from = "NameColumn")]
    pub workspace_name: String,
    /// The environment.
    #[sqlx(rename = "environment_id", try_from = "Id")]
    pub environment: EnvironmentId,
    /// How many, previews and preparations left out.
    #[sqlx(try_from = "CountColumn")]
    pub runs: u64,
    /// How many such environments there are, listed or not.
    #[sqlx(try_from = "CountColumn")]
    pub environments: u64,
}

pub(super) const FIND_UNPROVEN: Statement =
    statement!("look for unproven successes", both "find_unproven_runs");

/// Words of `operation_runs.outcome` that are known.
const OUTCOMES: [&str; 5] = [
    "pending",
    "succeeded",
    "partially_succeeded",
    "blocked",
    "failed",
];

/// Which runs are looked at, and which of these are wanted.
#[expect(clippy::struct_excessive_bools, reason = "each asks for itself")]
struct RunsQuery {
    of: Workspaces,
    /// Whether the viewer may see all workspaces, whichever are asked for.
    sees_all: bool,
    is_orphaned: bool,
    environment: Option<EnvironmentId>,
    is_open: bool,
    is_unproven: bool,
    below: Option<RunId>,
    looked_at_max: u32,
    /// One of [`OUTCOMES`], or `unknown` for all other words.
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    created_from: Option<Timestamp>,
    created_before: Option<Timestamp>,
    upwards: bool,
}

impl RunsQuery {
    /// Whether a run that is looked at may be unwanted.
    fn leaves_some_out(&self) -> bool {
        self.outcome.is_some()
            || self.reason.is_some()
            || self.created_from.is_some()
            || self.created_before.is_some()
    }
}

/// What a page is made for.
struct Wish<'a> {
    of: &'a Workspaces,
    filter: &'a RunFilter,
    policy: &'a Policy,
    /// At most so many rows.
    limit: usize,
    /// So many runs may have to be judged for them.
    judged_max: u32,
}

/// One of the latest verdicts of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecentVerdict {
    /// The workspace of its run.
    pub workspace: WorkspaceId,
    /// The environment of its run.
    pub environment: Option<EnvironmentId>,
    /// When its run was created, or decided where that is not known.
    pub created_at: Timestamp,
    /// When it was given.
    pub decided_at: Timestamp,
    /// What it says.
    pub outcome: Outcome,
    /// Why; none where this version does not know the code.
    pub reason: Option<ReasonCode>,
    /// Whether its run says the same by now.
    pub stands: bool,
}

#[derive(FromRow)]
struct VerdictRow {
    workspace_id: Id,
    managed_environment_id: Option<i64>,
    run_created_at: StoredMoment,
    decided_at: StoredMoment,
    outcome: String,
    reason_code: String,
    stands: bool,
}

impl Reader {
    /// Runs of type `restore.execute` below `below`, at most `limit`.
    pub async fn load_runs(
        &self,
        of: &Workspaces,
        filter: &RunFilter,
        below: Option<RunId>,
        limit: u32,
        policy: &Policy,
    ) -> Result<RunListing> {
        let limit = limit.clamp(1, JUDGED_MAX);
        let wish = Wish {
            of,
            filter,
            policy,
            limit: usize_of(limit),
            judged_max: filter.state.map_or(limit, |_| JUDGED_MAX),
        };
        let reading = self.database.read(async |tx| {
            let mut page = RunListing {
                as_of: tx.as_of,
                rows: Vec::new(),
                below: None,
            };
            let Some(asked) = asked(tx, of, filter, below).await? else {
                return Ok(page);
            };
            let (looked_at, is_cut) = look(tx, asked, wish.judged_max).await?;
            let wanted: Vec<RunId> = looked_at
                .iter()
                .filter_map(|(run, is_wanted)| is_wanted.then_some(*run))
                .collect();
            let dealt_with = fill(tx, &wish, &wanted, &mut page.rows).await?;
            page.below = match dealt_with.checked_sub(1).and_then(|last| wanted.get(last)) {
                Some(last) if dealt_with < wanted.len() => Some(*last),
                _ if is_cut => looked_at.last().map(|(run, _)| *run),
                _ => None,
            };
            Ok(page)
        });
        reading.await
    }

    /// Environments that were deleted, or are another workspace's by now, and have open runs, for whoever may see all;
    /// at most `limit`, and only those of `workspace` where one is given.
    pub async fn load_orphaned(
        &self,
        workspace: Option<WorkspaceId>,
        limit: u32,
    ) -> Result<Vec<OrphanedRuns>> {
        let statement = statement!("look for orphaned runs", "find_orphaned_runs");
        let values = values![limit, workspace];
        self.database.read_all(statement, values).await
    }

    /// The latest verdicts of each of `workspaces` that may be seen, at most `limit` of each, in no particular order.
    pub async fn load_recent_verdicts(
        &self,
        of: &Workspaces,
        workspaces: &[WorkspaceId],
        limit: u32,
    ) -> Result<Vec<RecentVerdict>> {
        let statement = statement!("read the latest verdicts", "load_recent_verdicts");
        let seen = workspaces.iter().copied();
        let seen: BTreeSet<WorkspaceId> = seen
            .filter(|workspace| of.may_include(Some(*workspace)))
            .collect();
        let seen: Vec<WorkspaceId> = seen.into_iter().collect();
        let values = values![&*seen, limit];
        let found: Vec<VerdictRow> = self.database.read_all(statement, values).await?;
        let mut verdicts = Vec::with_capacity(found.len());
        for row in found {
            let [created_at, decided_at] = [
                row.run_created_at.read(statement.step)?,
                row.decided_at.read(statement.step)?,
            ];
            verdicts.extend(Outcome::parse(&row.outcome).map(|outcome| RecentVerdict {
                workspace: row.workspace_id.into(),
                environment: row.managed_environment_id.map(EnvironmentId),
                created_at,
                decided_at,
                outcome,
                reason: ReasonCode::parse(&row.reason_code),
                stands: row.stands,
            }));
        }
        Ok(verdicts)
    }
}

/// Fills a page with what is wanted, from the first on, and says how many of these runs were dealt with. Ends early
/// where these were so large that the next would be too much.
async fn fill(
    tx: &mut DatabaseTransaction,
    wish: &Wish<'_>,
    wanted: &[RunId],
    rows: &mut Vec<RunSeen>,
) -> Result<usize> {
    let judged_max = usize_of(wish.judged_max).min(wanted.len());
    let mut dealt_with = 0;
    while dealt_with < judged_max && rows.len() < wish.limit {
        let judged_first = wish.filter.state.map_or(judged_max, |_| JUDGED_FIRST);
        let until = match dealt_with {
            few if few < judged_first => judged_max.min(judged_first),
            _ => judged_max,
        };
        let until = until.min(dealt_with.saturating_add(fitting(dealt_with, tx.bytes_parsed)));
        let batch = wanted.get(dealt_with..until).unwrap_or_default();
        if batch.is_empty() {
            break;
        }
        let mut seen = load_seen(tx, wish.of, batch, wish.policy).await?;
        for run in batch {
            if rows.len() == wish.limit {
                break;
            }
            dealt_with += 1;
            let state = wish.filter.state;
            let in_state = |seen: &RunSeen| {
                state.is_none_or(|state| is_in(seen, state, wish.filter.with_evidence))
            };
            rows.extend(seen.remove(run).filter(in_state));
        }
    }
    Ok(dealt_with)
}

/// How many more runs are read on a page where so many came to so many bytes.
fn fitting(runs: usize, bytes: usize) -> usize {
    let mean = bytes.checked_div(runs);
    mean.map_or(READ_FIRST, |mean| {
        PAGE_BYTES_MAX.saturating_sub(bytes) / mean.max(1)
    })
}

/// What to ask the database for; nothing where nothing can be found.
async fn asked(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    filter: &RunFilter,
    below: Option<RunId>,
) -> Result<Option<RunsQuery>> {
    let sees_all = *of == Workspaces::All;
    let mut of = of.within(filter.workspace);
    if let Some(environment) = filter.environment {
        // No index is by environment, and one is by workspace.
        let statement = statement!("look up an environment", both "find_environment");
        let values = values![of.ids(), environment, sees_all];
        let found: Option<(Id,)> = tx.driver().fetch_optional(statement, values).await?;
        let Some((workspace,)) = found else {
            return Ok(None);
        };
        of = of.narrowed(workspace.into());
    }
    Ok(Some(RunsQuery {
        of,
        sees_all,
        is_orphaned: filter.orphaned,
        environment: filter.environment,
        is_open: filter.undecided || filter.orphaned,
        is_unproven: filter.unproven,
        below,
        looked_at_max: 0,
        outcome: filter.outcome.map(word_of),
        reason: filter.reason.map(ReasonCode::code),
        created_from: filter.created_from,
        created_before: filter.created_before,
        upwards: filter.upwards,
    }))
}

/// Looks at runs until more than `wanted_max` are wanted or enough were looked at, the highest ids first; and
/// whether there may be more below them.
async fn look(
    tx: &mut DatabaseTransaction,
    mut asked: RunsQuery,
    wanted_max: u32,
) -> Result<(Vec<(RunId, bool)>, bool)> {
    let first = LOOKED_AT_FIRST.max(wanted_max + 1);
    let steps = if asked.leaves_some_out() {
        vec![first, LOOKED_AT_MAX - first]
    } else {
        vec![wanted_max + 1]
    };
    let mut looked_at = Vec::new();
    for at_most in steps {
        asked.looked_at_max = at_most;
        let found = look_once(tx, &asked).await?;
        if found.len() < usize_of(at_most) {
            looked_at.extend(found);
            return Ok((looked_at, false));
        }
        asked.below = found.last().map(|(run, _)| *run);
        looked_at.extend(found);
        let wanted = looked_at.iter().filter(|(_, is_wanted)| *is_wanted);
        if wanted.count() > usize_of(wanted_max) {
            break;
        }
    }
    Ok((looked_at, true))
}

/// Runs that are looked at, the highest id first, and whether each is wanted.
async fn look_once(tx: &mut DatabaseTransaction, query: &RunsQuery) -> Result<Vec<(RunId, bool)>> {
    if !query.is_unproven {
        return look_among(tx, query, None).await;
    }
    // Few beside all others: found by themselves first.
    let values = values![
        query.of.ids(),
        query.environment,
        query.below,
        query.looked_at_max,
        query.upwards,
    ];
    let found: Vec<(Id,)> = tx.driver().fetch_all(FIND_UNPROVEN, values).await?;
    let found: Vec<RunId> = found.into_iter().map(|(run,)| run.into()).collect();
    let looked_at = look_among(tx, query, Some(&found)).await?;
    let wanted: HashSet<RunId> = looked_at
        .into_iter()
        .filter_map(|(run, is_wanted)| is_wanted.then_some(run))
        .collect();
    let found = found.into_iter();
    Ok(found.map(|run| (run, wanted.contains(&run))).collect())
}

/// As [`look_once`], of all runs or of those that are given.
async fn look_among(
    tx: &mut DatabaseTransaction,
    query: &RunsQuery,
    among: Option<&[RunId]>,
) -> Result<Vec<(RunId, bool)>> {
    let step = "look for runs";
    let connection = tx.driver();
    let statement = match connection {
        Connection::Postgres(_) if query.is_open && among.is_none() => {
            statement!(step, postgres "look_for_open_runs")
        }
        _ => statement!(step, "look_for_runs"),
    };
    let values = values![
        query.of.ids(),
        query.environment,
        query.below,
        query.looked_at_max,
        query.outcome,
        query.reason,
        query.created_from,
        query.created_before,
        OUTCOMES.to_vec(),
        query.is_open,
        among.map(|runs| runs.iter().map(|run| run.0).collect::<Vec<i64>>()),
        query.sees_all,
        query.is_orphaned,
        query.upwards,
    ];
    let found: Vec<(Id, bool)> = connection.fetch_all(statement, values).await?;
    let found = found.into_iter();
    Ok(found
        .map(|(run, is_wanted)| (run.into(), is_wanted))
        .collect())
}

fn word_of(outcome: RunOutcome) -> &'static str {
    let known = OUTCOMES
        .into_iter()
        .find(|word| RunOutcome::parse(word) == outcome);
    known.unwrap_or("unknown")
}

/// Whether a run's restore, if one can be tied to it, reads so.
fn is_in(seen: &RunSeen, state: ResultState, with_evidence: bool) -> bool {
    let facts = &seen.assessment.facts;
    seen.assessment.restore().is_some_and(|restore| {
        let result = RestoreResult::of(&SeenRestore {
            at: facts.at(),
            restore,
            run: Some(&facts.run),
            evidence: with_evidence.then_some(&facts.evidence),
        });
        result.state() == state
    })
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_runs_are_read_as_fit_at_the_size_of_those_before() {
        let mib = 1024 * 1024;
        assert_eq!(fitting(0, 0), READ_FIRST);
        assert!(fitting(10, 0) >= usize_of(JUDGED_MAX));
        assert!(fitting(10, 10 * 2_000) >= usize_of(JUDGED_MAX));
        assert_eq!(fitting(10, 10 * mib), 6);
        assert_eq!(fitting(15, 15 * mib + 2), 0, "the next would be too much");
        assert_eq!(fitting(10, PAGE_BYTES_MAX), 0);
        assert_eq!(fitting(1, PAGE_BYTES_MAX * 4), 0);
    }
}
