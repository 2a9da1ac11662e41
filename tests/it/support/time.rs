//! How long tests wait for what must happen, and how long what they measure may take.
//!
//! What must happen is awaited, for [`TIMEOUT`], which only a failure reaches. What is promised to happen soon is
//! measured, and [`Machine`] says how much longer it may take because of what else the machine does.

use std::fs;
use std::num::NonZero;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use tokio::time::{interval, timeout};

/// How long to wait before it is a failure. Nothing waits longer than it must; debug builds on a busy machine are
/// slow.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(2);
/// Between two looks, each of which costs a statement: at 10 ms those took more of two processors than what they waited for.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// Waits for what must happen.
pub(crate) async fn in_time<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, event)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {TIMEOUT:?}"))
}

/// Looks until something is found. After [`TIMEOUT`] it is a failure, for which `state` says how things are.
pub(crate) async fn eventually<T>(
    mut look: impl AsyncFnMut() -> Option<T>,
    state: impl AsyncFnOnce() -> String,
) -> T {
    let began = Stopwatch::start();
    let mut poll = interval(POLL);
    loop {
        poll.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        let is_late = began.elapsed() > TIMEOUT;
        assert!(!is_late, "not within {TIMEOUT:?}: {}", state().await);
    }
}

/// Between two looks at what the machine does.
const SAMPLE: Duration = Duration::from_millis(25);
/// Over how many looks the mean goes: each alone sees threads that run for a moment only.
const SAMPLES: f64 = 20.0;

/// Watches how many threads want a processor, for as long as this value lives.
///
/// A promise about time is made for a machine with processors to spare. Where more threads want one than there are,
/// each gets its share, and everything takes as many times longer: that is granted, and nothing else.
pub(crate) struct Machine {
    /// The most threads that wanted a processor at a time.
    busiest: Arc<Mutex<f64>>,
    _watched: Sender<()>,
}

impl Machine {
    /// Starts to watch.
    pub(crate) fn watch() -> Self {
        let busiest = Arc::new(Mutex::new(0.0_f64));
        let (watched, until_dropped) = mpsc::channel();
        let noted = Arc::clone(&busiest);
        thread::spawn(move || {
            let mut mean = running();
            while until_dropped.recv_timeout(SAMPLE) == Err(RecvTimeoutError::Timeout) {
                mean += (running() - mean) / SAMPLES;
                let mut busiest = noted.lock().unwrap_or_else(PoisonError::into_inner);
                *busiest = f64::max(*busiest, mean);
            }
        });
        Self {
            busiest,
            _watched: watched,
        }
    }

    /// How long what should take `promise` at most may take here.
    pub(crate) fn grants(&self, promise: Duration) -> Duration {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let processors = f64::from(u32::try_from(processors).expect("few"));
        let busiest = *self.busiest.lock().unwrap_or_else(PoisonError::into_inner);
        promise.mul_f64((busiest / processors).max(1.0))
    }
}

/// How many threads of this machine run, or would if they had a processor.
fn running() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("Linux");
    let mut lines = stat.lines();
    let running = lines.find_map(|line| line.strip_prefix("procs_running "));
    running.expect("a number").parse().expect("a number")
}

mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_machine_is_granted_time_and_a_quiet_one_none() {
        let promise = Duration::from_secs(1);
        let granted = |busiest: f64| {
            let (watched, _) = mpsc::channel();
            let busiest = Arc::new(Mutex::new(busiest));
            let machine = Machine {
                busiest,
                _watched: watched,
            };
            machine.grants(promise)
        };
        assert_eq!(granted(0.5), promise);
        assert!(granted(1_000.0) > promise);

        let machine = Machine::watch();
        let seen = || (*machine.busiest.lock().unwrap() > 0.0).then_some(());
        eventually(async || seen(), async || "nothing runs".to_owned()).await;
    }
}
