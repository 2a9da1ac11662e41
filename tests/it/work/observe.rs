//! The first day: a worker that only observes, one that acts in part, and one that refuses a platform of other words.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::cli::output::Document;
use restore_reconciler::internals::views::verdict::RunFate;

use crate::cli::stage::run;
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::exposition::Exposition;
use crate::support::roles::Purpose;
use crate::support::scene::{
    CENSUS, DONE, OPEN, OPEN_JOBS, SWEEPS, Scene, TICKS, VERDICTS, dismiss, until_answered,
    until_ready, until_said,
};
use crate::support::store::{Fixture, moved, on_both};
use crate::support::worker::said_by;

on_both!(
    whoever_observes_settles_nothing,
    the_others_of_a_canary_are_only_observed,
    a_platform_of_other_words_is_not_settled_until_that_is_answered,
);

/// Every row of the platform's tables with what shows that it was locked or written.
const ROWS: &str = "
    SELECT md5(string_agg(md5(row), '' ORDER BY row)) FROM (
        SELECT xmin::text || xmax || ctid || it::text AS row FROM operation_runs AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM restore_runs AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM evidence_snapshots AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM audit_logs AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM backup_sets AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM backup_items AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM workspaces AS it
        UNION ALL SELECT xmin::text || xmax || ctid || it::text FROM managed_environments AS it
    ) AS rows";

const WATCHED: &str = "SELECT count(*) FROM reconciler.watch_list";

/// What a rehearsal is refused with.
const REFUSED: &str = "a rehearsal locks runs and writes before it undoes that";

const OBSERVE: &str = "[settling]\nmode = \"observe\"\n";

fn unproven(id: i64) -> Case {
    let mut case = Case::proven(id);
    case.snapshots.clear();
    case
}

/// A worker with requests and sweeps, and both verbs, as a role that may read the platform's tables and no more.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_observes_changes_no_byte_of_the_platform() {
    let log = "[log]\nfilter = \"info\"\n";
    let scene = Scene::new(&format!("{SWEEPS}{CENSUS}{OBSERVE}{log}")).await;
    let observer = Purpose::Observer.url(scene.url());
    // A platform that is refused to whoever acts is observed all the same.
    scene.plant((1..=30).map(unproven)).await;
    scene
        .plant([Case::proven(41), Case::failed(42), Case::in_progress(43)])
        .await;
    scene.watch("id IN (5, 43)").await;
    scene.request([1, 41]).await;
    let before = scene.value(ROWS).await;
    let worker = scene.worker_at(&observer).await;
    until_said(&worker, "run 41 would be succeeded: restore.proof_complete").await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    scene.let_pass(4, &worker).await;
    for (query, expected) in [(VERDICTS, 0), (OPEN, 33), (WATCHED, 2)] {
        assert_eq!(
            scene.count(query).await,
            expected,
            "{query}\n{}",
            worker.said()
        );
    }
    assert!(scene.count(DONE).await >= 2, "{}", worker.said());
    let said = worker.said();
    for said_once in [
        "run 1 would be partially_succeeded: restore.evidence_missing",
        "run 42 would be failed: restore.execution_failed",
        "run 43 would be deferred: restore.in_progress",
    ] {
        assert_eq!(said.matches(said_once).count(), 1, "{said_once}\n{said}");
    }
    let (_, state) = worker.probe("/readyz?verbose").await;
    assert!(
        state.contains("[+] mode: observe: no run is settled"),
        "{state}"
    );
    let metrics = Exposition::of(&worker).await;
    let would_be = metrics.counts("reconciler_would_be_total");
    assert_eq!(would_be.values().sum::<i64>(), 33, "{would_be:?}");
    assert_eq!(metrics.counts("reconciler_verdicts_total").len(), 0);
    let modes = scene
        .value("SELECT string_agg(mode, ',') FROM reconciler.judges")
        .await;
    assert_eq!(modes.as_deref(), Some("observe"));
    // It keeps nobody else from settling, and nobody else's rules keep it.
    let judges = scene.store.list_judges().await.unwrap();
    assert!(judges.iter().all(|judge| !judge.settles()), "{judges:?}");

    let config = scene.config.to_str().expect("text");
    for (verb, code, says) in [
        (&["sweep"][..], 11, "WOULD BE"),
        (
            &["reconcile", "41"],
            11,
            "only observed; would be succeeded",
        ),
        (&["sweep", "--dry-run", "--rehearse"], 1, REFUSED),
        (&["doctor", "--rehearse"], 1, REFUSED),
        (&["sweep", "--output", "json"], 11, "\"would_be\""),
    ] {
        let (found, said) = said_by(&observer, &[&["--config", config], verb].concat()).await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(says), "{says}: {said}");
    }
    dismiss(worker).await;
    assert_eq!(scene.count(OPEN).await, 33);
    assert_eq!(scene.value(ROWS).await, before);
}

