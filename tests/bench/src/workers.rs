//! What only real workers show: how soon one is ready, how fast they empty a queue, and how much memory one
//! takes.

use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::Limits;

use crate::bench::{Bench, Record, Subject, milliseconds};
use crate::process::{EVERY_SECOND, HARDLY_EVER, OwnProcess, Verdicts};
use crate::report::{Measured, Unit};
use crate::sealing::Leaves;
use crate::workbench::{LastStep, Workbench};

/// How many runs one transaction asks for.
const REQUESTS: usize = 500;

/// Each rate at which requests are made, in requests a second.
const RATES: [u32; 2] = [50, 1_000];

/// What the figures of producers are called.
pub(crate) const WITHOUT_REQUEST: &str = "without a request";
pub(crate) const WITH_SELECT: &str = "with a statement that does nothing";
pub(crate) const WITH_REQUEST: &str = "with a request";

const LAST_STEPS: [(LastStep, &str); 3] = [
    (LastStep::None, WITHOUT_REQUEST),
    (LastStep::Select, WITH_SELECT),
    (LastStep::Request, WITH_REQUEST),
];

impl Bench<'_> {
    /// All figures that need workers, or stand beside one that does. Each round measures each of them once.
    pub(crate) async fn with_workers(&self, record: &mut Record) -> anyhow::Result<()> {
        for round in 0..self.options.rounds {
            self.measure_once(&mut record.measured).await?;
            self.after(record, "working", round);
        }
        Ok(())
    }

    async fn measure_once(&self, measured: &mut Measured) -> anyhow::Result<()> {
        let ms = Unit::Milliseconds;
        measured.add(Subject::Start, "until ready", ms, self.start().await?);
        for (workers, variant) in [(1, "1 worker"), (2, "2 workers")] {
            let rate = self.queued(workers).await?;
            measured.add(Subject::Queued, variant, Unit::VerdictsPerSecond, rate);
        }
        measured.add(Subject::One, "p50", ms, self.one().await?);
        let per_second = Unit::TransactionsPerSecond;
        let mut attained = Vec::new();
        for rate in RATES {
            let (percentiles, made) = self.latency(rate, Leaves::Made).await?;
            for (name, latency) in ["p50", "p95", "p99"].into_iter().zip(percentiles) {
                let variant = format!("{name} at {rate}/s");
                measured.add(Subject::Latency, &variant, ms, latency);
            }
            attained.push((format!("requests made of {rate}/s"), made));
        }
        for (variant, made) in attained {
            measured.add(Subject::Latency, &variant, per_second, made);
        }
        for (last, variant) in LAST_STEPS {
            let rate = self.producers(last).await?;
            measured.add(Subject::Producers, variant, per_second, rate);
        }
        if let Some(peak) = self.memory().await? {
            let variant = format!("peak, {} due", self.options.runs);
            measured.add(Subject::Memory, &variant, Unit::Mebibytes, peak);
        }
        Ok(())
    }

    /// Milliseconds from the start of a worker until it is ready.
    async fn start(&self) -> anyhow::Result<f64> {
        let on = self.copy(1).await?;
        let worker = OwnProcess::worker(&on.url, HARDLY_EVER, &Verdicts::new()).await?;
        let ready_after = worker.ready_after();
        worker.stop().await?;
        on.close().await?;
        Ok(milliseconds(ready_after))
    }

    /// Verdicts a second by so many workers, from the first request until the last verdict.
    async fn queued(&self, workers: usize) -> anyhow::Result<f64> {
        let on = self.copy(1).await?;
        let verdicts = Verdicts::new();
        let mut crew = Vec::with_capacity(workers);
        for _ in 0..workers {
            crew.push(OwnProcess::worker(&on.url, HARDLY_EVER, &verdicts).await?);
        }
        let runs: Vec<_> = self.runs().collect();
        let working = Stopwatch::start();
        for some in runs.chunks(REQUESTS) {
            on.store.request(some, "bench", None).await?;
        }
        let settled = verdicts.until(runs.len() as u64).await?.len();
        let rate = self.rate(settled as u64, working)?;
        for worker in crew {
            worker.stop().await?;
        }
        on.close().await?;
        Ok(rate)
    }

    /// The most memory a worker takes that sweeps the whole backlog, in MiB.
    async fn memory(&self) -> anyhow::Result<Option<f64>> {
        let on = self.copy(1).await?;
        let verdicts = Verdicts::new();
        let worker = OwnProcess::worker(&on.url, EVERY_SECOND, &verdicts).await?;
        verdicts.until(u64::from(self.options.runs)).await?;
        let peak = worker.peak_resident();
        worker.stop().await?;
        on.close().await?;
        Ok(peak.map(|kibibytes| f64::from(kibibytes) / 1024.0))
    }

    /// A fresh copy of the prepared database, with so many connections to it. The next copy takes its place.
    pub(crate) async fn copy(&self, connections_max: u32) -> anyhow::Result<Workbench> {
        let limits = Limits {
            connections_max,
            ..self.limits
        };
        Workbench::open(&self.scratch.copy().await?, &limits).await
    }
}
