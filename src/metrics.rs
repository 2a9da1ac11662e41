//! Every number that this product exports: its name, its unit, its labels, and what it says.
//!
//! ```text
//! commit ─▶ report ─▶ counters, histograms ─┐
//! census, read from the database ─▶ gauges ─┴▶ Exported::render ─▶ /metrics
//! ```
//!
//! Counters say what *this process* committed, so they begin at zero with each process, and a sum over processes
//! is what Prometheus is for. What is true of the database, whoever asks, is a gauge, and is read from it: see
//! [`crate::storage::census`].
//!
//! **Invariants:**
//! - Nothing is exported that is not declared here, and everything declared is there from the start, at zero.
//! - A label's value is a word of this program, never a text from outside and never an id. Two exceptions: the workspace
//!   of `reconciler_workspace_environments` has to be asked for, and of a feed's consumers there are sixteen at once at most.
//! - A counter is added to after the commit that it counts, by whoever committed.
//!
//! # Design notes
//!
//! A process that is killed takes with it what it counted since the last scrape, a commit whose answer was lost is
//! not counted, and verbs that end export nothing. That is why the ledger's rows are exported too: where the two
//! differ, the ledger is right.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{Key, KeyName, Label, Level, Metadata, SharedString, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::reading::posture::Posture;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::opinion::Stance;
use reconciler_jobs::restore_execute::{RULESET, ReasonCode, request};
use reconciler_jobs::sweep::shard;
use reconciler_jobs::vocabulary;
use thiserror::Error;

/// What is called what.
const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    /// Counts up, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were how large, in buckets.
    Histogram(&'static [f64]),
}

/// Which process has something to say about a metric. Others do not export it: a zero would be a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `work`.
    Worker,
    /// `serve`.
    Console,
    /// Both.
    Any,
}

/// A metric, as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// The name that Prometheus knows it by.
    pub name: &'static str,
    /// Which process exports it.
    pub role: Role,
    /// What it is.
    pub kind: MetricKind,
    /// What it counts or measures in.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
    /// Every combination of its labels' values, in their order; none where those are not known before.
    series: fn() -> AllValues,
}

/// A metric that counts up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter<const LABELS: usize>(&'static Declared);

/// A metric that goes up and down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge<const LABELS: usize>(&'static Declared);

/// A metric that says how many were how large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Histogram<const LABELS: usize>(&'static Declared);

