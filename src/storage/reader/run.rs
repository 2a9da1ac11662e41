//! One run: its facts, what the rules say of them, and the verdict on record.

use std::collections::HashMap;

use reconciler_jobs::ids::{BackupSetId, RunId};
use reconciler_jobs::restore_execute::Policy;
use sqlx::FromRow;

use super::names::{NameColumn, shown_error};
use super::open::Reader;
use super::record::{DescribedRecord, RunOnRecord};
use super::restores::ask_about;
use super::scope::Workspaces;
use super::standing::{NextLook, next_look};
use crate::storage::error::Result;
use crate::storage::model::{ActionOnRecord, Assessment, Pause, RecordedVerdict};
use crate::storage::settle::assess_within;
use crate::storage::statement::{Statement, statement, values};
use crate::storage::transaction::DatabaseTransaction;

const LOAD_VERDICT: Statement = statement!("read the ledger", "load_verdict");

/// How many verdicts of one run are read: the latest.
const VERDICTS_MAX: u32 = 50;

const LOAD_ACTIONS: Statement = statement!("read who acted", both "load_actions");

/// How many actions about a run are shown: the latest.
const ACTIONS_MAX: u32 = 50;

/// A row of `load_item_types`.
#[derive(FromRow)]
struct ItemType {
    id: i64,
    #[sqlx(try_from = "NameColumn")]
    policy_type: String,
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
    /// What is on record of it.
    pub record: RunOnRecord,
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
    /// What people did about it, the latest first.
    pub actions: Vec<ActionOnRecord>,
    /// Why nobody settles it, where its workspace, or everything, is paused.
    pub pause: Option<Pause>,
    /// When it is looked at again, where that is known.
    pub next_look: Option<NextLook>,
}

impl Reader {
    /// One run of type `restore.execute`.
    pub async fn load_run(
        &self,
        of: &Workspaces,
        run: RunId,
        policy: &Policy,
    ) -> Result<Option<RunInFull>> {
        let reading = self.database.read(async |tx| {
            let Some(seen) = load_seen(tx, of, &[run], policy).await?.remove(&run) else {
                return Ok(None);
            };
            let own = Workspaces::All.narrowed(seen.assessment.facts.run.workspace_id);
            let values = values![run, own.ids()];
            let verdict = tx.driver().fetch_optional(LOAD_VERDICT, values).await?;
            let backup_set = match seen.assessment.restore() {
                Some(restore) => {
                    let sources = tx.find_sources(&[ask_about(restore)]).await?;
                    sources.into_iter().next().map(|source| source.row.id)
                }
                None => None,
            };
            let workspace = seen.assessment.facts.run.workspace_id;
            let mut pauses = tx.load_pauses().await?.into_iter();
            Ok(Some(RunInFull {
                pause: pauses.find(|pause| pause.covers(workspace)),
                seen,
                verdict,
                backup_set,
                actions: actions_of(tx, run).await?,
                next_look: next_look(tx, run).await?,
            }))
        });
        reading.await
    }

    /// Decides runs of any type as they stand, all from one snapshot. Those that do not exist are absent.
    pub async fn assess(
        &self,
        of: &Workspaces,
        runs: &[RunId],
        policy: &Policy,
    ) -> Result<Vec<Assessment>> {
        let assessing = self
            .database
            .read(async |tx| assess_within(tx, runs, policy).await);
        let mut assessed = assessing.await?;
        assessed.retain(|it| of.may_include(Some(it.facts.run.workspace_id)));
        Ok(assessed)
    }

    /// What type of policy each of these items of a backup set is. After an upgrade a console may not be allowed to read that
    /// yet, and shows everything else.
    pub async fn load_item_types(&self, set: BackupSetId, items: Vec<i64>) -> HashMap<i64, String> {
        let statement = statement!("look up the types of items", both "load_item_types");
        let values = values![set.0, items];
        let found: Result<Vec<ItemType>> = self.database.read_all(statement, values).await;
        let found =
            found.inspect_err(|error| tracing::debug!(%error, "types of items are not known"));
        let found = found.unwrap_or_default().into_iter();
        found.map(|it| (it.id, it.policy_type)).collect()
    }

    /// Whether a run may be seen. Nothing of it is read.
    pub async fn may_see(&self, of: &Workspaces, run: RunId) -> Result<bool> {
        let describing = self.database.read(async |tx| tx.describe(of, &[run]).await);
        Ok(!describing.await?.is_empty())
    }

    /// What people did about a run, the latest first.
    pub async fn load_actions(&self, run: RunId) -> Result<Vec<ActionOnRecord>> {
        self.database
            .read(async |tx| actions_of(tx, run).await)
            .await
    }

    /// The verdict on record for a run, if we reached one.
    pub async fn load_verdict(
        &self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>> {
        let values = values![run, of.ids()];
        let found = self.database.read_all(LOAD_VERDICT, values).await?;
        Ok(found.into_iter().next())
    }

    /// All verdicts on record for a run, the latest first: more than one where it was opened again.
    pub async fn load_verdicts(&self, of: &Workspaces, run: RunId) -> Result<Vec<RecordedVerdict>> {
        let statement = statement!("read the ledger", "load_verdicts");
        let values = values![run, of.ids(), VERDICTS_MAX];
        self.database.read_all(statement, values).await
    }
}

async fn actions_of(tx: &mut DatabaseTransaction, run: RunId) -> Result<Vec<ActionOnRecord>> {
    let values = values![run, ACTIONS_MAX];
    let mut actions: Vec<ActionOnRecord> = tx.driver().fetch_all(LOAD_ACTIONS, values).await?;
    for text in actions
        .iter_mut()
        .flat_map(|action| [&mut action.actor, &mut action.outcome, &mut action.reason])
    {
        *text = text.take().map(|text| shown_error(&text));
    }
    Ok(actions)
}

/// Loads those of `runs` that may be seen.
pub(super) async fn load_seen(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    runs: &[RunId],
    policy: &Policy,
) -> Result<HashMap<RunId, RunSeen>> {
    let described = tx.describe(of, runs).await?;
    let visible: Vec<RunId> = described.iter().map(|record| record.id).collect();
    let assessed = assess_within(tx, &visible, policy).await?;
    let mut assessed: HashMap<RunId, Assessment> = assessed
        .into_iter()
        .map(|assessment| (assessment.facts.run.id, assessment))
        .collect();
    let seen = |mut record: DescribedRecord| {
        let assessment = assessed.remove(&record.id)?;
        let seen = RunSeen {
            workspace_name: std::mem::take(&mut record.workspace_name),
            environment_name: record.environment_name(),
            record: record.of(&assessment.facts.run),
            assessment,
        };
        Some((seen.assessment.facts.run.id, seen))
    };
    Ok(described.into_iter().filter_map(seen).collect())
}
