//! Something is wrong with one job or one run: everything else goes on, and the culprit is known in the end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::config::Config;
use restore_reconciler::internals::health::{Health, HealthLimits, Loop};
use restore_reconciler::internals::telemetry::names::RUN_ID;
use restore_reconciler::internals::worker;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::jobs::queue;
use crate::support::case::Case;
use crate::support::hold::WAITING;
use crate::support::listening::listen;
use crate::support::scene::{OPEN_JOBS, Scene, TICKS, VERDICTS, dismiss, until_said};
use crate::support::settled::settling;
use crate::support::store::{Fixture, on_both};
use crate::support::time::{POLL, TIMEOUT, eventually};
use crate::support::worker::Worker;

/// No sweep finds anything here, and what waits does not wait for long.
const NO_SWEEPS: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"
wait_min = "1s"
"#;

/// A sweep per second, and a killed worker's jobs go to others soon.
const KILLED: &str = r#"
[worker]
attempts_max = 2
orphan_after = "2s"

[sweep]
schedule = "* * * * * *"
wait_min = "1s"
"#;

/// Other runs than the one that something is wrong with, in the middle of a try.
const OTHERS_TRIED: &str =
    "SELECT count(*) FROM reconciler.attempts WHERE operation_run_id <> 7 AND tries > 0";

/// The run that something is wrong with.
const POISON: i64 = 7;

/// Refuses run 7, and counts how often it did so; a number survives the rollback, a row would not.
const REFUSE: &str = "
    CREATE SEQUENCE refusals;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        PERFORM nextval('refusals');
        RAISE EXCEPTION 'refused by a test';
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON operation_runs FOR EACH ROW
    WHEN (new.id = 7 AND new.status = 'completed') EXECUTE FUNCTION refuse()";

const REFUSALS: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_database_refuses_is_watched_and_holds_up_nobody() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.execute(REFUSE).await;
    let worker = scene.worker().await;
    scene.plant((1..=200).map(Case::failed)).await;
    scene.request(1..=200).await;
    scene.verdicts(199, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;

    let watched = "SELECT count(*) FROM reconciler.watch_list
        WHERE operation_run_id = 7 AND reason_code = 'run.settle_failed'
          AND error LIKE '%refused by a test%'";
    scene.until(watched, 1, &worker).await;
    let tries = "SELECT tries::bigint FROM reconciler.watch_list";
    let (before, refusals) = (scene.count(tries).await, scene.count(REFUSALS).await);
    let began = Stopwatch::start();
    scene.request([POISON]).await; // who asks is answered at once
    scene.until(OPEN_JOBS, 0, &worker).await;
    let mut poll = interval(POLL);
    while began.elapsed() < Duration::from_secs(3) {
        poll.tick().await;
        let wait = "SELECT count(*) FROM reconciler.watch_list
            WHERE look_again_at - last_looked_at NOT BETWEEN interval '0.5 s' * 2 ^ (tries - 1)
                AND interval '1 s' * 2 ^ (tries - 1)";
        assert_eq!(scene.count(wait).await, 0, "each wait is twice the last");
    }
    let looks = scene.count(tries).await - before;
    let refused = scene.count(REFUSALS).await - refusals;
    let seconds = began.elapsed().as_secs_f64();
    // Half a second after the first look at least, one after the second, two after the third, and who asked.
    let due = (2.0 * seconds + 1.0).log2() + 1.0;
    let is_few = |number: i64, most: f64| f64::from(u32::try_from(number).expect("few")) <= most;
    assert!(looks >= 1, "nobody looked");
    assert!(is_few(looks, due), "{looks} looks in {seconds} s");
    assert!(is_few(refused, due + 1.0), "{refused} tries in {seconds} s");

    scene.plant([Case::failed(201)]).await;
    scene.request([201]).await;
    scene.verdicts(200, &worker).await;
    scene.execute("DROP FUNCTION refuse() CASCADE").await;
    scene.verdicts(201, &worker).await;
    dismiss(worker).await;
}

