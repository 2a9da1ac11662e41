//! Reads the newest restores that ended, closed ones too, for [`reconciler_jobs::restore_execute::survey`]. Writes nothing,
//! and takes no more rows and no longer documents than its limits say.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
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
use super::error::{Result, StoreError};
use super::records::Ask;
use super::settle::{assess_rows, halves};
use super::statement::{statement, values};
use super::store::Store;

/// Among how many of the newest rows of a table restores, runs and audit entries are looked for.
const ROWS_SCANNED_MAX: u32 = 20_000;

/// The longest document whose words are read.
const DOCUMENT_BYTES_MAX: u32 = 1024 * 1024;

/// How many restores are read together, and how many at first: where the platform speaks the words of the rules, they
/// show that each leg holds.
const PAGE: usize = 250;
const FIRST_PAGE: usize = 20;

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
    /// Whether there is a run that may be its own, and neither says so.
    is_unlinked: bool,
}

/// The newest runs of restores.
#[derive(Default)]
struct FoundRuns {
    /// By the restore that each names.
    named: BTreeMap<RestoreId, RunId>,
    /// Those that name none.
    nameless: Vec<(RunId, WorkspaceId)>,
}

impl FoundRuns {
    /// Gives each restore that points at no run the run that names it. Of the others, the newest first, as many are taken
    /// for unlinked as there are runs in the workspace that no restore belongs to: a platform may delete runs, and what
    /// pointed at them then points nowhere.
    fn assign(self, restores: &mut [EndedRestore]) {
        let pointed: BTreeSet<RunId> = restores.iter().filter_map(|it| it.run).collect();
        let mut free: BTreeMap<WorkspaceId, u64> = BTreeMap::new();
        for (run, workspace) in self.nameless {
            *free.entry(workspace).or_default() += u64::from(!pointed.contains(&run));
        }
        for restore in restores.iter_mut().filter(|it| it.run.is_none()) {
            restore.run = self.named.get(&restore.id).copied();
            if let Some(free) = free.get_mut(&restore.workspace)
                && restore.run.is_none()
                && *free > 0
            {
                *free -= 1;
                restore.is_unlinked = true;
            }
        }
    }
}

/// Has the halves of a page read by themselves where one row of it may be why it could not be.
fn halve<'a, T>(
    page: &'a [T],
    error: StoreError,
    pending: &mut Vec<&'a [T]>,
    tally: &mut SurveyTally,
) -> Result<()> {
    match page {
        _ if !error.may_spare_others() => return Err(error),
        [_, _, ..] => pending.extend(halves(page)),
        _ => tally.add_unreadable(),
    }
    Ok(())
}

impl Store {
    /// Counts how often each leg held of the newest `last` restores that ended, and, where `reads_words`, the words that
    /// were seen. Without them it ends as soon as every leg has held.
    pub async fn survey_restores(
        &self,
        policy: &Policy,
        last: u32,
        reads_words: bool,
    ) -> Result<SurveyTally> {
        let mut tally = SurveyTally::default();
        let mut ended = self.list_ended(last, reads_words, &mut tally).await?;
        if !reads_words && (ended.len() as u64) < RESTORES_MIN {
            return Ok(tally);
        }
        // Last those that do not say which run it was: runs are looked through only where that makes a difference.
        ended.sort_by_key(|restore| restore.run.is_none());
        let first = ended.partition_point(|restore| restore.run.is_some());
        let (pointing, others) = ended.split_at(first);
        let is_over = self
            .count(pointing, policy, reads_words, &mut tally)
            .await?;
        if !is_over && !others.is_empty() {
            let found = self.find_runs(last, policy, &mut tally).await?;
            found.assign(&mut ended);
            let (_, others) = ended.split_at(first);
            self.count(others, policy, reads_words, &mut tally).await?;
        }
        if reads_words {
            self.read_audit_words(&ended, &mut tally).await?;
        }
        Ok(tally)
    }

