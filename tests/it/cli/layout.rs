//! An older ledger is moved while workers write it: nothing is lost, doubled or altered, whoever is killed on the way.

use std::process::Stdio;

use restore_reconciler::internals::doctor::{Level, examine};
use sqlx::{PgConnection, raw_sql};

use super::stage::run;
use crate::contract::place_verdicts;
use crate::support::case::Case;
use crate::support::process::program;
use crate::support::roles::{Purpose, connect};
use crate::support::store::Fixture;

/// More than a few steps, and more than is copied where the copy takes the ledger's place.
const ENTRIES: i64 = 24_000;

/// What migrating waits for.
const LOCK: &str = "SELECT pg_advisory_lock(7165068)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7165068)";

/// Entries as programs of migration 10 wrote them: of 40 months, some without a moment, some judged anew, one with facts
/// that have another digest.
const OLDER: &str = r"
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at, run_created_at, revision, first_decision_id
)
SELECT
    left(digest, 32), number - number % 10 / 9, 1, 11, 'succeeded', 'restore.proof_complete', 'restore.execute/2',
    CASE WHEN number = 77 THEN replace(facts, '77', '78') ELSE facts END,
    digest, '{}', 'older', 'sweep', created_at, CASE WHEN number % 10 <> 3 OR $KNOWS_MOMENTS THEN created_at END,
    CASE WHEN number % 10 = 9 THEN 2 ELSE 1 END, CASE WHEN number % 10 = 9 THEN 'first-' || number END
FROM generate_series($NUMBERS) AS number
CROSS JOIN LATERAL (
    SELECT $LATEST::timestamptz - (number - number % 10 / 9) % $DAYS * interval '1 day' AS created_at
) AS run
CROSS JOIN LATERAL (
    SELECT json_build_object(
        'number', number, 'run', json_build_object('created_at', json_build_object('at', run.created_at))
    )::text AS facts
) AS proof
CROSS JOIN LATERAL (SELECT encode(sha256(convert_to(proof.facts, 'UTF8')), 'hex') AS digest) AS digested";

/// A verdict on a run of a later month, as a worker of migration 8 or later writes it.
const LATE: &str = "
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, outcome, reason_code, ruleset, facts, facts_digest, decision, worker,
    source, decided_at, run_created_at
)
VALUES ('late', 9, 1, 'failed', 'r', 'r', '{}', repeat('0', 64), '{}', 'w', 's', now(), now() + interval '100 days')";

/// What was there before the migration.
fn earlier() -> String {
    OLDER
        .replace("$NUMBERS", &format!("1, {ENTRIES}"))
        .replace("$LATEST", "'2024-01-01'")
        .replace("$DAYS", "1200")
        .replace("$KNOWS_MOMENTS", "false")
}

/// What is written meanwhile, by workers of migration 8 or later.
fn later(first: i64, last: i64) -> String {
    OLDER
        .replace("$NUMBERS", &format!("{first}, {last}"))
        .replace("$LATEST", "date_trunc('month', now())")
        .replace("$DAYS", "1")
        .replace("$KNOWS_MOMENTS", "true")
}

/// Everything that entries say, of which nothing may change. Entries without a moment get that of their facts.
const SAID: &str = "
SELECT count(*) || ' ' || md5(string_agg(said, '' ORDER BY said)) AS said
FROM (
    SELECT concat_ws('|',
        decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
        facts_digest, decision, worker, source, decided_at, revision, first_decision_id,
        coalesce(run_created_at, (facts::json #>> '{run,created_at,at}')::timestamptz)
    ) AS said
    FROM $LEDGER
) AS entry";

/// Entries of the ledger, each with its facts from `ledger_facts`, as `SAID` reads them.
const JOINED: &str = "(
    SELECT entry.decision_id, entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.outcome,
        entry.reason_code, entry.ruleset, coalesce(entry.facts, kept.facts) AS facts, entry.facts_digest,
        entry.decision, entry.worker, entry.source, entry.decided_at, entry.revision, entry.first_decision_id,
        entry.run_created_at
    FROM reconciler.ledger AS entry
    LEFT JOIN reconciler.ledger_facts AS kept ON kept.facts_digest = decode(entry.facts_digest, 'hex')
        AND kept.run_created_at IS NOT DISTINCT FROM entry.run_created_at
) AS whole";

/// A platform whose schema of ours is at migration 10, with a ledger, and the script of all migrations.
pub(super) async fn of_older_program() -> Fixture {
    let on = Fixture::empty_postgres().await;
    on.install().await;
    let printed = run(&on.url, &["migrate", "--sql"]).stdout;
    let (script, _) = printed
        .split_once("\n-- Migration 12 of schema reconciler")
        .expect("the migration that makes the tables");
    on.execute(&format!("SET ROLE migrator; {script} COMMIT; RESET ROLE"))
        .await;
    on.execute(
        "SET ROLE migrator;
         GRANT USAGE ON SCHEMA reconciler TO reconciler;
         GRANT SELECT, INSERT ON reconciler.ledger TO reconciler;
         GRANT SELECT ON reconciler.verdicts TO reconciler;
         RESET ROLE",
    )
    .await;
    on.execute(&earlier()).await;
    on
}

/// What everybody was granted is not carried over to what is new, and whoever lacks it is told.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_everybodys() {
    let on = of_older_program().await;
    let everybodys = "GRANT USAGE ON SCHEMA reconciler TO PUBLIC; GRANT SELECT, INSERT ON reconciler.ledger TO PUBLIC";
    on.execute(everybodys).await;
    run(&on.url, &["migrate"]).exits(0);
    let reads = |role: &str| {
        format!(
            "SELECT has_table_privilege('{role}', 'reconciler.opinions', 'SELECT')::int::bigint"
        )
    };
    assert_eq!(on.count(&reads("public")).await, 0);
    assert_eq!(
        on.count(&reads("reconciler")).await,
        1,
        "it has what it had by itself"
    );
    let told = run(
        &Purpose::Console.url(&on.url),
        &["doctor", "--as", "console"],
    )
    .exits(3);
    let grant = "ON reconciler.opinions TO console;";
    assert!(told.all().contains(grant), "{}", told.all());
}