/// Every payload that nobody can read is discarded, and costs nobody a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_is_discarded() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    let names = "SELECT count(*) FROM apalis.workers";
    scene.until(names, 2, &worker).await;
    scene.execute(
        r#"INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
           SELECT reconciler.job_id(), kind, payload, 'Pending', 0, 1, now() - interval '1 s', 0
           FROM (VALUES ('\xff00fe'::bytea), ('{"run":'), ('{"run":"seven","cause":"x"}'), ('[]'), ('null'),
                ('{}'), (''), ('{"run":1.5,"cause":"x"}'), ('{"run":99999999999999999999,"cause":"x"}'))
                AS payloads (payload),
                (VALUES ('restore.execute'), ('restore.sweep')) AS kinds (kind)"#,
    )
    .await;
    scene.plant([Case::failed(1)]).await;
    scene.request([1]).await;
    scene.verdicts(1, &worker).await;
    let killed = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed' AND done_at IS NOT NULL";
    scene.until(killed, 18, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    // The next one of the same worker: whoever restarts does so under a new name.
    scene.plant([Case::failed(2)]).await;
    scene.request([2]).await;
    scene.verdicts(2, &worker).await;
    assert_eq!(scene.count(names).await, 2, "{}", worker.said());
    assert_eq!(scene.count(killed).await, 18);
    dismiss(worker).await;
}

on_both!(a_trace_context_goes_along_and_a_malformed_one_stops_nobody);