    /// Counts these restores, page by page, and returns whether more of them could find nothing more out.
    async fn count(
        &self,
        restores: &[EndedRestore],
        policy: &Policy,
        reads_words: bool,
        tally: &mut SurveyTally,
    ) -> Result<bool> {
        let accepted = self.trust().accepted();
        let (first, rest) = restores.split_at(restores.len().min(FIRST_PAGE));
        let mut pending: Vec<&[EndedRestore]> = rest.chunks(PAGE).rev().collect();
        pending.push(first);
        while let Some(page) = pending.pop() {
            let mut counted = tally.clone();
            match self.look_at(page, policy, reads_words, &mut counted).await {
                Ok(()) => *tally = counted,
                Err(error) => halve(page, error, &mut pending, tally)?,
            }
            if !reads_words && tally.has_held_all(&accepted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which legs never held, that nobody has accepted.
    pub async fn find_unheld(&self, policy: &Policy) -> Result<Option<Distrust>> {
        let accepted = self.trust().accepted();
        let tally = self.survey_restores(policy, SURVEYED, false).await?;
        if let Some(restores) = tally.too_many_unreadable() {
            let why = format!("the database would not hand over {restores} of them");
            return Err(StoreError::refused("survey restores that ended", why));
        }
        let mut legs = tally.never_held();
        legs.retain(|leg| !accepted.contains(leg));
        Ok((!legs.is_empty()).then_some(Distrust::NeverHeld(legs)))
    }

    async fn list_ended(
        &self,
        last: u32,
        reads_words: bool,
        tally: &mut SurveyTally,
    ) -> Result<Vec<EndedRestore>> {
        let statement = statement!("look for restores that ended", "survey_restores");
        let bytes_max = if reads_words { DOCUMENT_BYTES_MAX } else { 0 };
        let reading = self.database.read(async |tx| {
            let values = values![last, ROWS_SCANNED_MAX, bytes_max];
            let mut records = tx.driver().stream::<EndedRecord>(statement, values)?;
            let mut ended = Vec::new();
            while let Some(record) = records.next().await {
                let record = match record {
                    Err(error) if error.is_about_decoding() => {
                        tally.add_unreadable();
                        continue;
                    }
                    record => record?,
                };
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
                    is_unlinked: false,
                });
            }
            Ok(ended)
        });
        reading.await
    }

    async fn find_runs(
        &self,
        last: u32,
        policy: &Policy,
        tally: &mut SurveyTally,
    ) -> Result<FoundRuns> {
        let statement = statement!("look for runs of restores", both "survey_runs");
        let values = values![last, ROWS_SCANNED_MAX];
        let runs: Vec<(i64,)> = self.database.read_all(statement, values).await?;
        let runs: Vec<RunId> = runs.into_iter().map(|(run,)| RunId(run)).collect();
        let mut runs_found = FoundRuns::default();
        let mut pending: Vec<&[RunId]> = runs.chunks(PAGE).rev().collect();
        while let Some(page) = pending.pop() {
            let reading = self.database.read(async |tx| tx.load_runs(page).await);
            let found = match reading.await {
                Ok(found) => found,
                Err(error) => {
                    halve(page, error, &mut pending, tally)?;
                    continue;
                }
            };
            for found in found {
                let (run, workspace) = (found.row.id, found.row.workspace_id);
                match RunFacts::parse(&found.row, policy).context {
                    ContextFacts::Map {
                        restore: NamedRestore::Id(restore),
                        ..
                    } => {
                        runs_found.named.insert(restore, run);
                    }
                    _ => runs_found.nameless.push((run, workspace)),
                }
            }
        }
        Ok(runs_found)
    }

    /// Counts these restores. One whose run belongs to a later restore is passed over: nothing is decided by it.
    async fn look_at(
        &self,
        page: &[EndedRestore],
        policy: &Policy,
        reads_words: bool,
        tally: &mut SurveyTally,
    ) -> Result<()> {
        let runs: BTreeSet<RunId> = page.iter().filter_map(|restore| restore.run).collect();
        let runs: Vec<RunId> = runs.into_iter().collect();
        let reading = self.database.read(async |tx| {
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
            let known: BTreeSet<RunId> = found.iter().map(|found| found.row.id).collect();
            Ok((known, assess_rows(tx, rows, policy).await?))
        });
        let (known, assessed) = reading.await?;
        let by_run: BTreeMap<RunId, _> = assessed
            .iter()
            .map(|assessment| (assessment.facts.run.id, &assessment.facts))
            .collect();
        for restore in page {
            let facts = restore.run.and_then(|run| by_run.get(&run).copied());
            let linked = facts.and_then(|facts| facts.restore.as_ref());
            let is_there = restore.run.is_some_and(|run| known.contains(&run));
            if !is_there && !restore.is_unlinked {
                tally.add_lost();
            } else if linked.is_none_or(|linked| linked.id == restore.id) {
                tally.add(facts);
            }
        }
        Ok(())
    }

    async fn read_audit_words(
        &self,
        ended: &[EndedRestore],
        tally: &mut SurveyTally,
    ) -> Result<()> {
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
        let values = values![Ask::restores(&asks), ROWS_SCANNED_MAX];
        let read: Vec<(bool, Word, i64)> = self.database.read_all(statement, values).await?;
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