async fn execute(connection: &mut PgConnection, statement: &'static str) {
    raw_sql(statement).execute(connection).await.unwrap();
}

/// An older worker that goes on, until it is told to stop; how many entries it wrote.
async fn go_on(on: &Fixture, stop: &tokio::sync::Notify) -> i64 {
    let mut written = 0;
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let next = ENTRIES + written + 1;
        let statement = format!("SET ROLE reconciler; {}; RESET ROLE", later(next, next));
        on.execute(&statement).await;
        written += 1;
        tokio::select! {
            biased;
            () = &mut stopped => return written,
            () = tokio::task::yield_now() => {}
        }
    }
}

/// Between the steps of a migration that is killed, and while the next one does what is left.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_ledger_is_moved_while_it_is_written() {
    let on = of_older_program().await;
    let stop = tokio::sync::Notify::new();
    let migrate_twice = async {
        let mut gate = connect(Purpose::Migrator, &on.url).await;
        execute(&mut gate, LOCK).await;
        let mut killed = tokio::process::Command::from(program(&on.url, &["migrate"]))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Whoever waits longer gets the lock first: the test, once the migration that makes the tables was run, and once
        // some entries were copied.
        for _ in 0..2 {
            waits_for_lock(&on).await;
            execute(&mut gate, UNLOCK).await;
            execute(&mut gate, LOCK).await;
        }
        waits_for_lock(&on).await;
        let copied = on
            .count("SELECT copied FROM reconciler.ledger_copying")
            .await;
        assert!((1..ENTRIES / 2).contains(&copied), "{copied}");
        killed.kill().await.unwrap();
        execute(&mut gate, UNLOCK).await;
        let url = on.url.clone();
        let migrated = tokio::task::spawn_blocking(move || run(&url, &["migrate"]));
        migrated.await.unwrap().exits(0);
        stop.notify_one();
    };
    let (mut written, ()) = tokio::join!(go_on(&on, &stop), migrate_twice);
    // It was granted nothing since, and is not kept from anything.
    written += 1;
    let next = later(ENTRIES + written, ENTRIES + written);
    let call = "SELECT reconciler.extend_ledger(); SELECT facts FROM reconciler.verdicts LIMIT 1";
    on.execute(&format!("SET ROLE reconciler; {next}; {call}; RESET ROLE"))
        .await;
    // What is expected: the same entries, planted in a table without partitions.
    on.execute(
        "CREATE TABLE reconciler.expected (LIKE reconciler.ledger);
         ALTER TABLE reconciler.ledger RENAME TO moved;
         ALTER TABLE reconciler.expected RENAME TO ledger",
    )
    .await;
    on.execute(&earlier()).await;
    on.execute(&later(ENTRIES + 1, ENTRIES + written)).await;
    let expected = on
        .value(&SAID.replace("$LEDGER", "reconciler.ledger"))
        .await;
    on.execute("DROP TABLE reconciler.ledger; ALTER TABLE reconciler.moved RENAME TO ledger")
        .await;
    assert_eq!(on.value(&SAID.replace("$LEDGER", JOINED)).await, expected);

    for (what, expected) in [
        ("ledger WHERE run_created_at IS NULL", 0),
        (
            "ledger WHERE facts IS NOT NULL AND facts LIKE '%78%' AND operation_run_id = 77",
            1,
        ),
        ("ledger_default", 0),
        ("ledger_revisions", (ENTRIES + written + 1) / 10),
    ] {
        assert_eq!(
            on.number_of(&format!("reconciler.{what}")).await,
            expected,
            "{what}"
        );
    }
}

