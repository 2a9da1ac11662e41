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

use std::time::Duration;

use anyhow::ensure;
use clap::ValueEnum;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::sweep::Schedule;
use reconciler_jobs::sweep::admission::Admission;
use restore_reconciler::internals::storage::{
    BATCH_RUNS_MAX, Limits, Observations, Settled, Settling,
};
use restore_reconciler::internals::worker;
use serde::Serialize;

use crate::report::{Measured, Report, Unit, Work};
use crate::scratch::Scratch;
use crate::settling::{PAGES_AT_A_TIME, ROWS_AT_A_TIME};
use crate::shown::ProgressLines;
use crate::workbench::Workbench;
use crate::{machine, targets, work};

/// A run that is settled before anything is measured: its verdict is the ready-made one.
pub(crate) const LIKE: RunId = RunId(50);

/// The first run that is measured.
const FIRST: i64 = 101;

/// How many runs are planted in one transaction.
const CHUNK_RUNS: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Sweep,
    /// The same backlog, one run in each transaction.
    RowAtATime,
    /// The same rows read and written by set-based statements with a verdict that is ready.
    Ceiling,
    /// A check of the ledger that such a sweep has written.
    Check,
    /// Another policy asked of each verdict of that ledger.
    Simulation,
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
    One,
    /// Runs that are asked for while a worker is idle, from the commit of the request to that of the verdict.
    Latency,
    /// Restores that the platform ends, with and without a request for the run in the same transaction.
    Producers,
    /// A worker that sweeps a backlog.
    Memory,
    Page,
    /// Settlements with and without the tree over the ledger.
    Tree,
    /// A tree with many leaves.
    Leaves,
    /// Entries of the platform's audit log, with and without the trigger that asks for runs.
    Audit,
}

impl Subject {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::RowAtATime => "row at a time",
            Self::Ceiling => "ceiling",
            Self::Check => "check of the ledger",
            Self::Simulation => "simulation over the ledger",
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
            Self::Tree => "beside the tree",
            Self::Leaves => "leaves",
            Self::Audit => "audit entries",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Of one measurement.
    pub(crate) runs: u32,
    /// Of each restore.
    pub(crate) items: u32,
    pub(crate) rounds: u32,
    /// The most settled runs beside which growth is measured.
    pub(crate) settled: u64,
    /// How many leaves the tree has.
    pub(crate) leaves: u64,
    /// How long requests are made at a fixed rate, or as fast as it goes.
    pub(crate) duration: Duration,
    /// What is measured; everything where nothing is named.
    pub(crate) parts: Vec<Part>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Sweeps, and checks of the ledger.
    Settling,
    /// What workers do.
    Workers,
    /// Settlements beside the tree over the ledger.
    Tree,
    /// The trigger on the audit log.
    Audit,
    /// A run with many items.
    BigRun,
    /// Beside many settled runs, and the console's pages.
    Growth,
    /// A tree with many leaves.
    Leaves,
}

pub(crate) struct Bench<'a> {
    pub(crate) scratch: &'a Scratch,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) settling: Settling,
}

/// What a measurement has come to so far, and how far that is.
pub(crate) struct Record {
    pub(crate) measured: Measured,
    pub(crate) progress: ProgressLines,
}

/// Measures everything, and removes its databases, unless it is dropped: then [`Scratch::remove`] is for the caller.
///
/// Fails where a database or a worker does, and where not all runs were settled.
pub(crate) async fn run(scratch: &Scratch, options: Options) -> anyhow::Result<Report> {
    let bench = Bench {
        scratch,
        options,
        limits: Limits::default(),
        settling: settling(),
    };
    let url = scratch.create().await?;
    let measured = bench.measure(&url).await;
    let removed = scratch.remove().await;
    let report = measured?;
    removed?;
    Ok(report)
}

/// The rules' settings are the built-in ones, whatever the operator configured.
pub(crate) fn settling() -> Settling {
    Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: BATCH_RUNS_MAX,
        retries_max: 3,
        attempts_max: 3,
        due_only: true,
        admission: Admission::default(),
        observations: Observations::default(),
        by: Attribution {
            worker: "bench".to_owned(),
            source: Source::Sweep,
        },
        action: None,
    }
}

