//! Freshness: whether an operation still moves.
//!
//! **Invariant:** only a closed operation is normal, and only a moment that can be read makes an open one
//! active.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::restore_execute::facts::{RunFacts, RunOutcome, RunStatus};
use crate::stamp::Stamp;
use crate::vocabulary;

/// How long an operation may stay open before it is taken for stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshnessThresholds {
    /// Since it was created, while it is queued.
    pub queued: SignedDuration,
    /// Since it started, while it is running.
    pub running: SignedDuration,
}

impl FreshnessThresholds {
    /// Since when an open operation is queued or running, and for how long it may be; none for one that is neither.
    #[must_use]
    pub fn of_open(&self, run: &RunFacts) -> Option<(Stamp, SignedDuration)> {
        match (run.status, run.started_at) {
            (RunStatus::Running, Stamp::Absent) => Some((run.created_at, self.running)),
            (RunStatus::Running, noted) => Some((noted, self.running)),
            (RunStatus::Queued, _) => Some((run.created_at, self.queued)),
            (RunStatus::Completed | RunStatus::Unknown, _) => None,
        }
    }
}

impl Default for FreshnessThresholds {
    fn default() -> Self {
        Self {
            queued: SignedDuration::from_mins(15),
            running: SignedDuration::from_mins(60),
        }
    }
}

vocabulary! {
    /// Whether an operation still moves.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Freshness {
        /// The label that pages show.
        label: &'static str,
    }
    /// Open, and not for too long.
    FreshActive { label: "Active" }
    /// Open for too long.
    LikelyStale { label: "Open too long" }
    /// Closed as failed by reconciliation, the platform's or ours, because nobody else did.
    ReconciledFailed { label: "Closed as failed by a later check" }
    /// Closed.
    TerminalNormal { label: "Closed" }
    /// Nothing can be said.
    Unknown { label: "Unknown" }
}

impl Freshness {
    /// Reads a run. `is_judged` says whether its verdict is one of this product's.
    #[must_use]
    pub fn of(
        run: &RunFacts,
        is_judged: bool,
        as_of: Timestamp,
        limits: &FreshnessThresholds,
    ) -> Self {
        let is_healed = || {
            let closer = run.closer.as_ref();
            closer.is_some_and(|traces| traces.closer.is_healer())
        };
        match run.status {
            RunStatus::Completed
                if run.outcome == RunOutcome::Failed && (is_judged || is_healed()) =>
            {
                Self::ReconciledFailed
            }
            RunStatus::Completed => Self::TerminalNormal,
            _ => limits.of_open(run).map_or(Self::Unknown, |(since, limit)| {
                Self::of_open(since, as_of, limit)
            }),
        }
    }

    /// Reads an open operation, which is in its status since a moment. One that is for exactly as long as it may is stale.
    #[must_use]
    pub fn of_open(since: Stamp, as_of: Timestamp, limit: SignedDuration) -> Self {
        match since.moment() {
            Some(since) if as_of.duration_since(since) < limit => Self::FreshActive,
            Some(_) => Self::LikelyStale,
            None => Self::Unknown,
        }
    }
}
