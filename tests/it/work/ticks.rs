//! Ticks of the sweep schedule, the passes they ask for, and what is removed with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::sweep::shard::{QUEUE, SweepJob};
use restore_reconciler::internals::clock::Stopwatch;
use tokio::time::{interval, timeout};

use super::end_soundly;
use crate::support::case::Case;
use crate::support::hold::WAITING;
use crate::support::scene::{
    OPEN, SWEEPS, Scene, TICKS, dismiss, text_of, until_answered, until_ready,
};
use crate::support::store::{Fixture, moment, on_both};
use crate::support::time::{Machine, POLL, TIMEOUT, eventually};
use crate::support::worker::Worker;

const PROBE_EVERY: Duration = Duration::from_millis(100);
const PASSES: &str = "SELECT count(*) FROM reconciler.sweeps";
const SHARDS: &str = "SELECT count(*) FROM apalis.jobs WHERE job_type = 'restore.sweep'";

on_both!(
    every_tick_is_won_once_and_brings_a_pass_where_something_is_due,
    a_tick_removes_what_is_finished_and_nothing_else,
    a_host_that_never_wins_is_ready_while_sweeps_end,
    ticks_that_were_won_before_they_came_are_won_again,
    ticks_of_a_clock_that_was_set_back_are_won_again,
);

/// A host that is always quicker, with how many shards its sweep has and which of them ended.
const RIVAL: &str = "
    CREATE OR REPLACE FUNCTION rival() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.worker = 'another' THEN
            RETURN NEW;
        END IF;
        INSERT INTO reconciler.ticks VALUES (NEW.tick_at, 'another', NEW.won_at, {swept}) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE TRIGGER rival BEFORE INSERT ON reconciler.ticks FOR EACH ROW EXECUTE FUNCTION rival()";
const RIVAL_OF_FILE: &str = "
    DROP TRIGGER IF EXISTS rival;
    CREATE TRIGGER rival BEFORE INSERT ON reconciler_ticks WHEN NEW.worker <> 'another'
    BEGIN
        INSERT INTO reconciler_ticks VALUES (NEW.tick_at, 'another', NEW.won_at, {swept}) ON CONFLICT DO NOTHING;
        SELECT RAISE(IGNORE);
    END";

/// Asserts that each part of a tick was asked for once, by the one who won the tick, and passed over once at most.
async fn assert_in_order(scene: &Scene) {
    let won = won(scene).await;
    let mut asked: BTreeMap<Timestamp, Vec<(u32, u32)>> = BTreeMap::new();
    for job in scene.payloads(QUEUE).await {
        let job: SweepJob = serde_json::from_value(job).expect("a part of a pass");
        let parts = asked.entry(job.tick).or_default();
        parts.push((job.shard, job.shards));
    }
    for (tick, parts) in &mut asked {
        parts.sort_unstable();
        let shards = parts[0].1;
        let all: Vec<(u32, u32)> = (0..shards).map(|shard| (shard, shards)).collect();
        assert_eq!(parts, &all, "{tick}");
        assert!(won.contains(tick), "nobody has won {tick}");
    }
    let passes = "SELECT tick_at, shard, shards FROM reconciler.sweeps";
    let mut seen = BTreeSet::new();
    for pass in scene.rows(passes).await {
        let tick = moment(pass["tick_at"].as_ref()).expect("a tick's pass");
        let [shard, shards] = ["shard", "shards"].map(|part| text_of(&pass, part).parse());
        let part = (shard.expect("a number"), shards.expect("a number"));
        let is_asked = asked.get(&tick).is_some_and(|parts| parts.contains(&part));
        assert!(is_asked, "nobody asked for {part:?} of {tick}");
        assert!(seen.insert((tick, part)), "{part:?} of {tick}, twice");
    }
}

async fn won(scene: &Scene) -> Vec<Timestamp> {
    let ticks = "SELECT tick_at FROM reconciler.ticks ORDER BY tick_at";
    let ticks = scene.rows(ticks).await;
    let won = ticks.iter().map(|tick| moment(tick["tick_at"].as_ref()));
    won.map(|tick| tick.expect("a moment")).collect()
}

