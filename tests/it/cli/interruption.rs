//! Ctrl-C in the middle of a sweep.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};

use restore_reconciler::internals::cli::output::Document;
use sqlx::{PgConnection, raw_sql};
use tempfile::TempDir;

use super::stage::{Ran, program};
use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::store::Fixture;
use crate::support::time::eventually;

const RUNS: i64 = 60;
const PAGE: u64 = 5;
/// How many runs are in hand at once: two pages.
const IN_HAND: u64 = 2 * PAGE;

/// A sweep that has a page in hand and cannot write it.
struct HeldSweep {
    on: Fixture,
    /// Keeps everybody from writing audit entries while it is open.
    lock: PgConnection,
    child: Child,
    said: BufReader<ChildStderr>,
    _settings: TempDir,
}

impl HeldSweep {
    async fn start() -> Self {
        let on = Fixture::postgres().await;
        on.plant((1..=RUNS).map(Case::proven)).await;
        let mut lock = connect(Purpose::Engineer, &on.url).await;
        let order = raw_sql("BEGIN; LOCK TABLE audit_logs IN SHARE MODE");
        order.execute(&mut lock).await.unwrap();

        let settings = TempDir::new().unwrap();
        let file = settings.path().join("small-pages.toml");
        let toml = format!(
            "[sweep]\nbatch_runs_max = {PAGE}\nlanes = 2\n[database]\nlock_timeout = \"4m\"\nstatement_timeout = \"4m\"\n[worker]\nattempt_timeout = \"5m\""
        );
        fs::write(&file, toml).unwrap();
        let mut child = program(&on.url, &["sweep", "--output", "json"])
            .arg("--config")
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let held = Self {
            on,
            lock,
            child,
            said,
            _settings: settings,
        };
        let are_in_hand = async || (held.in_hand().await == IN_HAND.cast_signed()).then_some(());
        eventually(are_in_hand, async || "no two pages are in hand".to_owned()).await;
        held
    }

    async fn in_hand(&self) -> i64 {
        let query = "SELECT coalesce(sum(cardinality(in_hand)), 0)::bigint FROM reconciler.sweeps";
        self.on.count(query).await
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Returns once the program has said that it noticed.
    fn interrupt_and_wait(&mut self) {
        self.interrupt();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        let is_noticed = line.contains("interrupted: finishing what is under way");
        assert!(is_noticed, "{line}");
    }

    fn finish(mut self) -> (Fixture, PgConnection, Ran) {
        let mut stderr = String::new();
        self.said.read_to_string(&mut stderr).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let ran = Ran {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr,
        };
        (self.on, self.lock, ran)
    }
}

#[tokio::test]
async fn an_interrupted_sweep_finishes_the_pages_in_hand_and_says_what_it_did() {
    let mut held = HeldSweep::start().await;
    held.interrupt_and_wait();
    raw_sql("COMMIT").execute(&mut held.lock).await.unwrap();
    let (on, _, ran) = held.finish();
    // All that it settled is proven, and the rest is undecided.
    let ran = ran.exits(11);
    let Document::Sweep(swept) = ran.document() else {
        panic!("{}", ran.stdout)
    };
    assert!(!swept.complete, "{}", ran.stdout);
    assert_eq!((swept.runs, swept.counts.succeeded), (IN_HAND, IN_HAND));
    on.assert_one_of_each(IN_HAND.cast_signed()).await;
    let row = on.row("SELECT * FROM reconciler.sweeps").await;
    assert!(row["ended_at"].is_some());
    assert_eq!(row["in_hand"].as_deref(), Some("{}"));
    assert_eq!(row["succeeded"], Some(IN_HAND.to_string()));
}

#[tokio::test]
async fn a_sweep_that_is_interrupted_twice_does_not_wait_for_the_database() {
    let mut held = HeldSweep::start().await;
    held.interrupt_and_wait();
    held.interrupt();
    let (on, lock, ran) = held.finish();
    let ran = ran.exits(1);
    let ran = ran.says(&[], &["broken off in the middle of a page", "\"advice\""]);
    let Document::Sweep(swept) = ran.document() else {
        panic!("{}", ran.stdout)
    };
    assert_eq!((swept.complete, swept.runs), (false, 0));
    drop(lock);
    on.assert_one_of_each(0).await;
    let row = on.row("SELECT * FROM reconciler.sweeps").await;
    assert_eq!(row["ended_at"], None);
    // Left for whoever takes over.
    let in_hand = "SELECT cardinality(in_hand)::bigint FROM reconciler.sweeps";
    assert_eq!(on.count(in_hand).await, IN_HAND.cast_signed());
}
