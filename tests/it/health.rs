//! What a process knows about itself: which check is well when, and what makes it live, ready, or neither.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use restore_reconciler::internals::health::{
    DatabaseState, Health, HealthLimits, Loop, Obstacle, Schema,
};

const AWAY: DatabaseState = DatabaseState::Away {
    why: "connection refused",
};

/// A health whose clock stands still until it is told to go on.
struct Stage {
    health: Arc<Health>,
    now: Arc<AtomicU64>,
}

impl Stage {
    fn new(loops: &[Loop]) -> Self {
        let now = Arc::new(AtomicU64::new(0));
        let clock = now.clone();
        let limits = HealthLimits {
            silence: Duration::from_secs(15),
            sweep_age: Duration::from_mins(3),
        };
        let clock = Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
        let health = Health::with_clock(limits, loops, clock);
        Self { health, now }
    }

    /// One in which all is well, ten seconds after the start.
    fn well() -> Self {
        let stage = Self::new(&Loop::ALL);
        stage.pass(10_000);
        stage.turn();
        stage.health.database(DatabaseState::Up);
        stage.health.schema(Schema::Fits);
        stage.health.rights(true);
        stage.health.sweep_succeeded();
        stage
    }

    fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    fn beat(&self) {
        for name in Loop::ALL {
            self.health.beat(name);
        }
    }

    fn turn(&self) {
        self.beat();
        self.health.polled();
    }

    /// Live, ready, and the names of the checks that are not well.
    fn found(&self) -> (bool, bool, Vec<&'static str>) {
        let report = self.health.report();
        let bad = report.checks.iter().filter(|check| !check.ok);
        (report.live, report.ready, bad.map(|it| it.name).collect())
    }

    fn detail(&self, name: &str) -> String {
        let report = self.health.report();
        let check = report.checks.iter().find(|check| check.name == name);
        check.expect(name).detail.clone()
    }
}

#[test]
fn a_process_that_has_just_begun_is_live_and_not_ready() {
    let stage = Stage::new(&Loop::ALL);
    stage.pass(100_000);
    let names = "queue loop, sweeps loop, schedule loop, due loop, database, schema, rights, queue";
    assert_eq!(
        stage.found(),
        (true, false, names.split(", ").collect()),
        "however long it takes to begin"
    );
    assert_eq!(stage.detail("due loop"), "has not begun");
}

#[test]
fn a_process_in_which_all_is_well_is_live_and_ready() {
    assert_eq!(Stage::well().found(), (true, true, vec![]));
}

#[test]
fn a_process_without_a_worker_is_not_asked_for_one() {
    let stage = Stage::new(&[]);
    stage.health.database(DatabaseState::Up);
    stage.health.schema(Schema::Fits);
    stage.pass(10_000_000);
    assert_eq!(stage.found(), (true, true, vec![]));
}

#[test]
fn each_loop_that_falls_silent_ends_liveness() {
    for silent in Loop::ALL {
        let stage = Stage::well();
        let beat_others = || {
            let others = Loop::ALL.into_iter().filter(|name| *name != silent);
            others.for_each(|name| stage.health.beat(name));
            stage.health.polled();
        };
        stage.pass(15_000);
        beat_others();
        assert_eq!(stage.found(), (true, true, vec![]), "the limit itself");
        stage.pass(1);
        assert_eq!(stage.found(), (false, false, vec![silent.check_name()]));
        assert_eq!(stage.detail(silent.check_name()), "last turn 15s ago");
        stage.health.beat(silent);
        assert_eq!(stage.found(), (true, true, vec![]), "it turns again");
    }
}

#[test]
fn a_database_that_is_away_ends_readiness_and_never_liveness() {
    let stage = Stage::well();
    assert!(stage.health.database(AWAY));
    for _ in 0..1_000 {
        stage.pass(10_000);
        stage.beat();
    }
    assert_eq!(
        stage.found(),
        (true, false, vec!["database", "queue", "sweep"])
    );
    assert_eq!(
        stage.detail("database"),
        "away for 2h 46m 40s: connection refused"
    );

    stage.health.database(DatabaseState::Up);
    stage.health.polled();
    assert_eq!(
        stage.found(),
        (true, true, vec![]),
        "a sweep gets its time again"
    );
}

#[test]
fn a_change_of_the_database_is_told_once() {
    let stage = Stage::new(&[]);
    let other = DatabaseState::Away { why: "no route" };
    let told = [
        AWAY,
        AWAY,
        other,
        DatabaseState::Up,
        DatabaseState::Up,
        AWAY,
    ]
    .map(|found| {
        stage.pass(1_000);
        stage.health.database(found)
    });
    assert_eq!(told, [true, false, false, true, false, true]);
    assert!(Stage::new(&[]).health.database(DatabaseState::Up));

    let stage = Stage::new(&[]);
    stage.health.database(AWAY);
    stage.pass(3_000);
    stage.health.database(other);
    assert_eq!(stage.detail("database"), "away for 3s: no route");
}

#[test]
fn who_waits_for_the_database_is_woken_when_it_is_up() {
    let Stage { health, .. } = Stage::new(&[]);
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = pin!(health.database_up());
    let mut is_over = || waiting.as_mut().poll(&mut context).is_ready();
    assert!(!is_over());
    health.database(AWAY);
    assert!(!is_over());
    let mut watched = health.watch_database();
    assert!(!*watched.borrow_and_update());
    health.database(DatabaseState::Up);
    assert!(is_over());
    assert!(watched.has_changed().unwrap() && *watched.borrow_and_update());
    health.database(DatabaseState::Up);
    assert!(!watched.has_changed().unwrap(), "nothing is new");
}

