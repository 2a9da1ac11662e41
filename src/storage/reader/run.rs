//! One run: its facts, what the rules say of them, and the verdict on record.

use std::collections::HashMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{BackupSetId, RunId};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RunFacts;
use sqlx::FromRow;

use super::names::{NameColumn, shown, shown_error};
use super::open::Reader;
use super::restores::ask_about;
use super::scope::Workspaces;
use crate::storage::column::{Id, StoredMoment, Word};
use crate::storage::error::StoreError;
use crate::storage::model::{Assessment, OpinionOnRecord, RecordedVerdict};
use crate::storage::settle::{Transactions as _, assess_within, finish};
use crate::storage::statement::{Statement, statement, values};
use crate::storage::transaction::DatabaseTransaction;

const LOAD_VERDICT: Statement = statement!("read the ledger", "load_verdict");

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
    /// What the rules say of a run that somebody else closed.
    pub opinion: Option<OpinionOnRecord>,
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

/// What stands beside a run.
#[derive(FromRow)]
struct DescribedRecord {
    #[sqlx(try_from = "Id")]
    id: RunId,
    #[sqlx(try_from = "NameColumn")]
    workspace_name: String,
    environment_name: Option<Word>,
    outcome: Option<Word>,
    reason_code: Option<Word>,
    #[sqlx(try_from = "StoredMoment")]
    decided_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_since: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_until: Option<Timestamp>,
    refused_tries: Option<i64>,
    refused_error: Option<String>,
    claimed: Option<Word>,
    stance: Option<Word>,
    opinion_code: Option<Word>,
    found: Option<Word>,
    #[sqlx(try_from = "StoredMoment")]
    closed_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    formed_at: Option<Timestamp>,
}

impl DescribedRecord {
    fn refusal(&mut self) -> Option<RefusalSeen> {
        Some(RefusalSeen {
            since: self.refused_since?,
            tried_at: self.refused_at?,
            again_at: self.refused_until?,
            tries: self.refused_tries?.unsigned_abs(),
            said: self.refused_error.take().map(|error| shown_error(&error)),
        })
    }

    fn verdict(&mut self) -> Option<VerdictSeen> {
        Some(VerdictSeen {
            outcome: self.outcome.take()?.into(),
            reason_code: self.reason_code.take()?.into(),
            decided_at: self.decided_at?,
        })
    }

    fn opinion(&mut self, run: &RunFacts) -> Option<OpinionOnRecord> {
        Some(OpinionOnRecord {
            run_id: run.id,
            workspace_id: run.workspace_id,
            environment_id: run.environment_id,
            claimed: self.claimed.take()?.into(),
            stance: self.stance.take()?.into(),
            reason_code: self.opinion_code.take()?.into(),
            found: self.found.take().map(String::from),
            closed_at: self.closed_at,
            formed_at: self.formed_at?,
        })
    }

    fn with(mut self, assessment: Assessment) -> RunSeen {
        RunSeen {
            verdict: self.verdict(),
            refusal: self.refusal(),
            opinion: self.opinion(&assessment.facts.run),
            assessment,
            workspace_name: self.workspace_name,
            environment_name: self.environment_name.map(shown),
        }
    }
}

impl Reader {
    /// One run of type `restore.execute`.
    pub async fn load_run(
        &self,
        of: &Workspaces,
        run: RunId,
        policy: &Policy,
    ) -> Result<Option<RunInFull>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let found = load_one(&mut tx, of, run, policy).await;
        finish(tx, found).await
    }

    /// Decides runs of any type as they stand, all from one snapshot. Those that do not exist are absent.
    pub async fn assess(
        &self,
        of: &Workspaces,
        runs: &[RunId],
        policy: &Policy,
    ) -> Result<Vec<Assessment>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let assessed = assess_within(&mut tx, runs, policy).await;
        let mut assessed = finish(tx, assessed).await?;
        assessed.retain(|it| of.may_include(Some(it.facts.run.workspace_id)));
        Ok(assessed)
    }

    /// The verdict on record for a run, if we reached one.
    pub async fn load_verdict(
        &self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>, StoreError> {
        let found = self.fetch_all(LOAD_VERDICT, values![run, of.ids()]).await?;
        Ok(found.into_iter().next())
    }
}

async fn load_one(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    run: RunId,
    policy: &Policy,
) -> Result<Option<RunInFull>, StoreError> {
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
    Ok(Some(RunInFull {
        seen,
        verdict,
        backup_set,
    }))
}

/// Loads those of `runs` that may be seen.
pub(super) async fn load_seen(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    runs: &[RunId],
    policy: &Policy,
) -> Result<HashMap<RunId, RunSeen>, StoreError> {
    let statement = statement!("look up runs", "describe_runs");
    let values = values![of.ids(), runs];
    let described: Vec<DescribedRecord> = tx.driver().fetch_all(statement, values).await?;
    let visible: Vec<RunId> = described.iter().map(|record| record.id).collect();
    let assessed = assess_within(tx, &visible, policy).await?;
    let mut assessed: HashMap<RunId, Assessment> = assessed
        .into_iter()
        .map(|assessment| (assessment.facts.run.id, assessment))
        .collect();
    let seen = |record: DescribedRecord| {
        let assessment = assessed.remove(&record.id)?;
        Some((record.id, record.with(assessment)))
    };
    Ok(described.into_iter().filter_map(seen).collect())
}
