//! The platform as Laravel itself makes it and writes to it, by its schema builder and Eloquent in `tests/laravel`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::chaos::dice::Dice;
use crate::console::{Ask, Serving, Settings};
use crate::contract::place_verdicts;
use crate::manual::{fenced, read, root};
use crate::support::case::Case;
use crate::support::cluster::{TestDatabase, database};
use crate::support::roles::Purpose;
use crate::support::scene::{dismiss, until_ready};
use crate::support::store::Fixture;
use crate::support::time::{eventually, in_time};
use crate::support::worker::{Worker, said_by};

/// One of the scripts, to be run as a role whose sessions are in this time zone.
fn php(script: &str, url: &str, purpose: Purpose, zone: &str) -> Command {
    let options: PgConnectOptions = purpose.url(url).parse().expect("a URL");
    let connection = json!({
        "host": options.get_socket().expect("a directory of sockets"),
        "port": options.get_port(),
        "database": options.get_database().expect("a database"),
        "username": options.get_username(),
        "timezone": zone,
    });
    let mut php = Command::new("php");
    php.arg(root().join("tests/laravel").join(script))
        .env("RECONCILER_TEST_LARAVEL", connection.to_string())
        .kill_on_drop(true);
    php
}

/// Runs one of the scripts as a role, and returns what it printed.
async fn laravel(script: &str, url: &str, purpose: Purpose) -> String {
    said(script, php(script, url, purpose, "UTC")).await
}

async fn said(script: &str, mut php: Command) -> String {
    let ran = in_time(script, php.output()).await.expect(
        "PHP is not installed: apt-get install php-cli php-pgsql php-laravel-framework, or run tests/run",
    );
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && said.is_empty(),
        "{script}: {said}\nIt needs the packages php-cli, php-pgsql and php-laravel-framework, which tests/run installs."
    );
    String::from_utf8(ran.stdout).expect("text")
}

/// Everything in schema `public`, by what it is and what it is called.
const CATALOGUE: &str = "
WITH relation AS (
    SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace
)
SELECT
    format('column %s.%s', relname, attname),
    concat_ws(
        ' ', format('(%s)', attnum), format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
        'DEFAULT ' || pg_get_expr(adbin, adrelid), nullif('identity ' || attidentity::text, 'identity ')
    )
FROM relation
JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind = 'r'
UNION ALL
SELECT format('constraint %s of %s', conname, relname), pg_get_constraintdef(pg_constraint.oid)
FROM relation
JOIN pg_constraint ON conrelid = relation.oid
UNION ALL
SELECT format('index %s', relname), pg_get_indexdef(oid)
FROM relation
WHERE relkind = 'i'
UNION ALL
SELECT
    format('sequence %s', relname),
    format('%s from %s by %s, of %s', seqtypid::regtype, seqstart, seqincrement, (
        SELECT format('%s.%s', refobjid::regclass, attname)
        FROM pg_depend
        JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        WHERE objid = relation.oid AND deptype = 'a'
    ))
FROM relation
JOIN pg_sequence ON seqrelid = relation.oid
UNION ALL
SELECT format('relation %s', relname), format('of kind %s', relkind)
FROM relation";

async fn catalogue(url: &str) -> BTreeMap<String, String> {
    let pool = PgPool::connect(&Purpose::Engineer.url(url))
        .await
        .expect("the server answers");
    let found: Vec<(String, String)> = sqlx::query_as(CATALOGUE)
        .fetch_all(&pool)
        .await
        .expect("a catalogue");
    found.into_iter().collect()
}

/// A database in which the schema builder has made the platform's tables, as their owner.
async fn built() -> TestDatabase {
    let database = database().await;
    laravel("migrate.php", &database.url(), Purpose::Owner).await;
    database
}

