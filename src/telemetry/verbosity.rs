//! How much is said, changed while the program runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::Registry;

use tracing_subscriber::reload;

/// The crates whose lines are this program's own, as filters name them.
const OURS: [&str; 2] = ["restore_reconciler", "reconciler_jobs"];

pub(super) fn is_ours(target: &str) -> bool {
    OURS.iter().any(|ours| target.starts_with(ours))
}

/// Switches between what was configured and more.
#[derive(Debug, Clone)]
pub struct Verbosity {
    filter: reload::Handle<Targets, Registry>,
    configured: Arc<Mutex<Targets>>,
    says_more: Arc<AtomicBool>,
}

impl Verbosity {
    /// Begins with what was configured. Returns also the filter that is switched.
    pub(super) fn new(configured: Targets) -> (Self, reload::Layer<Targets, Registry>) {
        let (switched, filter) = reload::Layer::new(configured.clone());
        let verbosity = Self {
            filter,
            configured: Arc::new(Mutex::new(configured)),
            says_more: Arc::default(),
        };
        (verbosity, switched)
    }

    /// Says `debug` lines of this program too, or again only what was configured, and says so.
    pub fn switch(&self) {
        // Said while the filter is the wider one, so that it is seen.
        if self.says_more.fetch_xor(true, Ordering::Relaxed) {
            tracing::info!("log level: as configured, from here on");
            self.set(self.configured().clone());
        } else {
            let more = with_debug(&self.configured());
            self.set(more);
            tracing::info!("log level: debug, until the next SIGUSR1");
        }
    }

    /// Goes by another filter from now on.
    pub fn configure(&self, filter: Targets) {
        let more = with_debug(&filter);
        self.configured().clone_from(&filter);
        let says_more = self.says_more.load(Ordering::Relaxed);
        self.set(if says_more { more } else { filter });
    }

    fn configured(&self) -> MutexGuard<'_, Targets> {
        self.configured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where nobody writes lines any more, and then there is nothing to switch.
    fn set(&self, filter: Targets) {
        let _ = self.filter.reload(filter);
    }
}

/// The configured filter with every module of this program at `debug`, also those set singly.
fn with_debug(configured: &Targets) -> Targets {
    let others = configured.iter().filter(|(target, _)| !is_ours(target));
    let default = configured.default_level().unwrap_or(LevelFilter::OFF);
    Targets::new()
        .with_default(default)
        .with_targets(others)
        .with_targets(OURS.map(|ours| (ours, LevelFilter::DEBUG)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;
    use crate::telemetry::parse_filter;

    #[test]
    fn more_is_said_of_this_program_and_of_nobody_else() {
        let configured =
            parse_filter("warn,restore_reconciler::storage=off,sqlx=error,apalis_core=info");
        let more = with_debug(&configured.unwrap());
        for (target, level) in [
            ("restore_reconciler::storage::report", Level::DEBUG),
            ("restore_reconciler", Level::DEBUG),
            ("reconciler_jobs", Level::DEBUG),
            ("hyper", Level::WARN),
            ("sqlx::query", Level::ERROR),
            ("apalis_core::worker", Level::INFO),
        ] {
            assert!(more.would_enable(target, &level), "{target}");
        }
        for (target, level) in [
            ("restore_reconciler", Level::TRACE),
            ("hyper", Level::INFO),
            ("sqlx::query", Level::WARN),
            ("apalis_core::worker", Level::DEBUG),
            ("apalis_sqlite", Level::ERROR),
        ] {
            assert!(!more.would_enable(target, &level), "{target}");
        }
    }
}
