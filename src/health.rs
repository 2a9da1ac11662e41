//! What a long-running process knows about itself: whoever works writes it, whoever answers probes
//! reads it, and neither knows the other.
//!
//! *Live* means that every loop that has begun still turns; a process that is not live should be
//! restarted. *Ready* means that work gets done; a process that is not ready is waited for. That the
//! database is away is no reason for a restart, so it never makes a process less than live.
//!
//! **Invariant:** no text in a [`Report`] comes from outside this program, so that a probe, which
//! anybody who reaches the port may ask, tells no secret. The log says the rest.
//!
//! # Design notes
//!
//! A sweep that failed does not end readiness by itself: with sweeps an hour apart it would stay
//! ended for an hour after one lost connection. What counts is that none has succeeded for too long
//! while the database was there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::vocabulary;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::clock::{self, Clock};

vocabulary! {
    /// A loop that must not silently stop.
    #[derive(PartialOrd, Ord)]
    pub enum Loop {
        /// What the check of it is called.
        check_name: &'static str,
    }
    /// Takes jobs from the queue.
    Queue { check_name: "queue loop" }
    /// Does sweeps.
    Sweeps { check_name: "sweeps loop" }
    /// Waits for the moments that the sweep schedule names.
    Schedule { check_name: "schedule loop" }
    /// Looks at open runs whose time has come.
    Due { check_name: "due loop" }
}

/// How long something may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthLimits {
    /// How long a loop may be silent, and the queue be without a poll.
    pub silence: Duration,
    /// How long no sweep may have succeeded while the database was there.
    pub sweep_age: Duration,
}

impl Default for HealthLimits {
    /// 15 seconds, and three sweeps of the default schedule.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(15),
            sweep_age: Duration::from_mins(3),
        }
    }
}

/// Whether the database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseState {
    /// It does.
    Up,
    /// It does, and takes no sign of life.
    Refuses {
        /// Why, in words that were written for everybody's eyes.
        why: &'static str,
    },
    /// It does not.
    Away {
        /// Why, in words that were written for everybody's eyes. The error itself belongs in the log.
        why: &'static str,
    },
}

/// Whether our schema is the one that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is.
    Fits,
    /// It is missing or older.
    Older,
    /// It is a later release's.
    Newer,
    /// It is not there, or may not be read.
    Unreadable,
}

vocabulary! {
    /// Why a process that is otherwise well settles nothing, and takes nothing up.
    #[derive(PartialOrd, Ord)]
    pub enum Obstacle {
        /// What it is called in logs.
        name: &'static str,
        /// What a probe is told.
        detail: &'static str,
    }
    /// It has not looked yet whether there is any other.
    Unexamined { name: "not examined", detail: "the database was not examined yet" }
    /// Other workers may not know by which rules it judges.
    Unannounced {
        name: "rules that were not announced",
        detail: "the database has not taken yet by which rules this worker judges, which others have to know first, so nothing is settled"
    }
    /// The database refuses what every settlement begins with.
    Unusable {
        name: "a database that cannot be used",
        detail: "the database refuses what every settlement begins with; the log says why, and `restore-reconciler doctor` what to do"
    }
    /// The server gives no further session.
    NoSessions { name: "no further session", detail: NO_SESSION }
    /// Our schema is another one than this program knows.
    OtherSchema {
        name: "another version of our schema",
        detail: "our schema is not the one that this program knows, so nothing is settled"
    }
    /// Our schema serves no platform.
    Unbound {
        name: "no platform that is served",
        detail: "our schema serves no platform, so nothing is settled; run `restore-reconciler migrate --rebind`"
    }
    /// The platform's tables are not to be found.
    NoPlatform {
        name: "no tables of the platform",
        detail: "the platform's tables cannot be found, so nothing is settled; run `restore-reconciler doctor`"
    }
    /// Our schema serves another platform than the one that the search path leads to.
    OtherPlatform {
        name: "another platform",
        detail: "our schema serves another platform than this one, so nothing is settled; run `restore-reconciler doctor`"
    }
    /// Rows that prove may be hidden from it.
    HiddenRows {
        name: "hidden rows",
        detail: "row security or a view may hide rows that prove, so nothing is settled; run `restore-reconciler doctor`"
    }
    /// Evidence is dated hours off its restores or its own rows.
    ShiftedTimes {
        name: "shifted times",
        detail: "evidence is dated hours off, so nothing is settled; run `restore-reconciler doctor`"
    }
    /// A leg of the proof held of no restore that ended.
    NeverHeld {
        name: "a leg that never held",
        detail: "a leg of the proof held of no restore that ended, so nothing is settled; run `restore-reconciler doctor --survey`"
    }
    /// A worker of newer rules is at work.
    NewerRules {
        name: "newer rules",
        detail: "a worker of newer rules is at work, so this one settles nothing; upgrade restore-reconciler on this host"
    }
    /// Commits wait for a synchronous standby.
    Unconfirmed {
        name: "commits that wait for a standby",
        detail: "commits wait for a synchronous standby that does not confirm them, so nothing else is settled; bring it back, or take it out of synchronous_standby_names"
    }
    /// This one only observes, and one that settles runs is at work.
    Beside {
        name: "a worker that settles runs",
        detail: "a worker that settles runs is at work, or nobody has heard yet whether one is, so this one, which only observes, takes nothing up"
    }
}

