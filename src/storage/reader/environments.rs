//! Pages of environments, and a walk through all of them. Each kind of row is read for many environments at once.

use std::collections::HashMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RunStatus};
use reconciler_jobs::stamp::Stamp;
use sqlx::FromRow;

use super::backups::not_after;
use super::names::NameColumn;
use super::open::Reader;
use super::restores::{Latest, PointedAt, ScopedRestore};
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, Id, OptionalId, StoredMoment};
use crate::storage::error::Result;
use crate::storage::records::Ask;
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// How many environments are gone through for one answer, unless it says otherwise.
const WALKED_MAX: u32 = 5_000;

/// How many of them are in memory at a time: results of restores may be large.
const WALKED_AT_ONCE: u32 = 250;

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

/// One environment with what its posture and its backup health are read from. On a walk some of it is not read: see
/// [`Walk::with_more`].
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
    /// The restore that was executed to its end last.
    pub latest: Option<Latest>,
    /// The backup set that finished last, however it ended.
    pub backup: Option<BackupSetFacts>,
    /// The restore that is being prepared and has the highest id; not read on a walk.
    pub preparing: Option<RestoreId>,
    /// Open runs, and when the oldest was created.
    pub open: OpenRuns,
    /// Runs that say that they succeeded where that is not proven.
    pub unproven: UnprovenRuns,
}

/// Runs that somebody else closed as successes, and that is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnprovenRuns {
    /// How many.
    pub runs: u64,
    /// When the oldest was created, where that is known.
    pub oldest: Option<Timestamp>,
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
    /// Whether backups and open runs are read of each, and not its history alone.
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
    /// How many of them are about a preview or a preparation, which nobody executed.
    pub not_executed: u64,
    /// When the oldest of the others was created, as far as that can be read.
    pub oldest: Option<Timestamp>,
    /// The one of these that is queued for longest.
    pub queued: Option<LongestOpen>,
    /// The one of these that is running for longest.
    pub running: Option<LongestOpen>,
}

/// The open run that is in its status for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongestOpen {
    /// The run.
    pub run: RunId,
    /// Since when; no moment where nobody knows it.
    pub since: Stamp,
}

/// Open runs of one environment in one status.
#[derive(FromRow)]
struct OpenRunsRow {
    environment_id: i64,
    runs: CountColumn,
    not_executed: CountColumn,
    oldest: StoredMoment,
    status: String,
    longest: OptionalId,
    since: StoredMoment,
}

/// A live environment, as people know it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PlaceSeen {
    /// The workspace that the environment belongs to.
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub workspace: WorkspaceId,
    /// The name of that workspace.
    #[sqlx(try_from = "NameColumn")]
    pub workspace_name: String,
    /// The environment.
    #[sqlx(rename = "environment_id", try_from = "Id")]
    pub environment: EnvironmentId,
    /// The environment's name.
    #[sqlx(try_from = "NameColumn")]
    pub name: String,
}

/// An environment and its workspace, which lists are in the order of.
type EnvironmentKey = (WorkspaceId, EnvironmentId);

/// A part of a list of environments.
struct ListedPart {
    listed: Vec<PlaceSeen>,
    asks: Vec<Ask>,
    /// The first one that follows.
    next: Option<EnvironmentKey>,
}

impl ListedPart {
    async fn list(
        tx: &mut DatabaseTransaction,
        of: &Workspaces,
        after: Option<EnvironmentKey>,
        only: Option<&[EnvironmentId]>,
        limit: u32,
    ) -> Result<Self> {
        let only: Option<Vec<i64>> = only.map(|ids| ids.iter().map(|id| id.0).collect());
        let limit = limit.clamp(1, WALKED_AT_ONCE);
        let statement = statement!("list environments", both "list_environments");
        let values = values![
            of.ids(),
            after.map(|(workspace, _)| workspace),
            after.map(|(_, environment)| environment),
            limit + 1,
            only,
        ];
        let mut listed: Vec<PlaceSeen> = tx.driver().fetch_all(statement, values).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = listed.get(limit).map(key_of);
        listed.truncate(limit);
        Ok(Self {
            asks: listed.iter().map(ask_of).collect(),
            listed,
            next,
        })
    }

