//! What requests cost, and how soon they are answered: the platform's connections end restores and ask for their
//! runs, at a fixed rate or as fast as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::clock::{self, Stopwatch};
use tokio::task::JoinSet;

use crate::bench::{Bench, all, milliseconds};
use crate::process::{HARDLY_EVER, OwnProcess, Verdicts};
use crate::report::percentile;
use crate::sealing::Leaves;
use crate::settling::settle_one;
use crate::workbench::{LastStep, Producer, Workbench};

const CONNECTIONS: u32 = 16;

/// At which rate runs are settled one by one, so that there are as many of them as requests.
const ONE_BY_ONE: u32 = 50;

impl Bench<'_> {
    /// Milliseconds that half of the runs take at most that are settled one by one, on one connection.
    pub(crate) async fn one(&self) -> anyhow::Result<f64> {
        let on = self.copy(1).await?;
        let mut times = Vec::new();
        let mut verdicts = 0;
        for run in self.runs_for(ONE_BY_ONE) {
            let working = Stopwatch::start();
            verdicts += settle_one(&on.store, self, run).await?;
            times.push(milliseconds(working.elapsed()));
        }
        on.close().await?;
        all(verdicts, times.len() as u64)?;
        Ok(percentile(&times, 50).unwrap_or_default())
    }

    /// Milliseconds from the commit of a request until the verdict was committed, by a worker that has nothing
    /// else to do: those that 50, 95 and 99 percent of the requests take at most.
    ///
    /// Requests are made when it is time, whether or not earlier ones were answered. A first one, which has the
    /// worker prepare its statements, does not count. Beside them stands how many requests a second there were:
    /// less than `rate` where it could not be kept.
    pub(crate) async fn latency(
        &self,
        rate: u32,
        leaves: Leaves,
    ) -> anyhow::Result<([f64; 3], f64)> {
        let on = self.copy(1 + CONNECTIONS).await?;
        let turn = on.withhold(leaves).await?;
        let verdicts = Verdicts::new();
        let worker = OwnProcess::worker(&on.url, HARDLY_EVER, &verdicts).await?;
        let mut runs = self.runs_for(rate);
        let mut asked = Vec::new();
        if let Some(first) = runs.next() {
            let mut producer = on.producer().await?;
            producer.end_restore(first, LastStep::Request).await?;
            verdicts.until(1).await?;
            asked = self.ask(&on, runs.collect(), rate).await?;
        }
        let verdicts = verdicts.until(1 + asked.len() as u64).await?;
        worker.stop().await?;
        drop(turn);
        on.close().await?;
        let attained = attained(&asked);
        let took = |(run, at)| Some(verdicts.get(&run)?.duration_since(at).as_secs_f64());
        let took = asked.into_iter().filter_map(took);
        let latencies: Vec<f64> = took.map(|seconds| seconds * 1_000.0).collect();
        let at = |percent| percentile(&latencies, percent).unwrap_or_default();
        Ok(([50, 95, 99].map(at), attained))
    }

    /// Transactions a second of connections that end restores as fast as they can, while nobody settles anything.
    pub(crate) async fn producers(&self, last: LastStep) -> anyhow::Result<f64> {
        let on = self.copy(1).await?;
        let runs: Arc<[RunId]> = self.runs().collect();
        let next = Arc::new(AtomicUsize::new(0));
        let lanes = connect(&on).await?;
        let working = Stopwatch::start();
        let mut busy = JoinSet::new();
        for producer in lanes {
            let (runs, next) = (Arc::clone(&runs), Arc::clone(&next));
            let duration = self.options.duration;
            busy.spawn(end_restores(producer, runs, next, last, working, duration));
        }
        let transactions: u32 = ended(busy).await?.into_iter().sum();
        let rate = f64::from(transactions) / working.elapsed().as_secs_f64();
        on.close().await?;
        Ok(rate)
    }

    /// Asks for one run after the other, and says of each when that was committed.
    async fn ask(
        &self,
        on: &Workbench,
        runs: Arc<[RunId]>,
        rate: u32,
    ) -> anyhow::Result<Vec<(RunId, Timestamp)>> {
        let next = Arc::new(AtomicUsize::new(0));
        let lanes = connect(on).await?;
        let since = Stopwatch::start();
        let mut busy = JoinSet::new();
        for producer in lanes {
            let (runs, next) = (Arc::clone(&runs), Arc::clone(&next));
            busy.spawn(ask_in_time(producer, runs, next, since, rate));
        }
        Ok(ended(busy).await?.into_iter().flatten().collect())
    }

    /// As many runs as are asked for at this rate, as far as there are any.
    fn runs_for(&self, rate: u32) -> impl Iterator<Item = RunId> {
        let seconds = usize::try_from(self.options.duration.as_secs()).unwrap_or(usize::MAX);
        self.runs().take(seconds.saturating_mul(rate as usize))
    }
}

async fn connect(on: &Workbench) -> anyhow::Result<Vec<Producer>> {
    let mut lanes = Vec::new();
    for _ in 0..CONNECTIONS {
        lanes.push(on.producer().await?);
    }
    Ok(lanes)
}

/// How many commits a second there were between the first and the last.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn attained(asked: &[(RunId, Timestamp)]) -> f64 {
    let moments = || asked.iter().map(|(_, at)| *at);
    match (moments().min(), moments().max()) {
        (Some(first), Some(last)) if first < last => {
            (asked.len() - 1) as f64 / last.duration_since(first).as_secs_f64()
        }
        _ => 0.0,
    }
}

/// Makes whichever request is next when it is time, until all are made: one that takes long holds up no other
/// as long as a connection is free.
async fn ask_in_time(
    mut producer: Producer,
    runs: Arc<[RunId]>,
    next: Arc<AtomicUsize>,
    since: Stopwatch,
    rate: u32,
) -> anyhow::Result<Vec<(RunId, Timestamp)>> {
    let mut asked = Vec::new();
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let (Some(run), Ok(number)) = (runs.get(place), u32::try_from(place)) else {
            return Ok(asked);
        };
        let due = Duration::from_secs(1) * number / rate;
        tokio::time::sleep(due.saturating_sub(since.elapsed())).await;
        producer.end_restore(*run, LastStep::Request).await?;
        asked.push((*run, clock::wall()));
    }
}

/// Ends restores until the time is up, all over again if there are not enough. Returns how often.
async fn end_restores(
    mut producer: Producer,
    runs: Arc<[RunId]>,
    next: Arc<AtomicUsize>,
    last: LastStep,
    since: Stopwatch,
    duration: Duration,
) -> anyhow::Result<u32> {
    let mut transactions = 0;
    while since.elapsed() < duration {
        let place = next.fetch_add(1, Ordering::Relaxed) % runs.len().max(1);
        let Some(run) = runs.get(place) else { break };
        producer.end_restore(*run, last).await?;
        transactions += 1;
    }
    Ok(transactions)
}

/// What each of them came to. Fails with the first that fails, and ends the others.
async fn ended<T: Send + 'static>(mut busy: JoinSet<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let mut results = Vec::with_capacity(busy.len());
    while let Some(end) = busy.join_next().await {
        match end {
            Ok(result) => results.push(result?),
            Err(died) => match died.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Nobody ends one before its time but the runtime's own end.
                Err(_) => break,
            },
        }
    }
    Ok(results)
}
