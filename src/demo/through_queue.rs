//! A pass by way of the queue: a worker runs inside this process, and every run is asked for the way the
//! platform asks.
//!
//! **Invariants:**
//! - What a pass came to is read from what the worker committed. A verdict that was not reached for a
//!   job does not count.
//! - A pass has ended when no job is unfinished. Time says only how long nothing may happen.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_fixtures::{Conclusion, Finding, Standin};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::DemoError;
use super::report::{DemoProgress, PassReport, Phase, QueueReport, milliseconds};
use super::seen::Seen;
use crate::clock::Stopwatch;
use crate::config::{self, Cron, DatabaseUrl};
use crate::health::{Health, HealthLimits, Loop};
use crate::storage::{ErrorKind, Settling, Store, StoreError, Tally};
use crate::worker;

/// What the jobs say about who asked.
const CAUSE: &str = "demo";

/// How many runs are asked for, and how many findings are read, by one statement.
const PAGE_RUNS: u32 = 1_000;

/// How often the unfinished jobs are counted.
const COUNT_EVERY: Duration = Duration::from_millis(50);

/// The midnights at which a leap day begins. A sweep would take runs before their jobs do, and a
/// schedule cannot be turned off.
const HARDLY_EVER: &str = "0 0 0 29 2 *";

/// How a demonstration goes through the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThroughQueue {
    /// How jobs are taken.
    pub worker: config::Worker,
    /// Leads to the database around a pooler that cannot pass notices on.
    pub listen_url: Option<DatabaseUrl>,
    /// How long it may take until one more job is finished.
    pub stalled_after: Duration,
}

impl Default for ThroughQueue {
    fn default() -> Self {
        Self {
            worker: config::Worker::default(),
            listen_url: None,
            stalled_after: Duration::from_mins(1),
        }
    }
}

/// A worker inside this process. Stops when this is dropped.
#[derive(Debug)]
pub struct Working {
    stop: DropGuard,
    ended: JoinHandle<Result<(), worker::Broken>>,
}

impl Working {
    pub(super) fn begin(store: Store, through: &ThroughQueue, settling: Settling) -> Self {
        let stop = CancellationToken::new();
        let options = worker::Options {
            worker: through.worker.clone(),
            sweep: hardly_ever(),
            metrics: config::Metrics::default(),
            listen_url: through.listen_url.clone(),
            settling,
            checkpoints: worker::Checkpointing::default(),
        };
        let health = Health::new(HealthLimits::default(), &Loop::ALL);
        let ended = tokio::spawn(worker::run(store, health, options, stop.clone()));
        Self {
            stop: stop.drop_guard(),
            ended,
        }
    }

    /// Waits until the worker has ended by itself, as it does where it cannot go on.
    pub async fn broken(&mut self) {
        // Whatever it says, nobody told it to.
        let _ = (&mut self.ended).await;
    }

    /// Stops the worker, and returns once it has let go of the database.
    pub async fn end(self) {
        drop(self.stop);
        // How it ended changes nothing: what counts was committed and read before.
        let _ = self.ended.await;
    }
}

fn hardly_ever() -> config::Sweep {
    let default = config::Sweep::default();
    config::Sweep {
        schedule: HARDLY_EVER.parse::<Cron>().unwrap_or(default.schedule),
        ..default
    }
}

/// Asks for all of `runs`, waits until every job is finished, and reads what was written.
pub(super) async fn pass(
    (store, standin): (&Store, &Standin),
    through: &ThroughQueue,
    phase: Phase,
    runs: impl Iterator<Item = RunId>,
    progress: &mut impl FnMut(DemoProgress),
    observe: impl FnMut(RunId, Seen),
) -> Result<PassReport, DemoError> {
    let since = store.now().await?;
    let working = Stopwatch::start();
    let queue = ask(store, through, runs).await?;
    let total = queue.queued;
    wait(store, through, total, |done| {
        progress(DemoProgress { phase, done, total });
    })
    .await?;
    let sweep_ms = milliseconds(working.elapsed());
    let mut swept = read(standin, since, observe).await?;
    // Whatever has a job and no finding was dealt with by somebody else, or by nobody.
    swept.passed_over += total.saturating_sub(swept.looked_at());
    Ok(PassReport {
        swept,
        by_command: Tally::default(),
        sweep_ms,
        queue: Some(queue),
    })
}