/// A dead letter stays one, and beside a worker that acts nothing is taken up.
async fn whoever_observes_settles_nothing(on: Fixture) {
    let runs_max = SWEEPS.replace("[sweep]\n", "[sweep]\nruns_max = 2\nbatch_runs_max = 1\n");
    let log = "[log]\nfilter = \"info\"\n";
    let scene = Scene::on(on, &format!("{runs_max}{CENSUS}{OBSERVE}{log}")).await;
    scene.plant((1..=6).map(Case::proven)).await;
    scene.watch("id = 2").await;
    scene
        .store
        .suspect(&[RunId(3), RunId(4)], "gone")
        .await
        .unwrap();
    let dead = "UPDATE reconciler.attempts SET tries = 5, dead_at = try_again_at WHERE operation_run_id = 3";
    scene.execute(dead).await;
    scene.request([1, 3]).await;
    let platform = scene.platform().await;
    let acting = format!(
        "INSERT INTO reconciler.judges (worker, ruleset, policy_digest, seen_at, mode)
         VALUES ('acting', 1, 'x', {}, 'act')",
        scene.in_seconds(3_000)
    );
    scene.execute(&acting).await;

    let worker = scene.unready_at(scene.url()).await;
    until_said(
        &worker,
        "a worker that settles runs is at work, so this one",
    )
    .await;
    scene.let_pass(3, &worker).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    assert!(
        state.contains("[-] settling: a worker that settles runs"),
        "{state}"
    );
    assert_eq!(scene.count(OPEN_JOBS).await, 2, "{}", worker.said());
    assert_eq!(scene.count(TICKS).await, 0, "{}", worker.said());

    scene
        .execute("DELETE FROM reconciler.judges WHERE worker = 'acting'")
        .await;
    until_ready(&worker).await;
    // More than a sweep would settle.
    for run in [1, 2, 5, 6] {
        let would = format!("run {run} would be succeeded: restore.proof_complete");
        until_said(&worker, &would).await;
    }
    scene.until(OPEN_JOBS, 0, &worker).await;
    scene.let_pass(3, &worker).await;
    let said = worker.said();
    assert!(
        !said.contains("run 3 would") && !said.contains("run 4 would"),
        "{said}"
    );
    dismiss(worker).await;
    let dead = "SELECT count(*) FROM reconciler.attempts WHERE dead_at IS NOT NULL AND tries = 5";
    let all = "SELECT count(*) FROM reconciler.attempts";
    for (query, expected) in [(VERDICTS, 0), (OPEN, 6), (WATCHED, 1), (dead, 1), (all, 2)] {
        assert_eq!(scene.count(query).await, expected, "{query}");
    }
    assert_eq!(scene.platform().await, platform);
}

