//! The queue and the sweeps: what waits, what is in trouble, who works.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunStatus;
use reconciler_jobs::stamp::Stamp;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::moment::took;
use super::status::{SILENT_MAX, process_of, processes};
use super::verdict::{DecisionWord, Reason, RunFate, RunResult, Verdict};
use super::{ClaimBoundary, Moment, stored_word};
use crate::storage::reader::{
    AttemptsOnRecord, JobOnRecord, JobState, OpenReason, QueueCount, QueueEntry, QueueListing,
    QueueStanding, ShardJobs, SweepSeen, WatchOnRecord, WorkerSeen,
};
use crate::storage::{Judge, Pause, QueueState, Tally, next_sweep};

/// How long ago a worker may have been heard of last to be listed.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What is queued, in hand or in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "QueueShown")]
pub struct QueueView {
    /// The database's clock.
    pub as_of: Moment,
    /// How many entries are in each state that has any, worst first.
    pub counts: Vec<StateLine>,
    /// Jobs that ask for a part of a sweep; none for a viewer who may not see all workspaces.
    pub sweep_jobs: Option<ShardJobs>,
    /// Entries, worst state first, the oldest of each first.
    pub entries: Vec<EntryLine>,
    /// How many entries there are beyond those.
    pub entries_omitted: u64,
    /// Open runs by the reason why they are open, those that need somebody first.
    pub open_reasons: Vec<OpenReasonLine>,
    /// Processes of workers that were heard of lately, the one that was heard of last first.
    pub workers: Vec<WorkerLine>,
    /// When the next sweep begins by the schedule of a worker that runs; none where none says so.
    pub next_sweep_at: Option<Moment>,
    /// What is paused, everything first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
}

/// Open runs that are open for one reason, as they were looked at last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpenReasonLine {
    /// The code of the reason.
    pub reason_code: String,
    /// What that means; none where this version does not know it.
    pub reason: Option<Reason>,
    /// Whether it may last as it is until somebody does something.
    pub needs_somebody: bool,
    /// How many runs.
    pub runs: u64,
    /// When the oldest started, or was created.
    pub oldest: Moment,
    /// When the first of them is looked at again.
    pub next_at: Moment,
    /// The list of these runs.
    pub href: String,
}