    /// Where the next page begins: behind the last environment listed, if others follow.
    fn after(&self) -> Option<EnvironmentKey> {
        self.next.and(self.listed.last()).map(key_of)
    }
}

impl Reader {
    /// The environments that a viewer may see; none where they are more than anybody chooses from.
    pub(super) async fn load_places(&self, of: &Workspaces) -> Result<Vec<PlaceSeen>> {
        let listing = self
            .database
            .read(async |tx| ListedPart::list(tx, of, None, None, WALKED_AT_ONCE).await);
        let part = listing.await?;
        Ok(if part.next.is_some() {
            Vec::new()
        } else {
            part.listed
        })
    }

    /// Live environments after `after`, at most `limit`; only those of `workspace` where one is given.
    pub async fn load_environments(
        &self,
        of: &Workspaces,
        workspace: Option<WorkspaceId>,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
        policy: &Policy,
    ) -> Result<EnvironmentPage> {
        let of = of.within(workspace);
        let reading = self
            .database
            .read(async |tx| load_page(tx, &of, (after, None), limit, policy).await);
        reading.await
    }

    /// Those of these environments that may be seen, at most a page of them.
    pub async fn load_these(
        &self,
        of: &Workspaces,
        these: &[EnvironmentId],
        policy: &Policy,
    ) -> Result<EnvironmentPage> {
        let only = (None, Some(these));
        let reading = self
            .database
            .read(async |tx| load_page(tx, of, only, WALKED_AT_ONCE, policy).await);
        reading.await
    }

    /// Goes through live environments in the order of [`EnvironmentPage`], and shows `visit` one part after the
    /// other, each with the moment of [`Walked`]. What was shown is dropped before the next part is read.
    pub async fn walk_environments(
        &self,
        of: &Workspaces,
        walk: &Walk,
        policy: &Policy,
        visit: &mut (dyn FnMut(Timestamp, Vec<EnvironmentSeen>) + Send),
    ) -> Result<Walked> {
        let of = of.within(walk.workspace);
        let walking = self.database.read(async |tx| {
            let as_of = tx.as_of;
            let mut left = walk.environments_max.max(1);
            let mut after = None;
            loop {
                let part = ListedPart::list(tx, &of, after, None, left.min(walk.at_once)).await?;
                let next = part.next;
                after = part.after();
                left = left.saturating_sub(u32::try_from(part.listed.len()).unwrap_or(u32::MAX));
                visit(as_of, load_part(tx, part, walk.with_more, policy).await?);
                if after.is_none() || left == 0 {
                    return Ok(Walked {
                        as_of,
                        ended_before: next,
                    });
                }
            }
        });
        walking.await
    }
}

async fn load_page(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    (after, only): (Option<EnvironmentKey>, Option<&[EnvironmentId]>),
    limit: u32,
    policy: &Policy,
) -> Result<EnvironmentPage> {
    let part = ListedPart::list(tx, of, after, only, limit).await?;
    let after = part.after();
    let step = "look for restores that are being prepared";
    let values = values![Ask::environments(&part.asks)];
    let preparing: Vec<(i64, Id)> = tx
        .driver()
        .fetch_all(statement!(step, "find_preparing"), values)
        .await?;
    let mut preparing: HashMap<i64, Id> = preparing.into_iter().collect();
    let mut rows = load_part(tx, part, true, policy).await?;
    for row in &mut rows {
        row.preparing = preparing.remove(&row.environment.0).map(RestoreId::from);
    }
    let as_of = tx.as_of;
    Ok(EnvironmentPage { as_of, rows, after })
}