async fn every_tick_is_won_once_and_brings_a_pass_where_something_is_due(on: Fixture) {
    let machine = Machine::watch();
    let scene = Scene::on(on, SWEEPS).await;
    let workers = [scene.worker().await, scene.worker().await];
    let mut last = 0;
    for _ in 0..5 {
        // Due at once, and found by sweeps alone.
        scene.plant((last + 1..=last + 10).map(Case::proven)).await;
        last += 10;
        scene.until(OPEN, 0, &workers[0]).await;
    }
    // A tick may have counted what the one before it was still settling.
    quiet(&scene, &workers).await;
    let passes = scene.count(PASSES).await;
    assert!(passes >= 5, "{passes}");
    let before = scene.fingerprint().await;
    quiet(&scene, &workers).await;
    assert_eq!(scene.count(PASSES).await, passes, "nothing was due");
    assert_eq!(scene.fingerprint().await, before);

    end_soundly(&scene, workers).await;
    assert_in_order(&scene).await;
    let won = won(&scene).await;
    // A busy machine may have given neither of them a processor while a tick passed.
    let second = machine.grants(Duration::from_secs(1));
    let second = SignedDuration::try_from(second).expect("short");
    let mut pairs = won.windows(2);
    let has_gap = pairs.any(|pair| pair[1].duration_since(pair[0]) > second);
    assert!(!has_gap, "with two hosts, no tick goes unnoticed: {won:?}");
    let by_sweeps = "SELECT count(*) FROM reconciler.ledger WHERE source = 'sweep'";
    assert_eq!(scene.count(by_sweeps).await, last);
}

/// As a host whose clock is ahead left them, that of an older release: the next ten minutes are won.
async fn ticks_that_were_won_before_they_came_are_won_again(on: Fixture) {
    wins_again(on, "{now}").await;
}

/// As the database's own clock left them, before it was set back by ten minutes or a standby that was behind took its place:
/// each was won when it came.
async fn ticks_of_a_clock_that_was_set_back_are_won_again(on: Fixture) {
    wins_again(on, "{tick}").await;
}

async fn wins_again(on: Fixture, won_at: &str) {
    let scene = Scene::on(on, SWEEPS).await;
    let second = scene.either(
        "1000000 * (SELECT unixepoch())",
        "date_trunc('second', now())",
    );
    let step = scene.either("1000000 * ", "interval '1 s' * ");
    for seconds in 1..=600 {
        let tick = format!("{second} + {step} {seconds}");
        let won_at = won_at
            .replace("{tick}", &tick)
            .replace("{now}", &scene.in_seconds(0));
        scene
            .execute(&format!(
                "INSERT INTO reconciler.ticks (tick_at, worker, won_at) VALUES ({tick}, 'ahead', {won_at})"
            ))
            .await;
    }
    let worker = scene.worker().await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.until(OPEN, 0, &worker).await;
    let again = "SELECT count(*) FROM reconciler.ticks WHERE worker <> 'ahead'";
    scene.until_least(again, 2, &worker).await;
    end_soundly(&scene, [worker]).await;
    let early =
        "SELECT count(*) FROM reconciler.ticks WHERE worker <> 'ahead' AND won_at < tick_at";
    assert_eq!(scene.count(early).await, 0);
}

