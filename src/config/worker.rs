//! How the long-running worker takes jobs, gives up on them, and stops.

use std::time::Duration;

use super::section::section;

section! {
    /// How the long-running worker takes jobs, gives up on them, and stops.
    pub struct Worker {
        /// How many jobs are in hand at the same time.
        jobs_max: u32 = 500, whole 1 to 5_000;
        /// The longest wait before the queue is looked at without having been woken. "50ms" to "10s",
        /// shorter than `orphan_after`.
        poll_interval: Duration = Duration::from_millis(250), "50ms" to "10s";
        /// A worker that has not been heard of for so long loses its jobs to others. "2s" to "10m".
        orphan_after: Duration = Duration::from_secs(3), "2s" to "10m";
        /// How often a run whose settlement ended its process is tried before it becomes a dead letter.
        attempts_max: u32 = 5, whole 1 to 100;
        /// How long one settlement of a batch may take. "1s" to "10m", not shorter than
        /// `database.statement_timeout`.
        attempt_timeout: Duration = Duration::from_mins(2), "1s" to "10m";
        /// How long a worker that was told to stop goes on with what it has in hand. "1s" to "10m".
        drain_timeout: Duration = Duration::from_secs(20), "1s" to "10m";
        /// How long finished jobs are kept. "1m" to "720h".
        retain_jobs: Duration = Duration::from_hours(24), "1m" to "720h";
    }
}
