//! How the long-running worker takes jobs, gives up on them, and stops.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{duration, friendly, whole};
use super::{HOUR_MS, MINUTE_MS, SECOND_MS};

/// How the long-running worker takes jobs, gives up on them, and stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How many jobs are in hand at the same time.
    #[serde(deserialize_with = "whole::<_, 1, 5_000>")]
    #[schemars(range(min = 1, max = 5_000))]
    pub jobs_max: u32,
    /// The longest wait before the queue is looked at without having been woken. "50ms" to "10s",
    /// shorter than `orphan_after`.
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 50, { 10 * SECOND_MS }>"
    )]
    #[schemars(with = "String")]
    pub poll_interval: Duration,
    /// A worker that has not been heard of for so long loses its jobs to others. "2s" to "10m".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, { 2 * SECOND_MS }, { 10 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub orphan_after: Duration,
    /// How often a run whose settlement ended its process is tried before it becomes a dead letter.
    #[serde(deserialize_with = "whole::<_, 1, 100>")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts_max: u32,
    /// How long one settlement of a batch may take. "1s" to "10m", not shorter than
    /// `database.statement_timeout`.
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, { 10 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub attempt_timeout: Duration,
    /// How long a worker that was told to stop goes on with what it has in hand. "1s" to "10m".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, { 10 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// How long finished jobs are kept. "1m" to "720h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, MINUTE_MS, { 720 * HOUR_MS }>"
    )]
    #[schemars(with = "String")]
    pub retain_jobs: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            jobs_max: 500,
            poll_interval: Duration::from_millis(250),
            orphan_after: Duration::from_secs(3),
            attempts_max: 5,
            attempt_timeout: Duration::from_mins(2),
            drain_timeout: Duration::from_secs(20),
            retain_jobs: Duration::from_hours(24),
        }
    }
}
