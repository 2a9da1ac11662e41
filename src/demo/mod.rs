//! A demonstration: a platform of named scenarios, each of which tempts somebody to claim too much,
//! judged before one's eyes, twice.
//!
//! ```text
//! refuse a real platform ─▶ stand-in ─▶ migrate ─▶ plant ─▶ sweep, command ─▶ sweep, command ─▶ compare
//!                                                            └ or request ─▶ queue ─▶ worker
//! ```
//!
//! **Invariants:**
//! - A database that already holds the platform's tables is refused before anything is written.
//! - What the report says was decided is read from what was committed, never from what a scenario
//!   expects.
//!
//! # Design notes
//!
//! The rules' settings are the catalogue's own whatever the operator configured, because the
//! scenarios say what those must come to. Deferred runs wait for a day, so that the second pass finds
//! them waiting however long the first one took.

mod error;
mod report;
mod seen;
mod through_queue;
mod volume;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use reconciler_fixtures::{
    Conclusion, LARGE_BACKUP_ITEMS, Scenario, Standin, StandinError, late_rows, placed_scenarios,
    platform, policy, scenarios, scene_runs,
};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use reconciler_jobs::sweep::Schedule;
use reconciler_jobs::sweep::admission::Admission;

use self::seen::Seen;
use self::volume::Volume;
use crate::clock::Stopwatch;
use crate::storage::reader::{ITEMS_MAX, Workspaces};
use crate::storage::{
    Assessment, BATCH_RUNS_MAX, Observations, OpinionScope, RecordedVerdict, Settling, Store, Tally,
};
use crate::sweep::{Scope, sweep};
use crate::worker;

pub use error::DemoError;
pub use report::{
    DemoExported, DemoProgress, DemoReport, PassReport, Phase, QueueReport, ScenarioReport,
    VolumeReport,
};
pub use through_queue::{ThroughQueue, Working};

// A scene shows what a reader does with a backup set that it does not look through to its end.
const _: () = assert!(LARGE_BACKUP_ITEMS > ITEMS_MAX as usize);

/// How long deferred runs wait.
const WAIT: SignedDuration = SignedDuration::from_hours(24);

/// No scenario is older.
const OPINIONS_WINDOW: Duration = Duration::from_hours(24 * 90);

/// What to demonstrate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// How many runs to generate beside the named scenarios.
    pub runs: u64,
    /// How many runs share one transaction.
    pub batch_runs_max: u32,
    /// How often a transient failure is tried again.
    pub retries_max: u32,
    /// Plants backups, preparations and histories beside, for somebody who looks around afterwards. What they show
    /// is no part of the report.
    pub scenes: bool,
    /// Has a worker judge the runs, each asked for by a job; without it they are swept.
    pub through_queue: Option<ThroughQueue>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            runs: 0,
            batch_runs_max: BATCH_RUNS_MAX,
            retries_max: 5,
            scenes: false,
            through_queue: None,
        }
    }
}

/// Plants the scenarios and `options.runs` generated runs, judges them twice, and says what came of
/// it. The rows stay in the database.
pub async fn run(
    store: &Store,
    standin: &Standin,
    options: &DemoOptions,
    mut progress: impl FnMut(DemoProgress),
) -> Result<DemoReport, DemoError> {
    if store.has_platform().await? {
        return Err(DemoError::PlatformPresent);
    }
    standin.install().await?;
    store.migrate().await?;
    if options.through_queue.is_some() {
        worker::set_up(store).await?;
    }

    let planting = Stopwatch::start();
    let mut volume = Volume::new(options.runs);
    plant(store, standin, options, &mut volume, &mut progress).await?;
    let planting_ms = report::milliseconds(planting.elapsed());

    let mut passes = Passes {
        store,
        standin,
        options,
        progress,
    };
    let working = options.through_queue.as_ref().map(|through| {
        let settling = settling(options, Source::Request);
        Working::begin(store.clone(), through, settling)
    });
    let judged = passes.judge(volume, planting_ms).await;
    if let Some(working) = working {
        working.end().await;
    }
    if options.scenes {
        let now = whole_seconds(store.now().await?);
        standin.plant(&late_rows(now)).await?;
        form_opinions(store).await?;
        standin.spoil().await?;
    }
    judged
}