/// A request for one of the others ends, and one that is watched stays so, in nobody's way.
async fn the_others_of_a_canary_are_only_observed(on: Fixture) {
    let config = format!(
        "{SWEEPS}{CENSUS}[settling]\nact_in = [{}]\nnot_before = \"2025-03-01T00:00:00Z\"\n",
        HOME.0
    );
    let scene = Scene::on(on, &config).await;
    let mut early = Case::proven(3);
    early.run.created_at = Some("2025-02-28T23:59:59Z".to_owned());
    let elsewhere = [4, 5].map(|run| moved(Case::proven(run), FOREIGN));
    let cases = [Case::proven(1), Case::proven(2), early];
    scene.plant(cases.into_iter().chain(elsewhere)).await;
    scene.watch("id IN (2, 5)").await;
    let before = [scene.run(3).await, scene.run(4).await, scene.run(5).await];

    let config = scene.config.to_str().expect("text");
    let json = ["--config", config, "--output", "json"];
    let reconciled = run(scene.url(), &[&json[..], &["reconcile", "4"]].concat()).exits(11);
    let Document::Reconcile(reconciled) = reconciled.document() else {
        panic!("no document of reconcile")
    };
    assert_eq!(reconciled.runs[0].state, RunFate::Observed);
    let swept = run(scene.url(), &[&json[..], &["sweep"]].concat()).exits(11);
    let Document::Sweep(swept) = swept.document() else {
        panic!("no document of sweep")
    };
    assert_eq!((swept.counts.succeeded, swept.counts.passed_over), (2, 3));
    assert_eq!(swept.would_be.iter().map(|it| it.runs).sum::<u64>(), 3);
    assert_eq!(scene.count(WATCHED).await, 1);

    scene.plant([Case::proven(6)]).await;
    scene.request([3, 4, 6]).await;
    let worker = scene.worker().await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    scene.verdicts(3, &worker).await;
    scene.let_pass(2, &worker).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    assert!(state.contains("[+] mode: act in part"), "{state}");
    dismiss(worker).await;
    let after = [scene.run(3).await, scene.run(4).await, scene.run(5).await];
    assert_eq!(before, after);
    scene.assert_one_of_each(3).await;
}

async fn a_platform_of_other_words_is_not_settled_until_that_is_answered(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{CENSUS}")).await;
    scene.plant((1..=19).map(unproven)).await;
    assert_eq!(
        scene.store.find_unheld(&Policy::default()).await.unwrap(),
        None
    );
    scene.plant([unproven(20)]).await;
    scene.request([1, 2]).await;
    let worker = scene.unready_at(scene.url()).await;
    until_said(
        &worker,
        "none has the proof of evidence, as where the platform",
    )
    .await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "a leg of the proof held of no restore that ended, so nothing is settled";
    assert!(state.contains(why), "{state}");
    scene.let_pass(3, &worker).await;
    for (query, expected) in [(VERDICTS, 0), (OPEN, 20), (OPEN_JOBS, 2)] {
        assert_eq!(
            scene.count(query).await,
            expected,
            "{query}\n{}",
            worker.said()
        );
    }
    for verb in [&["sweep"][..], &["reconcile", "4"]] {
        let (code, said) = said_by(scene.url(), verb).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("none has the proof of evidence"), "{said}");
        assert!(said.contains("doctor --survey"), "{said}");
    }
    // What would be decided may be looked at.
    assert_eq!(
        said_by(scene.url(), &["sweep", "--dry-run"]).await.0,
        Some(10)
    );

    // Once it is known, as it is.
    let accepted = scene.config.with_file_name("accepted.toml");
    std::fs::write(&accepted, "[survey]\naccepted = [\"evidence\"]\n").expect("a file");
    let accepting = [
        "--config",
        accepted.to_str().expect("text"),
        "reconcile",
        "4",
    ];
    assert_eq!(said_by(scene.url(), &accepting).await.0, Some(10));

    // Or once one restore has the proof that was missing.
    scene.plant([Case::proven(21)]).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    let said = worker.said();
    assert_eq!(said.matches("none has the proof of").count(), 1, "{said}");
    dismiss(worker).await;
    scene.assert_one_of_each(21).await;
}
