//! What a sweep costs beside settled runs: of a few due runs, and of none.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;

use restore_reconciler::clock::Stopwatch;
use restore_reconciler::storage::Store;
use restore_reconciler::sweep::{Scope, sweep};

use crate::bench::{Bench, Progress, Subject, all, milliseconds};
use crate::error::BenchError;
use crate::report::{Figure, Series, Unit};
use crate::work;
use crate::workbench::{RowsTouched, Workbench};

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
pub(crate) const ADVISED_INDEXES: &str = "the advised indexes";

/// With which indexes a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// Those that the platform creates.
    Own,
    /// Those that `doctor` advises, too.
    Advised,
}

impl Indexes {
    pub(crate) const BOTH: [Self; 2] = [Self::Advised, Self::Own];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Own => "the platform's indexes",
            Self::Advised => ADVISED_INDEXES,
        }
    }

    /// Has a database have these and no others.
    pub(crate) async fn put(self, on: &Workbench) -> Result<(), BenchError> {
        let advised = self == Self::Advised;
        Ok(on.standin.set_advised_indexes(advised).await?)
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
    pub(crate) async fn growth(
        &self,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Vec<Figure>, BenchError> {
        self.scratch.remove().await?;
        let url = self.scratch.create().await?;
        let on = self.furnish(&url).await?;
        on.plant(&work::estate()).await?;
        on.close().await?;

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
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), BenchError> {
        let on = self.open(url).await?;
        let run = |settled: u64| RunId(SETTLED_FIRST.saturating_add_unsigned(settled));
        let mut settled = from;
        while settled < to {
            let end = to.min(settled + CHUNK_RUNS);
            on.standin.plant_settled(run(settled), run(end - 1)).await?;
            settled = end;
            progress(Progress {
                step: "planting settled runs",
                done: settled,
                total: self.options.settled,
            });
        }
        on.analyse().await?;
        on.close().await
    }

    /// Sweeps some due runs, with each kind of indexes.
    async fn sweep_beside(&self, level: &mut Level) -> Result<(), BenchError> {
        let on = self.open(&level.url).await?;
        for (indexes, series) in Indexes::BOTH.into_iter().zip(&mut level.sweeps) {
            indexes.put(&on).await?;
            let due = level.next..level.next + DUE;
            level.next = due.end;
            let now = on.store.now().await?;
            on.plant(&work::runs(due, self.options.items, now)).await?;
            series.add(self.pass(&on.store, DUE.unsigned_abs()).await?);
        }
        on.close().await
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
            let on = self.open(url).await?;
            indexes.put(&on).await?;
            on.close().await?;
            for _ in 0..self.options.rounds {
                let before = self.rows_touched(url).await?;
                let on = self.open(url).await?;
                self.pass(&on.store, 0).await?;
                on.close().await?;
                let after = self.rows_touched(url).await?;
                read.add_count(after.read.saturating_sub(before.read));
                written.add_count(after.written.saturating_sub(before.written));
                let on = self.open(url).await?;
                self.pass(&on.store, 0).await?; // connects
                times.add(self.pass(&on.store, 0).await?);
                on.close().await?;
            }
            figures.extend([times, read, written].iter().filter_map(Series::figure));
        }
        Ok(figures)
    }

    /// A server counts what a session did once the session has ended.
    async fn rows_touched(&self, url: &str) -> Result<RowsTouched, BenchError> {
        let on = self.open(url).await?;
        let touched = on.rows_touched().await?;
        on.close().await?;
        Ok(touched)
    }

    /// Milliseconds of a pass that settles so many runs.
    async fn pass(&self, store: &Store, due: u64) -> Result<f64, BenchError> {
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
