//! What is remembered of a run beside its own row: unfinished settlements, the watch list, and its jobs.

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{RUN_TYPE, RunStatus};
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::names::shown_error;
use super::open::Reader;
use super::record::RefusalSeen;
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, StoredMoment, Word};
use crate::storage::database::EitherDatabase;
use crate::storage::error::Result;
use crate::storage::model::Pause;
use crate::storage::queue::{cause_of, run_of};
use crate::storage::statement::{Statement, statement, values};
use crate::storage::transaction::DatabaseTransaction;

const LOAD_STANDINGS: Statement = statement!("look up runs", both "load_standings");

/// What is remembered of a run beside its own row. Read without any of its documents, so that it can be
/// shown also where looking at those ended a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStanding {
    /// The run.
    pub run: RunId,
    /// The workspace that the run belongs to.
    pub workspace: WorkspaceId,
    /// The environment that the run belongs to; none for a run of the whole workspace.
    pub environment: Option<EnvironmentId>,
    /// The platform's type of the run.
    pub run_type: String,
    /// The platform's status of the run.
    pub status: String,
    /// Settlements that never ended.
    pub attempts: Option<AttemptsOnRecord>,
    /// The run's entry on the watch list; none if it is not watched.
    pub watch: Option<WatchOnRecord>,
    /// Why nobody settles it, where it is open and paused.
    pub pause: Option<Pause>,
}

impl QueueStanding {
    /// Whether the run is of the type that is judged here.
    pub fn is_ours(&self) -> bool {
        self.run_type == RUN_TYPE
    }

    /// Whether the run is open.
    pub fn is_open(&self) -> bool {
        matches!(
            RunStatus::parse(&self.status),
            RunStatus::Queued | RunStatus::Running
        )
    }

    /// That the database refuses the run a verdict, if it does.
    pub fn refusal(&self) -> Option<RefusalSeen> {
        let watch = self.watch.as_ref().filter(|watch| {
            self.is_ours() && self.is_open() && watch.reason_code == ReasonCode::SettleFailed.code()
        })?;
        Some(RefusalSeen {
            since: watch.first_seen_at,
            tried_at: watch.last_looked_at,
            again_at: watch.look_again_at,
            tries: watch.tries.into(),
            said: watch.error.as_deref().map(shown_error),
        })
    }

    /// Whether the run is a dead letter, dropped or not.
    pub fn is_dead(&self) -> bool {
        self.attempts
            .as_ref()
            .is_some_and(|attempts| attempts.dead_at.is_some())
    }
}

/// When an open run is looked at again, and how often it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextLook {
    /// When; none for a dead letter.
    pub at: Option<Timestamp>,
    /// How often it was looked at, or tried, before.
    pub tries: u32,
}

/// When a run is looked at again, where that is known.
pub(super) async fn next_look(
    tx: &mut DatabaseTransaction,
    run: RunId,
) -> Result<Option<NextLook>> {
    let values = values![&[run][..]];
    let found: Option<StandingRecord> = tx.driver().fetch_optional(LOAD_STANDINGS, values).await?;
    let standing = found.map(QueueStanding::from);
    Ok(standing.and_then(|it| match (it.attempts, it.watch) {
        (Some(attempts), _) => (attempts.dead_at.is_some() || attempts.try_again_at.is_some())
            .then_some(NextLook {
                at: attempts.try_again_at,
                tries: attempts.tries,
            }),
        (None, watch) => watch.map(|watch| NextLook {
            at: Some(watch.look_again_at),
            tries: watch.tries,
        }),
    }))
}

/// Settlements of a run that never ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Attempts")]
pub struct AttemptsOnRecord {
    /// How many were begun since the run last started over.
    pub tries: u32,
    /// Who had the run in hand last.
    pub worker: String,
    /// When the run was first suspected, RFC 3339.
    #[schemars(with = "String")]
    pub first_seen_at: Timestamp,
    /// When the last try began, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub last_tried_at: Option<Timestamp>,
    /// When the next one may begin, RFC 3339; none for a dead letter.
    #[schemars(with = "Option<String>")]
    pub try_again_at: Option<Timestamp>,
    /// Since when the run is a dead letter, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub dead_at: Option<Timestamp>,
    /// Since when the dead letter is dropped, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub dropped_at: Option<Timestamp>,
}

/// A run's entry on the watch list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Watch")]
pub struct WatchOnRecord {
    /// Why the run stays open.
    pub reason_code: String,
    /// How often it was looked at.
    pub tries: u32,
    /// When it was put on the list, RFC 3339.
    #[schemars(with = "String")]
    pub first_seen_at: Timestamp,
    /// When it was looked at last, RFC 3339.
    #[schemars(with = "String")]
    pub last_looked_at: Timestamp,
    /// When it is looked at again, RFC 3339.
    #[schemars(with = "String")]
    pub look_again_at: Timestamp,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

/// A job in any state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, FromRow)]
#[schemars(rename = "Job")]
pub struct JobOnRecord {
    /// The job.
    pub id: String,
    /// Where it stands.
    #[sqlx(rename = "status", try_from = "String")]
    pub state: JobState,
    /// Why it was queued; none where that cannot be read.
    #[sqlx(skip)]
    pub cause: Option<String>,
    /// Who has taken it.
    pub worker: Option<String>,
    /// How often it was delivered.
    #[sqlx(try_from = "CountColumn")]
    pub deliveries: u32,
    /// From when on it may be taken, RFC 3339.
    #[schemars(with = "String")]
    #[sqlx(try_from = "StoredMoment")]
    pub run_at: Timestamp,
    /// When it was taken, RFC 3339.
    #[schemars(with = "Option<String>")]
    #[sqlx(try_from = "StoredMoment")]
    pub taken_at: Option<Timestamp>,
    /// When it was finished, RFC 3339.
    #[schemars(with = "Option<String>")]
    #[sqlx(try_from = "StoredMoment")]
    pub done_at: Option<Timestamp>,
}

vocabulary! {
    /// Where a job stands.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum JobState {
        /// The word for it.
        name: &'static str,
    }
    /// It waits for a worker.
    Waiting { name: "waiting" }
    /// A worker has taken it.
    InHand { name: "in_hand" }
    /// It was dealt with, which says nothing about its run.
    Finished { name: "finished" }
    /// Nobody could read it, or an operator removed it.
    Killed { name: "killed" }
    /// The library that delivers jobs gave up on it.
    Failed { name: "failed" }
}

