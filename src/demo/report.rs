//! What a demonstration found: types only, shaped for a table and for JSON.

use std::time::Duration;

use reconciler_fixtures::Conclusion;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RestoreStatus;
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::Serialize;

use crate::storage::Tally;

/// What a whole demonstration found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DemoReport {
    /// One entry per named scenario, in the order of the rulebook.
    pub scenarios: Vec<ScenarioReport>,
    /// The generated runs, where some were asked for.
    pub volume: Option<VolumeReport>,
    /// How long it took to plant the platform's rows, in milliseconds.
    pub planting_ms: u64,
    /// The first pass: everything that is due, then by command what no sweep ever takes up.
    pub first: PassReport,
    /// The second pass, over the same database.
    pub second: PassReport,
    /// Whether the database holds the same after the second pass as before it: runs, audit entries,
    /// ledger and watch list, compared by digest. Through the queue, open runs are asked for again, and
    /// when they are looked at is left out of the digest.
    pub unchanged: bool,
    /// The export, where one was asked for.
    pub export: Option<DemoExported>,
    /// What no verdict claims.
    pub claim_boundary: &'static str,
}

/// An export of what was demonstrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DemoExported {
    /// The file.
    pub file: String,
    /// The public key of whoever signed its checkpoints. The private one was forgotten.
    pub key: String,
}

impl DemoReport {
    /// Whether every run came out as planted and the second pass changed nothing.
    pub fn is_as_expected(&self) -> bool {
        self.unchanged
            && self.scenarios.iter().all(|scenario| scenario.as_expected)
            && self
                .volume
                .as_ref()
                .is_none_or(|volume| volume.unexpected == 0)
    }
}

/// One named scenario and what became of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScenarioReport {
    /// A short name.
    pub name: &'static str,
    /// Why somebody would call this restore recovered.
    pub temptation: &'static str,
    /// The run.
    #[schemars(with = "i64")]
    pub run: RunId,
    /// The status of the restore that the link rule chose; null where it chose none, because then
    /// nothing is said about any restore.
    #[schemars(with = "Option<String>")]
    pub restore_status: Option<RestoreStatus>,
    /// What was decided.
    pub decision: Conclusion,
    /// The primary reason; null where the run was left alone.
    #[schemars(with = "Option<String>")]
    pub reason_code: Option<ReasonCode>,
    /// Every gap in the proof, in registry order.
    #[schemars(with = "Vec<String>")]
    pub missing: Vec<ReasonCode>,
    /// What an operator should do next; empty where the run was left alone.
    pub next_action: &'static str,
    /// What the rulebook demands.
    pub expected_decision: Conclusion,
    /// The primary reason that the rulebook demands.
    #[schemars(with = "String")]
    pub expected_reason: ReasonCode,
    /// Whether the decision and its reason, as committed, are those. A verdict is read back from the
    /// ledger for this.
    pub as_expected: bool,
    /// What made the worker look at the run: `sweep`, or `request` where the verdicts came through the
    /// queue, or `command` for runs that are never due and that no job can ask for.
    #[schemars(with = "String")]
    pub reached_by: Source,
}

/// The generated runs and what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VolumeReport {
    /// How many runs were generated.
    pub runs: u64,
    /// Across how many workspaces.
    pub workspaces: u64,
    /// How many did not come out as planted.
    pub unexpected: u64,
    /// How many of each kind were planted, and how many came out so.
    pub kinds: Vec<KindReport>,
}

/// Generated runs of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KindReport {
    /// The scenario that these runs repeat.
    pub name: &'static str,
    /// What the rulebook demands.
    pub expected_decision: Conclusion,
    /// The primary reason that the rulebook demands.
    #[schemars(with = "String")]
    pub expected_reason: ReasonCode,
    /// How many were planted.
    pub planted: u64,
    /// How many came out so.
    pub as_expected: u64,
}

/// One pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct PassReport {
    /// What the sweep over all due runs came to; through the queue, what the jobs came to.
    pub swept: Tally,
    /// What the command came to that names the runs which no sweep takes up.
    pub by_command: Tally,
    /// How long the sweep took, in milliseconds; through the queue, from the first request until the
    /// last job was finished.
    pub sweep_ms: u64,
    /// What the queue was asked for; null where the verdicts came from a sweep.
    pub queue: Option<QueueReport>,
}

/// What the queue was asked for in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct QueueReport {
    /// Runs that a job was queued for. All of these jobs were finished.
    pub queued: u64,
    /// Runs that were asked for and are not open, so that there was nothing to queue.
    pub turned_away: u64,
}

/// How far a demonstration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoProgress {
    /// What is being done.
    pub phase: Phase,
    /// How many runs of the phase are done.
    pub done: u64,
    /// How many runs the phase has. Zero where that is not known; then `done` stays zero too.
    pub total: u64,
}

vocabulary! {
    /// What a demonstration is doing. The variants follow each other in this order.
    #[derive(PartialOrd, Ord)]
    pub enum Phase {
        /// What is being done, as a progress bar says it.
        name: &'static str,
    }
    /// Filling the platform's tables.
    Planting { name: "planting runs" }
    /// Judging for the first time.
    FirstPass { name: "first pass" }
    /// Judging once more.
    SecondPass { name: "second pass" }
    /// Reading what the ledger holds.
    Reading { name: "reading the ledger" }
}

/// A duration as reports state it.
pub(super) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
