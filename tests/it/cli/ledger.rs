//! `ledger`: what is on record is listed and shown, and whatever somebody does to it behind our back is found and named.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use reconciler_jobs::restore_execute::canonical::digest_of;
use restore_reconciler::internals::cli::output::Document;
use serde_json::Value;
use sqlx::raw_sql;

use super::stage::{Ran, assert_says, program, run};
use crate::console::Settings;
use crate::contract::place_verdicts;
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::roles::{Purpose, connect};
use crate::support::store::{Fixture, moved, on_both};
use crate::support::time::eventually;

on_both!(
    what_is_on_record_is_listed_and_shown,
    a_ledger_that_nobody_touched_agrees_and_does_so_again,
    whatever_somebody_changes_is_found_and_named,
    facts_that_were_erased_are_no_disagreement_and_facts_that_were_taken_are,
    runs_that_are_gone_or_open_again_are_told_apart,
    two_verdicts_within_a_second_are_no_disagreement,
    a_verdict_is_listed_once_with_all_its_revisions,
);

/// Stopped before anything was written.
fn blocked(id: i64) -> Case {
    let mut case = Case::proven(id);
    "cancelled".clone_into(&mut case.restore.status);
    case.restore.results = None;
    case.restore.metadata = None;
    case
}

/// Something is missing.
fn partial(id: i64) -> Case {
    let mut case = Case::proven(id);
    case.snapshots.clear();
    case
}

/// Verdicts of each outcome on the runs up to `last`, each with its position where there is a feed, which has been there for long.
async fn judge(on: &Fixture, last: i64) {
    let case = |id| match id % 4 {
        0 => blocked(id),
        1 => Case::proven(id),
        2 => Case::failed(id),
        _ => partial(id),
    };
    on.plant((1..=last).map(case)).await;
    let runs: Vec<i64> = (1..=last).collect();
    on.settle(&runs).await;
    assert_eq!(on.number_of("reconciler.ledger").await, last);
    if !on.is_sqlite() {
        place_verdicts(on, last).await;
        let long_ago =
            "UPDATE reconciler.migrations SET installed_on = installed_on - interval '1 hour'";
        let mut migrator = connect(Purpose::Migrator, &on.url).await;
        let done = raw_sql(long_ago).execute(&mut migrator).await;
        assert!(done.expect("its own table").rows_affected() > 0);
    }
}

pub(super) fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()))
}

fn verify(on: &Fixture, more: &[&str]) -> Ran {
    run(&on.url, &[&["ledger", "verify"], more].concat())
}

fn verified(on: &Fixture, more: &[&str], code: i32) -> Value {
    document(&verify(on, &[&["-o", "json"], more].concat()).exits(code))
}