#[test]
fn a_queue_that_is_not_polled_ends_readiness() {
    let stage = Stage::well();
    stage.pass(15_001);
    stage.beat();
    assert_eq!(stage.found(), (true, false, vec!["queue"]));
    stage.health.polled();
    assert_eq!(stage.found(), (true, true, vec![]));
}

#[test]
fn a_schema_that_does_not_fit_ends_readiness() {
    let stage = Stage::well();
    for (schema, word) in [
        (Schema::Older, "migrate"),
        (Schema::Newer, "upgrade"),
        (Schema::Unreadable, "doctor"),
    ] {
        stage.health.schema(schema);
        assert_eq!(stage.found(), (true, false, vec!["schema"]));
        assert!(stage.detail("schema").contains(word));
    }
}

#[test]
fn a_right_that_is_lacking_ends_readiness() {
    let stage = Stage::well();
    stage.health.rights(false);
    assert_eq!(stage.found(), (true, false, vec!["rights"]));
    stage.health.rights(true);
    assert_eq!(stage.found(), (true, true, vec![]));
}

#[test]
fn a_database_that_refuses_answers_and_is_not_up() {
    let stage = Stage::well();
    assert!(
        stage
            .health
            .database(DatabaseState::Refuses { why: "no table" })
    );
    stage.pass(2_000);
    assert_eq!(stage.found(), (true, false, vec!["database"]));
    assert!(stage.health.database_answers() && !stage.health.database_is_up());
    let detail = "answers, and has taken no sign of life for 2s: no table";
    assert_eq!(stage.detail("database"), detail);
    assert!(!stage.health.database(AWAY), "it was told before");
    assert!(!stage.health.database_answers());
}

#[test]
fn only_a_committed_verdict_shows_that_settlements_work_again() {
    let stage = Stage::well();
    stage.health.settlement_failed();
    stage.turn();
    stage.health.sweep_succeeded();
    assert_eq!(stage.found(), (true, false, vec!["settling"]));
    stage.health.committed();
    assert_eq!(stage.found(), (true, true, vec![]));
}

/// Nobody says by which rules it judges while something else keeps it from judging, which is what to mend.
#[test]
fn what_keeps_from_announcing_is_told_alone() {
    let stage = Stage::well();
    for (is_other, is_unannounced, expected) in [
        (false, true, Obstacle::Unannounced),
        (true, true, Obstacle::OtherSchema),
        (true, false, Obstacle::OtherSchema),
    ] {
        stage.health.obstacle(Obstacle::OtherSchema, is_other);
        stage.health.obstacle(Obstacle::Unannounced, is_unannounced);
        assert_eq!(stage.found(), (true, false, vec!["settling"]));
        assert_eq!(stage.detail("settling"), expected.detail());
    }
}

#[test]
fn runs_that_are_refused_are_told_and_hold_up_nobody() {
    let stage = Stage::well();
    assert_eq!(stage.detail("verdicts"), "not counted yet");
    stage.health.refused(0);
    let none = "none is refused by the database";
    assert_eq!(stage.detail("verdicts"), none);
    stage.health.refused(3);
    let detail = stage.detail("verdicts");
    assert!(
        detail.contains("refuses a verdict for 3 open runs"),
        "{detail}"
    );
    assert_eq!(stage.found(), (true, true, vec![]));
}

#[test]
fn sweeps_end_readiness_when_none_succeeds_for_too_long() {
    let stage = Stage::well();
    stage.pass(60_000);
    stage.turn();
    stage.health.sweep_failed();
    assert_eq!(stage.found(), (true, true, vec![]), "one failure is told");
    assert_eq!(
        stage.detail("sweep"),
        "last success 1m ago, last failure 0s ago"
    );
    stage.pass(120_001);
    stage.turn();
    assert_eq!(stage.found(), (true, false, vec!["sweep"]));
    stage.health.sweep_succeeded();
    assert_eq!(stage.found(), (true, true, vec![]));
    assert_eq!(stage.detail("sweep"), "last success 0s ago");
}

#[test]
fn a_first_sweep_that_never_comes_ends_readiness() {
    let stage = Stage::new(&[Loop::Sweeps]);
    stage.health.database(DatabaseState::Up);
    stage.health.schema(Schema::Fits);
    stage.pass(180_001);
    stage.health.beat(Loop::Sweeps);
    assert_eq!(stage.found(), (true, false, vec!["sweep"]));
    assert_eq!(stage.detail("sweep"), "none has succeeded yet");
}

#[test]
fn a_process_that_stops_is_live_to_its_end_and_not_ready() {
    let stage = Stage::well();
    stage.health.stopping();
    assert_eq!(stage.found(), (true, false, vec!["running"]));
    stage.pass(60_000);
    let (live, ready, _) = stage.found();
    assert!(live && !ready, "its loops have ended");
}

#[test]
fn a_report_serialises_with_its_checks() {
    let stage = Stage::new(&[]);
    assert_eq!(
        serde_json::to_value(stage.health.report()).unwrap(),
        serde_json::json!({"live": true, "ready": false, "checks": [
            {"name": "database", "ok": false, "vital": false, "detail": "not reached yet"},
            {"name": "schema", "ok": false, "vital": false, "detail": "not looked at yet"},
            {"name": "running", "ok": true, "vital": false, "detail": "takes new work"},
        ]})
    );
}

#[test]
fn its_own_clock_goes_on() {
    let limits = HealthLimits {
        silence: Duration::ZERO,
        ..HealthLimits::default()
    };
    let health = Health::new(limits, &[]);
    health.beat(Loop::Queue);
    let falls_silent = (0..1_000_000).any(|_| !health.report().live);
    assert!(falls_silent, "some time has passed since the beat");
}