/// How many entries are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateLine {
    /// The state.
    pub state: QueueState,
    /// What pages call this state of a job.
    pub label: &'static str,
    /// How many.
    pub entries: u64,
    /// Since when the oldest one is in it.
    pub oldest: Moment,
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EntryLine {
    /// Why it is listed.
    pub state: QueueState,
    /// What pages call this state of a job.
    pub label: &'static str,
    /// The run; none where a job names none that can be read.
    pub run: Option<RunId>,
    /// The run's workspace.
    pub workspace: Option<WorkspaceId>,
    /// The run's environment.
    pub environment: Option<EnvironmentId>,
    /// Tries of a run, deliveries of a job.
    pub tries: u32,
    /// Since when it is in this state.
    pub since: Moment,
    /// When it is looked at or tried again by itself.
    pub next_at: Option<Moment>,
    /// The reason on the watch list.
    pub reason_code: Option<String>,
    /// Whether the database refused a verdict; the worker's log says why.
    pub is_refused: bool,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkerLine {
    /// The process's name; none for a viewer who may not see all workspaces.
    pub name: Option<String>,
    /// Which queues it serves.
    pub queues: Vec<String>,
    /// When it was last heard of.
    pub last_seen_at: Moment,
    /// Whether that was lately.
    pub is_alive: bool,
    /// The number of the ruleset that it judges by; none where it is gone, or that is not known.
    pub ruleset: Option<i64>,
    /// Its version and commit; none where it is gone, or that is not known.
    pub version: Option<String>,
}

/// The latest sweeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SweepsShown {
    /// The database's clock.
    pub as_of: Moment,
    /// The sweeps, the latest first.
    pub sweeps: Vec<SweepLine>,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SweepLine {
    /// The job's id.
    pub id: i64,
    /// Who swept; none for a viewer who may not see all workspaces, also where the sweep was confined to one that
    /// the viewer sees: workers are everybody's, and so is what their names tell of hosts.
    pub worker: Option<String>,
    /// The workspace that it was confined to.
    pub workspace: Option<WorkspaceId>,
    /// Which part of the workspaces, counted from 1, of how many.
    pub part: (i64, i64),
    /// The tick of the schedule that it was for.
    pub tick_at: Option<Moment>,
    /// When it began.
    pub started_at: Moment,
    /// When it ended; none where it is still going on, or died.
    pub ended_at: Option<Moment>,
    /// How long it took, in words.
    pub took: Option<String>,
    /// What became of the runs; none for a sweep over workspaces that the viewer may not all see.
    pub counts: Option<Tally>,
}

impl QueueView {
    /// From what was read. `sees_all` says whether the viewer may see every workspace.
    pub fn new(
        listing: &QueueListing,
        reasons: &[OpenReason],
        (workers, judges): (&[WorkerSeen], &[Judge]),
        sees_all: bool,
    ) -> Self {
        let counts = listing.counts.iter().map(|count| StateLine {
            state: count.state,
            label: count.state.label(),
            entries: count.entries,
            oldest: Moment(count.oldest),
        });
        Self {
            as_of: Moment(listing.as_of),
            counts: counts.collect(),
            pauses: listing.pauses.clone(),
            sweep_jobs: sees_all.then_some(listing.shards),
            entries: listing.entries.iter().map(EntryLine::from).collect(),
            entries_omitted: listing.omitted(),
            open_reasons: open_reasons(reasons),
            workers: processes(workers)
                .into_iter()
                .filter(|(_, seen)| listing.as_of.duration_since(*seen) < LISTED_FOR)
                .map(|(name, seen)| {
                    let judge = judges.iter().find(|it| it.worker == name);
                    WorkerLine {
                        ruleset: judge.map(|it| it.ruleset),
                        version: judge.and_then(|it| it.version.clone()),
                        ..WorkerLine::new(name, seen, workers, listing.as_of, sees_all)
                    }
                })
                .collect(),
            next_sweep_at: next_sweep(judges).map(Moment),
        }
    }

    /// What is in trouble, or in hand: all but what is deferred, which is listed by its reasons.
    pub fn trouble(&self) -> impl Iterator<Item = &EntryLine> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.state != QueueState::Deferred)
    }

    /// How much of that there is, listed or not.
    pub fn in_trouble(&self) -> u64 {
        let others = self
            .counts
            .iter()
            .filter(|it| it.state != QueueState::Deferred);
        others.map(|it| it.entries).sum()
    }

    /// The versions of the workers that are alive, where these are several.
    pub fn versions_said(&self) -> Option<String> {
        let alive = self.workers.iter().filter(|worker| worker.is_alive);
        let versions: BTreeSet<&str> = alive.filter_map(|it| it.version.as_deref()).collect();
        let versions: Vec<&str> = versions.into_iter().collect();
        (versions.len() > 1).then(|| versions.join(", "))
    }

    /// How many workers are alive.
    pub fn workers_alive(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_alive).count()
    }
}

impl EntryLine {
    /// Whether it is a dead letter that nobody has given up.
    pub fn is_dead(&self) -> bool {
        self.state == QueueState::DeadLetter
    }
}

impl From<&QueueEntry> for EntryLine {
    fn from(entry: &QueueEntry) -> Self {
        Self {
            state: entry.state,
            label: entry.state.label(),
            run: entry.run,
            workspace: entry.workspace,
            environment: entry.environment,
            tries: entry.tries,
            since: Moment(entry.since),
            next_at: entry.next_at.map(Moment),
            reason_code: entry.reason.clone(),
            is_refused: entry.error.is_some(),
        }
    }
}

/// Why runs are open that nobody has to do anything about.
const ENDS_BY_ITSELF: [ReasonCode; 5] = [
    ReasonCode::InProgress,
    ReasonCode::Settling,
    ReasonCode::BlockedWaiting,
    ReasonCode::PreviewOnly,
    ReasonCode::NotExecuted,
];

