//! What only real workers show: how soon one is ready, how fast they empty a queue, and how much memory one
//! takes.

use restore_reconciler::clock::Stopwatch;
use restore_reconciler::storage::Limits;

use crate::bench::{Bench, Progress, Subject, milliseconds};
use crate::error::BenchError;
use crate::process::{OwnProcess, Sweeps, Verdicts};
use crate::report::{Figure, Series, Unit};
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
    pub(crate) async fn with_workers(
        &self,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Vec<Figure>, BenchError> {
        let mut measured = Measured::new(self.options.runs);
        let rounds = self.options.rounds;
        for round in 0..rounds {
            self.measure_once(&mut measured).await?;
            progress(self.after("working", round));
        }
        Ok(measured.figures())
    }

    async fn measure_once(&self, measured: &mut Measured) -> Result<(), BenchError> {
        measured.start.add(self.start().await?);
        for (workers, series) in [1, 2].into_iter().zip(&mut measured.queued) {
            series.add(self.queued(workers).await?);
        }
        measured.one.add(self.one().await?);
        let series = measured.latency.iter_mut().zip(&mut measured.attained);
        for (rate, (latency, attained)) in RATES.into_iter().zip(series) {
            let (percentiles, per_second) = self.latency(rate).await?;
            for (series, milliseconds) in latency.iter_mut().zip(percentiles) {
                series.add(milliseconds);
            }
            attained.add(per_second);
        }
        for ((last, _), series) in LAST_STEPS.into_iter().zip(&mut measured.producers) {
            series.add(self.producers(last).await?);
        }
        self.memory()
            .await?
            .into_iter()
            .for_each(|peak| measured.memory.add(peak));
        Ok(())
    }

    /// Milliseconds from the start of a worker until it is ready.
    async fn start(&self) -> Result<f64, BenchError> {
        let on = self.copy(1).await?;
        let worker = OwnProcess::worker(&on.url, Sweeps::HardlyEver, &Verdicts::new()).await?;
        let ready_after = worker.ready_after();
        worker.stop().await?;
        on.close().await?;
        Ok(milliseconds(ready_after))
    }

    /// Verdicts a second by so many workers, from the first request until the last verdict.
    async fn queued(&self, workers: usize) -> Result<f64, BenchError> {
        let on = self.copy(1).await?;
        let verdicts = Verdicts::new();
        let mut crew = Vec::with_capacity(workers);
        for _ in 0..workers {
            crew.push(OwnProcess::worker(&on.url, Sweeps::HardlyEver, &verdicts).await?);
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
    async fn memory(&self) -> Result<Option<f64>, BenchError> {
        let on = self.copy(1).await?;
        let verdicts = Verdicts::new();
        let worker = OwnProcess::worker(&on.url, Sweeps::Always, &verdicts).await?;
        verdicts.until(u64::from(self.options.runs)).await?;
        let peak = worker.peak_resident();
        worker.stop().await?;
        on.close().await?;
        Ok(peak.map(|kibibytes| f64::from(kibibytes) / 1024.0))
    }

    /// A fresh copy of the prepared database, with so many connections to it. The next copy takes its place.
    pub(crate) async fn copy(&self, connections_max: u32) -> Result<Workbench, BenchError> {
        let limits = Limits {
            connections_max,
            ..self.limits
        };
        Workbench::open(&self.scratch.copy().await?, &limits).await
    }
}

/// What the rounds gave so far.
struct Measured {
    start: Series,
    queued: [Series; 2],
    one: Series,
    latency: [[Series; 3]; 2],
    attained: [Series; 2],
    producers: [Series; 3],
    memory: Series,
}

impl Measured {
    fn new(runs: u32) -> Self {
        let in_milliseconds =
            |subject, variant: &str| Series::new(subject, variant, Unit::Milliseconds);
        Self {
            start: in_milliseconds(Subject::Start, "until ready"),
            queued: ["1 worker", "2 workers"]
                .map(|workers| Series::new(Subject::Queued, workers, Unit::VerdictsPerSecond)),
            one: in_milliseconds(Subject::One, "p50"),
            latency: RATES.map(|rate| {
                ["p50", "p95", "p99"].map(|percentile| {
                    in_milliseconds(Subject::Latency, &format!("{percentile} at {rate}/s"))
                })
            }),
            attained: RATES.map(|rate| {
                let variant = format!("requests made of {rate}/s");
                Series::new(Subject::Latency, variant, Unit::TransactionsPerSecond)
            }),
            producers: LAST_STEPS.map(|(_, variant)| {
                Series::new(Subject::Producers, variant, Unit::TransactionsPerSecond)
            }),
            memory: Series::new(
                Subject::Memory,
                format!("peak, {runs} due"),
                Unit::Mebibytes,
            ),
        }
    }

    /// Nothing for what was not measured here.
    fn figures(self) -> Vec<Figure> {
        let latency = self.latency.into_iter().flatten();
        std::iter::once(self.start)
            .chain(self.queued)
            .chain([self.one])
            .chain(latency)
            .chain(self.attained)
            .chain(self.producers)
            .chain([self.memory])
            .filter_map(|series| series.figure())
            .collect()
    }
}
