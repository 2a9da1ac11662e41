//! Reads the newest restores that ended, closed ones too, for [`reconciler_jobs::restore_execute::survey`]. Writes nothing,
//! and takes no more rows and no longer documents than its limits say.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::survey::{
    RESTORES_MIN, SurveyTally, WordKind, words_of_restore, words_of_run,
};
use sqlx::FromRow;

use super::column::Word;
use super::distrust::Distrust;
use super::error::{ErrorKind, StoreError};
use super::records::Ask;
use super::settle::{Transaction as _, Transactions as _, assess_rows, finish};
use super::statement::{statement, values};
use super::store::Store;

/// Among how many of the newest rows of a table restores, runs and audit entries are looked for.
const ROWS_SCANNED_MAX: u32 = 20_000;

/// The longest document whose words are read.
const DOCUMENT_BYTES_MAX: u32 = 1024 * 1024;

/// How many restores are read together.
const PAGE: usize = 250;

/// How many restores are looked at unless somebody says otherwise.
pub const SURVEYED: u32 = 500;

/// What is read of a restore, its words first.
#[derive(FromRow)]
struct EndedRecord {
    id: i64,
    workspace_id: i64,
    environment_id: i64,
    run_id: Option<i64>,
    status: Word,
    results: Option<Vec<u8>>,
    metadata: Option<Vec<u8>>,
    failure_reason: Option<Word>,
}

/// A restore that ended.
struct EndedRestore {
    id: RestoreId,
    workspace: WorkspaceId,
    environment: EnvironmentId,
    run: Option<RunId>,
}

impl Store {
    /// Counts how often each leg held of the newest `last` restores that ended, and, where `reads_words`, the words that
    /// were seen. Without them it ends as soon as every leg has held.
    pub async fn survey_restores(
        &self,
        policy: &Policy,
        last: u32,
        reads_words: bool,
    ) -> Result<SurveyTally, StoreError> {
        let mut tally = SurveyTally::default();
        let mut ended = self.list_ended(last, reads_words, &mut tally).await?;
        if !reads_words && (ended.len() as u64) < RESTORES_MIN {
            return Ok(tally);
        }
        if ended.iter().any(|restore| restore.run.is_none()) {
            let named = self.find_named(last, policy).await?;
            for restore in &mut ended {
                restore.run = restore.run.or_else(|| named.get(&restore.id).copied());
            }
        }
        let mut pending: Vec<&[EndedRestore]> = ended.chunks(PAGE).rev().collect();
        while let Some(page) = pending.pop() {
            let mut counted = tally.clone();
            match self.look_at(page, policy, reads_words, &mut counted).await {
                Ok(()) => tally = counted,
                Err(error) if error.kind() == ErrorKind::Refused && page.len() > 1 => {
                    let (left, right) = page.split_at(page.len() / 2);
                    pending.extend([right, left]);
                }
                Err(error) if error.kind() == ErrorKind::Refused => tally.add_unreadable(),
                Err(error) => return Err(error),
            }
            if !reads_words && tally.has_held_all() {
                break;
            }
        }
        if reads_words {
            self.read_audit_words(&ended, &mut tally).await?;
        }
        Ok(tally)
    }

    /// Which legs never held, that nobody has accepted.
    pub async fn find_unheld(&self, policy: &Policy) -> Result<Option<Distrust>, StoreError> {
        let accepted = self.trust().accepted();
        let mut legs = self
            .survey_restores(policy, SURVEYED, false)
            .await?
            .never_held();
        legs.retain(|leg| !accepted.contains(leg));
        Ok((!legs.is_empty()).then_some(Distrust::NeverHeld(legs)))
    }

    async fn list_ended(
        &self,
        last: u32,
        reads_words: bool,
        tally: &mut SurveyTally,
    ) -> Result<Vec<EndedRestore>, StoreError> {
        let statement = statement!("look for restores that ended", "survey_restores");
        let bytes_max = if reads_words { DOCUMENT_BYTES_MAX } else { 0 };
        let mut tx = self.database.begin_read().await?;
        let read = async {
            let values = values![last, ROWS_SCANNED_MAX, bytes_max];
            let mut records = tx.driver().stream::<EndedRecord>(statement, values)?;
            let mut ended = Vec::new();
            while let Some(record) = records.try_next().await? {
                if reads_words {
                    let column = |text: Option<Vec<u8>>| Column::fetched(text, false);
                    tally.add_words(words_of_restore(
                        &String::from(record.status),
                        &column(record.results),
                        &column(record.metadata),
                        record.failure_reason.map(String::from).as_deref(),
                    ));
                }
                ended.push(EndedRestore {
                    id: RestoreId(record.id),
                    workspace: WorkspaceId(record.workspace_id),
                    environment: EnvironmentId(record.environment_id),
                    run: record.run_id.map(RunId),
                });
            }
            Ok(ended)
        };
        let read = read.await;
        finish(tx, read).await
    }

