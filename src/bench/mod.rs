//! Measures how fast runs are settled, on databases of its own.
//!
//! ```text
//! create ─▶ plant ─▶ for each round: for each subject: copy ─▶ settle ─▶ note ─▶ … ─▶ remove
//! ```
//!
//! **Invariants:**
//! - What settles the standard work takes turns, and each time begins with a fresh copy of the same database, so
//!   that whatever else the machine does disturbs all of it alike. Connecting is part of what is measured.
//! - Growth is measured on a database of its own, which grows; the least and the most settled runs take turns.
//! - A rate counts verdicts that were committed; a measurement that settles fewer runs than it was given fails.

mod chart;
mod growth;
mod machine;
mod pages;
mod process;
mod report;
mod requests;
mod settling;
mod targets;
mod work;
mod workers;

use std::time::Duration;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::sweep::Schedule;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use self::report::Series;
use crate::storage::{BATCH_RUNS_MAX, Limits, Scratch, Settled, Settling, StoreError};

use crate::worker;

pub use report::{BenchReport, Figure, Target, Unit, Work, rounded};

/// A run that is settled before anything is measured: its verdict is the ready-made one.
const LIKE: RunId = RunId(50);

/// The first run that is measured.
const FIRST: i64 = 101;

/// How many runs are planted in one transaction.
const CHUNK_RUNS: usize = 1_000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A sweep of a backlog.
    Sweep,
    /// The same backlog, one run in each transaction.
    RowAtATime,
    /// The same rows read and written by set-based statements with a verdict that is ready.
    Ceiling,
    /// A sweep of a few due runs beside many settled ones.
    Growth,
    /// A sweep that finds nothing due.
    IdleSweep,
    /// Rows that such a sweep reads.
    IdleRowsRead,
    /// Rows that such a sweep writes.
    IdleRowsWritten,
    /// One run with ten thousand items.
    BigRun,
    /// A worker, from its start until it is ready.
    Start,
    /// A backlog that is asked for run by run, and settled by workers.
    Queued,
    /// Runs that are settled one by one.
    One,
    /// Runs that are asked for while a worker is idle, from the commit of the request to that of the verdict.
    Latency,
    /// Restores that the platform ends, with and without a request for the run in the same transaction.
    Producers,
    /// A worker that sweeps a backlog.
    Memory,
    /// A page of the console.
    Page,
}

impl Subject {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::RowAtATime => "row at a time",
            Self::Ceiling => "ceiling",
            Self::Growth => "growth",
            Self::IdleSweep => "idle sweep",
            Self::IdleRowsRead => "rows read by an idle sweep",
            Self::IdleRowsWritten => "rows written by an idle sweep",
            Self::BigRun => "big run",
            Self::Start => "start",
            Self::Queued => "queued",
            Self::One => "one run settled alone",
            Self::Latency => "latency",
            Self::Producers => "restores ended",
            Self::Memory => "memory of a sweep",
            Self::Page => "page",
        }
    }
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchOptions {
    /// Runs of one measurement.
    pub runs: u32,
    /// Items of each restore.
    pub items: u32,
    /// Rounds.
    pub rounds: u32,
    /// The most settled runs beside which growth is measured.
    pub settled: u64,
    /// How long requests are made at a fixed rate, or as fast as it goes.
    pub duration: Duration,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The drawing failed.
    #[error("the chart cannot be drawn: {0}")]
    Chart(String),
    /// Something was left unsettled.
    #[error("{verdicts} of {wanted} runs were settled, so that the time says nothing")]
    Incomplete {
        /// Runs that have a verdict.
        verdicts: u64,
        /// Runs that should have one.
        wanted: u64,
    },
    /// A worker, or a console, did not do what it was started for.
    #[error("a process of its own {problem}: {why}. Its last words:{said}")]
    Process {
        /// What it did, or did not.
        problem: &'static str,
        /// Why, as far as the system knows.
        why: String,
        /// The last lines of its log, each after a line end.
        said: String,
    },
}

/// How far a measurement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchProgress {
    /// What is being done.
    pub step: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// Of how much.
    pub total: u64,
}

struct Bench<'a> {
    scratch: &'a Scratch,
    options: BenchOptions,
    limits: Limits,
    settling: Settling,
}

/// Measures everything, and removes its databases, unless it is dropped: then [`Scratch::remove`] is for the caller.
///
/// Fails where a database or a worker does, and where not all runs were settled.
pub async fn run(
    scratch: &Scratch,
    options: BenchOptions,
    mut progress: impl FnMut(BenchProgress),
) -> Result<BenchReport, BenchError> {
    let bench = Bench {
        scratch,
        options,
        limits: Limits::default(),
        settling: settling(),
    };
    let url = scratch.create().await?;
    let measured = bench.measure(&url, &mut progress).await;
    let removed = scratch.remove().await;
    let report = measured?;
    removed?;
    Ok(report)
}