/// Has an opinion on record of each run that the scenarios close themselves, before anybody looks.
async fn form_opinions(store: &Store) -> Result<(), DemoError> {
    let mut scope = OpinionScope {
        from: Some(0),
        ..OpinionScope::new(OPINIONS_WINDOW)
    };
    while let Some(part) = store.form_opinions(&policy(), scope).await? {
        if part.is_over {
            break;
        }
        scope.from = Some(part.walked_to);
    }
    Ok(())
}

fn settling(options: &DemoOptions, source: Source) -> Settling {
    Settling {
        policy: policy(),
        schedule: Schedule {
            wait_min: WAIT,
            wait_max: WAIT,
        },
        batch_runs_max: options.batch_runs_max,
        retries_max: options.retries_max,
        attempts_max: reconciler_jobs::attempt::TRIES_MAX,
        due_only: source == Source::Sweep,
        admission: Admission::default(),
        observations: Observations::default(),
        by: Attribution {
            worker: "demo".to_owned(),
            source,
        },
        action: None,
    }
}

/// Keeps a worker at work on what was demonstrated: it does what is asked for, and sweeps by itself hardly ever.
pub async fn keep_working(store: Store, through: &ThroughQueue) -> Result<Working, DemoError> {
    worker::set_up(&store).await?;
    let settling = settling(&DemoOptions::default(), Source::Request);
    Ok(Working::begin(store, through, settling))
}

/// Fills the platform's tables, and has one audit entry refused from then on.
async fn plant(
    store: &Store,
    standin: &Standin,
    options: &DemoOptions,
    volume: &mut Volume,
    mut progress: impl FnMut(DemoProgress),
) -> Result<(), DemoError> {
    let named = scenarios().count() as u64;
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
    for rows in platform(now, options.scenes) {
        standin.plant(&rows).await?;
    }
    planted(named);
    volume
        .plant(standin, now, |generated| planted(named + generated))
        .await?;
    standin.refuse_audit().await?;
    // A platform in use has statistics. Rows planted a moment ago have none, and plans made without
    // them would show a speed that no platform has.
    standin.execute_script("ANALYZE").await?;
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
    placed_scenarios().any(|(_, ids)| ids.run == run.0)
}

/// What the passes have in common.
struct Passes<'a, P> {
    store: &'a Store,
    standin: &'a Standin,
    options: &'a DemoOptions,
    progress: P,
}

