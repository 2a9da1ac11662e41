//! Pages of environments. Each kind of row is read for the whole page at once.

use std::collections::{HashMap, HashSet};

use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, RestoreFacts, RunFacts};

use super::look::Look;
use super::restores::PointedAt;
use super::rows::{ListedEnvironment, ScopedRestore};
use super::{EnvironmentPage, EnvironmentSeen, Workspaces};
use crate::storage::StoreError;
use crate::storage::records::Ask;

/// Longest page.
const ENVIRONMENTS_MAX: u32 = 250;

/// How many of the last restores of all are looked through for those of the page, before the restores of the
/// environments that were not found there are read one and all: hardly any, or none.
const RECENT_RESTORES: u32 = 10_000;

pub(super) async fn load_page(
    tx: &mut impl Look,
    of: &Workspaces,
    after: Option<(WorkspaceId, EnvironmentId)>,
    limit: u32,
) -> Result<EnvironmentPage, StoreError> {
    let limit = limit.clamp(1, ENVIRONMENTS_MAX);
    let mut listed = tx.list_environments(of, after, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let goes_on = listed.len() > limit;
    listed.truncate(limit);
    let after = listed.last().filter(|_| goes_on);
    let after = after.map(|last| (last.workspace, last.environment));
    let asks: Vec<Ask> = listed.iter().map(ask_of).collect();

    let mut restores = load_latest(tx, &asks).await?;
    let preparing = tx.find_preparing(&asks).await?;
    let open = tx.count_open_runs(&asks).await?;
    let sets = tx.find_backup_sets(&asks).await?;
    let mut backups = tx.load_backups(sets).await?;
    let seen = |listed: ListedEnvironment| EnvironmentSeen {
        latest: restores.remove(&listed.environment),
        backup: backups.remove(&listed.environment.0),
        preparing: preparing.get(&listed.environment).copied(),
        open: open.get(&listed.environment).copied().unwrap_or_default(),
        workspace: listed.workspace,
        workspace_name: listed.workspace_name,
        environment: listed.environment,
        name: listed.name,
    };
    Ok(EnvironmentPage {
        as_of: tx.as_of(),
        rows: listed.into_iter().map(seen).collect(),
        after,
    })
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

/// A restore, the run that it points at, and that run's evidence.
type Latest = (RestoreFacts, Option<RunFacts>, EvidenceFacts);

/// The latest executed restore of each environment, with what it points at.
async fn load_latest(
    tx: &mut impl Look,
    asks: &[Ask],
) -> Result<HashMap<EnvironmentId, Latest>, StoreError> {
    let mut found = tx.find_recent_restores(asks, RECENT_RESTORES).await?;
    let known: HashSet<EnvironmentId> = found.iter().map(|found| found.environment).collect();
    let mut others = asks.to_vec();
    others.retain(|ask| !known.contains(&ask.environment));
    if !others.is_empty() {
        found.extend(tx.find_older_restores(&others).await?);
    }
    let asks: Vec<Ask> = found.iter().map(ScopedRestore::ask).collect();
    let restores = tx.load_restores(&asks).await?;
    let mut restores: HashMap<RestoreId, RestoreFacts> = restores
        .into_iter()
        .map(|restore| (restore.id, restore))
        .collect();
    let pointed_at = PointedAt::by(tx, &found).await?;
    let latest = |found: ScopedRestore| {
        let restore = restores.remove(&found.restore)?;
        let (run, evidence) = pointed_at.of(&found);
        Some((found.environment, (restore, run, evidence)))
    };
    Ok(found.into_iter().filter_map(latest).collect())
}
