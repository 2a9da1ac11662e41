//! Three workers that are replaced when they fall, two of them behind a network that fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::interval;

use crate::support::proxy::Proxy;
use crate::support::scene::until_ready;
use crate::support::time::in_time;
use crate::support::worker::Worker;

/// Short times, so that much happens in a short run. Jobs are kept, because they are counted at the end.
pub(super) const CONFIG: &str = r#"
[rules]
settle_window = "2s"
settle_window_in_progress = "2s"

[sweep]
schedule = "*/2 * * * * *"
wait_min = "1s"
wait_max = "2s"

[worker]
orphan_after = "3s"
retain_jobs = "1h"

[database]
connect_timeout = "2s"

[log]
filter = "info,restore_reconciler::storage::report=warn"
"#;

/// Between two tries to start a worker while its database is away.
const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Crew {
    places: Vec<Place>,
    /// Workers that could not be started and were started again, as a supervisor of services would.
    restarts: AtomicUsize,
    config: PathBuf,
}

/// Where one worker works, and the next one after it.
struct Place {
    url: String,
    proxy: Option<Proxy>,
    /// Nobody for a moment while a worker is being replaced.
    worker: Mutex<Option<Worker>>,
}

impl Crew {
    pub(super) async fn start(url: &str, config: &Path) -> Arc<Self> {
        let place = |is_behind_proxy: bool| {
            let proxy = is_behind_proxy.then(|| Proxy::before(url));
            let through = proxy.as_ref().map(|proxy| proxy.url(url));
            Place {
                url: through.unwrap_or_else(|| url.to_owned()),
                proxy,
                worker: Mutex::new(None),
            }
        };
        let crew = Arc::new(Self {
            places: [true, true, false].map(place).into(),
            restarts: AtomicUsize::new(0),
            config: config.to_owned(),
        });
        for place in &crew.places {
            *place.worker.lock().await = Some(crew.hire(place).await);
        }
        crew
    }

    /// How often a worker gave up before it had begun.
    pub(super) fn restarts(&self) -> usize {
        self.restarts.load(Ordering::Relaxed)
    }

    /// The network before the places that have one.
    pub(super) fn proxies(&self) -> Vec<&Proxy> {
        let proxies = self.places.iter().filter_map(|place| place.proxy.as_ref());
        proxies.collect()
    }

    pub(super) fn heal(&self) {
        self.proxies().into_iter().for_each(Proxy::heal);
    }

    async fn hire(&self, place: &Place) -> Worker {
        let mut retry = interval(RETRY);
        in_time("a worker that stays", async {
            loop {
                retry.tick().await;
                match Worker::start(&place.url, Some(&self.config)).await {
                    Ok(worker) => return worker,
                    Err(why) => {
                        if self.restarts.fetch_add(1, Ordering::Relaxed) < 3 {
                            println!("a worker did not start: {why}");
                        }
                    }
                }
            }
        })
        .await
    }

    /// A place where nothing else is being done, the `first` one if that is possible.
    async fn free_place(&self, first: usize) -> (&Place, MutexGuard<'_, Option<Worker>>) {
        let all = self.places.iter().cycle().skip(first);
        for place in all.take(self.places.len()) {
            if let Ok(worker) = place.worker.try_lock() {
                return (place, worker);
            }
        }
        let place = &self.places[first % self.places.len()];
        (place, place.worker.lock().await)
    }

    /// Kills a worker and starts another.
    pub(super) async fn replace(&self, first: usize) {
        let (place, mut worker) = self.free_place(first).await;
        let mut killed = worker.take().expect("each place has a worker");
        let has_ended = killed.has_ended();
        assert!(!has_ended, "a worker ended by itself\n{}", killed.said());
        killed.kill().await;
        *worker = Some(self.hire(place).await);
    }

    /// Stops a worker for as long as `pause` takes. What it did not know before, it does not know then.
    pub(super) async fn suspend(&self, first: usize, pause: impl Future<Output = ()>) {
        let (_, worker) = self.free_place(first).await;
        let worker = worker.as_ref().expect("each place has a worker");
        worker.stop();
        pause.await;
        worker.go_on();
    }

    /// Waits until each worker is ready: none has been away for good since its server was.
    pub(super) async fn until_ready(&self) {
        for place in &self.places {
            let worker = place.worker.lock().await;
            until_ready(worker.as_ref().expect("a worker")).await;
        }
    }

    /// Asks every worker to end, at once, and fails the test unless all do so in peace.
    pub(super) async fn dismiss(&self) {
        let mut leaving = Vec::new();
        for place in &self.places {
            let worker = place.worker.lock().await.take().expect("a worker");
            leaving.push(tokio::spawn(worker.terminate()));
        }
        for left in leaving {
            let (code, said) = left.await.expect("no panic");
            assert_eq!(code, Some(0), "a worker that was told to stop\n{said}");
        }
    }

    /// What the workers that are here now have said, for the message of a failure.
    pub(super) async fn said(&self) -> String {
        let mut all = String::new();
        for (place, number) in self.places.iter().zip(1..) {
            if let Some(worker) = place.worker.lock().await.as_ref() {
                let (status, state) = worker.probe("/readyz?verbose").await;
                let said = worker.said();
                all = format!("{all}worker {number}, {status}: {state}\n{said}");
            }
        }
        all
    }
}
