//! Restores so large that reading them takes long: everybody else is answered meanwhile, and a page of them ends early.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use reconciler_fixtures::{Case, CaseIds, Standin};
use restore_reconciler::internals::clock::{self, Stopwatch};
use restore_reconciler::internals::config::Config;
use serde_json::json;

use super::platform::OWN;
use super::server::{Answer, Ask, CHIEF, GUEST, Server, ask};
use crate::support::time::Machine;

/// How many runs are planted, each with a restore of so many items.
const RUNS: i64 = 50;
const ITEMS: i64 = 20_000;
/// The id before the first of them.
const BELOW: i64 = 5_000;
/// How long a small answer may take, on a machine with processors to spare.
const SMALL_MAX: Duration = Duration::from_millis(500);

async fn plant(url: &str) {
    let case = |id| {
        let ids = CaseIds {
            run: id,
            restore: id,
            workspace: OWN,
            environment: OWN,
        };
        Case::new(ids, clock::wall())
    };
    let mut large = case(BELOW);
    large.request((1..=ITEMS).map(|item| (item, json!({ "status": "applied" }))));
    let cases = (BELOW + 1..=BELOW + RUNS).map(|id| {
        let mut case = case(id);
        case.restore.results.clone_from(&large.restore.results);
        case
    });
    let standin = Standin::new(url).unwrap();
    standin.plant(&cases.collect()).await.unwrap();
}

/// One thread answers, so that whatever holds it up holds up everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_reads_much_holds_nobody_up() {
    let often = |config: &mut Config, _: &mut _| config.console.requests_per_minute = 1_000_000;
    let server = Server::start_with(often).await;
    plant(&server.platform.url).await;
    let address = server.address;
    let ask = move |target: &str, token| ask(address, &Ask::get(target).bearer(token));
    let (machine, watch) = (Machine::watch(), Stopwatch::start());
    let reading = thread::spawn(move || ask("/api/v1/runs", CHIEF));
    let mut slowest = Duration::ZERO;
    while !reading.is_finished() {
        let watch = Stopwatch::start();
        assert_eq!(ask("/login", GUEST).status, 200);
        slowest = slowest.max(watch.elapsed());
    }
    let mut page: Answer = reading.join().unwrap();
    println!("the list: {:?}; beside it: {slowest:?}", watch.elapsed());
    assert!(slowest < machine.grants(SMALL_MAX), "{slowest:?}");

    let mut seen = BTreeSet::new();
    for pages in 1.. {
        assert_eq!(page.status, 200, "{page:?}");
        let list = page.json();
        let runs = list["runs"].as_array().unwrap();
        assert!(!runs.is_empty() && runs.len() < 50, "{}", runs.len());
        for run in runs {
            let id = run["run"].as_i64().unwrap();
            assert!(seen.insert(id), "{id} stands there twice");
            assert!(id <= BELOW || run["restore"] == id, "{run}");
        }
        let Some(next) = list["next"].as_str() else {
            assert!(pages >= 2, "{pages}");
            break;
        };
        page = ask(next, CHIEF);
    }
    let planted = seen.into_iter().filter(|id| *id > BELOW);
    assert!(planted.eq(BELOW + 1..=BELOW + RUNS));
}