async fn load_part(
    tx: &mut DatabaseTransaction,
    part: ListedPart,
    with_more: bool,
    policy: &Policy,
) -> Result<Vec<EnvironmentSeen>> {
    let mut latest = load_latest(tx, &part.asks, policy).await?;
    let (mut open, mut unproven, mut backups) = if with_more {
        let open = count_open_runs(tx, &part.asks).await?;
        let unproven = count_unproven_runs(tx, &part.asks).await?;
        let sets = tx
            .find_backup_sets(&part.asks, policy.clock_skew_max)
            .await?;
        (open, unproven, tx.load_backups(sets).await?)
    } else {
        Default::default()
    };
    let seen = |listed: PlaceSeen| EnvironmentSeen {
        latest: latest.remove(&listed.environment),
        backup: backups.remove(&listed.environment.0),
        preparing: None,
        open: open.remove(&listed.environment.0).unwrap_or_default(),
        unproven: unproven.remove(&listed.environment.0).unwrap_or_default(),
        workspace: listed.workspace,
        workspace_name: listed.workspace_name,
        environment: listed.environment,
        name: listed.name,
    };
    Ok(part.listed.into_iter().map(seen).collect())
}

/// The open runs of each environment that has any.
async fn count_open_runs(
    tx: &mut DatabaseTransaction,
    environments: &[Ask],
) -> Result<HashMap<i64, OpenRuns>> {
    let statement = statement!("count open runs", "count_open_runs");
    let values = values![Ask::environments(environments)];
    let found: Vec<OpenRunsRow> = tx.driver().fetch_all(statement, values).await?;
    let mut counted: HashMap<i64, OpenRuns> = HashMap::new();
    for row in found {
        let open = counted.entry(row.environment_id).or_default();
        open.runs += u64::from(row.runs);
        open.not_executed += u64::from(row.not_executed);
        // The platform's own moment: what cannot be read is none.
        let oldest = Stamp::from(row.oldest).moment();
        open.oldest = open.oldest.into_iter().chain(oldest).min();
        let since = Stamp::from(row.since);
        let longest = Option::from(row.longest).map(|run| LongestOpen { run, since });
        match RunStatus::parse(&row.status) {
            RunStatus::Running => open.running = longest,
            _ => open.queued = longest,
        }
    }
    Ok(counted)
}

/// The unproven successes of each environment that has any.
async fn count_unproven_runs(
    tx: &mut DatabaseTransaction,
    environments: &[Ask],
) -> Result<HashMap<i64, UnprovenRuns>> {
    let statement = statement!("count unproven successes", "count_unproven_runs");
    let values = values![Ask::environments(environments)];
    let found: Vec<(i64, CountColumn, StoredMoment)> =
        tx.driver().fetch_all(statement, values).await?;
    let found = found.into_iter().map(|(place, runs, oldest)| {
        let unproven = UnprovenRuns {
            runs: runs.into(),
            oldest: Stamp::from(oldest).moment(),
        };
        (place, unproven)
    });
    Ok(found.collect())
}

fn key_of(listed: &PlaceSeen) -> EnvironmentKey {
    (listed.workspace, listed.environment)
}

/// Asks about an environment, and no run.
fn ask_of(listed: &PlaceSeen) -> Ask {
    Ask {
        run: RunId(0),
        workspace: listed.workspace,
        environment: listed.environment,
        restore: None,
    }
}

/// The latest executed restore of each environment, with what it points at.
async fn load_latest(
    tx: &mut DatabaseTransaction,
    asks: &[Ask],
    policy: &Policy,
) -> Result<HashMap<EnvironmentId, Latest>> {
    let statement = statement!("look for the latest restores", "find_latest_restores");
    let values = values![
        Ask::environments(asks),
        not_after(tx.as_of, policy.clock_skew_max)
    ];
    let found: Vec<ScopedRestore> = tx.driver().fetch_all(statement, values).await?;
    let asks: Vec<Ask> = found.iter().map(ScopedRestore::ask).collect();
    let restores = tx.load_restores(&asks, policy).await?;
    let mut restores: HashMap<RestoreId, RestoreFacts> = restores
        .into_iter()
        .map(|restore| (restore.id, restore))
        .collect();
    let pointed_at = PointedAt::by(tx, &found, policy).await?;
    let latest = |found: ScopedRestore| {
        let restore = restores.remove(&found.restore)?;
        let (run, evidence, record) = pointed_at.of(&found);
        Some((found.environment, (restore, run, evidence, record)))
    };
    Ok(found.into_iter().filter_map(latest).collect())
}