/// The rules' settings are the built-in ones, whatever the operator configured.
fn settling() -> Settling {
    Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: BATCH_RUNS_MAX,
        retries_max: 3,
        attempts_max: 3,
        due_only: true,
        by: Attribution {
            worker: "bench".to_owned(),
            source: Source::Sweep,
        },
    }
}

/// Fails where not all runs were settled: a time would mean nothing.
fn all(verdicts: u64, wanted: u64) -> Result<(), BenchError> {
    if verdicts == wanted {
        Ok(())
    } else {
        Err(BenchError::Incomplete { verdicts, wanted })
    }
}

/// For people and for ratios, not for sums.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl Bench<'_> {
    async fn measure(
        &self,
        url: &str,
        progress: &mut impl FnMut(BenchProgress),
    ) -> Result<BenchReport, BenchError> {
        self.prepare(url, progress).await?;
        let mut figures = Vec::new();
        figures.extend(self.rates(progress).await?);
        figures.extend(self.with_workers(progress).await?);
        figures.extend(self.big_run().await?);
        figures.extend(self.growth(progress).await?);
        Ok(BenchReport {
            machine: machine::describe(),
            database: self.scratch.describe().await?,
            work: Work {
                runs: self.options.runs,
                items: self.options.items,
                results_bytes: work::results_bytes(self.options.items),
                rounds: self.options.rounds,
                settled: self.options.settled,
            },
            targets: targets::targets(&figures),
            figures,
        })
    }

    /// Plants the runs and the ready-made verdict, and lets go of the database.
    async fn prepare(
        &self,
        url: &str,
        progress: &mut impl FnMut(BenchProgress),
    ) -> Result<(), BenchError> {
        let store = self.scratch.open(url, &self.limits).await?;
        store.install().await?;
        store.migrate().await?;
        worker::set_up(&*store).await?;
        store.plant(&work::workspaces()).await?;
        let (now, items) = (store.now().await?, self.options.items);
        store
            .plant(&work::runs(std::iter::once(LIKE.0), items, now))
            .await?;
        let mut settled: Vec<Settled> = Vec::new();
        store.settle(&[LIKE], &self.settling, &mut settled).await?;
        let total = i64::from(self.options.runs);
        for first in (0..total).step_by(CHUNK_RUNS) {
            let chunk = first..total.min(first + CHUNK_RUNS.cast_signed() as i64);
            let done = chunk.end.unsigned_abs();
            store
                .plant(&work::runs(chunk.map(|number| FIRST + number), items, now))
                .await?;
            progress(BenchProgress {
                step: "planting",
                done,
                total: total.unsigned_abs(),
            });
        }
        store.analyse().await?;
        store.close().await;
        Ok(())
    }

    fn runs(&self) -> impl Iterator<Item = RunId> {
        (FIRST..FIRST + i64::from(self.options.runs)).map(RunId)
    }

    /// How far a step is after a round, in which each measure settles all runs.
    fn after(&self, step: &'static str, round: u32) -> BenchProgress {
        let runs = u64::from(self.options.runs);
        BenchProgress {
            step,
            done: u64::from(round + 1) * runs,
            total: u64::from(self.options.rounds) * runs,
        }
    }

    async fn rates(
        &self,
        progress: &mut impl FnMut(BenchProgress),
    ) -> Result<Vec<Figure>, BenchError> {
        let series = |subject, connections| {
            let variant = match connections {
                1 => "1 connection".to_owned(),
                more => format!("{more} connections"),
            };
            Series::new(subject, variant, Unit::VerdictsPerSecond)
        };
        let pages = self.pages_at_a_time();
        let by = |subject| pages.iter().map(move |at_once| series(subject, *at_once));
        let mut sweeps: Vec<Series> = by(Subject::Sweep).collect();
        let mut row = series(Subject::RowAtATime, self.rows_at_a_time());
        let mut ceilings: Vec<Series> = by(Subject::Ceiling).collect();
        for round in 0..self.options.rounds {
            for (lanes, series) in pages.iter().zip(&mut sweeps) {
                series.add(self.sweep(*lanes).await?);
            }
            row.add(self.row_at_a_time().await?);
            for (lanes, series) in pages.iter().zip(&mut ceilings) {
                series.add(self.ceiling(*lanes).await?);
            }
            progress(self.after("settling", round));
        }
        let measured = sweeps.into_iter().chain([row]).chain(ceilings);
        Ok(measured.filter_map(|series| series.figure()).collect())
    }
}