#[tokio::test]
async fn the_stand_in_is_what_laravels_schema_builder_makes() {
    let built = built().await;
    let standin = Fixture::empty_postgres().await;
    standin.install().await;
    let (built, standin) = (catalogue(&built.url()).await, catalogue(&standin.url).await);
    assert!(built.len() > 150, "{built:#?}");
    let names: BTreeSet<&String> = built.keys().chain(standin.keys()).collect();
    let differences: Vec<String> = names
        .into_iter()
        .map(|name| (name, [&built, &standin].map(|it| it.get(name))))
        .filter(|(_, [laravel, ours])| laravel != ours)
        .map(|(name, [laravel, ours])| {
            let [laravel, ours] = [laravel, ours].map(|it| it.map_or("nothing", |it| it));
            format!("{name}\n    Laravel makes {laravel}\n    the stand-in {ours}")
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What becomes of each restore that Eloquent writes: the run's outcome, and why.
const JUDGED: [(&str, &str, &str); 9] = [
    ("proven", "succeeded", "restore.proof_complete"),
    ("named", "succeeded", "restore.proof_complete"),
    (
        "unproven",
        "partially_succeeded",
        "restore.evidence_missing",
    ),
    ("mixed", "partially_succeeded", "restore.items_mixed"),
    ("failed", "failed", "restore.execution_failed"),
    ("blocked", "blocked", "write_gate_blocked"),
    ("preview", "pending", "restore.preview_only"),
    ("deleted", "pending", "restore.proof_unavailable"),
    ("executing", "pending", "restore.in_progress"),
];

/// From an empty database to verdicts, each step by the role that takes it in production, with the documented grants.
#[tokio::test(flavor = "multi_thread")]
async fn what_eloquent_writes_is_judged_by_a_worker_with_the_documented_grants() {
    let on = Fixture::in_database(built().await).await;
    on.grant().await;
    let migrated = said_by(&on.url, &["migrate"]).await;
    assert_eq!(migrated.0, Some(0), "{}", migrated.1);
    on.grant().await;
    let restores = laravel("restores.php", &on.url, Purpose::Platform).await;
    let runs: BTreeMap<String, i64> = serde_json::from_str(&restores).expect("ids of runs");
    assert_eq!(runs.len(), JUDGED.len());
    let fresh = on.run(runs["proven"]).await;
    for map in ["context", "summary_counts", "failure_summary"] {
        assert_eq!(fresh[map].as_deref(), Some("[]"), "{map}");
    }

    let (code, said) = said_by(&on.url, &["sweep"]).await;
    assert_eq!(code, Some(10), "{said}");
    for (name, outcome, reason) in JUDGED {
        let run = on.run(runs[name]).await;
        assert_eq!(run["outcome"].as_deref(), Some(outcome), "{name}");
        let table = if outcome == "pending" {
            "watch_list"
        } else {
            "ledger"
        };
        let why = format!(
            "SELECT reason_code FROM reconciler.{table} WHERE operation_run_id = {}",
            runs[name]
        );
        assert_eq!(on.value(&why).await.as_deref(), Some(reason), "{name}");
    }
    let judged = on.run(runs["proven"]).await;
    let context = judged["context"].as_deref().expect("a context");
    assert!(context.starts_with(r#"{"reconciliation": {"#), "{context}");

    let before = on.standin.fingerprint_but_looks().await.unwrap();
    let (_, said) = said_by(&on.url, &["sweep"]).await;
    let after = on.standin.fingerprint_but_looks().await.unwrap();
    assert_eq!(before, after, "{said}");
    everything_works(&on, runs["failed"], runs["executing"]).await;
    for _ in 0..7 {
        laravel("restores.php", &on.url, Purpose::Platform).await;
    }
    let (code, said) = said_by(&on.url_of(Purpose::Observer), &["doctor", "--survey"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Nothing is suspicious."), "{said}");
}

/// Every verb, the worker and the console, as the roles that `grants` alone has made; and nobody lacks anything.
async fn everything_works(on: &Fixture, failed: i64, executing: i64) {
    let (failed_run, executing_run) = (failed.to_string(), executing.to_string());
    let drop_letter = ["queue", "drop", &executing_run, "--reason", "seen"];
    let verbs: [(&[&str], i32); 21] = [
        (&["doctor"], 0),
        (&["sweep", "--dry-run"], 0),
        (&["explain", &failed_run], 10),
        (&["reconcile", &failed_run], 10),
        (&["enqueue", &executing_run], 0),
        (&["queue", "list"], 0),
        (&["queue", "show", &executing_run], 0),
        (&["queue", "retry", &executing_run], 0),
        (&drop_letter, 11),
        (&["runs"], 0),
        (&["runs", "--undecided", "--orphaned"], 0),
        (&["wait", &failed_run, "--timeout", "5s"], 10),
        (&["opinions"], 0),
        (&["ledger", "list"], 0),
        (&["ledger", "show", &failed_run], 0),
        (&["ledger", "verify"], 0),
        // It would, and says so.
        (&["forget", "--workspace", "1"], 1),
        (&["uninstall"], 0),
        (&["grants", "worker", "--to", "reconciler"], 0),
        (&["migrate", "--status"], 0),
        (&["migrate"], 0),
    ];
    let (_, help) = said_by(&on.url, &["--help"]).await;
    // The last group asks no database; `work` and `serve` follow below.
    let of_database = help.split("\nThis program:").next().expect("a part");
    let named = of_database
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    let named = named.filter_map(|line| line.split(' ').next());
    let tried: BTreeSet<&str> = verbs.iter().map(|(verb, _)| verb[0]).collect();
    let untried: Vec<&str> = named.filter(|verb| !tried.contains(verb)).collect();
    assert_eq!(untried, ["work", "serve"], "{help}");
    for (verb, expected) in verbs {
        let (code, said) = said_by(&on.url, verb).await;
        assert_eq!(code, Some(expected), "{verb:?}: {said}");
        assert!(!said.contains("permission denied"), "{verb:?}: {said}");
    }
    for purpose in [
        Purpose::Migrator,
        Purpose::Console,
        Purpose::Platform,
        Purpose::Observer,
    ] {
        // What writes nothing yet has less, and says that it is meant so.
        let verb: &[&str] = match purpose {
            Purpose::Observer => &["doctor", "--as", "observer"],
            _ => &["doctor"],
        };
        let (code, said) = said_by(&on.url_of(purpose), verb).await;
        assert_eq!(code, Some(0), "{purpose:?}: {said}");
    }
    let worker = Worker::start(&on.url, None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    until_ready(&worker).await;
    let taken =
        "SELECT count(*) FROM apalis.jobs WHERE job_type = 'restore.execute' AND status <> 'Done'";
    let is_taken = async || (on.count(taken).await == 0).then_some(());
    eventually(is_taken, async || worker.said()).await;
    dismiss(worker).await;

    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&on.url, &settings).await;
    for page in [
        "/",
        "/runs",
        "/queue",
        "/runs.csv",
        &format!("/runs/{failed}"),
        &format!("/runs/{failed}/explain"),
        &format!("/runs/{failed}/evidence"),
        "/runs.json",
        "/restores",
        "/find",
        "/reasons",
        "/api/v1/openapi.json",
    ] {
        assert_eq!(console.ask(&Ask::get(page)).status, 200, "{page}");
    }
    let described = console.ask(&Ask::get("/api/v1/openapi.json")).json();
    let paths = described["paths"].as_object().expect("paths");
    let read = paths.iter().filter(|(_, path)| path["get"].is_object());
    let restore = format!("SELECT id FROM restore_runs WHERE operation_run_id = {failed}");
    let restore = on.count(&restore).await.to_string();
    for (path, _) in read {
        let path = path
            .replace("{run}", &failed_run)
            .replace("{restore}", &restore);
        let answer = console.ask(&Ask::get(&path));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let said = console.stop().await;
    assert!(!said.contains("permission denied"), "{said}");
}

/// Evidence that is captured whenever somebody does tells nothing beside the ends of its restores. Beside its own row it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_another_time_zone_is_told_by_the_rows_of_evidence() {
    // As `$table->timestamps()` makes them.
    let without_zone = "ALTER TABLE evidence_snapshots ALTER created_at TYPE timestamp(0), ALTER updated_at TYPE timestamp(0)";
    for (zone, off) in [
        ("UTC", None),
        ("Europe/Berlin", Some("1h before")),
        ("America/New_York", Some("5h after")),
    ] {
        let on = Fixture::in_database(built().await).await;
        on.execute(without_zone).await;
        on.grant().await;
        let migrated = said_by(&on.url, &["migrate"]).await;
        assert_eq!(migrated.0, Some(0), "{}", migrated.1);
        on.grant().await;
        let zones = php("zones.php", &on.url, Purpose::Platform, zone);
        assert_eq!(said("zones.php", zones).await, "22\n");

        let (well, found) = said_by(&on.url, &["doctor"]).await;
        let (swept, told) = said_by(&on.url, &["sweep"]).await;
        let (settled, codes) = match off {
            None => (22, [0, 0]),
            Some(off) => {
                let said = format!(
                    "22 of the 22 latest evidence snapshots are dated {off} the creation of their own rows"
                );
                for said_so in [&found, &told] {
                    assert!(said_so.contains(&said), "{zone}: {said_so}");
                }
                (0, [3, 1])
            }
        };
        assert_eq!([well, swept], codes.map(Some), "{zone}: {found}{told}");
        assert_eq!(on.number_of("reconciler.ledger").await, settled, "{zone}");
    }
}

/// Half of the runs were closed by the platform itself: each unproven success among them is told, and nothing else is.
#[tokio::test(flavor = "multi_thread")]
async fn every_unproven_success_of_a_platform_is_told_and_nothing_else() {
    let on = Fixture::in_database(built().await).await;
    on.grant().await;
    let migrated = said_by(&on.url, &["migrate"]).await;
    assert_eq!(migrated.0, Some(0), "{}", migrated.1);
    on.grant().await;
    let planted = laravel("closed.php", &on.url, Purpose::Platform).await;
    let planted: BTreeMap<String, BTreeSet<i64>> = serde_json::from_str(&planted).expect("ids");
    let closed: usize = planted.values().map(BTreeSet::len).sum();
    assert_eq!(closed, 2 * planted["open"].len());
    let lies = &planted["lies"];
    let platform = on.standin.fingerprint_but_looks().await.unwrap();

    let (code, said) = said_by(&on.url, &["sweep", "--opinions"]).await;
    assert_eq!(code, Some(10), "{said}");
    let (code, said) = said_by(&on.url, &["opinions", "--output", "json"]).await;
    assert_eq!(code, Some(10), "{said}");
    let list: Value = serde_json::from_str(&said).expect("JSON");
    let list = list["opinions"].as_array().expect("a list").clone();
    assert_eq!(list.len(), closed / 2);
    let of = |word: &str| -> BTreeSet<i64> {
        let is_so = |it: &&Value| it["opinion"] == word;
        let runs = list.iter().filter(is_so).map(|it| it["run"].as_i64());
        runs.map(|run| run.expect("an id")).collect()
    };
    assert_eq!(&of("claims_more"), lies);
    assert!(
        list.iter()
            .all(|it| it["unproven_success"] == (it["opinion"] == "claims_more"))
    );
    let honest = ["honest", "aged", "partial"].map(|kind| planted[kind].clone());
    assert_eq!(of("agrees"), honest.into_iter().flatten().collect());
    let untold = ["alone", "healed"].map(|kind| planted[kind].clone());
    assert_eq!(of("cannot_tell"), untold.into_iter().flatten().collect());
    let after = on.standin.fingerprint_but_looks().await.unwrap();
    assert_eq!(after, platform, "nothing of the platform's");

    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&on.url, &settings).await;
    let shown = console.ask(&Ask::get("/runs.csv?unproven=true"));
    assert_eq!(shown.status, 200, "{}", shown.body);
    let rows = shown.body.lines().skip(1);
    let shown: BTreeSet<i64> = rows
        .map(|row| row.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(&shown, lies);
    let overview = console.ask(&Ask::get("/")).body;
    assert!(
        overview.contains(&format!("{} unproven", lies.len())),
        "{overview}"
    );
    let healed = planted["healed"].first().expect("a run");
    let page = console.ask(&Ask::get(&format!("/runs/{healed}"))).body;
    for word in [
        "run.stale_running",
        "running for too long",
        "Closed as failed by a later check",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
    console.stop().await;

    let worker = Worker::start(&on.url, None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    let gauge = format!("reconciler_unproven_successes {}", lies.len());
    let told = async || {
        let (_, exported) = worker.probe("/metrics").await;
        exported.lines().any(|line| line == gauge).then_some(())
    };
    eventually(told, async || worker.said()).await;
    dismiss(worker).await;
}

/// How often the command is killed, and for how long at most on a machine that has other things to do; how many verdicts it is
/// to tell of, which is more than it is let tell of meanwhile.
const KILLS: usize = 200;
const KILLING: Duration = Duration::from_mins(3);
const TOLD: i64 = 450;

/// What the application has beside the platform's tables that are read here: users, and Laravel's own table of
/// notifications.
const NOTIFICATIONS: &str = "
CREATE TABLE users (id bigint PRIMARY KEY);
INSERT INTO users VALUES (7);
CREATE TABLE notifications (
    id uuid PRIMARY KEY, type text NOT NULL, notifiable_type text NOT NULL, notifiable_id bigint NOT NULL,
    data text NOT NULL, read_at timestamp, created_at timestamp, updated_at timestamp
);
GRANT SELECT ON users TO platform;
GRANT SELECT, INSERT ON notifications TO platform;
UPDATE operation_runs SET user_id = 7";

/// All that was told, by the key of each verdict.
const NOTIFIED: &str =
    "SELECT string_agg(translate(id::text, '-', ''), E'\n' ORDER BY id) FROM notifications";
const JUDGED_IDS: &str =
    "SELECT string_agg(decision_id, E'\n' ORDER BY decision_id) FROM reconciler.ledger";

const ACKNOWLEDGED: &str = "SELECT acknowledged FROM reconciler.verdict_consumers";

#[tokio::test(flavor = "multi_thread")]
async fn the_manuals_command_tells_of_each_verdict_once_however_often_it_is_killed() {
    let on = Fixture::postgres().await;
    on.plant((1..=TOLD).map(Case::proven)).await;
    on.execute(NOTIFICATIONS).await;
    on.settle(&(1..=TOLD).collect::<Vec<_>>()).await;
    place_verdicts(&on, TOLD).await;
    let directory = TempDir::new().expect("a directory");
    let [command, mails] = ["TellVerdicts.php", "mails"].map(|file| directory.path().join(file));
    let manual = read("config/manual/database.md");
    fs::write(&command, fenced(&manual, "php").next().expect("a command")).expect("a file");
    let tell = || {
        let mut php = php("tell.php", &on.url, Purpose::Platform, "UTC");
        php.args([&command, &mails]);
        php
    };

    let mut dice = Dice::from(1_117);
    let alone = async || {
        let others = "pg_stat_activity WHERE usename = 'platform' AND datname = current_database() AND state <> 'idle'";
        (on.number_of(others).await == 0).then_some(())
    };
    let (since, mut kills) = (Stopwatch::start(), 0);
    // How long one verdict takes it, on this machine; of how many it has told, at least and at most.
    let (mut pace, mut least, mut most) = (Duration::from_millis(5), 0, 0);
    while kills < KILLS && (since.elapsed() < KILLING || least == 0) {
        let piped = tell().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut told = piped.expect("PHP is installed");
        let mut go_on = told.stdin.take().expect("it is piped");
        let mut lines = BufReader::new(told.stdout.take().expect("it is piped")).lines();
        let mut next = async || {
            let line = in_time("the command", lines.next_line()).await;
            line.expect("text").expect("it goes on")
        };
        // One in eight is killed wherever it is, the others once they tell: with a mail just sent, or within the next verdict.
        if kills % 8 > 0 {
            assert_eq!(next().await, "begins");
            let mails = dice.below(3);
            let mut released = Stopwatch::start();
            for number in 0..mails {
                assert_eq!(next().await, "mail");
                if number > 0 {
                    pace = released.elapsed();
                    least += 1;
                }
                released = Stopwatch::start();
                go_on.write_all(b"\n").await.expect("it reads");
                most += 1;
            }
            if dice.chance(30) {
                assert_eq!(next().await, "mail");
                least += i64::from(mails > 0);
            }
        }
        tokio::time::sleep(pace * u32::try_from(dice.below(100)).expect("a number") / 100).await;
        told.kill().await.expect("it is ours to kill");
        kills += 1;
        eventually(alone, async || "a session that does not end".to_owned()).await;
    }
    println!("killed {kills} times, with {least} to {most} told");
    let acknowledged = on.count(ACKNOWLEDGED).await;
    assert!(
        (least..=most).contains(&acknowledged) && most < TOLD,
        "{acknowledged} were told of by what was killed, of {least} to {most}"
    );

    for _ in 0..2 {
        let mut alone = tell();
        alone.stdin(Stdio::null());
        assert!(said("tell.php", alone).await.starts_with("begins\n"));
        assert_eq!(on.count(ACKNOWLEDGED).await, TOLD);
        let (told, judged) = (on.value(NOTIFIED).await, on.value(JUDGED_IDS).await);
        assert!(told == judged, "each verdict has one notification");
        let mails = fs::read_to_string(&mails).expect("mails");
        let mails: BTreeSet<&str> = mails.lines().collect();
        assert!(
            judged.as_deref().unwrap_or_default().lines().eq(mails),
            "each was sent, by its key"
        );
    }
}