async fn what_is_on_record_is_listed_and_shown(on: Fixture) {
    let url = on.url.clone();
    assert_says(&url, "ledger list ⇒ 0 | No verdict on record matches.");
    judge(&on, 4).await;
    on.plant([moved(Case::failed(5), FOREIGN)]).await;
    on.settle(&[5]).await;
    let before = on.fingerprint().await;
    let listed = |filters: &str| -> Vec<i64> {
        let arguments = ["ledger", "list", "-o", "json"].into_iter();
        let arguments: Vec<&str> = arguments.chain(filters.split_whitespace()).collect();
        let listed = document(&run(&url, &arguments).exits(0));
        let entries = listed["entries"].as_array().expect("entries");
        let ids = entries.iter().map(|entry| entry["run"].as_i64());
        ids.map(|id| id.expect("an id")).collect()
    };
    let (home, away) = (HOME.0, FOREIGN.0);
    let cases: [(&str, &[i64]); 9] = [
        ("", &[5, 4, 3, 2, 1]),
        ("--limit 2", &[5, 4]),
        (&format!("--workspace {home}"), &[4, 3, 2, 1]),
        (&format!("--workspace {away}"), &[5]),
        (&format!("--environment {}", FOREIGN.1), &[5]),
        ("--outcome failed", &[5, 2]),
        ("--reason restore.proof_complete", &[1]),
        ("--since 1h", &[5, 4, 3, 2, 1]),
        ("--since 2999-01-01T00:00:00Z", &[]),
    ];
    for (filters, expected) in cases {
        assert_eq!(listed(filters), expected, "{filters}");
    }
    let lines = run(&url, &["ledger", "list", "-o", "jsonl"]).exits(0);
    let runs = lines.stdout.lines().map(|line| {
        let line: Document = serde_json::from_str(line).expect("a document a line");
        let Document::LedgerList(listed) = line else {
            panic!("{line:?}")
        };
        let [entry] = &listed.entries[..] else {
            panic!("{listed:?}")
        };
        entry.run
    });
    assert_eq!(runs.collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    let decision = "SELECT decision_id FROM reconciler.ledger WHERE operation_run_id = 1";
    let decision = on.value(decision).await.expect("an id");
    assert_says(
        &url,
        &format!(
            "ledger list --limit 1 ⇒ 0 | RUN | restore.execution_failed | There may be more | do not prove environment recovery
             ledger list --outcome pending ⇒ 2 ! partially_succeeded
             ledger show 1 ⇒ 0 | {decision} | succeeded, restore.proof_complete | follows from the facts | do not prove
             ledger show {decision} ⇒ 0 | 1 of workspace | succeeded
             ledger show 99 ⇒ 1 ! no verdict on run 99 is on record
             ledger show {} ⇒ 1 ! is on record
             ledger show soon ⇒ 2 ! 32 hexadecimal digits",
            "0".repeat(32),
        ),
    );
    assert_eq!(on.fingerprint().await, before);
}

async fn a_ledger_that_nobody_touched_agrees_and_does_so_again(on: Fixture) {
    assert_says(&on.url, "ledger verify ⇒ 0 | Read: 0 verdicts");
    judge(&on, 9).await;
    let before = on.fingerprint().await;
    let first = verify(&on, &[]).exits(0);
    let second = verify(&on, &[]).exits(0);
    assert_eq!(first.stdout, second.stdout);
    let first = first.says(
        &[
            "Read: 9 verdicts",
            "9 follow from their facts",
            "All of it is what this database says of itself",
        ],
        &[],
    );
    assert!(!first.stdout.contains("disagree"), "{}", first.stdout);
    let whole = verified(&on, &[], 0);
    let feed = if on.is_sqlite() { 0 } else { 9 };
    for (count, expected) in [
        ("entries", 9),
        ("agree", 9),
        ("erased", 0),
        ("disagree", 0),
        ("without_run", 0),
        ("superseded", 0),
        ("opened_again", 0),
        ("unplaced", 9 - feed),
        ("positions", feed),
        ("feed_disagrees", 0),
    ] {
        assert_eq!(whole["counts"][count], expected, "{count}: {whole}");
    }
    assert_eq!(
        (&whole["complete"], &whole["go_on_below"]),
        (&Value::Bool(true), &Value::Null)
    );
    let home = HOME.0.to_string();
    for (part, expected) in [
        (&["--workspace", &home][..], 9),
        (&["--workspace", "999"], 0),
        (&["--below", "4"], 3),
        (&["--since", "1h"], 9),
        (&["--since", "2999-01-01T00:00:00Z"], 0),
        (&["--until", "2999-01-01T00:00:00Z"], 9),
        (&["--until", "1h"], 0),
    ] {
        assert_eq!(
            verified(&on, part, 0)["counts"]["entries"],
            expected,
            "{part:?}"
        );
    }
    assert_eq!(on.fingerprint().await, before);
}

/// Whoever may do anything, with the triggers out of the way.
pub(super) async fn tamper(on: &Fixture, statements: &str) {
    if on.is_sqlite() {
        let triggers = "
            DROP TRIGGER IF EXISTS reconciler_ledger_rows_are_not_updated;
            DROP TRIGGER IF EXISTS reconciler_ledger_rows_are_not_deleted;
            DROP TRIGGER IF EXISTS reconciler_ledger_facts_are_not_updated;";
        on.execute(&format!("{triggers}{statements}")).await;
    } else {
        let off = "SET session_replication_role = replica;";
        on.execute_as_superuser(&format!("{off}{statements}")).await;
    }
}

/// What is done to a verdict, in which `RUN` is its run and `FACTS` finds its facts, and what is said of it.
const TAMPERS: &[(&str, &[&str])] = &[
    (
        "UPDATE reconciler.ledger_facts SET facts = replace(facts, 'completed', 'succeeded') WHERE FACTS",
        &["the facts have the digest", "is on record"],
    ),
    (
        "UPDATE reconciler.ledger SET decision = replace(decision, '\"rule\":', '\"rule\":1') WHERE operation_run_id = RUN",
        &[
            "differs from what the facts give, from byte",
            "is on record; `",
        ],
    ),
    (
        "UPDATE reconciler.ledger SET outcome = 'succeeded' WHERE operation_run_id = RUN",
        &[
            "succeeded restore.evidence_missing is on record; the facts give partially_succeeded",
            "the run says partially_succeeded; succeeded is on record",
            "the audit log says partial; succeeded is on record",
        ],
    ),
    (
        "UPDATE reconciler.ledger SET reason_code = 'restore.aborted' WHERE operation_run_id = RUN",
        &["blocked restore.aborted is on record; the facts give blocked restore.cancelled"],
    ),
    (
        "UPDATE operation_runs SET outcome = 'failed' WHERE id = RUN",
        &["the run says failed; succeeded is on record"],
    ),
    (
        "UPDATE operation_runs SET context = '{}' WHERE id = RUN",
        &["the context of the run does not name this decision"],
    ),
    (
        "DELETE FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = 'RUN'",
        &["the audit log has no entry about it"],
    ),
    (
        "UPDATE audit_logs SET outcome = 'success' WHERE resource_type = 'operation_run' AND resource_id = 'RUN'",
        &["the audit log says success; blocked is on record"],
    ),
    (
        "UPDATE reconciler.ledger SET ruleset = 'restore.execute/9' WHERE operation_run_id = RUN",
        &["decided by ruleset restore.execute/9"],
    ),
    (
        "UPDATE reconciler.ledger SET ruleset = 'restore.execute/1' WHERE operation_run_id = RUN",
        &["the text of the facts"],
    ),
    (
        "UPDATE reconciler.ledger SET decided_at = decided_at + SECOND WHERE operation_run_id = RUN",
        &["is on record; the facts are of decision"],
    ),
    (
        "UPDATE reconciler.ledger SET managed_environment_id = 999 WHERE operation_run_id = RUN",
        &["are not those of the facts"],
    ),
    (
        "UPDATE reconciler.ledger_facts SET workspace_id = 999 WHERE FACTS",
        &["its facts are filed under workspace 999"],
    ),
    (
        "DELETE FROM reconciler.ledger_facts WHERE FACTS",
        &["the facts are not there, and it is not on record that they were erased"],
    ),
    (
        "UPDATE operation_runs SET status = 'failed' WHERE id = RUN",
        &["the status of the run is failed"],
    ),
    (
        "UPDATE operation_runs SET context = replace(CAST(context AS TEXT), 'restore.execute/2', 'restore.execute/3')JSON WHERE id = RUN",
        &["the context of the run has another `ruleset`"],
    ),
    (
        "UPDATE operation_runs SET context = replace(CAST(context AS TEXT), '\"missing\"', '\"lacking\"')JSON WHERE id = RUN",
        &["the context of the run has another `missing`"],
    ),
    (
        "UPDATE operation_runs SET context = replace(CAST(context AS TEXT), '\"restore_run_id\"', '\"restore_id\"')JSON WHERE id = RUN",
        &["the context of the run has another `evidence`"],
    ),
    (
        "UPDATE operation_runs SET context = replace(CAST(context AS TEXT), '\"reconciliation\"', '\"reconciled\"')JSON WHERE id = RUN",
        &["what the verdict wrote into the context of the run cannot be read"],
    ),
    (
        "UPDATE operation_runs SET completed_at = completed_at + SECOND WHERE id = RUN",
        &["the run says that it ended at another moment"],
    ),
];

/// The same of the feed, which SQLite has none of.
const TAMPERS_WITH_THE_FEED: &[(&str, &[&str])] = &[
    (
        "DELETE FROM reconciler.ledger_positions WHERE decision_id = DECISION",
        &["it has no position in the feed"],
    ),
    (
        "UPDATE reconciler.ledger_positions SET workspace_id = 999 WHERE decision_id = DECISION",
        &["of the feed is filed under another workspace"],
    ),
];

pub(super) fn filled(on: &Fixture, statement: &str, run: i64) -> String {
    let of_run = |column: &str| {
        format!("(SELECT {column} FROM reconciler.ledger WHERE operation_run_id = {run})")
    };
    let digest = of_run("facts_digest");
    let facts = on.either("facts_digest", "encode(facts_digest, 'hex')");
    statement
        .replace("FACTS", &format!("{facts} = {digest}"))
        .replace("DECISION", &of_run("decision_id"))
        .replace("JSON", on.either("", "::jsonb"))
        .replace("SECOND", on.either("1000000", "interval '1 second'"))
        .replace("RUN", &run.to_string())
}

async fn whatever_somebody_changes_is_found_and_named(on: Fixture) {
    let feed = if on.is_sqlite() {
        &[][..]
    } else {
        TAMPERS_WITH_THE_FEED
    };
    let tampers: Vec<_> = TAMPERS.iter().chain(feed).collect();
    let last = i64::try_from(tampers.len()).unwrap() + 4;
    judge(&on, last).await;
    for (run, (statement, said)) in (1..).zip(&tampers) {
        let statement = filled(&on, statement, run);
        tamper(&on, &statement).await;
        let found = verify(&on, &["--below", &(run + 1).to_string()]).exits(3);
        let of_run: Vec<&str> = found
            .stdout
            .lines()
            .filter(|line| line.starts_with(&format!("run {run}, workspace {}, decision ", HOME.0)))
            .collect();
        for words in *said {
            let is_said = of_run
                .iter()
                .any(|line| line.contains(words) && line.contains("; changed after 20"));
            assert!(is_said, "{statement}: {words}: {}", found.stdout);
        }
    }
    whatever_is_swapped_rewritten_or_deleted_is_found(&on, last).await;
}

/// The last of the verdicts: two have each other's facts, one says something else, with its digest, and one is gone.
async fn whatever_is_swapped_rewritten_or_deleted_is_found(on: &Fixture, last: i64) {
    let (one, other) = (last - 3, last - 2);
    let facts = async |run: i64| {
        let kept = filled(
            on,
            "SELECT facts FROM reconciler.ledger_facts WHERE FACTS",
            run,
        );
        on.value(&kept).await.expect("facts").replace('\'', "''")
    };
    let (of_one, of_other) = (facts(one).await, facts(other).await);
    for (run, facts) in [(one, of_other), (other, of_one)] {
        let put = format!("UPDATE reconciler.ledger_facts SET facts = '{facts}' WHERE FACTS");
        tamper(on, &filled(on, &put, run)).await;
    }
    // Facts that say something else, with their digest wherever it stands: the decision is another one's.
    let run = last - 1;
    let facts = facts(run).await;
    let altered = facts.replace("\"status\":\"completed\"", "\"status\":\"failed\"");
    assert_ne!(altered, facts);
    let digest = digest_of(&altered.replace("''", "'"));
    let stored = format!("decode('{digest}', 'hex')");
    let stored = if on.is_sqlite() {
        format!("'{digest}'")
    } else {
        stored
    };
    let put = format!(
        "UPDATE reconciler.ledger_facts SET facts = '{altered}', facts_digest = {stored} WHERE FACTS;
         UPDATE reconciler.ledger SET facts_digest = '{digest}' WHERE operation_run_id = RUN"
    );
    tamper(on, &filled(on, &put, run)).await;
    // One is gone altogether.
    tamper(
        on,
        &filled(
            on,
            "DELETE FROM reconciler.ledger WHERE operation_run_id = RUN",
            last,
        ),
    )
    .await;

    let all = verified(on, &[], 3);
    let about = |run: Option<i64>| -> Vec<&str> {
        let all = all["disagreements"].as_array().expect("a list");
        let of_run = all.iter().filter(|it| it["run"].as_i64() == run);
        of_run
            .map(|it| it["finding"].as_str().expect("words"))
            .collect()
    };
    for run in [one, other] {
        assert!(
            about(Some(run))
                .iter()
                .any(|it| it.contains("the facts have the digest")),
            "{all}"
        );
    }
    assert!(
        about(Some(run))
            .iter()
            .any(|it| it.contains("is on record; the facts ")),
        "{all}"
    );
    if !on.is_sqlite() {
        let of_feed = about(None);
        assert_eq!(of_feed.len(), 2, "{all}");
        assert!(
            of_feed
                .iter()
                .any(|it| it.contains("the feed lacks 1 position before")),
            "{all}"
        );
        assert!(
            of_feed
                .iter()
                .any(|it| it.contains("leads to an entry that is not there")),
            "{all}"
        );
    }
    // Each of those that were touched, and nobody else.
    let disagree = all["counts"]["disagree"].as_i64();
    assert_eq!(disagree, Some(last - 1), "{all}");
    // As lines, each as it is found, and all of it last.
    let lines = verify(on, &["-o", "jsonl"]).exits(3);
    let lines: Vec<Value> = lines
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let listed = all["disagreements"].as_array().expect("a list");
    assert_eq!(lines.len(), listed.len() + 1);
    assert_eq!(lines.last().expect("a line")["counts"], all["counts"]);
}

async fn facts_that_were_erased_are_no_disagreement_and_facts_that_were_taken_are(on: Fixture) {
    judge(&on, 4).await;
    on.plant([moved(Case::proven(5), FOREIGN)]).await;
    on.settle(&[5]).await;
    let home = HOME.0.to_string();
    let migrator = on.url_of(Purpose::Migrator);
    run(&migrator, &["forget", "--workspace", &home, "--yes"]).exits(0);
    let erased = verified(&on, &[], 0);
    let counts = &erased["counts"];
    assert_eq!(
        (&counts["entries"], &counts["agree"], &counts["erased"]),
        (&5.into(), &1.into(), &4.into()),
        "{erased}"
    );
    verify(&on, &[]).exits(0).says(
        &["4 agree as far as can be told: their facts were erased"],
        &[],
    );
    // What is left of it is still compared.
    tamper(
        &on,
        "UPDATE reconciler.ledger SET outcome = 'succeeded' WHERE operation_run_id = 2",
    )
    .await;
    let found = verify(&on, &[]).exits(3);
    found.says(
        &[
            "run 2, workspace ",
            "its columns contradict each other, and its facts were erased",
        ],
        &[],
    );
}

async fn runs_that_are_gone_or_open_again_are_told_apart(on: Fixture) {
    judge(&on, 3).await;
    let changed = "UPDATE operation_runs SET created_at = created_at - SECOND WHERE id = 1;
        UPDATE operation_runs SET status = 'queued', outcome = 'pending' WHERE id = 2";
    on.execute(&filled(&on, changed, 1)).await;
    let found = verified(&on, &[], 0);
    let counts = &found["counts"];
    assert_eq!(
        (
            &counts["agree"],
            &counts["without_run"],
            &counts["opened_again"]
        ),
        (&3.into(), &1.into(), &1.into()),
        "{found}"
    );
    // Judged anew, the later verdict is the one that is compared.
    on.settle(&[2]).await;
    assert_eq!(on.number_of("reconciler.ledger").await, 4);
    let found = verified(&on, &[], 0);
    assert_eq!(
        (&found["counts"]["entries"], &found["counts"]["superseded"]),
        (&4.into(), &1.into()),
        "{found}"
    );
}

/// Which of two entries of one second is whose, nothing tells but what they say.
async fn two_verdicts_within_a_second_are_no_disagreement(on: Fixture) {
    let second = on.either("decided_at / 1000000", "date_trunc('second', decided_at)");
    let shared = format!(
        "SELECT count(*) FROM (SELECT 1 FROM reconciler.ledger GROUP BY operation_run_id, {second} HAVING count(*) > 1) AS shared"
    );
    for id in 1..=20 {
        on.plant([Case::proven(id)]).await;
        on.settle(&[id]).await;
        let opened = format!(
            "UPDATE operation_runs SET status = 'queued', outcome = 'pending' WHERE id = {id};
             DELETE FROM evidence_snapshots"
        );
        on.execute(&opened).await;
        on.settle(&[id]).await;
        if on.count(&shared).await > 0 {
            break;
        }
    }
    assert!(
        on.count(&shared).await > 0,
        "each pair fell into two seconds"
    );
    verify(&on, &[]).exits(0);
}

/// Parts of the list end at a run, whose verdicts are all in one of them.
async fn a_verdict_is_listed_once_with_all_its_revisions(on: Fixture) {
    const RUNS: i64 = 450;
    let again = RUNS - 199;
    judge(&on, RUNS).await;
    let opened = format!(
        "UPDATE operation_runs SET status = 'queued', outcome = 'pending' WHERE id = {again}"
    );
    on.execute(&opened).await;
    on.settle(&[again]).await;
    let lines = run(&on.url, &["ledger", "list", "-o", "jsonl"]).exits(0);
    let runs = lines.stdout.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["entries"][0]["run"].as_i64().expect("an id")
    });
    let mut expected: Vec<i64> = (1..=RUNS).chain([again]).rev().collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(runs.collect::<Vec<_>>(), expected);
}

