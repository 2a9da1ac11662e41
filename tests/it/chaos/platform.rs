//! The platform while everything around it fails: creates runs and restores, ends them, asks for them.
//!
//! It writes through a connection of its own. Every step is guarded, so that one whose commit was not
//! confirmed is done once more without doing anything twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;
use sqlx::{Connection as _, Transaction};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::dice::Dice;
use crate::support::case::{Case, HOME, snapshot_of};

/// Between two runs.
const PACE: Duration = Duration::from_millis(15);
/// Between two tries to reach a server that is away.
const RETRY: Duration = Duration::from_millis(50);
/// How late evidence may be, well within the settle window.
const LATE_MS: usize = 1_000;

/// A run with its restore, which has begun.
const BEGIN: &str = "
    WITH run AS (
        INSERT INTO operation_runs (
            id, workspace_id, managed_environment_id, initiator_name, type, status, outcome,
            run_identity_hash, context, created_at, updated_at
        )
        SELECT $1, $3, $4, 'A. Operator', 'restore.execute', 'running', 'pending', 'run-' || $1,
            $5::jsonb, started_at, started_at
        FROM (SELECT date_trunc('second', now() AT TIME ZONE 'UTC')) AS clock (started_at)
        ON CONFLICT (id) DO NOTHING
    )
    INSERT INTO restore_runs (
        id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, status,
        requested_items, started_at, created_at
    )
    SELECT $2, $3, $4, $4, $1, 'running', $6::json, started_at, started_at
    FROM (SELECT date_trunc('second', now() AT TIME ZONE 'UTC')) AS clock (started_at)
    ON CONFLICT (id) DO NOTHING";

const END: &str = "
    UPDATE restore_runs
    SET status = $2, results = $3::json, metadata = $4::json,
        completed_at = date_trunc('second', now() AT TIME ZONE 'UTC')
    WHERE id = $1 AND status = 'running'";

const AUDIT: &str = "
    INSERT INTO audit_logs (
        workspace_id, managed_environment_id, action, resource_type, resource_id, status, outcome,
        recorded_at
    )
    VALUES ($2, $3, $4, 'restore_run', $1::text, 'success', 'success',
        date_trunc('second', now() AT TIME ZONE 'UTC'))";

const EVIDENCE: &str = "
    INSERT INTO evidence_snapshots (
        id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state,
        generated_at
    )
    VALUES ($1, $3, $4, $2, 'active', 'complete', date_trunc('second', now()))
    ON CONFLICT (id) DO NOTHING";

/// As the platform closes a run itself: only while it is open.
const CLOSE: &str = "
    UPDATE operation_runs
    SET status = 'completed', outcome = 'failed', user_id = 1, updated_at = now(),
        completed_at = now()
    WHERE id = $1 AND status IN ('queued', 'running')";

const REQUEST: &str = "SELECT reconciler.request($1)";

/// How a restore ends, and what is recorded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    Proven,
    /// The evidence comes in a later transaction.
    LateEvidence,
    NoEvidence,
    Partial,
    Failed,
    Cancelled,
}

impl Ending {
    fn choose(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..40 => Self::Proven,
            40..55 => Self::LateEvidence,
            55..70 => Self::NoEvidence,
            70..80 => Self::Partial,
            80..90 => Self::Failed,
            _ => Self::Cancelled,
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Proven | Self::LateEvidence | Self::NoEvidence => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// What a run with this restore may be judged to be. Evidence may come too late where the server was away.
    pub(super) fn verdicts(self) -> &'static [&'static str] {
        match self {
            Self::Proven => &["succeeded"],
            Self::LateEvidence => &["succeeded", "partially_succeeded"],
            Self::NoEvidence | Self::Partial => &["partially_succeeded"],
            Self::Failed => &["failed"],
            Self::Cancelled => &["blocked"],
        }
    }
}

/// When the platform closes a run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closes {
    Never,
    BeforeAsking,
    AfterAsking,
}

/// What will happen to one run.
#[derive(Debug, Clone)]
struct Story {
    run: i64,
    ending: Ending,
    asks: bool,
    closes: Closes,
    /// The transaction that creates, ends and asks is rolled back after all.
    undone: bool,
    /// The run and its restore are there before the restore ends.
    begins_early: bool,
}

