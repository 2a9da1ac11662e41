//! What a sweep costs beside settled runs: of a few due runs, and of none.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;

use super::report::{Figure, Series, Unit};
use super::{Bench, BenchError, BenchProgress, Subject, all, milliseconds, work};
use crate::clock::Stopwatch;
use crate::storage::{RowsTouched, Workbench};
use crate::sweep::{Scope, sweep};
use crate::worker;

/// How many runs are due.
const DUE: i64 = 1_000;

/// The first settled run; all due runs come before.
const SETTLED_FIRST: i64 = 10_000_000;

/// How the levels stand to the most settled runs, of which the caller says how many they are.
const LEAST: u64 = 100;
const MIDDLE: u64 = 10;

/// How many settled runs are planted in one transaction.
const CHUNK_RUNS: u64 = 50_000;

/// What a figure with the advised indexes is called.
pub(super) const ADVISED_INDEXES: &str = "the advised indexes";

/// With which indexes a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexes {
    /// Those that the platform creates.
    Own,
    /// Those that `doctor` advises, too.
    Advised,
}

impl Indexes {
    pub(super) const BOTH: [Self; 2] = [Self::Advised, Self::Own];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Own => "the platform's indexes",
            Self::Advised => ADVISED_INDEXES,
        }
    }
}

/// A database with so many settled runs.
struct Level {
    url: String,
    /// The first run that is planted next.
    next: i64,
    sweeps: [Series; 2],
}

impl Level {
    fn new(url: String, settled: u64) -> Self {
        let series = |indexes: Indexes| {
            let variant = format!("{DUE} due, {settled} settled, {}", indexes.name());
            Series::new(Subject::Growth, variant, Unit::Milliseconds)
        };
        Self {
            url,
            next: 1,
            sweeps: Indexes::BOTH.map(series),
        }
    }
}

impl Bench<'_> {
    /// The least and the most settled runs are measured in turns; those in between on the way.
    pub(super) async fn growth(
        &self,
        progress: &mut impl FnMut(BenchProgress),
    ) -> Result<Vec<Figure>, BenchError> {
        self.scratch.remove().await?;
        let url = self.scratch.create().await?;
        let store = self.scratch.open(&url, &self.limits).await?;
        store.install().await?;
        store.migrate().await?;
        worker::set_up(&*store).await?;
        store.plant(&work::workspaces()).await?;
        store.plant(&work::estate()).await?;
        store.close().await;

        let most = self.options.settled;
        let (least, more) = (most / LEAST, most / MIDDLE);
        self.grow(&url, 0, least, progress).await?;
        let mut low = Level::new(self.scratch.copy().await?, least);
        self.grow(&url, least, more, progress).await?;
        let mut middle = Level::new(url.clone(), more);
        for _ in 0..self.options.rounds {
            self.sweep_beside(&mut middle).await?;
        }
        self.grow(&url, more, most, progress).await?;
        let mut high = Level {
            next: middle.next,
            ..Level::new(url.clone(), most)
        };
        for _ in 0..self.options.rounds {
            self.sweep_beside(&mut low).await?;
            self.sweep_beside(&mut high).await?;
        }
        let sweeps = [low, middle, high]
            .into_iter()
            .flat_map(|level| level.sweeps);
        let mut figures: Vec<Figure> = sweeps.filter_map(|series| series.figure()).collect();
        figures.extend(self.idle(&url, most).await?);
        let middle = SETTLED_FIRST.saturating_add_unsigned(most / 2);
        figures.extend(self.pages(&url, middle, progress).await?);
        Ok(figures)
    }

    async fn grow(
        &self,
        url: &str,
        from: u64,
        to: u64,
        progress: &mut impl FnMut(BenchProgress),
    ) -> Result<(), BenchError> {
        let store = self.scratch.open(url, &self.limits).await?;
        let run = |settled: u64| RunId(SETTLED_FIRST.saturating_add_unsigned(settled));
        let mut settled = from;
        while settled < to {
            let end = to.min(settled + CHUNK_RUNS);
            store.plant_settled(run(settled), run(end - 1)).await?;
            settled = end;
            progress(BenchProgress {
                step: "planting settled runs",
                done: settled,
                total: self.options.settled,
            });
        }
        store.analyse().await?;
        store.close().await;
        Ok(())
    }

    /// Sweeps some due runs, with each kind of indexes.
    async fn sweep_beside(&self, level: &mut Level) -> Result<(), BenchError> {
        let store = self.scratch.open(&level.url, &self.limits).await?;
        for (indexes, series) in Indexes::BOTH.into_iter().zip(&mut level.sweeps) {
            store
                .set_advised_indexes(indexes == Indexes::Advised)
                .await?;
            let due = level.next..level.next + DUE;
            level.next = due.end;
            let now = store.now().await?;
            store
                .plant(&work::runs(due, self.options.items, now))
                .await?;
            series.add(self.pass(&*store, DUE.unsigned_abs()).await?);
        }
        store.close().await;
        Ok(())
    }

    /// What a pass costs that finds nothing, in milliseconds and in rows.
    async fn idle(&self, url: &str, settled: u64) -> Result<Vec<Figure>, BenchError> {
        let mut figures = Vec::new();
        for indexes in Indexes::BOTH {
            let variant = format!("{settled} settled, {}", indexes.name());
            let series = |subject, unit| Series::new(subject, variant.clone(), unit);
            let mut times = series(Subject::IdleSweep, Unit::Milliseconds);
            let mut read = series(Subject::IdleRowsRead, Unit::Rows);
            let mut written = series(Subject::IdleRowsWritten, Unit::Rows);
            let store = self.scratch.open(url, &self.limits).await?;
            store
                .set_advised_indexes(indexes == Indexes::Advised)
                .await?;
            store.close().await;
            for _ in 0..self.options.rounds {
                let before = self.rows_touched(url).await?;
                let store = self.scratch.open(url, &self.limits).await?;
                self.pass(&*store, 0).await?;
                store.close().await;
                if let (Some(before), Some(after)) = (before, self.rows_touched(url).await?) {
                    read.add_count(after.read.saturating_sub(before.read));
                    written.add_count(after.written.saturating_sub(before.written));
                }
                let store = self.scratch.open(url, &self.limits).await?;
                self.pass(&*store, 0).await?; // connects
                times.add(self.pass(&*store, 0).await?);
                store.close().await;
            }
            figures.extend([times, read, written].iter().filter_map(Series::figure));
        }
        Ok(figures)
    }

    /// A server counts what a session did once the session has ended.
    async fn rows_touched(&self, url: &str) -> Result<Option<RowsTouched>, BenchError> {
        let store = self.scratch.open(url, &self.limits).await?;
        let touched = store.rows_touched().await?;
        store.close().await;
        Ok(touched)
    }

    /// Milliseconds of a pass that settles so many runs.
    async fn pass(&self, store: &dyn Workbench, due: u64) -> Result<f64, BenchError> {
        let scope = Scope {
            lanes: NonZeroU32::MIN,
            ..Scope::default()
        };
        let working = Stopwatch::start();
        let pass = sweep(store, scope, &self.settling, |_| ControlFlow::Continue(())).await?;
        let elapsed = working.elapsed();
        all(pass.tally.verdicts(), due)?;
        Ok(milliseconds(elapsed))
    }
}