/// Fails where not all runs were settled: a time would mean nothing.
pub(crate) fn all(verdicts: u64, wanted: u64) -> anyhow::Result<()> {
    let is_whole = verdicts == wanted;
    ensure!(
        is_whole,
        "{verdicts} of {wanted} runs were settled, so that the time says nothing"
    );
    Ok(())
}

/// For people and for ratios, not for sums.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl Bench<'_> {
    async fn measure(&self, url: &str) -> anyhow::Result<Report> {
        let mut record = Record {
            measured: Measured::default(),
            progress: ProgressLines::new(),
        };
        self.prepare(url, &mut record).await?;
        for part in Part::value_variants() {
            let parts = &self.options.parts;
            if !parts.is_empty() && !parts.contains(part) {
                continue;
            }
            match part {
                Part::Settling => self.rates(&mut record).await?,
                Part::Workers => self.with_workers(&mut record).await?,
                Part::Tree => self.beside_the_tree(&mut record).await?,
                Part::Audit => self.audit(&mut record).await?,
                Part::BigRun => self.big_run(&mut record).await?,
                // These take the place of the prepared database.
                Part::Growth => self.growth(&mut record).await?,
                Part::Leaves => self.leaves(&mut record).await?,
            }
        }
        let figures = record.measured.figures();
        Ok(Report {
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
    async fn prepare(&self, url: &str, record: &mut Record) -> anyhow::Result<()> {
        let on = self.furnish(url).await?;
        let store = &on.store;
        let (now, items) = (store.now().await?, self.options.items);
        let like = work::runs(std::iter::once(LIKE.0), items, now);
        on.plant(&like).await?;
        let mut settled: Vec<Settled> = Vec::new();
        store.settle(&[LIKE], &self.settling, &mut settled).await?;
        let runs: Vec<RunId> = self.runs().collect();
        let mut done = 0;
        for chunk in runs.chunks(CHUNK_RUNS) {
            let numbers = chunk.iter().map(|run| run.0);
            on.plant(&work::runs(numbers, items, now)).await?;
            done += chunk.len() as u64;
            record.progress.show("planting", done, runs.len() as u64);
        }
        on.analyse().await?;
        on.close().await
    }

    /// Creates the platform's tables, ours and the queue's, and the workspaces of the standard work.
    pub(crate) async fn furnish(&self, url: &str) -> anyhow::Result<Workbench> {
        let on = self.open(url).await?;
        on.standin.install().await?;
        on.store.migrate().await?;
        worker::set_up(&on.store).await?;
        on.plant(&work::workspaces()).await?;
        Ok(on)
    }

    pub(crate) async fn open(&self, url: &str) -> anyhow::Result<Workbench> {
        Workbench::open(url, &self.limits).await
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        (FIRST..FIRST + i64::from(self.options.runs)).map(RunId)
    }

    /// Says how far a step is after a round, in which each measure settles all runs.
    pub(crate) fn after(&self, record: &mut Record, step: &str, round: u32) {
        let of_rounds = |rounds: u32| u64::from(rounds) * u64::from(self.options.runs);
        let (done, total) = (of_rounds(round + 1), of_rounds(self.options.rounds));
        record.progress.show(step, done, total);
    }

    async fn rates(&self, record: &mut Record) -> anyhow::Result<()> {
        let connections = |lanes| match lanes {
            1 => "1 connection".to_owned(),
            more => format!("{more} connections"),
        };
        for round in 0..self.options.rounds {
            let mut add = |subject, lanes, rate| {
                let (variant, unit) = (connections(lanes), Unit::VerdictsPerSecond);
                record.measured.add(subject, &variant, unit, rate);
            };
            for lanes in PAGES_AT_A_TIME {
                add(Subject::Sweep, lanes, self.sweep(lanes).await?);
            }
            let rate = self.row_at_a_time().await?;
            add(Subject::RowAtATime, ROWS_AT_A_TIME, rate);
            for lanes in PAGES_AT_A_TIME {
                add(Subject::Ceiling, lanes, self.ceiling(lanes).await?);
            }
            let [checked, simulated] = self.ledger().await?;
            add(Subject::Check, 1, checked);
            add(Subject::Simulation, 1, simulated);
            self.after(record, "settling", round);
        }
        Ok(())
    }
}
