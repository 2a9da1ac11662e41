//! Verdicts that would be stronger today, because proof came too late for them. They stay what they are.

use std::collections::HashMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::opinion::Stance;
use reconciler_jobs::restore_execute::{Outcome, Policy, decide};
use sqlx::FromRow;

use super::open::Reader;
use crate::storage::column::{Id, StoredMoment};
use crate::storage::error::Result;
use crate::storage::model::OpinionOnRecord;
use crate::storage::settle::assess_within;
use crate::storage::statement::{statement, values};

/// How many verdicts one part passes.
const WALKED_MAX: u32 = 2_000;

/// How many runs are judged once more together.
const JUDGED_MAX: usize = 200;

/// A part of the verdicts that were gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterPart {
    /// How many verdicts were passed.
    pub looked_at: usize,
    /// Verdicts that claim less than the rules find proven now.
    pub found: Vec<OpinionOnRecord>,
    /// Where to go on: after this run. None at the end.
    pub after: Option<RunId>,
}

#[derive(FromRow)]
struct WalkedVerdict {
    #[sqlx(try_from = "Id")]
    run_id: RunId,
    outcome: String,
    #[sqlx(try_from = "StoredMoment")]
    decided_at: Option<Timestamp>,
    /// Whether it is below succeeded, and asked for.
    is_wanted: bool,
}

impl Reader {
    /// Goes on through the ledger, judges runs whose verdict is below succeeded once more as if they were open, and writes
    /// nothing.
    pub async fn load_later(
        &self,
        workspace: Option<WorkspaceId>,
        since: Option<Timestamp>,
        after: RunId,
        policy: &Policy,
    ) -> Result<LaterPart> {
        let judging = self.database.read(async |tx| {
            let statement = statement!("walk verdicts", both "walk_verdicts");
            let values = values![workspace, since, after, WALKED_MAX];
            let mut walked: Vec<WalkedVerdict> = tx.driver().fetch_all(statement, values).await?;
            let mut wanted = walked.iter().enumerate().filter(|(_, it)| it.is_wanted);
            let too_many = wanted.nth(JUDGED_MAX).map(|(at, _)| at);
            let is_cut = too_many.is_some() || walked.len() == WALKED_MAX as usize;
            walked.truncate(too_many.unwrap_or(walked.len()));
            // Ids come again: the verdicts of one are looked at together.
            if let Some(cut) = walked.last().map(|it| it.run_id).filter(|_| is_cut)
                && walked.first().is_some_and(|it| it.run_id != cut)
            {
                walked.retain(|it| it.run_id != cut);
            }
            let (looked_at, last) = (walked.len(), walked.last().map(|verdict| verdict.run_id));
            walked.retain(|verdict| verdict.is_wanted);
            let runs: Vec<RunId> = walked.iter().map(|verdict| verdict.run_id).collect();
            let assessed = assess_within(tx, &runs, policy).await?;
            let walked = walked.into_iter();
            let mut verdicts: HashMap<RunId, WalkedVerdict> =
                walked.map(|it| (it.run_id, it)).collect();
            let found = assessed.into_iter().filter_map(|assessment| {
                let facts = assessment.facts;
                let verdict = verdicts.remove(&facts.run.id)?;
                let now = decide(&facts.reopened());
                let is_stronger = now.outcome() > Outcome::parse(&verdict.outcome);
                is_stronger.then(|| OpinionOnRecord {
                    run_id: facts.run.id,
                    workspace_id: facts.run.workspace_id,
                    environment_id: facts.run.environment_id,
                    claimed: verdict.outcome,
                    stance: Stance::ClaimsLess.word().to_owned(),
                    reason_code: now.reason.code().to_owned(),
                    found: now.outcome().map(|outcome| outcome.name().to_owned()),
                    closed_at: verdict.decided_at,
                    formed_at: facts.as_of,
                })
            });
            Ok(LaterPart {
                looked_at,
                found: found.collect(),
                after: last.filter(|_| is_cut),
            })
        });
        judging.await
    }
}