fn open_reasons(reasons: &[OpenReason]) -> Vec<OpenReasonLine> {
    let line = |found: &OpenReason| {
        let reason = ReasonCode::parse(&found.reason);
        OpenReasonLine {
            reason_code: found.reason.clone(),
            needs_somebody: reason.is_none_or(|reason| !ENDS_BY_ITSELF.contains(&reason)),
            reason: reason.map(Reason::from),
            runs: found.runs,
            oldest: Moment(found.oldest),
            next_at: Moment(found.next_at),
            href: format!("/runs?undecided=true&reason={}", found.reason),
        }
    };
    let mut lines: Vec<OpenReasonLine> = reasons.iter().map(line).collect();
    lines.sort_by_key(|line| (!line.needs_somebody, line.oldest, line.reason_code.clone()));
    lines
}

impl WorkerLine {
    fn new(
        process: &str,
        last_seen_at: Timestamp,
        workers: &[WorkerSeen],
        as_of: Timestamp,
        sees_all: bool,
    ) -> Self {
        let own = workers
            .iter()
            .filter(|worker| process_of(worker) == process);
        let queues: BTreeSet<&str> = own.map(|worker| worker.queue.as_str()).collect();
        Self {
            name: sees_all.then(|| process.to_owned()),
            queues: queues.into_iter().map(str::to_owned).collect(),
            last_seen_at: Moment(last_seen_at),
            is_alive: as_of.duration_since(last_seen_at) < SILENT_MAX,
            ruleset: None,
            version: None,
        }
    }
}

impl SweepsShown {
    /// From what was read. `sees_all` says whether the viewer may see every workspace.
    pub fn new(as_of: Timestamp, sweeps: &[SweepSeen], sees_all: bool) -> Self {
        let line = |sweep: &SweepSeen| SweepLine {
            id: sweep.id,
            worker: sees_all.then(|| sweep.worker.clone()),
            workspace: sweep.workspace,
            part: (sweep.shard + 1, sweep.shards),
            tick_at: sweep.tick_at.map(Moment),
            started_at: Moment(sweep.started_at),
            ended_at: sweep.ended_at.map(Moment),
            took: sweep
                .ended_at
                .and_then(|at| took(Stamp::At(sweep.started_at), Stamp::At(at))),
            counts: (sees_all || sweep.workspace.is_some()).then_some(sweep.tally),
        };
        Self {
            as_of: Moment(as_of),
            sweeps: sweeps.iter().map(line).collect(),
        }
    }
}

impl SweepsShown {
    /// The sweep that ended last.
    pub fn last_ended(&self) -> Option<&SweepLine> {
        self.sweeps
            .iter()
            .filter(|it| it.ended_at.is_some())
            .max_by_key(|it| it.ended_at)
    }
}

/// What became of one run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AskedRun")]
pub struct RequestedRun {
    /// The run.
    pub run: i64,
    /// What became of it.
    pub state: RequestState,
    /// The decision on record, where the run has a verdict of ours.
    pub decision: Option<DecisionWord>,
    /// The run's workspace; none where there is no such run.
    pub workspace: Option<i64>,
    /// The run's environment.
    pub environment: Option<i64>,
}