impl<const LABELS: usize> Counter<LABELS> {
    /// Counts so many more.
    pub(crate) fn add(self, values: [&'static str; LABELS], count: u64) {
        let key = self.0.key(values);
        metrics::with_recorder(|it| it.register_counter(&key, &METADATA).increment(count));
    }
}

impl<const LABELS: usize> Gauge<LABELS> {
    /// Says what is.
    pub(crate) fn set(self, values: [&'static str; LABELS], value: f64) {
        let key = self.0.key(values);
        metrics::with_recorder(|it| it.register_gauge(&key, &METADATA).set(value));
    }
}

impl Gauge<1> {
    /// Sets the series of a consumer.
    pub(crate) fn set_for(self, consumer: &str, value: f64) {
        let labels = self.0.labels.iter();
        let labels: Vec<Label> = labels
            .map(|label| Label::new(*label, consumer.to_owned()))
            .collect();
        let key = Key::from_parts(self.0.name, labels);
        metrics::with_recorder(|it| it.register_gauge(&key, &METADATA).set(value));
    }
}

impl Gauge<2> {
    /// Sets the series of one workspace, whose id is its first label.
    pub(crate) fn set_for(self, workspace: WorkspaceId, value: &'static str, count: f64) {
        let [first, second] = self.0.labels else {
            return;
        };
        let labels = vec![
            Label::new(*first, workspace.to_string()),
            Label::from_static_parts(second, value),
        ];
        let key = Key::from_parts(self.0.name, labels);
        metrics::with_recorder(|it| it.register_gauge(&key, &METADATA).set(count));
    }
}

impl<const LABELS: usize> Histogram<LABELS> {
    /// One of this size.
    pub(crate) fn observe(self, values: [&'static str; LABELS], value: f64) {
        let key = self.0.key(values);
        metrics::with_recorder(|it| it.register_histogram(&key, &METADATA).record(value));
    }

    /// One that took so long.
    pub(crate) fn took(self, values: [&'static str; LABELS], time: Duration) {
        self.observe(values, time.as_secs_f64());
    }
}

impl Declared {
    /// The name of one series.
    fn key(&self, values: impl IntoIterator<Item = &'static str>) -> Key {
        let pairs = self.labels.iter().zip(values);
        let labels: Vec<Label> = pairs
            .map(|(label, value)| Label::from_static_parts(label, value))
            .collect();
        Key::from_parts(self.name, labels)
    }

    /// Describes it, and begins every one of its series at zero.
    fn begin(&self, recorder: &dyn metrics::Recorder) {
        let name = KeyName::from_const_str(self.name);
        let help = SharedString::const_str(self.help);
        match self.kind {
            MetricKind::Counter => recorder.describe_counter(name, Some(self.unit), help),
            MetricKind::Gauge => recorder.describe_gauge(name, Some(self.unit), help),
            MetricKind::Histogram(_) => recorder.describe_histogram(name, Some(self.unit), help),
        }
        for values in (self.series)() {
            let key = self.key(values);
            match self.kind {
                MetricKind::Counter => recorder.register_counter(&key, &METADATA).increment(0),
                MetricKind::Gauge => recorder.register_gauge(&key, &METADATA).set(0.0),
                // Made by being asked for.
                MetricKind::Histogram(_) => drop(recorder.register_histogram(&key, &METADATA)),
            }
        }
    }
}

/// Declares metrics, each once: the constant that adds to it, and its row in [`DECLARED`].
macro_rules! declare {
    ($($role:ident $kind:ident $constant:ident = $name:literal in $unit:ident $(, buckets $buckets:ident)?,
       by [$($label:literal),*] of ($series:expr): $help:literal;)+) => {
        $(
            #[doc = $help]
            pub(crate) const $constant: $kind<{ declare!(@count $($label)*) }> = {
                static IT: Declared = Declared {
                    name: $name,
                    role: Role::$role,
                    kind: declare!(@kind $kind $($buckets)?),
                    unit: Unit::$unit,
                    labels: &[$($label),*],
                    help: $help,
                    series: || $series,
                };
                $kind(&IT)
            };
        )+

        /// Every metric, in the order in which they are documented.
        pub const DECLARED: &[&Declared] = &[$($constant.0),+];
    };
    (@count) => { 0 };
    (@count $first:literal $($rest:literal)*) => { 1 + declare!(@count $($rest)*) };
    (@kind Histogram $buckets:ident) => { MetricKind::Histogram($buckets) };
    (@kind $kind:ident) => { MetricKind::$kind };
}

declare! {
    Worker Counter VERDICTS = "reconciler_verdicts_total" in Count,
        by ["outcome", "reason"] of (verdicts()):
        "Verdicts that this process knows it committed, by outcome and primary reason.";
    Worker Counter DEFERRALS = "reconciler_deferrals_total" in Count,
        by ["reason"] of (deferrals()):
        "Looks of this process that left a run open, by primary reason; one run may be looked at many times.";
    Worker Counter OPINIONS = "reconciler_opinions_total" in Count,
        by ["claimed", "opinion"] of (opinions()):
        "Second opinions that this process formed on runs that somebody else closed, by what the run claims and how that relates to what is proven.";
    Worker Counter WOULD_BE = "reconciler_would_be_total" in Count,
        by ["outcome", "reason"] of (would_be()):
        "Runs that this process only observed, by what would have been decided and the primary reason; one that stays so is counted once.";
    Worker Counter RUNS = "reconciler_runs_total" in Count,
        by ["result"] of (each(RESULTS)):
        "Runs that this process was asked to settle, by what became of them.";
    Worker Histogram BATCH_RUNS = "reconciler_batch_runs" in Count, buckets BATCH_SIZES,
        by [] of (one()):
        "How many runs one committed transaction was about.";
    Worker Histogram BATCH_DURATION = "reconciler_batch_duration_seconds" in Seconds, buckets DURATIONS,
        by [] of (one()):
        "How long one committed transaction took, from its beginning to the end of its commit.";
    Worker Histogram STAGE_DURATION = "reconciler_batch_stage_duration_seconds" in Seconds, buckets DURATIONS,
        by ["stage"] of (each(TransactionStage::ALL.map(TransactionStage::name))):
        "The same by its stages: begin, lock, load, decide, write, commit.";
    Worker Histogram VERDICT_LAG = "reconciler_verdict_lag_seconds" in Seconds, buckets LAGS,
        by [] of (one()):
        "From the call that asked for a run to the commit of its verdict, where the job that it queued led to the verdict; what a sweep found first is not in it.";
    Worker Counter SWEEPS = "reconciler_sweeps_total" in Count,
        by ["result"] of (each([COMPLETED, FAILED])):
        "Passes over due runs that this process ended, by whether they came to their end or failed.";
    Worker Histogram SWEEP_DURATION = "reconciler_sweep_duration_seconds" in Seconds, buckets PASSES,
        by [] of (one()):
        "How long one pass over due runs took that came to its end.";
    Worker Gauge SWEEP_SUCCEEDED = "reconciler_sweep_last_success_timestamp_seconds" in Seconds,
        by [] of (one()):
        "When this process last did a pass that came to its end, or looked and found nothing due, by its own clock; 0 where it never did.";
    Worker Counter RESTARTS = "reconciler_worker_restarts_total" in Count,
        by ["queue"] of (each([request::QUEUE, shard::QUEUE])):
        "How often this process started the worker of a queue again after that had ended.";
    Worker Gauge DATABASE_UP = "reconciler_database_up" in Count,
        by [] of (one()):
        "Whether the database answered this process when last asked: 1 or 0.";
    Worker Gauge CHECK_OK = "reconciler_check_ok" in Count,
        by ["check"] of (each(CHECKS)):
        "Whether each check of readiness is well: 1 or 0; `/readyz?verbose` says what was found, and the log says why.";
    Worker Counter RECONNECTS = "reconciler_database_reconnects_total" in Count,
        by [] of (one()):
        "How often the database was there again for this process after it had been away.";
    Any Gauge STARTED = "process_start_time_seconds" in Seconds,
        by [] of (one()):
        "When this process started, by its own clock.";
    Any Gauge BUILD = "reconciler_build_info" in Count,
        by ["version", "ruleset"] of (vec![vec![env!("CARGO_PKG_VERSION"), RULESET]]):
        "Always 1: the version of the program and of its rules.";
    Worker Gauge DUE_RUNS = "reconciler_due_runs" in Count,
        by [] of (one()):
        "Open runs whose time to be looked at has come, in the whole database.";
    Worker Gauge DUE_AGE = "reconciler_due_oldest_age_seconds" in Seconds,
        by [] of (one()):
        "For how long the oldest of these has been due; 0 where none is, or nobody knows since when.";
    Worker Gauge OPEN_RUNS = "reconciler_open_runs" in Count,
        by [] of (one()):
        "Restores whose run nobody has closed, in the whole database.";
    Worker Gauge QUEUE_ENTRIES = "reconciler_queue_entries" in Count,
        by ["state"] of (each(QUEUE_STATES)):
        "Jobs and runs in the queue's lists, by state, in the whole database; nobody tries a dead letter again.";
    Worker Gauge QUEUE_AGE = "reconciler_queue_oldest_age_seconds" in Seconds,
        by ["state"] of (each(QUEUE_STATES)):
        "For how long the oldest of these has been in its state; 0 where there is none.";
    Worker Gauge PAUSES = "reconciler_pauses" in Count,
        by [] of (one()):
        "Pauses in force: of single workspaces, and of everything. Nothing of what is paused is settled.";
    Worker Gauge UNDECIDED_RUNS = "reconciler_undecided_runs" in Count,
        by ["reason"] of (deferrals()):
        "Open runs that were looked at, by the reason why they are open, in the whole database.";
    Worker Gauge UNDECIDED_AGE = "reconciler_undecided_oldest_age_seconds" in Seconds,
        by ["reason"] of (deferrals()):
        "How long ago the oldest of these started, or was created; 0 where there is none.";
    Worker Gauge LEDGER_ROWS = "reconciler_ledger_rows" in Count,
        by [] of (one()):
        "Verdicts on record, in the whole database, whoever committed them.";
    Worker Gauge DISAGREEMENTS = "reconciler_ledger_disagreements" in Count,
        by [] of (one()):
        "Runs whose row says something else than the verdict on record, among the runs with the highest ids.";
    Worker Gauge FOREIGN_ROWS = "reconciler_ledger_foreign_rows" in Count,
        by [] of (one()):
        "Verdicts of other runs that had the ids of runs that are there: the ledger is another platform's.";
    Worker Gauge UNPROVEN_SUCCESSES = "reconciler_unproven_successes" in Count,
        by [] of (one()):
        "Runs that somebody else closed as succeeded, and that is not proven, in the whole database.";
    Worker Gauge FEED_UNPLACED = "reconciler_feed_unplaced_age_seconds" in Seconds,
        by [] of (one()):
        "For how long the oldest verdict waits for its position in the feed; 0 where none waits.";
    Worker Gauge LEDGER_UNSEALED = "reconciler_ledger_unsealed_age_seconds" in Seconds,
        by [] of (one()):
        "For how long the oldest verdict that has its position waits for its leaf in the tree over the ledger; 0 where none waits.";
    Worker Gauge FEED_LAG = "reconciler_feed_lag_seconds" in Seconds,
        by ["consumer"] of (Vec::new()):
        "For how long the oldest verdict has been in the feed that a consumer has not acknowledged; 0 where it has acknowledged all, or was forgotten.";
    Console Gauge ENVIRONMENTS = "reconciler_environments" in Count,
        by ["posture"] of (each(Posture::ALL.map(Posture::name))):
        "Environments that the token may see, by recovery posture; no posture proves that an environment recovered.";
    Console Gauge WORKSPACE_ENVIRONMENTS = "reconciler_workspace_environments" in Count,
        by ["workspace", "posture"] of (Vec::new()):
        "The same of each workspace; only where the configuration asks for it.";
    Console Gauge POSTURES_WHOLE = "reconciler_environments_complete" in Count,
        by [] of (one()):
        "Whether all of them are in these counts: 1, or 0 where there are more than the first 5,000.";
    Console Gauge POSTURES_READ = "reconciler_environments_timestamp_seconds" in Seconds,
        by [] of (one()):
        "When postures were read, by the database's clock.";
    Console Gauge BEHIND = "reconciler_standby_lag_seconds" in Seconds,
        by [] of (one()):
        "About how far behind its primary the standby is that the console is read from; 0 where that is no standby.";
    Worker Gauge CENSUS_TAKEN = "reconciler_census_timestamp_seconds" in Seconds,
        by [] of (one()):
        "When the numbers about the whole database were read, by the database's clock; 0 where they never were.";
    Worker Gauge CENSUS_DURATION = "reconciler_census_duration_seconds" in Seconds,
        by [] of (one()):
        "How long it took to read them.";
}

/// From a millisecond to what a statement may take.
const DURATIONS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// From a notice that was heard at once to a queue that stood still.
const LAGS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0,
];

/// A pass over a few runs, or over a backlog.
const PASSES: &[f64] = &[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];

/// Up to the largest batch that can be configured.
const BATCH_SIZES: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0,
];

/// What became of a run, as a label says it.
pub(crate) const RESULTS: [&str; 9] = [
    "committed",
    "deferred",
    "passed_over",
    "observed",
    "paused",
    "locked",
    "suspended",
    "absent",
    "refused",
];

/// The lists of the queue, as a label says them.
pub(crate) const QUEUE_STATES: [&str; 7] = [
    "dead_letter",
    "suspended",
    "refused",
    "in_hand",
    "waiting",
    "dropped",
    "deferred",
];

/// What readiness depends on, as a label says it.
pub(crate) const CHECKS: [&str; 14] = [
    "queue loop",
    "sweeps loop",
    "schedule loop",
    "due loop",
    "database",
    "schema",
    "rights",
    "queue",
    "sweep",
    "settling",
    "verdicts",
    "mode",
    "pauses",
    "running",
];

vocabulary! {
    /// The stages of one transaction.
    pub(crate) enum TransactionStage {
        /// The word for it, as a label says it.
        name: &'static str,
    }
    /// Until it is there.
    Begin { name: "begin" }
    /// Until its runs are locked.
    Lock { name: "lock" }
    /// Until what is known of them is read.
    Load { name: "load" }
    /// Until each is decided.
    Decide { name: "decide" }
    /// Until everything is written.
    Write { name: "write" }
    /// Until it is permanent.
    Commit { name: "commit" }
}

/// A pass came to its end.
pub(crate) const COMPLETED: &str = "completed";
/// A pass failed before its end.
pub(crate) const FAILED: &str = "failed";

/// Every combination of a metric's labels' values, in their order.
type AllValues = Vec<Vec<&'static str>>;

fn one() -> AllValues {
    vec![Vec::new()]
}

fn each(values: impl IntoIterator<Item = &'static str>) -> AllValues {
    values.into_iter().map(|value| vec![value]).collect()
}

fn verdicts() -> AllValues {
    let reasons = ReasonCode::ALL.iter();
    reasons
        .filter_map(|reason| Some(vec![reason.outcome()?.name(), reason.code()]))
        .collect()
}

fn deferrals() -> AllValues {
    each(deferral_reasons())
}

/// The codes of the reasons why a run stays open and is looked at again.
pub(crate) fn deferral_reasons() -> impl Iterator<Item = &'static str> {
    let reasons = ReasonCode::ALL.iter();
    reasons
        .filter(|reason| reason.outcome().is_none() && !reason.is_never_due())
        .map(|reason| reason.code())
}

fn would_be() -> AllValues {
    let deferred = deferrals().into_iter().flatten();
    let deferred = deferred.map(|reason| vec!["deferred", reason]);
    verdicts().into_iter().chain(deferred).collect()
}

fn opinions() -> AllValues {
    let of = |claimed: RunOutcome| Stance::ALL.map(|stance| vec![claimed.word(), stance.word()]);
    RunOutcome::ALL.into_iter().flat_map(of).collect()
}

impl MetricKind {
    /// Prometheus's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Why metrics could not be set up.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// A histogram has no buckets.
    #[error("a histogram cannot be declared so")]
    Declared(#[from] BuildError),
    /// They were set up before.
    #[error("metrics were set up already in this program")]
    Again,
}

/// Keeps what is counted. Nothing is, until it is [installed](Self::install).
pub struct Exporter {
    recorder: PrometheusRecorder,
    exported: Exported,
}

/// What this process exports.
#[derive(Clone)]
pub struct Exported(PrometheusHandle);

/// How often what was observed is put into its buckets where nobody asks.
const TIDY_EVERY: Duration = Duration::from_secs(5);

impl Exporter {
    /// Begins every series of these roles at zero, in a process that started at this moment by its own clock.
    pub fn new(roles: &[Role], started: Timestamp) -> Result<Self, MetricsError> {
        let mut builder = PrometheusBuilder::new();
        for declared in DECLARED {
            if let MetricKind::Histogram(buckets) = declared.kind {
                let name = Matcher::Full(declared.name.to_owned());
                builder = builder.set_buckets_for_metric(name, buckets)?;
            }
        }
        let recorder = builder.build_recorder();
        let is_ours = |role| role == Role::Any || roles.contains(&role);
        for declared in DECLARED.iter().filter(|declared| is_ours(declared.role)) {
            declared.begin(&recorder);
        }
        metrics::with_local_recorder(&recorder, || {
            BUILD.set([env!("CARGO_PKG_VERSION"), RULESET], 1.0);
            STARTED.set([], seconds_of(started));
        });
        Ok(Self {
            exported: Exported(recorder.handle()),
            recorder,
        })
    }