/// What is said of a server that gives no further session. Names of roles belong in the log.
pub const NO_SESSION: &str = "the server gives no further session, because a connection limit, such as the role's, is used up; \
    raise it, or lower database.connections_max; the log names it";

/// How a process is. Serialises as what a probe that asks for JSON is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every loop that has begun still turns.
    pub live: bool,
    /// All checks are well.
    pub ready: bool,
    /// All that was checked, in a fixed order.
    pub checks: Vec<HealthCheck>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// What was checked.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// Whether the process is not live without it. All checks count for readiness.
    pub vital: bool,
    /// What was found.
    pub detail: String,
}

/// What a process knows about itself.
pub struct Health {
    limits: HealthLimits,
    clock: Clock,
    state: Mutex<HealthState>,
    database_is_up: watch::Sender<bool>,
    obstacles: watch::Sender<BTreeSet<Obstacle>>,
    /// Has a permit since a verdict was committed.
    pub(crate) commits: Notify,
}

/// Moments are times since the process began.
#[derive(Debug, Default)]
struct HealthState {
    /// The last beat of each loop that is expected; none before the first.
    beats: BTreeMap<Loop, Option<Duration>>,
    polled: Option<Duration>,
    /// What is known of the database, and since when it is up or away.
    database: Option<(DatabaseState, Duration)>,
    schema: Option<Schema>,
    /// Whether this role may do all that a worker does, and finds what that needs.
    has_rights: Option<bool>,
    sweep_succeeded: Option<Duration>,
    sweep_failed: Option<Duration>,
    /// Whether a settlement met an error that does not pass by itself, and no verdict was committed since.
    cannot_settle: bool,
    /// What becomes of runs that can be decided.
    mode: Option<&'static str>,
    /// How many runs the database refuses a verdict, as of the last census; none where nobody has counted yet.
    refused: Option<u64>,
    /// How many pauses were in force, as of the last census; none where nobody has counted yet.
    pauses: Option<u64>,
    stopping: bool,
}

impl Health {
    /// Begins, with nothing known. It takes a beat of each of `loops` to be ready.
    #[must_use]
    pub fn new(limits: HealthLimits, loops: &[Loop]) -> Arc<Self> {
        Self::with_clock(limits, loops, clock::monotonic())
    }

    /// Begins with a clock that somebody moves by hand.
    #[must_use]
    pub fn with_clock(limits: HealthLimits, loops: &[Loop], clock: Clock) -> Arc<Self> {
        let state = HealthState {
            beats: loops.iter().map(|name| (*name, None)).collect(),
            ..HealthState::default()
        };
        Arc::new(Self {
            limits,
            clock,
            state: Mutex::new(state),
            database_is_up: watch::Sender::new(false),
            obstacles: watch::Sender::default(),
            commits: Notify::new(),
        })
    }

