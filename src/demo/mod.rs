//! A demonstration: a platform of named scenarios, each of which tempts somebody to claim too much,
//! judged before one's eyes, twice.
//!
//! ```text
//! refuse a real platform ─▶ stand-in ─▶ migrate ─▶ plant ─▶ sweep, command ─▶ sweep, command ─▶ compare
//! ```
//!
//! **Invariants:**
//! - A database that already holds the platform's tables is refused before anything is written.
//! - What the report says was decided is read from what was committed, never from what a scenario
//!   expects.
//!
//! # Design notes
//!
//! The rules' settings are the built-in ones whatever the operator configured, because the
//! scenarios say what those must come to. Deferred runs wait for a day, so that the second pass finds
//! them waiting however long the first one took.

mod case;
mod report;
mod scenarios;
mod volume;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::RestoreStatus;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::restore_execute::{Outcome, Policy, ReasonCode};
use reconciler_jobs::sweep::Schedule;
use thiserror::Error;

use self::case::Case;
use self::scenarios::Scenario;
use self::volume::Volume;
use crate::clock::Stopwatch;
use crate::storage::standin::PlatformRows;
use crate::storage::{
    Assessment, BATCH_RUNS_MAX, Backend, RecordedVerdict, Settled, Settlement, Settling, Standin,
    StoreError, Tally,
};
use crate::sweep::{Scope, sweep};

pub use case::HIDDEN_IDS;
pub use report::{
    Conclusion, DemoProgress, DemoReport, KindReport, PassReport, Phase, ScenarioReport,
    VolumeReport,
};

/// How long deferred runs wait.
const WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What to demonstrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// How many runs to generate beside the named scenarios.
    pub runs: u64,
    /// How many runs share one transaction.
    pub batch_runs_max: u32,
    /// How often a transient failure is tried again.
    pub retries_max: u32,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            runs: 0,
            batch_runs_max: BATCH_RUNS_MAX,
            retries_max: 5,
        }
    }
}

/// Why a demonstration did not take place.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The database may be a real one. Nothing was written.
    #[error("this database already holds the platform's tables; a demonstration needs one without")]
    PlatformPresent,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Plants the scenarios and `options.runs` generated runs, judges them twice, and says what came of
/// it. The rows stay in the database.
pub async fn run(
    store: &dyn Standin,
    options: &DemoOptions,
    mut progress: impl FnMut(DemoProgress),
) -> Result<DemoReport, DemoError> {
    if store.has_platform().await? {
        return Err(DemoError::PlatformPresent);
    }
    store.install().await?;
    store.migrate().await?;

    let planting = Stopwatch::start();
    let mut volume = Volume::new(options.runs);
    plant(store, options, &mut volume, &mut progress).await?;
    let planting_ms = report::milliseconds(planting.elapsed());

    let mut passes = Passes {
        store,
        options,
        progress,
    };
    let mut seen = HashMap::new();
    let first = passes
        .pass(Phase::FirstPass, |settled| {
            let glimpse = Seen::from(&settled.result);
            volume.note(settled.run, glimpse);
            if is_named(settled.run) {
                seen.insert(settled.run, glimpse);
            }
        })
        .await?;
    let before = store.fingerprint().await?;
    let second = passes.pass(Phase::SecondPass, |_| {}).await?;
    let unchanged = store.fingerprint().await? == before;

    Ok(DemoReport {
        scenarios: passes.read(&seen).await?,
        volume: volume.report(),
        planting_ms,
        first,
        second,
        unchanged,
        claim_boundary: CLAIM_BOUNDARY,
    })
}

/// What a pass said about one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    decision: Conclusion,
    reason: Option<ReasonCode>,
}

impl Seen {
    const NOTHING: Self = Self {
        decision: Conclusion::PassedOver,
        reason: None,
    };

    fn is(self, (decision, reason): (Conclusion, ReasonCode)) -> bool {
        self.decision == decision && self.reason == Some(reason)
    }
}

impl From<&Settlement> for Seen {
    fn from(settlement: &Settlement) -> Self {
        match settlement {
            Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => Self {
                decision: Conclusion::from(&assessment.decision),
                reason: Some(assessment.decision.reason),
            },
            Settlement::Refused { .. } => Self {
                decision: Conclusion::Refused,
                reason: Some(ReasonCode::SettleFailed),
            },
            Settlement::Lost | Settlement::Locked | Settlement::Absent => Self::NOTHING,
        }
    }
}

/// Fills the platform's tables, and has one audit entry refused from then on.
async fn plant(
    store: &dyn Standin,
    options: &DemoOptions,
    volume: &mut Volume,
    mut progress: impl FnMut(DemoProgress),
) -> Result<(), DemoError> {
    let rows = |now| {
        let mut rows = PlatformRows::default();
        case::plant_foreign_workspace(&mut rows);
        for (id, name) in scenarios::WORKSPACES {
            case::plant_workspace(&mut rows, id, name);
        }
        for (scenario, place) in scenarios::placed() {
            let mut case = Case::proven(place, now);
            (scenario.differs)(&mut case);
            case.plant(&mut rows);
        }
        rows
    };
    let named = scenarios::all().count() as u64;
    let total = named.saturating_add(options.runs);
    let mut planted = |done| {
        progress(DemoProgress {
            phase: Phase::Planting,
            done,
            total,
        });
    };
    planted(0);
    let now = whole_seconds(store.now().await?);
    store.plant(&rows(now)).await?;
    planted(named);
    volume
        .plant(store, now, |generated| planted(named + generated))
        .await?;
    store
        .execute_script(match store.backend() {
            Backend::Postgres => include_str!("postgres/refuse_audit.sql"),
            Backend::Sqlite => include_str!("sqlite/refuse_audit.sql"),
        })
        .await?;
    // A platform in use has statistics. Rows planted a moment ago have none, and plans made without
    // them would show a speed that no platform has.
    store.execute_script("ANALYZE").await?;
    Ok(())
}