    /// What it has counted so far, for whoever answers.
    pub fn exported(&self) -> Exported {
        self.exported.clone()
    }

    /// Keeps what `count` counts here, instead of where this process counts everything else.
    pub(crate) fn record(&self, count: impl FnOnce()) {
        metrics::with_local_recorder(&self.recorder, count);
    }

    /// Counts from here on what this process does. Fails in a process that counts already.
    pub fn install(self) -> Result<Exported, MetricsError> {
        metrics::set_global_recorder(self.recorder).map_err(|_| MetricsError::Again)?;
        Ok(self.exported)
    }
}

impl Exported {
    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps what is observed from piling up where nobody asks for it. Never returns.
    pub async fn keep_tidy(&self) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            self.0.run_upkeep();
        }
    }
}

/// A count as Prometheus has it: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "every number of the text format is a float"
)]
pub(crate) fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

/// A moment as Prometheus has it.
pub(crate) fn seconds_of(moment: Timestamp) -> f64 {
    moment.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STARTED_AT: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// The lines that say what a metric is, and those of its series.
    fn lines(text: &str) -> (BTreeSet<&str>, Vec<&str>) {
        let (about, series): (Vec<&str>, Vec<&str>) = text
            .lines()
            .filter(|line| !line.is_empty())
            .partition(|line| line.starts_with('#'));
        (about.into_iter().collect(), series)
    }

    #[test]
    fn everything_declared_is_exported_from_the_start_and_nothing_else() {
        let exporter = Exporter::new(&[Role::Worker, Role::Console], STARTED_AT).unwrap();
        let text = exporter.exported().render();
        let (about, series) = lines(&text);
        for declared in DECLARED {
            let Declared { name, help, .. } = declared;
            let begun = (declared.series)().len();
            let found = series.iter().filter(|line| {
                let rest = line.strip_prefix(name).unwrap_or("_");
                rest.starts_with(['{', ' ']) || rest.starts_with("_count")
            });
            assert_eq!(found.count(), begun, "{name}");
            let help = format!("# HELP {name} {help}");
            let kind = format!("# TYPE {name} {}", declared.kind.name());
            assert_eq!(about.contains(&*help), begun > 0, "{name}");
            assert_eq!(about.contains(&*kind), begun > 0, "{name}");
        }
        assert_eq!(
            about.len(),
            2 * DECLARED
                .iter()
                .filter(|it| !(it.series)().is_empty())
                .count()
        );
        let at_zero = series.iter().filter(|line| line.ends_with(" 0"));
        assert_eq!(
            at_zero.count(),
            series.len() - 2,
            "but for the start and the build"
        );
    }

    #[test]
    fn a_process_exports_what_it_knows_of() {
        for (roles, absent) in [
            ([Role::Worker], Role::Console),
            ([Role::Console], Role::Worker),
        ] {
            let text = Exporter::new(&roles, STARTED_AT)
                .unwrap()
                .exported()
                .render();
            for declared in DECLARED.iter().filter(|it| !(it.series)().is_empty()) {
                let is_there = text.contains(&format!("# TYPE {} ", declared.name));
                assert_eq!(is_there, declared.role != absent, "{}", declared.name);
            }
        }
    }

    #[test]
    fn labels_hold_words_of_this_program_only() {
        for declared in DECLARED {
            let all = (declared.series)();
            let distinct: BTreeSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{}", declared.name);
            assert!(all.len() <= 100, "{}: {}", declared.name, all.len());
            for values in &all {
                assert_eq!(values.len(), declared.labels.len(), "{}", declared.name);
            }
            let ids = ["run", "environment", "restore", "job"];
            assert!(
                declared.labels.iter().all(|label| !ids.contains(label)),
                "{}",
                declared.name
            );
        }
    }

    #[test]
    fn what_is_counted_and_observed_is_what_is_exported() {
        let exporter = Exporter::new(&[Role::Worker], STARTED_AT).unwrap();
        metrics::with_local_recorder(&exporter.recorder, || {
            VERDICTS.add(["succeeded", "restore.proof_complete"], 2);
            DUE_RUNS.set([], 7.0);
            STAGE_DURATION.took([TransactionStage::Commit.name()], Duration::from_millis(3));
            WORKSPACE_ENVIRONMENTS.set_for(WorkspaceId(12), Posture::Weakened.name(), 4.0);
        });
        let text = exporter.exported().render();
        for line in [
            "reconciler_verdicts_total{outcome=\"succeeded\",reason=\"restore.proof_complete\"} 2",
            "reconciler_due_runs 7",
            "reconciler_batch_stage_duration_seconds_bucket{stage=\"commit\",le=\"0.0025\"} 0",
            "reconciler_batch_stage_duration_seconds_bucket{stage=\"commit\",le=\"0.005\"} 1",
            "reconciler_workspace_environments{workspace=\"12\",posture=\"weakened\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