impl<P: FnMut(DemoProgress)> Passes<'_, P> {
    /// Both passes, and what came of them.
    async fn judge(
        &mut self,
        mut volume: Volume,
        planting_ms: u64,
    ) -> Result<DemoReport, DemoError> {
        let mut seen = HashMap::new();
        let first = self
            .pass(Phase::FirstPass, |run, glimpse| {
                volume.note(run, glimpse);
                if is_named(run) {
                    seen.insert(run, glimpse);
                }
            })
            .await?;
        let before = self.fingerprint().await?;
        let second = self.pass(Phase::SecondPass, |_, _| {}).await?;
        let unchanged = self.fingerprint().await? == before;
        Ok(DemoReport {
            scenarios: self.read(&seen).await?,
            volume: volume.report(),
            planting_ms,
            first,
            second,
            unchanged,
            export: None,
            claim_boundary: CLAIM_BOUNDARY,
        })
    }

    /// A job looks at an open run whenever it asks for it, and when that was is written down.
    async fn fingerprint(&self) -> Result<String, StandinError> {
        match self.options.through_queue {
            None => self.standin.fingerprint().await,
            Some(_) => self.standin.fingerprint_but_looks().await,
        }
    }

    /// Has all due runs judged, then settles by command those that are never due.
    async fn pass(
        &mut self,
        phase: Phase,
        mut observe: impl FnMut(RunId, Seen),
    ) -> Result<PassReport, DemoError> {
        let mut report = match &self.options.through_queue {
            None => self.sweep(phase, &mut observe).await?,
            Some(through) => {
                let named = placed_scenarios().map(|(_, ids)| RunId(ids.run));
                let beside = scene_runs().filter(|_| self.options.scenes);
                let runs = named.chain(volume::runs(self.options.runs)).chain(beside);
                let (on, progress) = ((self.store, self.standin), &mut self.progress);
                through_queue::pass(on, through, phase, runs, progress, &mut observe).await?
            }
        };
        report.by_command = self.settle_never_due(observe).await?;
        Ok(report)
    }

    async fn sweep(
        &mut self,
        phase: Phase,
        mut observe: impl FnMut(RunId, Seen),
    ) -> Result<PassReport, DemoError> {
        let total = self.store.count_due(None).await?;
        let mut done = 0;
        (self.progress)(DemoProgress { phase, done, total });
        let sweeping = Stopwatch::start();
        let with = settling(self.options, Source::Sweep);
        let swept = sweep(self.store, Scope::default(), &with, |settled| {
            for settled in settled {
                observe(settled.run, Seen::from(&settled.result));
            }
            done += settled.len() as u64;
            (self.progress)(DemoProgress { phase, done, total });
            ControlFlow::Continue(())
        })
        .await?;
        Ok(PassReport {
            swept: swept.tally,
            sweep_ms: report::milliseconds(sweeping.elapsed()),
            ..PassReport::default()
        })
    }

    async fn settle_never_due(
        &self,
        mut observe: impl FnMut(RunId, Seen),
    ) -> Result<Tally, DemoError> {
        let runs: Vec<RunId> = placed_scenarios()
            .filter(|(scenario, _)| scenario.reached_by() == Source::Command)
            .map(|(_, ids)| RunId(ids.run))
            .collect();
        let with = settling(self.options, Source::Command);
        let mut settled = Vec::new();
        self.store.settle(&runs, &with, &mut settled).await?;
        let mut tally = Tally::default();
        for settled in &settled {
            observe(settled.run, Seen::from(&settled.result));
            tally.add(&settled.result);
        }
        Ok(tally)
    }

    /// What the database holds about every scenario after all passes.
    async fn read(
        &mut self,
        seen: &HashMap<RunId, Seen>,
    ) -> Result<Vec<ScenarioReport>, DemoError> {
        let total = scenarios().count() as u64;
        let mut reports = Vec::new();
        for ((scenario, ids), done) in placed_scenarios().zip(1..) {
            let run = RunId(ids.run);
            let seen = seen.get(&run).copied().unwrap_or(Seen::NOTHING);
            let (seen, assessment) = if seen.decision.is_verdict() {
                self.load_verdict(run).await?
            } else {
                (seen, self.assess(run).await?)
            };
            reports.push(self.report_on(scenario, run, seen, assessment.as_ref()));
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
    async fn load_verdict(&self, run: RunId) -> Result<(Seen, Option<Assessment>), DemoError> {
        let reader = self.store.reader();
        let verdict = reader.load_verdict(&Workspaces::All, run).await?;
        let recorded = verdict.as_ref().and_then(recorded);
        Ok(
            recorded.map_or((Seen::NOTHING, None), |(seen, assessment)| {
                (seen, Some(assessment))
            }),
        )
    }

    /// What the facts of a run show that stays open, or that was closed by somebody else.
    async fn assess(&self, run: RunId) -> Result<Option<Assessment>, DemoError> {
        let reader = self.store.reader();
        let assessed = reader.assess(&Workspaces::All, &[run], &policy()).await?;
        Ok(assessed.into_iter().next())
    }

    fn report_on(
        &self,
        scenario: &Scenario,
        run: RunId,
        seen: Seen,
        assessment: Option<&Assessment>,
    ) -> ScenarioReport {
        let restore = assessment.and_then(Assessment::restore);
        ScenarioReport {
            name: scenario.name,
            temptation: scenario.temptation,
            run,
            restore_status: restore.map(|restore| restore.status),
            decision: seen.decision,
            reason_code: seen.reason,
            missing: assessment.map_or_else(Vec::new, |it| it.decision.missing()),
            next_action: seen.reason.map_or("", ReasonCode::next_action),
            expected_decision: scenario.expected.0,
            expected_reason: scenario.expected.1,
            as_expected: seen.is(scenario.expected),
            reached_by: self.reached_by(scenario),
        }
    }

    fn reached_by(&self, scenario: &Scenario) -> Source {
        match scenario.reached_by() {
            Source::Sweep if self.options.through_queue.is_some() => Source::Request,
            source => source,
        }
    }
}

fn recorded(verdict: &RecordedVerdict) -> Option<(Seen, Assessment)> {
    let seen = Seen {
        decision: Conclusion::from(Outcome::parse(&verdict.outcome)?),
        reason: ReasonCode::parse(&verdict.reason_code),
    };
    let assessment = Assessment {
        facts: serde_json::from_str(verdict.facts.as_deref()?).ok()?,
        decision: serde_json::from_str(&verdict.decision).ok()?,
    };
    Some((seen, assessment))
}