impl Story {
    fn choose(run: i64, dice: &mut Dice) -> Self {
        let ending = Ending::choose(dice);
        let undone = dice.chance(10);
        let closes = match dice.below(100) {
            0..4 => Closes::BeforeAsking,
            4..8 => Closes::AfterAsking,
            _ => Closes::Never,
        };
        Self {
            run,
            ending,
            asks: undone || dice.chance(85),
            closes: if undone { Closes::Never } else { closes },
            undone,
            begins_early: !undone && dice.chance(50),
        }
    }
}

/// What the platform knows it did.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Runs whose transaction was committed.
    pub(super) runs: BTreeMap<i64, Ending>,
    /// Runs that the platform wanted to close by itself, and may have.
    pub(super) closed: Vec<i64>,
    /// Runs whose transaction was rolled back after it had asked.
    pub(super) undone: Vec<i64>,
    /// Runs that nobody asked for.
    pub(super) unasked: usize,
    /// Steps that were done once more, because the server was gone before it confirmed them.
    pub(super) repeated: usize,
}

pub(super) struct Platform {
    url: String,
    connection: Option<PgConnection>,
    dice: Dice,
    books: Books,
    late: VecDeque<(Instant, i64)>,
}

impl Platform {
    pub(super) fn new(url: &str, dice: Dice) -> Self {
        Self {
            url: url.to_owned(),
            connection: None,
            dice,
            books: Books::default(),
            late: VecDeque::new(),
        }
    }

    /// Creates and ends one run after the other until told to stop, and leaves none half told.
    pub(super) async fn work(mut self, stop: watch::Receiver<bool>) -> Books {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut run = 0;
        while !*stop.borrow() {
            pace.tick().await;
            run += 1;
            let story = Story::choose(run, &mut self.dice);
            self.tell(&story).await;
            while let Some((_, run)) = self.late.pop_front_if(|(due, _)| *due <= Instant::now()) {
                self.insist(Step::Evidence(run)).await;
            }
        }
        while let Some((_, run)) = self.late.pop_front() {
            self.insist(Step::Evidence(run)).await;
        }
        self.books
    }

    async fn tell(&mut self, story: &Story) {
        if story.begins_early {
            self.insist(Step::Begin(story)).await;
        }
        if story.undone {
            self.undo(story).await;
            self.books.undone.push(story.run);
            return;
        }
        self.insist(Step::End(story)).await;
        if story.closes == Closes::AfterAsking {
            self.insist(Step::Close(story.run)).await;
        }
        if story.closes != Closes::Never {
            self.books.closed.push(story.run);
        }
        if story.ending == Ending::LateEvidence {
            let wait = u64::try_from(self.dice.below(LATE_MS)).expect("small");
            let due = Instant::now() + Duration::from_millis(wait);
            self.late.push_back((due, story.run));
        }
        self.books.unasked += usize::from(!story.asks);
        self.books.runs.insert(story.run, story.ending);
    }

    /// Does everything, asks, and takes it back. A server that goes away takes it back too.
    async fn undo(&mut self, story: &Story) {
        let attempt = async {
            let mut tx = connected(&mut self.connection, &self.url).await?;
            end(&mut tx, story).await?;
            tx.rollback().await
        };
        if let Err(error) = attempt.await {
            assert_server_is_away(&error);
            self.connection = None;
        }
    }

    /// One transaction, until it is known to be committed.
    async fn insist(&mut self, step: Step<'_>) {
        let mut retry = interval(RETRY);
        loop {
            retry.tick().await;
            let attempt = async {
                let mut tx = connected(&mut self.connection, &self.url).await?;
                take(&mut tx, step).await?;
                tx.commit().await
            };
            match attempt.await {
                Ok(()) => return,
                Err(error) => {
                    assert_server_is_away(&error);
                    self.connection = None;
                    self.books.repeated += 1;
                }
            }
        }
    }
}

