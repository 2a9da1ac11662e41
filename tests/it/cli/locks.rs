//! Migrating waits for locks of others, not for ever, and says whose they are.

use std::process::Stdio;

use sqlx::{Connection as _, PgConnection, raw_sql};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::layout::of_older_program;
use super::stage::{Ran, run};
use crate::support::process::program;
use crate::support::roles::{Purpose, connect};
use crate::support::store::Fixture;
use crate::support::time::in_time;

/// More often than it says that it waits.
const TURNS: usize = 15;

/// A session of this role in which a transaction is left open.
async fn left_open(on: &Fixture, by: Purpose, statement: &'static str) -> PgConnection {
    let mut session = connect(by, &on.url).await;
    let named = "SET application_name = 'report'; BEGIN";
    for statement in [named, statement] {
        let done = raw_sql(statement).execute(&mut session).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    session
}

/// Asserts that the holder is named: role, process, program, since when, and what it ran.
#[track_caller]
fn names(refused: Ran, step: &str, role: &str, ran: &str) {
    let said = refused.exits(1);
    for words in [
        &format!("cannot {step}: {role} (process ")[..],
        ", report, since 2",
        " UTC, last statement: ",
        ran,
        "is in the way of a lock; nothing was changed by this step",
        "to do: Have these sessions end, then run the command again.",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.all());
    }
}

/// Each of them would wait for as long as somebody's `psql` is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_has_to_wait_says_for_whom() {
    let on = of_older_program().await;
    let ours = "migrate schema reconciler";
    // Whoever writes is in the way of migration 12, whoever reads of the next one.
    let write = "LOCK TABLE reconciler.ledger IN ROW EXCLUSIVE MODE";
    let session = left_open(&on, Purpose::Migrator, write).await;
    names(run(&on.url, &["migrate"]), ours, "migrator", write);
    session.close().await.expect("the lock goes with it");
    let read = "LOCK TABLE reconciler.ledger IN ACCESS SHARE MODE";
    let session = left_open(&on, Purpose::Migrator, read).await;
    names(run(&on.url, &["migrate"]), ours, "migrator", read);
    session.close().await.expect("the lock goes with it");
    run(&on.url, &["migrate"]).exits(0);

    on.execute("DROP INDEX apalis.reconciler_in_hand").await;
    let jobs = "LOCK TABLE apalis.jobs IN ROW EXCLUSIVE MODE";
    let session = left_open(&on, Purpose::Migrator, jobs).await;
    // Whoever has a lock beside which an index can be built is in nobody's way, however long ago he took it.
    let read = "LOCK TABLE apalis.jobs IN ACCESS SHARE MODE";
    on.grant().await;
    let reader = left_open(&on, Purpose::Worker, read).await;
    let refused = run(&on.url, &["migrate"]);
    assert!(
        !refused.stderr.contains("reconciler (process"),
        "{}",
        refused.all()
    );
    names(refused, ours, "migrator", jobs);
    reader.close().await.expect("the lock goes with it");
    session.close().await.expect("the lock goes with it");
    run(&on.url, &["migrate"]).exits(0);

    on.execute("GRANT TRIGGER ON restore_runs, evidence_snapshots, audit_logs TO migrator; GRANT SELECT (id, operation_run_id) ON restore_runs TO migrator")
        .await;
    on.execute_as_superuser("GRANT pg_read_all_stats TO migrator")
        .await;
    let platform = "LOCK TABLE restore_runs IN ROW EXCLUSIVE MODE";
    let session = left_open(&on, Purpose::Platform, platform).await;
    let adding = run(&on.url, &["migrate", "--with-platform-trigger"]);
    on.execute_as_superuser("REVOKE pg_read_all_stats FROM migrator")
        .await;
    assert!(
        adding.stderr.contains("platform (process ") && adding.stderr.contains(platform),
        "{}",
        adding.all()
    );
    session.close().await.expect("the lock goes with it");
    run(&on.url, &["migrate", "--with-platform-trigger"]).exits(0);
}

/// Another one that migrates is waited for, longer, and named; one that never ends is not waited for for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_turn_is_named_and_not_waited_for_for_ever() {
    let on = Fixture::empty_postgres().await;
    on.install().await;
    let turn = "SELECT pg_advisory_xact_lock(7165068)";
    for is_let_go in [true, false] {
        let session = left_open(&on, Purpose::Migrator, turn).await;
        let mut migrating = Command::from(program(&on.url, &["migrate"]));
        migrating.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut migrating = migrating.kill_on_drop(true).spawn().expect("it starts");
        let stderr = migrating.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines();
        // What the driver says of a statement that takes long comes before it.
        let said = "somebody else migrates; waiting for the turn";
        let mut line = String::new();
        while !line.contains(said) {
            let next = in_time("a word", lines.next_line()).await.expect("text");
            line = next.expect("it goes on");
        }
        for words in [
            "migrator (process ",
            ", report, since 2",
            "pg_advisory_xact_lock(7165068)",
        ] {
            assert!(line.contains(words), "{words}: {line}");
        }
        if is_let_go {
            session.close().await.expect("the lock goes with it");
            let ended = in_time("its end", migrating.wait()).await;
            assert!(ended.expect("it was waited for").success());
            continue;
        }
        let mut last = String::new();
        while let Some(line) = in_time("its end", lines.next_line()).await.expect("text") {
            last += &line;
            let waits = last.matches(said).count();
            assert!(waits < TURNS, "it waits for ever: {last}");
        }
        let ended = in_time("its end", migrating.wait()).await;
        assert_eq!(ended.expect("it was waited for").code(), Some(1), "{last}");
        assert!(
            last.contains("cannot migrate schema reconciler: migrator (process "),
            "{last}"
        );
        session.close().await.expect("the lock goes with it");
    }
}
