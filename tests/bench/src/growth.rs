//! What a sweep costs beside settled runs: of a few due runs, and of none.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;

use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::Store;
use restore_reconciler::internals::sweep::{Scope, sweep};

use crate::bench::{Bench, Record, Subject, all, milliseconds};
use crate::report::Unit;
use crate::work;
use crate::workbench::{RowsTouched, Workbench};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indexes {
    Own,
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
    pub(crate) async fn put(self, on: &Workbench) -> anyhow::Result<()> {
        let advised = self == Self::Advised;
        Ok(on.standin.set_advised_indexes(advised).await?)
    }
}

/// A database with so many settled runs.
struct Level {
    url: String,
    settled: u64,
    /// The first run that is planted next.
    next: i64,
}

impl Level {
    fn new(url: String, settled: u64) -> Self {
        let next = 1;
        Self { url, settled, next }
    }

    fn variant(settled: u64, indexes: Indexes) -> String {
        format!("{DUE} due, {settled} settled, {}", indexes.name())
    }
}

impl Bench<'_> {
    /// The least and the most settled runs are measured in turns; those in between on the way.
    pub(crate) async fn growth(&self, record: &mut Record) -> anyhow::Result<()> {
        self.scratch.remove().await?;
        let url = self.scratch.create().await?;
        let on = self.furnish(&url).await?;
        on.plant(&work::estate()).await?;
        on.close().await?;

        let most = self.options.settled;
        let (least, more) = (most / LEAST, most / MIDDLE);
        for settled in [least, more, most] {
            for indexes in Indexes::BOTH {
                let variant = Level::variant(settled, indexes);
                let measured = &mut record.measured;
                measured.expect(Subject::Growth, &variant, Unit::Milliseconds);
            }
        }
        self.grow(&url, 0, least, record).await?;
        let mut low = Level::new(self.scratch.copy().await?, least);
        self.grow(&url, least, more, record).await?;
        let mut high = Level::new(url.clone(), more);
        for _ in 0..self.options.rounds {
            self.sweep_beside(&mut high, record).await?;
        }
        self.grow(&url, more, most, record).await?;
        high.settled = most;
        for _ in 0..self.options.rounds {
            self.sweep_beside(&mut low, record).await?;
            self.sweep_beside(&mut high, record).await?;
        }
        self.idle(&url, most, record).await?;
        let middle = SETTLED_FIRST.saturating_add_unsigned(most / 2);
        self.pages(&url, middle, record).await
    }

    async fn grow(&self, url: &str, from: u64, to: u64, record: &mut Record) -> anyhow::Result<()> {
        let on = self.open(url).await?;
        let run = |settled: u64| RunId(SETTLED_FIRST.saturating_add_unsigned(settled));
        let mut settled = from;
        while settled < to {
            let end = to.min(settled + CHUNK_RUNS);
            on.standin.plant_settled(run(settled), run(end - 1)).await?;
            settled = end;
            let (step, total) = ("planting settled runs", self.options.settled);
            record.progress.show(step, settled, total);
        }
        on.analyse().await?;
        on.close().await
    }

    /// Sweeps some due runs, with each kind of indexes.
    async fn sweep_beside(&self, level: &mut Level, record: &mut Record) -> anyhow::Result<()> {
        let on = self.open(&level.url).await?;
        for indexes in Indexes::BOTH {
            indexes.put(&on).await?;
            let due = level.next..level.next + DUE;
            level.next = due.end;
            let now = on.store.now().await?;
            on.plant(&work::runs(due, self.options.items, now)).await?;
            let took = self.pass(&on.store, DUE.unsigned_abs()).await?;
            let variant = Level::variant(level.settled, indexes);
            let measured = &mut record.measured;
            measured.add(Subject::Growth, &variant, Unit::Milliseconds, took);
        }
        on.close().await
    }

    /// What a pass costs that finds nothing, in milliseconds and in rows.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    async fn idle(&self, url: &str, settled: u64, record: &mut Record) -> anyhow::Result<()> {
        for indexes in Indexes::BOTH {
            let variant = format!("{settled} settled, {}", indexes.name());
            let on = self.open(url).await?;
            indexes.put(&on).await?;
            on.close().await?;
            for _ in 0..self.options.rounds {
                let before = self.rows_touched(url).await?;
                let on = self.open(url).await?;
                self.pass(&on.store, 0).await?;
                on.close().await?;
                let after = self.rows_touched(url).await?;
                let read = after.read.saturating_sub(before.read) as f64;
                let written = after.written.saturating_sub(before.written) as f64;
                let on = self.open(url).await?;
                self.pass(&on.store, 0).await?; // connects
                let took = self.pass(&on.store, 0).await?;
                on.close().await?;
                let mut add = |subject, unit, value| {
                    record.measured.add(subject, &variant, unit, value);
                };
                add(Subject::IdleSweep, Unit::Milliseconds, took);
                add(Subject::IdleRowsRead, Unit::Rows, read);
                add(Subject::IdleRowsWritten, Unit::Rows, written);
            }
        }
        Ok(())
    }

    /// A server counts what a session did once the session has ended.
    async fn rows_touched(&self, url: &str) -> anyhow::Result<RowsTouched> {
        let on = self.open(url).await?;
        let touched = on.rows_touched().await?;
        on.close().await?;
        Ok(touched)
    }

    /// Milliseconds of a pass that settles so many runs.
    async fn pass(&self, store: &Store, due: u64) -> anyhow::Result<f64> {
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