async fn ask(
    store: &Store,
    through: &ThroughQueue,
    mut runs: impl Iterator<Item = RunId>,
) -> Result<QueueReport, DemoError> {
    let mut report = QueueReport::default();
    loop {
        let page: Vec<RunId> = runs.by_ref().take(PAGE_RUNS as usize).collect();
        if page.is_empty() {
            return Ok(report);
        }
        let queued = request(store, through, &page).await?.len() as u64;
        report.queued += queued;
        report.turned_away += (page.len() as u64).saturating_sub(queued);
    }
}

/// The worker writes to the queue all the time, and a file has one writer at a time.
async fn request(
    store: &Store,
    through: &ThroughQueue,
    page: &[RunId],
) -> Result<Vec<RunId>, StoreError> {
    let trying = Stopwatch::start();
    loop {
        match store.request(page, CAUSE, None).await {
            Err(error)
                if error.kind() == ErrorKind::Transient
                    && trying.elapsed() < through.stalled_after =>
            {
                tokio::time::sleep(COUNT_EVERY).await;
            }
            result => return result,
        }
    }
}

async fn wait(
    store: &Store,
    through: &ThroughQueue,
    queued: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), DemoError> {
    let mut left = store.count_unfinished().await?;
    let mut idle = Stopwatch::start();
    loop {
        progress(queued.saturating_sub(left));
        if left == 0 {
            return Ok(());
        }
        if idle.elapsed() >= through.stalled_after {
            return Err(DemoError::Stalled {
                left,
                queued,
                idle: through.stalled_after,
            });
        }
        tokio::time::sleep(COUNT_EVERY).await;
        let now = store.count_unfinished().await?;
        if now < left {
            idle = Stopwatch::start();
        }
        left = now;
    }
}

async fn read(
    standin: &Standin,
    since: Timestamp,
    mut observe: impl FnMut(RunId, Seen),
) -> Result<Tally, DemoError> {
    let mut tally = Tally::default();
    let mut after = RunId(i64::MIN);
    loop {
        let page = standin.load_findings(since, after, PAGE_RUNS).await?;
        let Some(last) = page.last() else {
            return Ok(tally);
        };
        after = last.run;
        for finding in &page {
            let seen = Seen::from(finding);
            *slot(&mut tally, seen.decision) += 1;
            observe(finding.run, seen);
        }
    }
}

fn slot(tally: &mut Tally, decision: Conclusion) -> &mut u64 {
    match decision {
        Conclusion::Succeeded => &mut tally.succeeded,
        Conclusion::PartiallySucceeded => &mut tally.partially_succeeded,
        Conclusion::Blocked => &mut tally.blocked,
        Conclusion::Failed => &mut tally.failed,
        Conclusion::Deferred => &mut tally.deferred,
        Conclusion::Refused => &mut tally.refused,
        Conclusion::PassedOver => &mut tally.passed_over,
    }
}

impl From<&Finding> for Seen {
    fn from(finding: &Finding) -> Self {
        let reason = ReasonCode::parse(&finding.reason_code);
        let by_request = finding.source.as_deref() == Some(Source::Request.name());
        let decision = match &finding.outcome {
            Some(outcome) if by_request => Outcome::parse(outcome).map(Conclusion::from),
            Some(_) => None,
            None if reason == Some(ReasonCode::SettleFailed) => Some(Conclusion::Refused),
            None => Some(Conclusion::Deferred),
        };
        decision.map_or(Self::NOTHING, |decision| Self { decision, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(outcome: Option<&str>, reason: &str, source: Option<&str>) -> Seen {
        Seen::from(&Finding {
            run: RunId(1),
            outcome: outcome.map(str::to_owned),
            reason_code: reason.to_owned(),
            source: source.map(str::to_owned),
        })
    }

    #[test]
    fn a_verdict_counts_if_a_job_led_to_it() {
        let proven = ReasonCode::ProofComplete;
        let by = |source| finding(Some("succeeded"), proven.code(), Some(source));
        assert!(by("request").is((Conclusion::Succeeded, proven)));
        for other in ["sweep", "command", "watch"] {
            assert_eq!(by(other), Seen::NOTHING, "{other}");
        }
        assert_eq!(
            finding(Some("superb"), proven.code(), Some("request")),
            Seen::NOTHING
        );
    }

    #[test]
    fn a_run_that_stays_open_was_deferred_or_refused() {
        for (reason, decision) in [
            (ReasonCode::ContextMalformed, Conclusion::Deferred),
            (ReasonCode::SettleFailed, Conclusion::Refused),
        ] {
            assert!(finding(None, reason.code(), None).is((decision, reason)));
        }
    }

    #[test]
    fn the_worker_of_a_demonstration_sweeps_on_leap_days_only() {
        assert_eq!(hardly_ever().schedule.to_string(), HARDLY_EVER);
    }
}