/// What one transaction does.
#[derive(Debug, Clone, Copy)]
enum Step<'s> {
    Begin(&'s Story),
    End(&'s Story),
    Close(i64),
    Evidence(i64),
}

async fn take(tx: &mut Transaction<'_, Postgres>, step: Step<'_>) -> sqlx::Result<()> {
    match step {
        Step::Begin(story) => begin(tx, story).await,
        Step::End(story) => end(tx, story).await,
        Step::Close(run) => close(tx, run).await,
        Step::Evidence(run) => evidence(tx, run).await,
    }
}

async fn connected<'c>(
    connection: &'c mut Option<PgConnection>,
    url: &str,
) -> sqlx::Result<Transaction<'c, Postgres>> {
    if connection.is_none() {
        *connection = Some(PgConnection::connect(url).await?);
    }
    connection.as_mut().expect("made above").begin().await
}

/// Executes a statement, and says how many rows that changed.
async fn execute(
    tx: &mut Transaction<'_, Postgres>,
    query: Query<'_, Postgres, PgArguments>,
) -> sqlx::Result<u64> {
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

async fn begin(tx: &mut Transaction<'_, Postgres>, story: &Story) -> sqlx::Result<()> {
    let Case { run, restore, .. } = Case::proven(story.run);
    let query = sqlx::query(BEGIN).bind(run.id).bind(restore.id);
    let query = query.bind(HOME.0).bind(HOME.1);
    let query = query.bind(run.context).bind(restore.requested_items);
    execute(tx, query).await.map(drop)
}

/// Ends the restore with everything that is recorded then, and asks for its run to be looked at.
async fn end(tx: &mut Transaction<'_, Postgres>, story: &Story) -> sqlx::Result<()> {
    if !story.begins_early {
        begin(tx, story).await?;
    }
    let restore = Case::proven(story.run).restore;
    let (results, metadata) = match story.ending {
        Ending::Cancelled => (None, None), // before it applied anything
        _ => (restore.results, restore.metadata),
    };
    let status = story.ending.status();
    let query = sqlx::query(END).bind(restore.id).bind(status);
    if execute(tx, query.bind(results).bind(metadata)).await? == 0 {
        return Ok(()); // by the commit that was not confirmed
    }
    let query = sqlx::query(AUDIT)
        .bind(restore.id)
        .bind(HOME.0)
        .bind(HOME.1);
    execute(tx, query.bind(format!("restore.{status}"))).await?;
    if matches!(story.ending, Ending::Proven | Ending::Partial) {
        evidence(tx, story.run).await?;
    }
    if story.closes == Closes::BeforeAsking {
        close(tx, story.run).await?;
    }
    if story.asks {
        ask(tx, story).await?;
    }
    Ok(())
}

async fn ask(tx: &mut Transaction<'_, Postgres>, story: &Story) -> sqlx::Result<()> {
    let queued = sqlx::query_scalar(REQUEST).bind(story.run);
    let queued: bool = queued.fetch_one(&mut **tx).await?;
    // A sweep may have given its verdict since the run began; then there is nothing to queue.
    let can_be_closed = story.begins_early || story.closes == Closes::BeforeAsking;
    assert!(queued || can_be_closed, "run {} was not queued", story.run);
    Ok(())
}

async fn evidence(tx: &mut Transaction<'_, Postgres>, run: i64) -> sqlx::Result<()> {
    let query = sqlx::query(EVIDENCE).bind(snapshot_of(run)).bind(run);
    execute(tx, query.bind(HOME.0).bind(HOME.1)).await.map(drop)
}

async fn close(tx: &mut Transaction<'_, Postgres>, run: i64) -> sqlx::Result<()> {
    execute(tx, sqlx::query(CLOSE).bind(run)).await.map(drop)
}

/// Any other error is a mistake in here.
fn assert_server_is_away(error: &sqlx::Error) {
    // Class 57: shut down, crashed, or not ready yet; and one that is to take the place of another takes no writes yet.
    let away = match error {
        sqlx::Error::Database(error) => {
            let code = error.code();
            code.is_some_and(|code| code.starts_with("57") || code == "25006")
        }
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        _ => false,
    };
    assert!(away, "the platform's own statement failed: {error:?}");
}