/// What a check of the ledger says that is interrupted while it waits for a table.
pub(crate) async fn interrupted_at(on: &Fixture, lock_table: &'static str) -> String {
    let mut lock = connect(Purpose::Engineer, &on.url).await;
    raw_sql(lock_table).execute(&mut lock).await.unwrap();
    let settings = Settings::holding(
        "[database]\nlock_timeout = \"4m\"\nstatement_timeout = \"4m\"\n[worker]\nattempt_timeout = \"5m\"\n",
    );
    let mut child = program(&on.url, &["--config", &settings.path(), "ledger", "verify"]);
    let mut child = child
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let is_held = async || {
        let waiting = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity AS session USING (pid) WHERE NOT granted AND session.datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut lock)
            .await
            .unwrap();
        (waiting > 0).then_some(())
    };
    eventually(is_held, async || "nobody waits for the lock".to_owned()).await;
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.unwrap().success());
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(
        line.contains("interrupted: finishing what is under way"),
        "{line}"
    );
    raw_sql("COMMIT").execute(&mut lock).await.unwrap();
    let ended = child.wait_with_output().expect("an end");
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stdout}");
    assert!(
        stdout.contains("It was ended before all was read"),
        "{stdout}"
    );
    stdout
}

#[tokio::test]
async fn a_check_that_is_interrupted_says_where_to_go_on() {
    let on = Fixture::postgres().await;
    judge(&on, 3).await;
    let stdout = interrupted_at(
        &on,
        "BEGIN; LOCK TABLE operation_runs IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    for words in ["Read: 3 verdicts", "--below 1"] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let rest = verified(&on, &["--below", "1"], 0);
    assert_eq!(rest["counts"]["positions"], 3, "{rest}");
}