vocabulary! {
    /// What became of a run that an operator asked for.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[schemars(rename = "AskedState")]
    pub enum RequestState {
        /// What became of it, as tables say it.
        said: &'static str,
        /// What to do next.
        next: &'static str,
    }
    /// A job was queued.
    Queued {
        said: "a job was queued",
        next: "A worker looks at the run soon.",
    }
    /// The run is open, and the queue took no job for it.
    NotQueued {
        said: "open, but no job was queued",
        next: "Run `restore-reconciler doctor`; the next sweep finds the run.",
    }
    /// The run is a dead letter, so a job would change nothing.
    DeadLetter {
        said: "a dead letter; no job was queued",
        next: "Read `restore-reconciler queue show RUN`, then let it start over with `queue retry RUN`.",
    }
    /// The run starts over, and a job was queued.
    StartsOver {
        said: "starts over",
        next: "A worker looks at the run soon.",
    }
    /// The run is in trouble, and its time has come already.
    DueAlready {
        said: "due already",
        next: "A worker looks at the run soon.",
    }
    /// The run is open and not in trouble.
    NotInTrouble {
        said: "open and not in trouble; nothing to retry",
        next: "To have it looked at soon, use `restore-reconciler enqueue RUN`.",
    }
    /// The dead letter is acknowledged. The run stays open, and nothing is proven.
    Dropped {
        said: "dropped; the run stays open, nothing is proven",
        next: "It is never tried again until `restore-reconciler queue retry RUN`.",
    }
    /// The dead letter was acknowledged before.
    DroppedBefore {
        said: "dropped before; the run stays open, nothing is proven",
        next: "It is never tried again until `restore-reconciler queue retry RUN`.",
    }
    /// The run is open and no dead letter.
    NotDead {
        said: "open and no dead letter; nothing was dropped",
        next: "Read `restore-reconciler queue show RUN`.",
    }
    /// The run is closed, with a verdict that the ledger holds.
    DecidedBefore {
        said: "closed, with a verdict on record",
        next: "Nothing.",
    }
    /// The run is closed, and the ledger's entry for it was altered: its columns, facts and digest disagree.
    LedgerAltered {
        said: "closed; its ledger entry was altered",
        next: "Find out who changed the ledger.",
    }
    /// Somebody else closed the run. The ledger holds no verdict on it.
    ClosedElsewhere {
        said: "closed elsewhere; no verdict of ours",
        next: "Find out who closed the run; no verdict of ours is on record.",
    }
    /// The run is of a type that is not judged here.
    UnsupportedType {
        said: "not a restore.execute run",
        next: "Name a run of type restore.execute.",
    }
    /// There is no such run.
    Absent {
        said: "does not exist",
        next: "Check the run's id.",
    }
}

/// What `queue list` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueListed {
    /// The database's clock when it was read, RFC 3339.
    #[schemars(with = "String")]
    pub as_of: Moment,
    /// The workspace that the list is confined to.
    pub workspace: Option<i64>,
    /// One count per state that has entries, worst first.
    pub counts: Vec<StateCount>,
    /// What is paused, everything first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// Jobs that ask for a shard of a sweep, of all workspaces.
    pub sweep_jobs: ShardJobs,
    /// Entries, worst state first, and the oldest of each state first.
    pub entries: Vec<QueueEntry>,
    /// How many more there are.
    pub omitted: u64,
}

/// How many entries are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateCount {
    /// The state.
    pub state: QueueState,
    /// How many there are.
    pub entries: u64,
    /// Since when the oldest one is in it, RFC 3339.
    #[schemars(with = "String")]
    pub oldest_since: Moment,
    /// How long that is, in seconds.
    pub oldest_age_s: u64,
}

impl QueueListed {
    /// From what was read for an operator, who may have asked for one workspace only.
    pub fn new(listing: QueueListing, workspace: Option<i64>) -> Self {
        let as_of = listing.as_of;
        let count = |count: &QueueCount| StateCount {
            state: count.state,
            entries: count.entries,
            oldest_since: count.oldest.into(),
            oldest_age_s: u64::try_from(as_of.duration_since(count.oldest).as_secs())
                .unwrap_or_default(),
        };
        Self {
            as_of: as_of.into(),
            workspace,
            omitted: listing.omitted(),
            counts: listing.counts.iter().map(count).collect(),
            pauses: listing.pauses.clone(),
            sweep_jobs: listing.shards,
            entries: listing.entries,
        }
    }
}