    /// The newest runs that name a restore, by the restore.
    async fn find_named(
        &self,
        last: u32,
        policy: &Policy,
    ) -> Result<BTreeMap<RestoreId, RunId>, StoreError> {
        let statement = statement!("look for runs of restores", "survey_runs");
        let mut tx = self.database.begin_read().await?;
        let mut named = BTreeMap::new();
        let read = async {
            let values = values![last, ROWS_SCANNED_MAX];
            let runs: Vec<i64> = tx.driver().fetch_column(statement, values).await?;
            let runs: Vec<RunId> = runs.into_iter().map(RunId).collect();
            for page in runs.chunks(PAGE) {
                for found in tx.load_runs(page).await? {
                    if let ContextFacts::Map {
                        restore: NamedRestore::Id(restore),
                        ..
                    } = RunFacts::parse(&found.row, policy).context
                    {
                        named.insert(restore, found.row.id);
                    }
                }
            }
            Ok(())
        };
        let read = read.await;
        finish(tx, read).await?;
        Ok(named)
    }

    /// Counts these restores. One whose run belongs to a later restore is passed over: nothing is decided by it.
    async fn look_at(
        &self,
        page: &[EndedRestore],
        policy: &Policy,
        reads_words: bool,
        tally: &mut SurveyTally,
    ) -> Result<(), StoreError> {
        let runs: BTreeSet<RunId> = page.iter().filter_map(|restore| restore.run).collect();
        let runs: Vec<RunId> = runs.into_iter().collect();
        let mut tx = self.database.begin_read().await?;
        let read = async {
            let found = tx.load_runs(&runs).await?;
            let rows = found
                .iter()
                .map(|found| RunFacts::parse(&found.row, policy));
            let rows: Vec<_> = rows.filter(|run| run.is_restore_execute).collect();
            if reads_words {
                for found in &found {
                    tally.add_words(words_of_run(&found.row));
                }
                let asks: Vec<Ask> = rows.iter().filter_map(Ask::candidates_of).collect();
                let snapshots = tx.load_snapshots(&asks).await?;
                for snapshot in snapshots {
                    let completeness = snapshot.completeness.map(|it| (WordKind::Completeness, it));
                    let status = (WordKind::EvidenceStatus, snapshot.status);
                    tally.add_words([status].into_iter().chain(completeness));
                }
            }
            assess_rows(&mut tx, rows, policy).await
        };
        let assessed = read.await;
        let assessed = finish(tx, assessed).await?;
        let by_run: BTreeMap<RunId, _> = assessed
            .iter()
            .map(|assessment| (assessment.facts.run.id, &assessment.facts))
            .collect();
        for restore in page {
            let facts = restore.run.and_then(|run| by_run.get(&run).copied());
            let linked = facts.and_then(|facts| facts.restore.as_ref());
            if linked.is_none_or(|linked| linked.id == restore.id) {
                tally.add(facts);
            }
        }
        Ok(())
    }

    async fn read_audit_words(
        &self,
        ended: &[EndedRestore],
        tally: &mut SurveyTally,
    ) -> Result<(), StoreError> {
        let statement = statement!("look for words of audit entries", "survey_audits");
        let asks: Vec<Ask> = ended
            .iter()
            .map(|restore| Ask {
                run: restore.run.unwrap_or(RunId(0)),
                workspace: restore.workspace,
                environment: restore.environment,
                restore: Some(restore.id),
            })
            .collect();
        let mut tx = self.database.begin_read().await?;
        let values = values![Ask::restores(&asks), ROWS_SCANNED_MAX];
        let read = tx.driver().fetch_all(statement, values).await;
        let read: Vec<(bool, Word, i64)> = finish(tx, read).await?;
        for (is_action, word, restores) in read {
            let kind = if is_action {
                WordKind::AuditAction
            } else {
                WordKind::AuditResourceType
            };
            tally.add_word(kind, word.into(), restores.unsigned_abs());
        }
        Ok(())
    }
}