    /// A loop has turned once more. To be called on every turn, whether or not there was work or a
    /// database. From the first call on, the process is live only while the loop keeps turning.
    pub fn beat(&self, name: Loop) {
        let now = (self.clock)();
        self.state().beats.insert(name, Some(now));
    }

    /// Whether any loop has turned yet.
    pub fn has_begun(&self) -> bool {
        self.state().beats.values().any(Option::is_some)
    }

    /// The queue was asked for jobs, or looked through for unreadable ones, and has answered. Not to be called for what
    /// merely reached the database.
    pub fn polled(&self) {
        let now = (self.clock)();
        self.state().polled = Some(now);
    }

    /// The database was found up or away. True where it was not so before, so that whoever logs can
    /// log changes only; another reason to be away is no change.
    pub fn database(&self, found: DatabaseState) -> bool {
        let now = (self.clock)();
        let is_up = found == DatabaseState::Up;
        let mut state = self.state();
        let since = state
            .database
            .filter(|(before, _)| (*before == DatabaseState::Up) == is_up)
            .map(|(_, since)| since);
        state.database = Some((found, since.unwrap_or(now)));
        // Under the lock, so that those who wait hear of changes in their order.
        self.database_is_up
            .send_if_modified(|before| std::mem::replace(before, is_up) != is_up);
        since.is_none()
    }

    /// Ends as soon as the database is up.
    pub async fn database_up(&self) {
        // Fails when the sender is gone, which is ours.
        self.database_is_up
            .subscribe()
            .wait_for(|is_up| *is_up)
            .await
            .ok();
    }

    /// Whether the database was there when last asked.
    #[must_use]
    pub fn database_is_up(&self) -> bool {
        *self.database_is_up.borrow()
    }

    /// Follows whether the database is up; false as long as that is not known.
    #[must_use]
    pub fn watch_database(&self) -> watch::Receiver<bool> {
        self.database_is_up.subscribe()
    }

    /// Our schema was looked at.
    pub fn schema(&self, found: Schema) {
        self.state().schema = Some(found);
    }

    /// Whether the database answers, whatever it says.
    #[must_use]
    pub fn database_answers(&self) -> bool {
        let database = self.state().database;
        matches!(
            database,
            Some((DatabaseState::Up | DatabaseState::Refuses { .. }, _))
        )
    }

    /// It was looked at whether this role may do all that a worker does, and finds what that needs.
    pub fn rights(&self, has_all: bool) {
        self.state().has_rights = Some(has_all);
    }

    /// A sweep has succeeded, here or, as far as this process learns of it, on another host.
    pub fn sweep_succeeded(&self) {
        let now = (self.clock)();
        self.state().sweep_succeeded = Some(now);
    }

    /// A sweep has failed.
    pub fn sweep_failed(&self) {
        let now = (self.clock)();
        self.state().sweep_failed = Some(now);
    }

    /// A verdict was committed. Nothing less shows that settlements work: one that found nothing to write has tried
    /// nothing.
    pub fn committed(&self) {
        self.state().cannot_settle = false;
        self.commits.notify_one();
    }

    /// A settlement met an error that does not pass by itself.
    pub fn settlement_failed(&self) {
        self.state().cannot_settle = true;
    }

    /// So many runs were refused a verdict by the database when this was last counted.
    pub fn refused(&self, runs: u64) {
        self.state().refused = Some(runs);
    }

    /// So many pauses were in force when this was last counted.
    pub fn paused(&self, pauses: u64) {
        self.state().pauses = Some(pauses);
    }

    /// This becomes of runs that can be decided.
    pub fn mode(&self, detail: &'static str) {
        self.state().mode = Some(detail);
    }

    /// Whether a settlement met an error that does not pass by itself, and no verdict was committed since.
    #[must_use]
    pub fn cannot_settle(&self) -> bool {
        self.state().cannot_settle
    }