/// What `queue show` shows: everything that is remembered of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QueueShown")]
pub struct RunInQueue {
    /// The run.
    pub run: i64,
    /// The workspace that the run belongs to.
    pub workspace: i64,
    /// The environment that the run belongs to; none for a run of the whole workspace.
    pub environment: Option<i64>,
    /// The platform's type of the run.
    pub run_type: String,
    /// The platform's status of the run.
    pub run_status: String,
    /// Settlements that never ended.
    pub attempts: Option<AttemptsOnRecord>,
    /// The run's entry on the watch list; none if it is not watched.
    pub watch: Option<WatchOnRecord>,
    /// Why nobody settles it, where it is open and paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The latest jobs that asked for it, the latest first.
    pub jobs: Vec<JobOnRecord>,
    /// The verdict on record.
    pub verdict: Option<Verdict>,
    /// What to do next.
    pub next_action: String,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

impl RunInQueue {
    /// From what is remembered of a run.
    pub fn new(standing: QueueStanding, jobs: Vec<JobOnRecord>, verdict: Option<Verdict>) -> Self {
        Self {
            run: standing.run.0,
            workspace: standing.workspace.0,
            environment: standing.environment.map(|id| id.0),
            next_action: next_action(&standing, &jobs, verdict.as_ref()),
            run_type: shown_type(&standing.run_type).to_owned(),
            run_status: stored_word(&RunStatus::parse(&standing.status)),
            attempts: standing.attempts,
            watch: standing.watch,
            pause: standing.pause,
            jobs,
            verdict,
            claim_boundary: ClaimBoundary::default(),
        }
    }
}

/// The type of a run where it is a word, as every type of the platform is.
fn shown_type(run_type: &str) -> &str {
    let is_word = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    if run_type.chars().all(is_word) {
        run_type
    } else {
        "unknown type"
    }
}

/// What to do next, in a sentence or two.
fn next_action(
    standing: &QueueStanding,
    jobs: &[JobOnRecord],
    verdict: Option<&Verdict>,
) -> String {
    let run = standing.run;
    if !standing.is_ours() {
        return "Nothing: only runs of type restore.execute are judged here.".to_owned();
    }
    if !standing.is_open() {
        let closed = RunResult::closed(run, verdict);
        return match closed.state {
            RunFate::DecidedBefore => {
                format!("Nothing here; `restore-reconciler explain {run}` shows the verdict.")
            }
            _ => closed.next_action(),
        };
    }
    if let Some(pause) = &standing.pause
        && !standing.is_dead()
    {
        return format!("{}. `{}` ends that.", pause.sentence(), pause.ends_with());
    }
    let refused = ReasonCode::SettleFailed.code();
    let job = |state| jobs.iter().any(|job| job.state == state);
    match (&standing.attempts, &standing.watch) {
        (Some(attempts), _) if attempts.dropped_at.is_some() => format!(
            "The dead letter was acknowledged. The run is still open and nothing is proven; \
             `restore-reconciler queue retry {run}` lets it start over."
        ),
        (Some(attempts), _) => match attempts.try_again_at {
            None => format!(
                "Find out what ended worker {} while it settled this run: its log, and memory limits. Then let \
             the run start over with `restore-reconciler queue retry {run}`, or leave it alone with \
             `restore-reconciler queue drop {run} --reason TEXT`.",
                attempts.worker
            ),
            Some(at) => format!(
                "Nothing: it is tried again, alone, from {at} on. `restore-reconciler queue retry {run}` makes \
                 that now."
            ),
        },
        (None, Some(watch)) if watch.reason_code == refused => format!(
            "Put right what the database objects to. The run is tried again by itself at {}; \
             `restore-reconciler queue retry {run}` makes that now.",
            watch.look_again_at
        ),
        (None, Some(watch)) => format!(
            "Nothing here: it is looked at again at {}. `restore-reconciler explain {run}` shows what is \
             missing.",
            watch.look_again_at
        ),
        (None, None) if job(JobState::InHand) => "Nothing: a worker is at it.".to_owned(),
        (None, None) if job(JobState::Waiting) => {
            "See that a worker is running: a job waits for it.".to_owned()
        }
        (None, None) => format!(
            "Nothing: the next sweep looks at it. `restore-reconciler enqueue {run}` has that done sooner."
        ),
    }
}