/// Waits for some ticks, none of which asks for a pass.
async fn quiet(scene: &Scene, workers: &[Worker]) {
    let mut poll = interval(POLL);
    let awaited = timeout(TIMEOUT, async {
        loop {
            let (ticks, shards) = (scene.count(TICKS).await, scene.count(SHARDS).await);
            while scene.count(TICKS).await < ticks + 3 {
                poll.tick().await;
            }
            if scene.count(SHARDS).await == shards {
                break;
            }
        }
    });
    if awaited.await.is_err() {
        let said: String = workers.iter().map(Worker::said).collect();
        panic!("ticks ask for passes although nothing is due\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_share_a_large_backlog() {
    let config = format!("{SWEEPS}shard_runs = 100\n");
    let scene = Scene::new(&config).await;
    let workers = [scene.worker().await, scene.worker().await];
    scene.plant_proven(1, 2_000, 101, 16).await;
    scene.until(OPEN, 0, &workers[0]).await;
    let shared = "SELECT max(workers) FROM (
        SELECT count(DISTINCT worker) AS workers FROM reconciler.sweeps GROUP BY tick_at
    ) AS pass";
    let shared = scene.count(shared).await;
    assert_eq!(shared, 2, "both took shards of one tick");
    let cut = "SELECT max(shards)::bigint FROM reconciler.sweeps";
    assert_eq!(scene.count(cut).await, 16);
    end_soundly(&scene, workers).await;
    assert_in_order(&scene).await;
    let both = "SELECT count(DISTINCT worker) FROM reconciler.ledger";
    assert_eq!(scene.count(both).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_in_hand_of_a_dead_host_is_taken_over() {
    let config = format!("{SWEEPS}[worker]\norphan_after = \"2s\"\n");
    let scene = Scene::new(&config).await;
    let held = scene.hold(5).await;
    let worker = scene.worker().await;
    scene.plant_proven(1, 10, 1, 1).await;
    scene.until(WAITING, 1, &worker).await;
    worker.kill().await;
    let note = "CREATE TABLE left_behind AS
        SELECT id, lock_by, (SELECT id FROM reconciler.sweeps WHERE in_hand <> '{}') AS sweep
        FROM apalis.jobs WHERE job_type = 'restore.sweep' AND status IN ('Queued', 'Running')";
    scene.execute(note).await;
    assert_eq!(scene.count("SELECT count(sweep) FROM left_behind").await, 1);
    held.let_go().await;

    let other = scene.worker().await;
    let taken_over = "SELECT count(*) FROM apalis.jobs AS job JOIN left_behind USING (id)
        WHERE job.status = 'Done' AND job.lock_by <> left_behind.lock_by AND job.attempts > 0";
    scene.until(taken_over, 1, &other).await;
    scene.until(OPEN, 0, &other).await;
    end_soundly(&scene, [other]).await;
    let emptied = "SELECT count(*) FROM reconciler.sweeps JOIN left_behind ON sweep = sweeps.id WHERE in_hand = '{}'";
    assert_eq!(scene.count(emptied).await, 1);
}

/// The words of each line that has any.
fn fields<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    let lines = table.lines().filter(|line| !line.is_empty());
    let rows = lines.map(|line| line.split_whitespace().collect::<Vec<&str>>());
    rows.map(|row| row.try_into().expect("as many words"))
}

/// Adds what must go and what must stay, by name.
async fn plant_old_and_new(on: &Fixture) {
    let second = on.either("unixepoch('now') + ", "now() + interval '1 s' * ");
    let ago = |seconds: i64| format!("{second}{}", -seconds);
    let bytes = on.either("x'7b7d'", "'{}'::bytea");
    // Names, their queues, and how many minutes ago they were seen.
    let workers = "
        goes-dead restore.execute 61
        stays-dead-for-less restore.sweep 50
        stays-another mail 120
        stays-alive restore.sweep -60";
    for [name, queue, seen] in fields(workers) {
        let seen = ago(60 * seen.parse::<i64>().expect("minutes"));
        on.execute(&format!(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen)
             VALUES ('{name}', '{queue}', 'a test', {seen})"
        ))
        .await;
    }
    // Names, their queues and states, how many seconds ago they were to run and were done, and who has them.
    let jobs = "
        goes-done restore.execute Done 0 61 NULL
        goes-shard restore.sweep Done 0 61 NULL
        goes-killed restore.execute Killed 0 86400 NULL
        stays-new restore.execute Done 0 0 NULL
        stays-pending restore.execute Pending -3600 86400 NULL
        stays-running restore.execute Running 0 86400 'stays-alive'
        stays-mail mail Done 0 86400 NULL";
    for [name, queue, status, run_at, done_at, lock_by] in fields(jobs) {
        let [run_at, done_at] = [run_at, done_at].map(|it| ago(it.parse().expect("seconds")));
        on.execute(&format!(
            "INSERT INTO apalis.jobs
                 (id, job_type, job, status, attempts, max_attempts, run_at, done_at, lock_by, priority)
             VALUES ('{name}', '{queue}', {bytes}, '{status}', 1, 1, {run_at}, {done_at}, {lock_by}, 0)"
        ))
        .await;
    }
    for (worker, hours) in [("goes", 25), ("stays", 23)] {
        let tick = on.either(
            "(unixepoch('now') - 3600 * ",
            "date_trunc('second', now()) - (interval '1 h' * ",
        );
        let micros = on.either(" * 1000000", "");
        on.execute(&format!(
            "INSERT INTO reconciler.ticks (tick_at, worker, won_at)
             VALUES ({tick}{hours}){micros}, '{worker}', {tick}{hours}){micros})"
        ))
        .await;
    }
}

