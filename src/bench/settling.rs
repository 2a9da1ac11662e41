//! Settling a backlog: swept in batches, row by row, and by set-based statements with a ready-made verdict, which
//! is the most that the database could do: one statement a page on PostgreSQL, four on SQLite.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reconciler_jobs::ids::RunId;

use super::report::{Figure, Series, Unit};
use super::{Bench, BenchError, LIKE, Subject, all, milliseconds, work};
use crate::clock::Stopwatch;
use crate::storage::{Backend, Settled, Settlement, Workbench};
use crate::sweep::{Scope, sweep};

/// Items of a big run.
const BIG_ITEMS: u32 = 10_000;

/// The first big run, and how far the next one is: all have complete proof.
const BIG_FIRST: i64 = 50_000_000;
const BIG_EVERY: i64 = 50;

/// How many transactions settle pages at once.
const PAGES_AT_A_TIME: [u32; 3] = [1, 2, 4];

/// How many transactions of one run each are under way at once.
const ROWS_AT_A_TIME: u32 = 16;

/// How many transactions are under way at once on SQLite: a file has one writer, and those who wait for it do not
/// take turns.
const ON_A_FILE: u32 = 1;

impl Bench<'_> {
    /// Verdicts a second by a sweep that settles so many pages at once.
    pub(super) async fn sweep(&self, lanes: u32) -> Result<f64, BenchError> {
        let store = self.site(lanes + 1).await?.store;
        let scope = Scope {
            lanes: NonZeroU32::new(lanes).unwrap_or(NonZeroU32::MIN),
            ..Scope::default()
        };
        let working = Stopwatch::start();
        let pass = sweep(
            &*store,
            scope,
            &self.settling,
            |_| ControlFlow::Continue(()),
        )
        .await?;
        let rate = self.rate(pass.tally.verdicts(), working);
        store.close().await;
        rate
    }

    /// Verdicts a second by the same store, which is given one run at a time, by so many at once.
    pub(super) async fn row_at_a_time(&self) -> Result<f64, BenchError> {
        let connections = self.rows_at_a_time();
        let store = self.site(connections).await?.store;
        let runs: Vec<RunId> = self.runs().collect();
        let working = Stopwatch::start();
        let verdicts = stream::iter(runs)
            .map(|run| settle_one(Arc::clone(&store), self, run))
            .buffer_unordered(connections as usize)
            .try_fold(0, |sum, verdicts| async move { Ok(sum + verdicts) })
            .await?;
        let rate = self.rate(verdicts, working);
        store.close().await;
        rate
    }

    pub(super) fn pages_at_a_time(&self) -> &'static [u32] {
        match self.scratch.backend() {
            Backend::Postgres => &PAGES_AT_A_TIME,
            Backend::Sqlite => &[ON_A_FILE],
        }
    }

    pub(super) fn rows_at_a_time(&self) -> u32 {
        match self.scratch.backend() {
            Backend::Postgres => ROWS_AT_A_TIME,
            Backend::Sqlite => ON_A_FILE,
        }
    }

    /// Verdicts a second if nothing had to be decided, by so many statements at once.
    pub(super) async fn ceiling(&self, connections: u32) -> Result<f64, BenchError> {
        let store = self.site(connections).await?.store;
        let runs: Vec<RunId> = self.runs().collect();
        let working = Stopwatch::start();
        let closed = stream::iter(runs.chunks(self.settling.batch_runs_max as usize))
            .map(|page| store.close_like(page, LIKE, &self.settling))
            .buffer_unordered(connections as usize)
            .try_fold(0, |sum, closed| async move { Ok(sum + closed) })
            .await?;
        let rate = self.rate(closed, working);
        store.close().await;
        rate
    }

    /// Milliseconds for one run with many items, alone.
    pub(super) async fn big_run(&self) -> Result<Option<Figure>, BenchError> {
        let variant = format!("{BIG_ITEMS} items");
        let mut series = Series::new(Subject::BigRun, variant, Unit::Milliseconds);
        let store = self.site(1).await?.store;
        let now = store.now().await?;
        for round in 0..i64::from(self.options.rounds) {
            let run = RunId(BIG_FIRST + round * BIG_EVERY);
            store
                .plant(&work::runs(std::iter::once(run.0), BIG_ITEMS, now))
                .await?;
            let working = Stopwatch::start();
            let verdicts = settle_one(Arc::clone(&store), self, run).await?;
            series.add(milliseconds(working.elapsed()));
            all(verdicts, 1)?;
        }
        store.close().await;
        Ok(series.figure())
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    pub(super) fn rate(&self, verdicts: u64, working: Stopwatch) -> Result<f64, BenchError> {
        let seconds = working.elapsed().as_secs_f64();
        all(verdicts, u64::from(self.options.runs))?;
        Ok(verdicts as f64 / seconds)
    }
}

pub(super) async fn settle_one(
    store: Arc<dyn Workbench>,
    bench: &Bench<'_>,
    run: RunId,
) -> Result<u64, BenchError> {
    let mut settled = Vec::with_capacity(1);
    store.settle(&[run], &bench.settling, &mut settled).await?;
    let verdict = |settled: &&Settled| matches!(settled.result, Settlement::Committed(_));
    Ok(settled.iter().filter(verdict).count() as u64)
}