    /// Something keeps this process from settling, or does not any more. True where that is news.
    pub fn obstacle(&self, obstacle: Obstacle, is_there: bool) -> bool {
        self.obstacles.send_if_modified(|obstacles| {
            if is_there {
                obstacles.insert(obstacle)
            } else {
                obstacles.remove(&obstacle)
            }
        })
    }

    /// Whether anything keeps this process from settling.
    #[must_use]
    pub fn is_obstructed(&self) -> bool {
        !self.obstacles.borrow().is_empty()
    }

    /// Whether this keeps this process from settling.
    #[must_use]
    pub fn is_obstructed_by(&self, obstacle: Obstacle) -> bool {
        self.obstacles.borrow().contains(&obstacle)
    }

    /// Follows what keeps this process from settling.
    #[must_use]
    pub fn watch_obstacles(&self) -> watch::Receiver<BTreeSet<Obstacle>> {
        self.obstacles.subscribe()
    }

    /// The process takes no new work. It is not ready any more, and stays live to its end, because
    /// loops fall silent one by one and a restart is on its way already.
    pub fn stopping(&self) {
        self.state().stopping = true;
    }

    /// How the process is.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.state();
        // Read under the lock: no moment in the state is later.
        let now = (self.clock)();
        let mut checks: Vec<_> = state
            .beats
            .iter()
            .map(|(name, beat)| self.check_loop(&state, *name, *beat, now))
            .collect();
        checks.push(check_database(&state, now));
        checks.push(check_schema(&state));
        if state.beats.contains_key(&Loop::Queue) {
            checks.push(check_rights(&state));
            checks.push(self.check_queue(&state, now));
        }
        if state.beats.contains_key(&Loop::Sweeps) {
            checks.push(self.check_sweep(&state, now));
        }
        if state.beats.contains_key(&Loop::Queue) {
            checks.push(check_settling(&state, &self.obstacles.borrow()));
            checks.push(check_verdicts(&state));
            let mode = state.mode.unwrap_or("not known yet");
            checks.push(HealthCheck::new("mode", true, mode));
            checks.push(check_pauses(&state));
        }
        checks.push(check_running(&state));
        Report {
            live: checks.iter().all(|check| check.ok || !check.vital),
            ready: checks.iter().all(|check| check.ok),
            checks,
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        // Nothing in here can be half written: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_loop(
        &self,
        state: &HealthState,
        name: Loop,
        beat: Option<Duration>,
        now: Duration,
    ) -> HealthCheck {
        let silent = beat.map(|beat| now.saturating_sub(beat));
        let ok = silent.is_some_and(|silent| silent <= self.limits.silence);
        let detail = silent.map_or_else(
            || "has not begun".to_owned(),
            |silent| format!("last turn {} ago", seconds(silent)),
        );
        HealthCheck {
            vital: silent.is_some() && !state.stopping,
            ..HealthCheck::new(name.check_name(), ok, detail)
        }
    }

    fn check_queue(&self, state: &HealthState, now: Duration) -> HealthCheck {
        let age = state.polled.map(|polled| now.saturating_sub(polled));
        let ok = age.is_some_and(|age| age <= self.limits.silence);
        let detail = age.map_or_else(
            || "not polled yet".to_owned(),
            |age| format!("polled {} ago", seconds(age)),
        );
        HealthCheck::new("queue", ok, detail)
    }

    fn check_sweep(&self, state: &HealthState, now: Duration) -> HealthCheck {
        // While the database was away no sweep could succeed.
        let up_since = state.database.map(|(_, since)| since);
        let counted_from = up_since.max(state.sweep_succeeded).unwrap_or_default();
        let ago = |moment: Duration| seconds(now.saturating_sub(moment));
        let succeeded = match state.sweep_succeeded {
            Some(moment) => format!("last success {} ago", ago(moment)),
            None => "none has succeeded yet".to_owned(),
        };
        let failed = state
            .sweep_failed
            .filter(|failed| state.sweep_succeeded < Some(*failed))
            .map(|moment| format!(", last failure {} ago", ago(moment)));
        let ok = now.saturating_sub(counted_from) <= self.limits.sweep_age;
        HealthCheck::new("sweep", ok, succeeded + &failed.unwrap_or_default())
    }
}

