//! Jobs in a file of their own, beside a SQLite database: what is one statement where both are in one database takes
//! several here.

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::request::{self, Request};
use reconciler_jobs::trace::TraceContext;

use super::state::{COMMAND, CONSOLE, payloads, run_of};
use crate::storage::column::Id;
use crate::storage::error::Result;
use crate::storage::model::{Action, ActionDone};
use crate::storage::settle::Lock;
use crate::storage::statement::{statement, values};
use crate::storage::store::Store;
use crate::storage::transaction::with_retries;

/// How often the file is written to again when somebody else held it for too long.
pub(super) const RETRIES_MAX: u32 = 5;

impl Store {
    pub(super) async fn request_in_file(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
        action: Option<&Action>,
    ) -> Result<Vec<RunId>> {
        let (open, asked_at) = self.load_open(runs).await?;
        let requests = open
            .iter()
            .map(|run| request_for(*run, cause, trace, asked_at));
        let jobs = payloads(requests)?;
        self.queue_in_file(request::QUEUE, &jobs).await?;
        if let Some(action) = action {
            let queued = open.iter().map(|run| ActionDone::new(*run, "queued"));
            self.note_done(action, queued.collect()).await?;
        }
        Ok(open)
    }

    /// Jobs are in another file, so that nothing holds them and this together.
    async fn note_done(&self, action: &Action, done: Vec<ActionDone>) -> Result<()> {
        self.database
            .write(async |tx| tx.note_actions(action, &done).await)
            .await
    }

    pub(super) async fn request_once_in_file(&self, run: RunId, action: &Action) -> Result<bool> {
        let statement = statement!("queue a job", sqlite queue "request_once");
        self.database.check_files(statement.step)?;
        let (open, asked_at) = self.load_open(&[run]).await?;
        if open.is_empty() {
            return Ok(false);
        }
        let jobs = payloads([request_for(run, CONSOLE, action.trace, asked_at)])?;
        // Somebody waits for the answer: no longer than for one lock.
        let mut queued = 0;
        for job in jobs {
            queued += self.database.execute(statement, values![run, job]).await?;
        }
        let outcome = if queued > 0 {
            "queued"
        } else {
            "queued_before"
        };
        self.note_done(action, vec![ActionDone::new(run, outcome)])
            .await?;
        Ok(true)
    }

    /// The open `restore.execute` runs among `runs`, and what time it is.
    async fn load_open(&self, runs: &[RunId]) -> Result<(Vec<RunId>, Timestamp)> {
        let reading = self.database.read(async |tx| {
            let open = tx.lock_open_runs(runs, Lock::ASK).await?;
            Ok((open, tx.as_of))
        });
        reading.await
    }

    pub(super) async fn retry_in_file(
        &self,
        runs: &[RunId],
        action: &Action,
    ) -> Result<Vec<RunId>> {
        let step = "let runs start over";
        let load = statement!(step, sqlite "load_trouble");
        let start_over = statement!(step, sqlite "start_over");
        let changing = self.database.write(async |tx| {
            let as_of = tx.as_of;
            let found: Vec<(Id, bool, String)> =
                tx.driver().fetch_all(load, values![runs, as_of]).await?;
            let done = found.into_iter().map(|(run, is_stuck, known)| ActionDone {
                found: Some(known),
                ..ActionDone::new(run.into(), if is_stuck { "starts_over" } else { "due_now" })
            });
            let done: Vec<ActionDone> = done.collect();
            let changed: Vec<RunId> = done.iter().map(|it| it.run).collect();
            let values = values![&*changed, as_of];
            tx.driver().execute(start_over, values).await?;
            tx.note_actions(action, &done).await?;
            Ok(changed)
        });
        let changed = changing.await?;
        self.request_in_file(&changed, COMMAND, None, None).await?;
        Ok(changed)
    }

    pub(super) async fn drop_in_file(&self, runs: &[RunId], action: &Action) -> Result<Vec<RunId>> {
        let step = "drop dead letters";
        let drop = statement!(step, sqlite "drop_dead");
        let (load_waiting, kill) = (
            statement!(step, sqlite queue "load_waiting"),
            statement!(step, sqlite queue "kill_jobs"),
        );
        let dropping = self.database.write(async |tx| {
            let values = values![runs, tx.as_of];
            let found = tx.driver().fetch_all(drop, values).await?;
            let (dropped, dead): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|(_, is_new): &(Id, bool)| *is_new);
            let runs_of = |found: Vec<(Id, bool)>| -> Vec<RunId> {
                found.into_iter().map(|(run, _)| run.into()).collect()
            };
            let (mut dropped, dead) = (runs_of(dropped), runs_of(dead));
            dropped.sort_unstable();
            let done = dropped.iter().map(|run| ActionDone::new(*run, "dropped"));
            let done: Vec<ActionDone> = done.collect();
            tx.note_actions(action, &done).await?;
            Ok((dropped, dead))
        });
        let (dropped, dead) = dropping.await?;
        let waiting: Vec<(String, Vec<u8>)> =
            self.database.fetch_all(load_waiting, values![]).await?;
        let asks_in_vain = |payload: &[u8]| run_of(payload).is_some_and(|run| dead.contains(&run));
        let jobs: Vec<&str> = waiting
            .iter()
            .filter(|(_, payload)| asks_in_vain(payload))
            .map(|(job, _)| job.as_str())
            .collect();
        self.database.execute(kill, values![jobs]).await?;
        Ok(dropped)
    }

    pub(super) async fn queue_in_file(&self, queue: &str, jobs: &[String]) -> Result<()> {
        let statement = statement!("queue jobs", sqlite queue "queue_jobs");
        if jobs.is_empty() {
            return Ok(());
        }
        // Whoever takes and acknowledges jobs writes into the same file.
        let queued = with_retries(RETRIES_MAX, async || {
            self.database.execute(statement, values![queue, jobs]).await
        });
        queued.await.map(drop)
    }
}

/// What a job says that asks for a run.
fn request_for(
    run: RunId,
    cause: &str,
    trace: Option<TraceContext>,
    asked_at: Timestamp,
) -> Request {
    Request {
        run,
        cause: Some(cause.chars().take(request::CAUSE_CHARS_MAX).collect()),
        traceparent: trace.map(|trace| trace.to_string()),
        asked_at: Some(asked_at.as_microsecond()),
    }
}