/// The worker's transaction began before the feed's migration, and its statement knows nothing of the feed.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_of_an_older_worker_gets_its_position() {
    let on = of_older_program().await;
    let mut worker = connect(Purpose::Worker, &on.url).await;
    execute(&mut worker, "BEGIN; SELECT pg_current_xact_id()").await;
    run(&on.url, &["migrate"]).exits(0);
    execute(&mut worker, LATE).await;
    execute(&mut worker, "COMMIT").await;
    let waiting = "reconciler.ledger_unplaced WHERE decision_id = 'late'";
    assert_eq!(on.number_of(waiting).await, 1);
    place_verdicts(&on, 1).await;
    let told = "reconciler.verdict_feed WHERE decision_id = 'late' AND outcome = 'failed'";
    assert_eq!(on.number_of(told).await, 1);
}

/// Somebody waits for the lock of migrations.
async fn waits_for_lock(on: &Fixture) {
    let waiting = "pg_locks JOIN pg_database ON pg_database.oid = database
         WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted";
    while on.number_of(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// What `doctor` says of the ledger's months.
async fn months(on: &Fixture) -> (Level, String) {
    let checks = examine(&on.store, None).await.unwrap().checks;
    let check = checks
        .into_iter()
        .find(|check| check.subject == "ledger months");
    let check = check.expect("a check");
    (check.level, check.finding)
}

#[tokio::test(flavor = "multi_thread")]
async fn months_to_come_are_made_by_workers_and_missed_by_doctor() {
    let on = Fixture::postgres().await;
    assert_eq!(months(&on).await.0, Level::Good);
    on.execute(
        "DO $$
         DECLARE
             month text;
         BEGIN
             FOR month IN
                 SELECT inhrelid::regclass FROM pg_inherits
                 WHERE inhparent IN ('reconciler.ledger'::regclass, 'reconciler.ledger_facts'::regclass)
                   AND right(inhrelid::regclass::text, 7) > to_char(now() + interval '40 days', 'YYYY_MM')
                   AND inhrelid::regclass::text NOT LIKE '%default'
             LOOP
                 EXECUTE 'DROP TABLE ' || month;
             END LOOP;
         END $$",
    )
    .await;
    let of_ledger = "pg_inherits WHERE inhparent = 'reconciler.ledger'::regclass";
    let left = on.number_of(of_ledger).await;
    assert!(left <= 7, "{left}");
    // A run from when no month was there any more.
    on.execute(LATE).await;
    let (level, finding) = months(&on).await;
    assert_eq!(level, Level::Advice);
    assert!(finding.contains("after its last month"), "{finding}");

    let mut holder = connect(Purpose::Migrator, &on.url).await;
    execute(&mut holder, "BEGIN; LOCK TABLE reconciler.ledger_default, reconciler.ledger_facts_default IN ACCESS SHARE MODE").await;
    on.store.extend_ledger().await.unwrap();
    assert_eq!(
        on.number_of(of_ledger).await,
        left,
        "somebody holds what belongs to no month"
    );
    execute(&mut holder, "ROLLBACK").await;
    on.store.extend_ledger().await.unwrap();
    assert_eq!(
        on.number_of(of_ledger).await,
        16,
        "but for the month of that run"
    );
    assert_eq!(on.number_of("reconciler.ledger_default").await, 1);
    assert_eq!(months(&on).await.0, Level::Good);

    on.plant([Case::proven(1)]).await;
    on.execute("UPDATE operation_runs SET created_at = date_trunc('month', now())")
        .await;
    on.verdict(1).await;
    for table in ["ledger", "ledger_facts"] {
        let its = format!(
            "SELECT tableoid::regclass || '' FROM reconciler.{table} WHERE run_created_at < now() + interval '9 days'"
        );
        let month = on.value("SELECT to_char(now(), 'YYYY_MM')").await.unwrap();
        assert_eq!(
            on.value(&its).await.unwrap(),
            format!("reconciler.{table}_{month}")
        );
    }
}

/// They would be in the way of its last step, after all of it was copied.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_others_are_named_before_the_ledger_is_copied() {
    let on = of_older_program().await;
    on.execute("CREATE VIEW public.report AS SELECT outcome FROM reconciler.ledger")
        .await;
    let refused = run(&on.url, &["migrate"]).exits(1);
    let told = "have them read reconciler.verdicts: report";
    refused.says(&[], &[told]);
    let begun = "SELECT count(*) FROM reconciler.migrations WHERE version > 11";
    assert_eq!(on.count(begun).await, 0);
    on.execute("DROP VIEW public.report").await;
    run(&on.url, &["migrate"]).exits(0);
}
