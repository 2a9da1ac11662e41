//! What others take from under a running worker: privileges, and schemas by renaming them. It has nothing to do at the time, so
//! that nothing is refused to it, and is not ready all the same; nothing is lost, and it goes on by itself.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use tokio::time::interval;

use super::end_soundly;
use crate::support::case::Case;
use crate::support::exposition::Exposition;
use crate::support::scene::{NO_SWEEPS, OPEN, Scene, VERDICTS, until_ready, until_said};
use crate::support::time::{Machine, TIMEOUT};
use crate::support::worker::Worker;

/// How soon a worker says so, on a machine with processors to spare.
const NOTICED_WITHIN: Duration = Duration::from_secs(15);

/// What is done, what undoes it (nothing: every role is granted again what it needs), what readiness says, what the log names,
/// and whether runs can be asked for meanwhile.
const DAYS: [(&str, &str, &str, &str, bool); 9] = [
    (
        "REVOKE UPDATE ON operation_runs FROM reconciler",
        "",
        "[-] rights: something that a worker needs is not there or not granted",
        "UPDATE on 8 column(s) of operation_runs",
        true,
    ),
    (
        "REVOKE SELECT ON evidence_snapshots FROM reconciler",
        "",
        "[-] rights: something that a worker needs is not there or not granted",
        "GRANT SELECT (id, workspace_id, managed_environment_id, operation_run_id, status",
        true,
    ),
    (
        "REVOKE SELECT ON backup_items FROM reconciler",
        "",
        "[-] rights: something that a worker needs is not there or not granted",
        "GRANT SELECT (id, backup_set_id, deleted_at) ON public.backup_items TO reconciler;",
        true,
    ),
    (
        "REVOKE USAGE ON SCHEMA reconciler FROM reconciler",
        "",
        "[-] schema: not there, or this role may not read it",
        "GRANT USAGE ON SCHEMA reconciler TO reconciler;",
        true,
    ),
    (
        "REVOKE USAGE ON SCHEMA apalis FROM reconciler",
        "",
        "[-] database: answers, and has taken no sign of life for ",
        "GRANT USAGE ON SCHEMA apalis TO reconciler;",
        true,
    ),
    (
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC, reconciler",
        "GRANT USAGE ON SCHEMA public TO PUBLIC, reconciler",
        "[-] settling: the platform's tables cannot be found, so nothing is settled",
        "the search path leads to no table operation_runs that this role may use",
        true,
    ),
    (
        "ALTER SCHEMA public RENAME TO elsewhere",
        "ALTER SCHEMA elsewhere RENAME TO public",
        "[-] settling: the platform's tables cannot be found, so nothing is settled",
        "our schema serves the platform in schema public",
        false,
    ),
    (
        "ALTER SCHEMA reconciler RENAME TO elsewhere",
        "ALTER SCHEMA elsewhere RENAME TO reconciler",
        "[-] schema: not there, or this role may not read it",
        "Run `restore-reconciler migrate` first.",
        false,
    ),
    (
        "ALTER SCHEMA apalis RENAME TO elsewhere",
        "ALTER SCHEMA elsewhere RENAME TO apalis",
        "[-] database: answers, and has taken no sign of life for ",
        "the queue's schema was renamed, or its tables are gone",
        false,
    ),
];

/// Waits until readiness says so, while a restart would not help.
pub(super) async fn until_told(worker: &Worker, state: &str) {
    let (machine, since) = (Machine::watch(), Stopwatch::start());
    let mut poll = interval(Duration::from_millis(100));
    loop {
        poll.tick().await;
        let (status, live) = worker.probe("/livez?verbose").await;
        assert_eq!(status, 200, "{live}\n{}", worker.said());
        let (status, ready) = worker.probe("/readyz?verbose").await;
        if status == 503 && ready.contains(state) {
            break;
        }
        assert!(since.elapsed() < TIMEOUT, "{ready}\n{}", worker.said());
    }
    let (took, granted) = (since.elapsed(), machine.grants(NOTICED_WITHIN));
    assert!(took < granted, "{state} after {took:?}\n{}", worker.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_from_an_idle_worker_is_noticed_named_and_given_back() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    for (run, (done, undone, state, named, can_be_asked)) in (1..).zip(DAYS) {
        scene.plant([Case::proven(run)]).await;
        scene.execute(done).await;
        until_told(&worker, state).await;
        until_said(&worker, named).await;
        let (check, _) = state[4..].split_once(':').expect("a check");
        let series = format!("reconciler_check_ok{{check=\"{check}\"}}");
        let exported = Exposition::of(&worker).await;
        assert!(exported.is_zero(&series), "{done}: {exported:?}");
        if can_be_asked {
            scene
                .execute(&format!("SELECT reconciler.request({run})"))
                .await;
        }
        if undone.is_empty() {
            scene.grant().await;
        } else {
            scene.execute(undone).await;
        }
        until_ready(&worker).await;
        if !can_be_asked {
            scene.request([run]).await;
        }
        scene.until(OPEN, 0, &worker).await;
        assert_eq!(scene.count(VERDICTS).await, run, "{done}");
        let exported = Exposition::of(&worker).await;
        assert_eq!(exported.count(&series), 1, "{done}");
    }
    let days = i64::try_from(DAYS.len()).expect("few");
    end_soundly(&scene, [worker]).await;
    scene.assert_one_of_each(days).await;
}