async fn a_trace_context_goes_along_and_a_malformed_one_stops_nobody(on: Fixture) {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let tells = "[log]\nfilter = \"info,restore_reconciler::worker::restore_execute=debug\"\n";
    let scene = Scene::on(on, &format!("{NO_SWEEPS}{tells}")).await;
    scene.plant((1..=7).map(Case::failed)).await;
    let worker = scene.worker().await;
    let long = "f".repeat(10_000);
    let payloads = [
        format!(r#"{{"run":1,"cause":"x","traceparent":"{TRACE}"}}"#),
        r#"{"run":2,"cause":"x"}"#.to_owned(),
        r#"{"run":3,"cause":"x","traceparent":null}"#.to_owned(),
        r#"{"run":4,"cause":"x","traceparent":"not one\n\u001b[31m"}"#.to_owned(),
        format!(r#"{{"run":5,"cause":"x","traceparent":"{long}"}}"#),
        r#"{"run":7,"cause":"x","traceparent":7}"#.to_owned(),
        r#"{"run":7,"cause":"x","traceparent":{}}"#.to_owned(),
    ];
    let jobs = payloads.map(|payload| ("restore.execute", payload));
    queue(&scene, &jobs).await;
    scene.verdicts(5, &worker).await;
    scene.request([6]).await;
    scene.verdicts(6, &worker).await;
    let discarded = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed'";
    scene.until(discarded, 2, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    let said = worker.said();
    let is_told = |line: &&str| line.contains("asked to look at run 1 ");
    let told = said.lines().find(is_told).unwrap_or_default();
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert!(told.contains(trace_id), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    dismiss(worker).await;
}

/// What a platform's transaction is part of, told by its setting.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_takes_the_trace_context_of_its_transaction_along() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.plant((1..=3).map(Case::failed)).await;
    scene
        .execute(
            "BEGIN; SET LOCAL reconciler.traceparent = '00-00112233-01';
             SELECT reconciler.request(1); COMMIT;
             SELECT reconciler.request(2);
             BEGIN; SELECT set_config('reconciler.traceparent', repeat('f', 1000), true);
             SELECT reconciler.request(3); COMMIT",
        )
        .await;
    let mut payloads = scene.payloads("restore.execute").await;
    payloads.sort_by_key(|payload| payload["run"].as_i64());
    let traces = payloads.iter().map(|it| it["traceparent"].as_str());
    let traces: Vec<Option<&str>> = traces.collect();
    let cut = "f".repeat(128);
    assert_eq!(traces, [Some("00-00112233-01"), None, Some(cut.as_str())]);
    let worker = scene.worker().await;
    scene.verdicts(3, &worker).await;
    dismiss(worker).await;
}

/// Others may be suspected with run 7, until they have their verdicts.
const TRIES: &str = "SELECT tries::bigint FROM reconciler.attempts WHERE operation_run_id = 7";
const DEAD_LETTERS: &str = "SELECT count(*) FROM reconciler.attempts WHERE dead_at IS NOT NULL";

/// Kills every worker that is inside of run 7, until nobody tries it any more, and says how many that were
/// since the run was suspected. Until then it takes as long as it takes to find that a worker is dead.
async fn kill_until_dead_letter(scene: &Scene) -> (i64, Worker) {
    let mut worker = scene.unready_at(scene.url()).await;
    let mut kills = 0;
    let began = Stopwatch::start();
    let mut poll = interval(POLL);
    while scene.count(DEAD_LETTERS).await == 0 {
        poll.tick().await;
        let (is_late, said) = (began.elapsed() > TIMEOUT, worker.said());
        assert!(!is_late, "no dead letter after {kills} tries\n{said}");
        // Who is tried by another loop while the worker is killed has died of it once, as far as anybody can tell.
        if scene.count(WAITING).await == 0 || scene.count(OTHERS_TRIED).await > 0 {
            continue;
        }
        let suspected = "SELECT count(*) FROM reconciler.attempts WHERE operation_run_id = 7";
        kills += scene.count(suspected).await;
        worker.kill().await;
        // The server would notice only when it next speaks to the client, which is after the lock.
        let end = WAITING.replace("count(*)", "count(pg_terminate_backend(lock.pid))");
        while scene.count(&end).await > 0 {
            poll.tick().await;
        }
        worker = scene.unready_at(scene.url()).await;
    }
    (kills, worker)
}

async fn nobody_tries_any_more(scene: &Scene, worker: &Worker) {
    let sweeps = scene.count(TICKS).await;
    let tries = scene.count(TRIES).await;
    let mut poll = interval(POLL);
    let began = Stopwatch::start();
    while scene.count(TICKS).await < sweeps + 3 {
        poll.tick().await;
        assert_eq!(scene.count(WAITING).await, 0, "somebody tries it");
        assert!(began.elapsed() < TIMEOUT, "no sweeps\n{}", worker.said());
    }
    assert_eq!(scene.count(TRIES).await, tries);
}

async fn is_found_and_given_up(asked: bool, first_deferred: bool) {
    let scene = Scene::new(KILLED).await;
    let _held = scene.hold(POISON).await;
    scene.plant((1..=21).map(Case::failed)).await;
    if first_deferred {
        scene.watch("true").await;
    }
    if asked {
        scene.request(1..=21).await;
    }
    let (kills, worker) = kill_until_dead_letter(&scene).await;
    let dead = "run 7 is a dead letter";
    until_said(&worker, dead).await;
    let said = worker.said();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(dead)).collect();
    assert!(lines.len() == 1 && lines[0].contains("ERROR"), "{said}");
    // A try that waited for too long counts as one, and one more may have been inside already when somebody else found
    // out.
    assert!((1..=3).contains(&kills), "{kills} kills");
    assert_eq!(scene.count(TRIES).await, 2);
    scene.verdicts(20, &worker).await;
    nobody_tries_any_more(&scene, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    assert_eq!(scene.count(VERDICTS).await, 20);
    let only = "SELECT count(*) FROM reconciler.attempts WHERE operation_run_id <> 7";
    scene.until(only, 0, &worker).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_whoever_is_asked_for_it_becomes_a_dead_letter() {
    is_found_and_given_up(true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_whoever_sweeps_becomes_a_dead_letter() {
    is_found_and_given_up(false, false).await;
}

/// The worker that finds it looks at the watch list, and at the others there, before anything else.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_whoever_looks_again_becomes_a_dead_letter() {
    is_found_and_given_up(false, true).await;
}

/// Panics on an event of one run, inside of the transaction: a bug that nobody knows. Counts how often it did.
#[derive(Clone, Default)]
struct Bug(Arc<AtomicU32>);

#[derive(Default)]
struct About {
    run: Option<i64>,
    message: String,
}

impl Visit for About {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == RUN_ID {
            self.run = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Bug {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut about = About::default();
        event.record(&mut about);
        if about.run == Some(POISON) && about.message == "no restore can be tied to this run" {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a bug, planted by a test");
        }
    }
}

fn no_restore(run: i64) -> Case {
    let mut case = Case::failed(run).with_context(None);
    case.restore.operation_run_id = None;
    case
}

/// Waits until there are so many dead letters and verdicts, or more.
async fn until_counted(scene: &Scene, dead_letters: i64, verdicts: i64) {
    let counts = async || (scene.count(DEAD_LETTERS).await, scene.count(VERDICTS).await);
    let are_there = async || {
        let (dead, decided) = counts().await;
        (dead >= dead_letters && decided >= verdicts).then_some(())
    };
    eventually(are_there, async || format!("{:?}", counts().await)).await;
}

async fn a_panic_is_survived(watched: bool) {
    const TRIES: u32 = 3;
    let bug = Bug::default();
    // Of this thread only, which is the one that everything runs on.
    let subscriber = tracing_subscriber::registry().with(bug.clone());
    let _listening = listen(subscriber);

    let scene = Scene::new("").await;
    let cases = (1..=20).map(|run| match run {
        POISON => no_restore(run),
        _ => Case::failed(run),
    });
    scene.plant(cases).await;
    // What is due when a worker begins is settled one by one: this one is, and the others are due later.
    scene.plant([Case::failed(22)]).await;
    scene.watch("id = 22").await;
    let health = Health::new(HealthLimits::default(), &Loop::ALL);
    let stop = CancellationToken::new();
    let mut with = settling();
    with.attempts_max = TRIES;
    with.schedule.wait_min = "1s".parse().expect("a second");
    let mut config = Config::default();
    config.sweep.schedule = "0 0 0 1 1 *".parse().expect("once a year");
    config.worker.attempts_max = TRIES;
    let options = worker::Options {
        worker: config.worker,
        sweep: config.sweep,
        metrics: config.metrics,
        listen_url: None,
        settling: with,
        checkpoints: worker::Checkpointing::default(),
    };
    let (store, health_of_it) = (scene.database.store.clone(), Arc::clone(&health));
    let working = worker::run(store, health_of_it, options, stop.clone());
    let working = tokio::spawn(working);

    until_counted(&scene, 0, 1).await;
    if watched {
        scene.watch("id <= 20").await;
    } else {
        scene.request(1..=20).await;
    }
    until_counted(&scene, 1, 20).await;
    // Once with the others, and then alone.
    assert_eq!(bug.0.load(Ordering::Relaxed), 1 + TRIES);
    let culprit = "SELECT operation_run_id FROM reconciler.attempts WHERE tries = 3";
    assert_eq!(scene.count(culprit).await, POISON);
    assert_eq!(scene.count(OPEN_JOBS).await, 0);

    // It lives: every loop turns, and the next request is dealt with.
    let report = health.report();
    assert!(report.live, "{report:?}");
    scene.plant([Case::failed(21)]).await;
    scene.request([21]).await;
    until_counted(&scene, 1, 21).await;
    assert_eq!(bug.0.load(Ordering::Relaxed), 1 + TRIES);
    stop.cancel();
    let ended = working.await.expect("it has not panicked");
    assert_eq!(ended, Ok(()));
}

#[tokio::test]
async fn a_panic_about_a_run_that_was_asked_for_costs_that_run_only() {
    a_panic_is_survived(false).await;
}

#[tokio::test]
async fn a_panic_about_a_run_whose_time_has_come_costs_that_run_only() {
    a_panic_is_survived(true).await;
}
