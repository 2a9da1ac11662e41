//! What is on record of runs: verdicts, that the database refuses one, and opinions.

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::review::Standing;
use sqlx::FromRow;

use super::names::{NameColumn, shown, shown_error};
use super::scope::Workspaces;
use crate::storage::column::{Id, StoredMoment, Word};
use crate::storage::error::Result;
use crate::storage::model::{OpinionOnRecord, RecordedVerdict};
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// What is on record of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOnRecord {
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

/// A verdict without the texts that it was made from, judged by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictSeen {
    /// The outcome.
    pub outcome: String,
    /// The primary reason.
    pub reason_code: String,
    /// When, by the database's clock.
    pub decided_at: Timestamp,
    /// Whether it follows from the facts on record.
    pub standing: Standing,
}

impl From<&RecordedVerdict> for VerdictSeen {
    fn from(record: &RecordedVerdict) -> Self {
        Self {
            outcome: record.outcome.clone(),
            reason_code: record.reason_code.clone(),
            decided_at: record.decided_at,
            standing: record.standing(),
        }
    }
}

/// What stands beside a run.
#[derive(FromRow)]
pub(super) struct DescribedRecord {
    #[sqlx(try_from = "Id")]
    pub(super) id: RunId,
    #[sqlx(try_from = "NameColumn")]
    pub(super) workspace_name: String,
    environment_name: Option<Word>,
    decision_id: Option<String>,
    outcome: Option<String>,
    reason_code: Option<String>,
    ruleset: Option<String>,
    facts: Option<String>,
    facts_digest: Option<String>,
    decision: Option<String>,
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
    pub(super) fn environment_name(&mut self) -> Option<String> {
        self.environment_name.take().map(shown)
    }

    /// What is on record of this run.
    pub(super) fn of(mut self, run: &RunFacts) -> RunOnRecord {
        RunOnRecord {
            verdict: self.verdict(),
            refusal: self.refusal(),
            opinion: self.opinion(run),
        }
    }

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
        let record = RecordedVerdict {
            run: self.id,
            decision_id: self.decision_id.take()?,
            outcome: self.outcome.take()?,
            reason_code: self.reason_code.take()?,
            ruleset: self.ruleset.take()?,
            facts: self.facts.take(),
            facts_digest: self.facts_digest.take()?,
            decision: self.decision.take()?,
            decided_at: self.decided_at?,
            // Nothing is judged by who decided, and by which of a run's verdicts it is.
            worker: String::new(),
            revision: 1,
            first_decision_id: None,
        };
        Some(VerdictSeen::from(&record))
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
}

impl DatabaseTransaction {
    /// Those of `runs` that may be seen, with what stands beside them. Whoever may see all sees open runs of environments
    /// that were deleted or moved as well.
    pub(super) async fn describe(
        &mut self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> Result<Vec<DescribedRecord>> {
        let statement = statement!("look up runs", "describe_runs");
        let values = values![of.ids(), runs, *of == Workspaces::All];
        self.driver().fetch_all(statement, values).await
    }
}