async fn a_tick_removes_what_is_finished_and_nothing_else(on: Fixture) {
    let config = format!("{SWEEPS}[worker]\nretain_jobs = \"1m\"\n");
    let scene = Scene::on(on, &config).await;
    plant_old_and_new(&scene.database).await;
    let worker = scene.worker().await;
    let old = "
        SELECT (SELECT count(*) FROM apalis.jobs WHERE id LIKE 'goes-%')
             + (SELECT count(*) FROM apalis.workers WHERE id LIKE 'goes-%')
             + (SELECT count(*) FROM reconciler.ticks WHERE worker = 'goes')";
    scene.until(old, 0, &worker).await;
    let ticks = scene.count(TICKS).await;
    scene.until_least(TICKS, ticks + 2, &worker).await;
    let left = "SELECT id FROM apalis.jobs WHERE id LIKE 'stays-%'
        UNION ALL SELECT id FROM apalis.workers WHERE id LIKE 'stays-%'
        UNION ALL SELECT 'tick' FROM reconciler.ticks WHERE worker = 'stays'";
    let left = scene.rows(left).await;
    let left: BTreeSet<&str> = left.iter().map(|row| text_of(row, "id")).collect();
    let expected = "stays-alive stays-another stays-dead-for-less stays-mail stays-new stays-pending \
        stays-running tick";
    let expected = expected.split(' ').collect();
    assert_eq!(left, expected, "{}", worker.said());
    let own = "SELECT count(*) FROM apalis.workers WHERE id NOT LIKE 'stays-%'";
    assert_eq!(scene.count(own).await, 2, "the worker of each queue");
    dismiss(worker).await;
}

async fn a_host_that_never_wins_is_ready_while_sweeps_end(on: Fixture) {
    let scene = Scene::on(on, SWEEPS).await;
    let rival = |swept| scene.either(RIVAL_OF_FILE, RIVAL).replace("{swept}", swept);
    scene.execute(&rival("0, 0")).await;
    let worker = scene.worker().await;
    let probe = async || worker.probe("/readyz?verbose").await.1;
    let has_success = |state: &str| state.contains("[+] sweep: last success ");
    eventually(async || has_success(&probe().await).then_some(()), &probe).await;
    // Three ticks without a sweep are too many; these are more. Other checks may fail on a busy machine.
    let since = Stopwatch::start();
    let mut poll = interval(PROBE_EVERY);
    while since.elapsed() < Duration::from_secs(7) {
        poll.tick().await;
        let state = probe().await;
        assert!(has_success(&state), "{state}\n{}", worker.said());
    }
    until_ready(&worker).await;
    let won = "SELECT count(*) FROM reconciler.ticks WHERE worker <> 'another'";
    assert_eq!(scene.count(won).await, 0);

    // Whatever became of their jobs: one shard of two that ended is no sweep, and one that nobody wrote down is none.
    for (swept, ready) in [
        ("2, 1", 503),
        ("2, 3", 200),
        ("NULL, 0", 503),
        ("0, 0", 200),
    ] {
        scene.execute(&rival(swept)).await;
        until_answered(&worker, "/readyz", ready).await;
        let (_, state) = worker.probe("/readyz?verbose").await;
        let sign = if ready == 200 { '+' } else { '-' };
        assert!(
            state.contains(&format!("[{sign}] sweep: last success ")),
            "{swept}: {state}"
        );
        assert_eq!(worker.probe("/livez").await.0, 200);
    }
    dismiss(worker).await;
}