/// The platform's columns hold whole seconds and would round up, into the future.
fn whole_seconds(moment: Timestamp) -> Timestamp {
    let down = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(jiff::RoundMode::Floor);
    moment.round(down).unwrap_or(moment)
}

fn is_named(run: RunId) -> bool {
    scenarios::placed().any(|(_, place)| place.run == run.0)
}

/// What the passes have in common.
struct Passes<'a, P> {
    store: &'a dyn Standin,
    options: &'a DemoOptions,
    progress: P,
}

impl<P: FnMut(DemoProgress)> Passes<'_, P> {
    /// Sweeps all due runs, then settles by command those that are never due.
    async fn pass(
        &mut self,
        phase: Phase,
        mut observe: impl FnMut(&Settled),
    ) -> Result<PassReport, DemoError> {
        let total = self.store.count_due(None).await?;
        let mut done = 0;
        (self.progress)(DemoProgress { phase, done, total });
        let sweeping = Stopwatch::start();
        let with = self.settling(Source::Sweep);
        let swept = sweep(self.store, Scope::default(), &with, |settled| {
            settled.iter().for_each(&mut observe);
            done += settled.len() as u64;
            (self.progress)(DemoProgress { phase, done, total });
        })
        .await?;
        let sweep_ms = report::milliseconds(sweeping.elapsed());
        let by_command = self.settle_never_due(observe).await?;
        Ok(PassReport {
            swept,
            by_command,
            sweep_ms,
        })
    }

    async fn settle_never_due(&self, observe: impl FnMut(&Settled)) -> Result<Tally, DemoError> {
        let runs: Vec<RunId> = scenarios::placed()
            .filter(|(scenario, _)| scenario.reached_by() == Source::Command)
            .map(|(_, place)| RunId(place.run))
            .collect();
        let with = self.settling(Source::Command);
        let mut settled = Vec::new();
        self.store.settle(&runs, &with, &mut settled).await?;
        settled.iter().for_each(observe);
        let mut tally = Tally::default();
        for run in &settled {
            tally.add(&run.result);
        }
        Ok(tally)
    }

    fn settling(&self, source: Source) -> Settling {
        Settling {
            policy: Policy::default(),
            schedule: Schedule {
                wait_min: WAIT,
                wait_max: WAIT,
            },
            batch_runs_max: self.options.batch_runs_max,
            retries_max: self.options.retries_max,
            by: Attribution {
                worker: "demo".to_owned(),
                source,
            },
        }
    }

    /// What the database holds about every scenario after all passes.
    async fn read(
        &mut self,
        seen: &HashMap<RunId, Seen>,
    ) -> Result<Vec<ScenarioReport>, DemoError> {
        let total = scenarios::all().count() as u64;
        let mut reports = Vec::new();
        for ((scenario, place), done) in scenarios::placed().zip(1..) {
            let run = RunId(place.run);
            let seen = seen.get(&run).copied().unwrap_or(Seen::NOTHING);
            let found = if seen.decision.is_verdict() {
                self.load_verdict(run).await?
            } else {
                self.assess(run, seen).await?
            };
            reports.push(report_on(scenario, run, found));
            (self.progress)(DemoProgress {
                phase: Phase::Reading,
                done,
                total,
            });
        }
        Ok(reports)
    }

    /// A verdict as the ledger has it. Nothing where the ledger has none, or one that cannot be read
    /// back: then there is nothing to show for it.
    async fn load_verdict(&self, run: RunId) -> Result<Found, DemoError> {
        let verdict = self.store.load_verdict(run).await?;
        let found = verdict.as_ref().and_then(recorded);
        Ok(found.unwrap_or_else(|| Found::of(Seen::NOTHING, None)))
    }

    /// What the facts of a run show that stays open, or that was closed by somebody else.
    async fn assess(&self, run: RunId, seen: Seen) -> Result<Found, DemoError> {
        let assessed = self.store.assess(&[run], &Policy::default()).await?;
        Ok(Found::of(seen, assessed.first()))
    }
}

/// What was found about one scenario.
struct Found {
    seen: Seen,
    restore_status: Option<RestoreStatus>,
    missing: Vec<ReasonCode>,
}

impl Found {
    fn of(seen: Seen, assessment: Option<&Assessment>) -> Self {
        let restore = assessment.and_then(Assessment::restore);
        Self {
            seen,
            restore_status: restore.map(|restore| restore.status),
            missing: assessment.map_or_else(Vec::new, |assessment| assessment.decision.missing()),
        }
    }
}

fn recorded(verdict: &RecordedVerdict) -> Option<Found> {
    let seen = Seen {
        decision: Conclusion::from(Outcome::parse(&verdict.outcome)?),
        reason: ReasonCode::parse(&verdict.reason_code),
    };
    let assessment = Assessment {
        facts: serde_json::from_str(&verdict.facts).ok()?,
        decision: serde_json::from_str(&verdict.decision).ok()?,
    };
    Some(Found::of(seen, Some(&assessment)))
}

fn report_on(scenario: &Scenario, run: RunId, found: Found) -> ScenarioReport {
    let reason = found.seen.reason;
    ScenarioReport {
        name: scenario.name,
        temptation: scenario.temptation,
        run,
        restore_status: found.restore_status,
        decision: found.seen.decision,
        reason_code: reason,
        missing: found.missing,
        next_action: reason.map_or("", |reason| reason.explanation().next_action),
        expected_decision: scenario.expected.0,
        expected_reason: scenario.expected.1,
        as_expected: found.seen.is(scenario.expected),
        reached_by: scenario.reached_by(),
    }
}