impl HealthCheck {
    /// One that counts for readiness only.
    fn new(name: &'static str, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            name,
            ok,
            vital: false,
            detail: detail.into(),
        }
    }
}

fn check_database(state: &HealthState, now: Duration) -> HealthCheck {
    let ago = |since| seconds(now.saturating_sub(since));
    match state.database {
        None => HealthCheck::new("database", false, "not reached yet"),
        Some((DatabaseState::Up, since)) => {
            HealthCheck::new("database", true, format!("up for {}", ago(since)))
        }
        Some((DatabaseState::Refuses { why }, since)) => {
            let detail = format!(
                "answers, and has taken no sign of life for {}: {why}",
                ago(since)
            );
            HealthCheck::new("database", false, detail)
        }
        Some((DatabaseState::Away { why }, since)) => {
            HealthCheck::new("database", false, format!("away for {}: {why}", ago(since)))
        }
    }
}

fn check_schema(state: &HealthState) -> HealthCheck {
    let detail = match state.schema {
        None => "not looked at yet",
        Some(Schema::Fits) => "fits this program",
        Some(Schema::Older) => {
            "missing or older than this program; run `restore-reconciler migrate`"
        }
        Some(Schema::Newer) => "newer than this program; upgrade restore-reconciler on this host",
        Some(Schema::Unreadable) => {
            "not there, or this role may not read it; run `restore-reconciler doctor`"
        }
    };
    HealthCheck::new("schema", state.schema == Some(Schema::Fits), detail)
}

fn check_rights(state: &HealthState) -> HealthCheck {
    let detail = match state.has_rights {
        None => "not looked at yet",
        Some(true) => "all that a worker needs is there and granted",
        Some(false) => {
            "something that a worker needs is not there or not granted; the log names it, as `restore-reconciler doctor` does"
        }
    };
    HealthCheck::new("rights", state.has_rights == Some(true), detail)
}

fn check_settling(state: &HealthState, obstacles: &BTreeSet<Obstacle>) -> HealthCheck {
    // Nobody announces what something else keeps it from.
    let is_told = |it: &&Obstacle| **it != Obstacle::Unannounced || obstacles.len() == 1;
    let told = obstacles.iter().filter(is_told);
    let mut details: Vec<_> = told.map(|it| it.detail()).collect();
    if details.is_empty() && state.cannot_settle {
        details.push(
            "a settlement was refused as a whole, and no verdict was committed since; the log says why",
        );
    }
    if details.is_empty() {
        return HealthCheck::new("settling", true, "nothing is in its way");
    }
    HealthCheck::new("settling", false, details.join("; "))
}

/// Runs that the database refuses hold up no others, so they end no readiness; whoever asks is told of them.
fn check_verdicts(state: &HealthState) -> HealthCheck {
    let detail = match state.refused {
        None => "not counted yet".to_owned(),
        Some(0) => "none is refused by the database".to_owned(),
        Some(runs) => format!(
            "the database refuses a verdict for {runs} open runs; `restore-reconciler queue list --refused` names them"
        ),
    };
    HealthCheck::new("verdicts", true, detail)
}

/// A pause is somebody's wish, so it ends no readiness; whoever asks is told of it.
fn check_pauses(state: &HealthState) -> HealthCheck {
    let detail = match state.pauses {
        None => "not counted yet".to_owned(),
        Some(0) => "nothing is paused".to_owned(),
        Some(pauses) => format!(
            "{pauses} in force: what is paused is not settled; `restore-reconciler queue list` says what, by whom and why"
        ),
    };
    HealthCheck::new("pauses", true, detail)
}

fn check_running(state: &HealthState) -> HealthCheck {
    let detail = if state.stopping {
        "stopping: takes no new work"
    } else {
        "takes new work"
    };
    HealthCheck::new("running", !state.stopping, detail)
}

fn seconds(duration: Duration) -> String {
    let whole = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(whole))
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.report()).finish()
    }
}