impl From<String> for JobState {
    /// From the word of the library that delivers jobs.
    fn from(status: String) -> Self {
        match status.as_str() {
            "Pending" => Self::Waiting,
            "Queued" | "Running" => Self::InHand,
            "Done" => Self::Finished,
            "Killed" => Self::Killed,
            _ => Self::Failed,
        }
    }
}

/// A row of `load_standings`.
#[derive(FromRow)]
struct StandingRecord {
    run: i64,
    workspace: i64,
    environment: Option<i64>,
    run_type: Word,
    status: Word,
    attempts_tries: Option<CountColumn>,
    attempts_worker: Option<String>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_first_seen_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_last_tried_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_try_again_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_dead_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_dropped_at: Option<Timestamp>,
    watch_reason_code: Option<String>,
    watch_tries: Option<CountColumn>,
    #[sqlx(try_from = "StoredMoment")]
    watch_first_seen_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    watch_last_looked_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    watch_look_again_at: Option<Timestamp>,
    watch_error: Option<String>,
}

impl From<StandingRecord> for QueueStanding {
    fn from(record: StandingRecord) -> Self {
        Self {
            run: RunId(record.run),
            workspace: WorkspaceId(record.workspace),
            environment: record.environment.map(EnvironmentId),
            attempts: record.attempts(),
            watch: record.watch(),
            pause: None,
            run_type: record.run_type.into(),
            status: record.status.into(),
        }
    }
}

impl StandingRecord {
    fn attempts(&self) -> Option<AttemptsOnRecord> {
        let dead_at = self.attempts_dead_at;
        Some(AttemptsOnRecord {
            tries: self.attempts_tries?.into(),
            worker: self.attempts_worker.clone()?,
            first_seen_at: self.attempts_first_seen_at?,
            last_tried_at: self.attempts_last_tried_at,
            try_again_at: self.attempts_try_again_at.filter(|_| dead_at.is_none()),
            dead_at,
            dropped_at: self.attempts_dropped_at,
        })
    }

    fn watch(&self) -> Option<WatchOnRecord> {
        Some(WatchOnRecord {
            reason_code: self.watch_reason_code.clone()?,
            tries: self.watch_tries?.into(),
            first_seen_at: self.watch_first_seen_at?,
            last_looked_at: self.watch_last_looked_at?,
            look_again_at: self.watch_look_again_at?,
            error: self.watch_error.clone(),
        })
    }
}

/// A row of `load_jobs`.
#[derive(FromRow)]
struct JobRecord {
    #[sqlx(flatten)]
    job: JobOnRecord,
    payload: Vec<u8>,
}

impl Reader {
    /// What is remembered of runs of any type, in ascending order. Those that do not exist are absent.
    pub async fn load_standings(
        &self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> Result<Vec<QueueStanding>> {
        let reading = self.database.read(async |tx| {
            let records: Vec<StandingRecord> =
                tx.driver().fetch_all(LOAD_STANDINGS, values![runs]).await?;
            Ok((records, tx.load_pauses().await?))
        });
        let (records, pauses) = reading.await?;
        let mut standings: Vec<_> = records.into_iter().map(QueueStanding::from).collect();
        for standing in standings.iter_mut().filter(|it| it.is_open()) {
            let mut pauses = pauses.iter();
            let pause = pauses.find(|pause| pause.covers(standing.workspace));
            standing.pause = pause.cloned();
        }
        standings.retain(|standing| of.may_include(Some(standing.workspace)));
        Ok(standings)
    }

    /// The latest jobs that ask for a run that may be seen, at most `limit`, the latest first; none where there is no
    /// queue.
    ///
    /// Every job that is kept is passed over, since none of the library's indexes is by run, and one of ours
    /// would be paid for each time that a job is queued, taken and finished. Only those that contain the
    /// run's digits are parsed.
    pub async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>> {
        let statement = statement!("look up jobs", queue "load_jobs");
        let values = values![run, limit];
        let database = &self.database;
        let records: Vec<JobRecord> = match database {
            EitherDatabase::Postgres(_) => database.read_all(statement, values).await?,
            EitherDatabase::Sqlite(_) if !database.has_queue_file(statement.step).await? => {
                Vec::new()
            }
            // All whose payloads have the run's digits.
            EitherDatabase::Sqlite(_) => database.fetch_all(statement, values).await?,
        };
        let own = |record: &JobRecord| run_of(&record.payload) == Some(run);
        let jobs = records.into_iter().filter(own).map(|record| JobOnRecord {
            cause: cause_of(&record.payload),
            ..record.job
        });
        Ok(jobs
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect())
    }
}
