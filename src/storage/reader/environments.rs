//! Pages of environments, and a walk through all of them. Each kind of row is read for many environments at once.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RestoreFacts;

use super::model::{
    EnvironmentPage, EnvironmentPassed, EnvironmentSeen, Latest, More, WALKED_AT_ONCE, Walk,
    Walked, Workspaces,
};
use super::restores::PointedAt;
use super::rows::{ListedEnvironment, ScopedRestore};
use crate::storage::error::StoreError;
use crate::storage::records::Ask;
use crate::storage::settle::Transaction as _;
use crate::storage::transaction::DatabaseTransaction;

/// How many of the last restores of all are looked through for those of the page, before the restores of the
/// environments that were not found there are read one and all: hardly any, or none.
const RECENT_RESTORES: u32 = 10_000;

/// An environment and its workspace, which lists are in the order of.
type EnvironmentKey = (WorkspaceId, EnvironmentId);

/// A part of a list of environments.
struct ListedPart {
    listed: Vec<ListedEnvironment>,
    asks: Vec<Ask>,
    /// The first one that follows.
    next: Option<EnvironmentKey>,
}

impl ListedPart {
    async fn list(
        tx: &mut DatabaseTransaction,
        of: &Workspaces,
        after: Option<EnvironmentKey>,
        limit: u32,
    ) -> Result<Self, StoreError> {
        let limit = limit.clamp(1, WALKED_AT_ONCE);
        let mut listed = tx.list_environments(of, after, limit + 1).await?;
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

pub(super) async fn load_page(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    after: Option<EnvironmentKey>,
    limit: u32,
    policy: &Policy,
) -> Result<EnvironmentPage, StoreError> {
    let part = ListedPart::list(tx, of, after, limit).await?;
    let after = part.after();
    let preparing = tx.find_preparing(&part.asks).await?;
    let seen = |passed: EnvironmentPassed| {
        let more = passed.more.unwrap_or_default();
        EnvironmentSeen {
            workspace: passed.workspace,
            workspace_name: passed.workspace_name,
            environment: passed.environment,
            name: passed.name,
            latest: passed.latest,
            backup: more.backup,
            preparing: preparing.get(&passed.environment).copied(),
            open: more.open,
        }
    };
    let passed = load_part(tx, part, true, policy).await?;
    Ok(EnvironmentPage {
        as_of: tx.as_of(),
        rows: passed.into_iter().map(seen).collect(),
        after,
    })
}

pub(super) async fn walk(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    walk: &Walk,
    policy: &Policy,
    visit: &mut (dyn FnMut(Timestamp, Vec<EnvironmentPassed>) + Send),
) -> Result<Walked, StoreError> {
    let as_of = tx.as_of();
    let mut left = walk.environments_max.max(1);
    let mut after = None;
    loop {
        let part = ListedPart::list(tx, of, after, left.min(walk.at_once)).await?;
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
}

async fn load_part(
    tx: &mut DatabaseTransaction,
    part: ListedPart,
    with_more: bool,
    policy: &Policy,
) -> Result<Vec<EnvironmentPassed>, StoreError> {
    let mut latest = load_latest(tx, &part.asks, policy).await?;
    let mut more = if with_more {
        Some(load_more(tx, &part.asks).await?)
    } else {
        None
    };
    let passed = |listed: ListedEnvironment| EnvironmentPassed {
        latest: latest.remove(&listed.environment),
        more: more
            .as_mut()
            .map(|more| more.remove(&listed.environment).unwrap_or_default()),
        workspace: listed.workspace,
        workspace_name: listed.workspace_name,
        environment: listed.environment,
        name: listed.name,
    };
    Ok(part.listed.into_iter().map(passed).collect())
}

/// What there is beside the history of each environment that has any of it.
async fn load_more(
    tx: &mut DatabaseTransaction,
    asks: &[Ask],
) -> Result<HashMap<EnvironmentId, More>, StoreError> {
    let mut more: HashMap<EnvironmentId, More> = HashMap::new();
    for (environment, open) in tx.count_open_runs(asks).await? {
        more.entry(environment).or_default().open = open;
    }
    let sets = tx.find_backup_sets(asks).await?;
    for (environment, backup) in tx.load_backups(sets).await? {
        more.entry(EnvironmentId(environment)).or_default().backup = Some(backup);
    }
    Ok(more)
}

fn key_of(listed: &ListedEnvironment) -> EnvironmentKey {
    (listed.workspace, listed.environment)
}

/// Asks about an environment, and no run.
fn ask_of(listed: &ListedEnvironment) -> Ask {
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
) -> Result<HashMap<EnvironmentId, Latest>, StoreError> {
    let mut found = tx.find_recent_restores(asks, RECENT_RESTORES).await?;
    let known: HashSet<EnvironmentId> = found.iter().map(|found| found.environment).collect();
    let mut others = asks.to_vec();
    others.retain(|ask| !known.contains(&ask.environment));
    if !others.is_empty() {
        found.extend(tx.find_older_restores(&others).await?);
    }
    let asks: Vec<Ask> = found.iter().map(ScopedRestore::ask).collect();
    let restores = tx.load_restores(&asks, policy).await?;
    let mut restores: HashMap<RestoreId, RestoreFacts> = restores
        .into_iter()
        .map(|restore| (restore.id, restore))
        .collect();
    let pointed_at = PointedAt::by(tx, &found, policy).await?;
    let latest = |found: ScopedRestore| {
        let restore = restores.remove(&found.restore)?;
        let (run, evidence) = pointed_at.of(&found);
        Some((found.environment, (restore, run, evidence)))
    };
    Ok(found.into_iter().filter_map(latest).collect())
}
