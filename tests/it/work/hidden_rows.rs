//! A worker from which rows may be hidden: it takes nothing up, says why, and goes on once that is put right.

use crate::support::case::Case;
use crate::support::scene::{
    CENSUS, IN_HAND, OPEN, OPEN_JOBS, SWEEPS, Scene, TICKS, VERDICTS, dismiss, until_answered,
    until_ready, until_said,
};
use crate::support::worker::said_by;

const HIDE: &str = "ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
    CREATE POLICY few ON audit_logs USING (id > 0)";
const SHOW: &str =
    "DROP POLICY few ON audit_logs; ALTER TABLE audit_logs DISABLE ROW LEVEL SECURITY";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_from_which_rows_may_be_hidden_takes_nothing_up_until_it_sees_all() {
    let scene = Scene::new(&format!("{SWEEPS}{CENSUS}")).await;
    let worker = scene.worker().await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.until(OPEN, 0, &worker).await;

    scene.execute(HIDE).await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "[-] settling: row security or a view may hide rows that prove";
    assert!(state.contains(why), "{state}");
    scene.until(IN_HAND, 0, &worker).await;
    // A tick that had begun may still be won.
    scene.let_pass(1, &worker).await;
    let ticks = scene.count(TICKS).await;
    scene.plant((4..=6).map(Case::proven)).await;
    scene.request([4, 5]).await;
    scene.watch("operation_runs.id = 6").await;
    scene.let_pass(5, &worker).await;
    for (query, expected) in [
        (OPEN, 3),
        (VERDICTS, 3),
        (TICKS, ticks),
        (IN_HAND, 0),
        (OPEN_JOBS, 2),
    ] {
        let found = scene.count(query).await;
        assert_eq!(found, expected, "{query}\n{}", worker.said());
    }
    assert_eq!(worker.probe("/livez").await.0, 200, "it is well, and waits");
    for verb in [&["sweep"][..], &["sweep", "--dry-run"], &["reconcile", "4"]] {
        let (code, said) = said_by(scene.url(), verb).await;
        assert_eq!(code, Some(1), "{said}");
        let refusal = "error: row security or a view may hide rows of audit_logs from this role";
        assert!(said.contains(refusal), "{said}");
        assert!(
            said.contains("to do: Run `restore-reconciler doctor`"),
            "{said}"
        );
    }

    scene.execute(SHOW).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    let said = worker.said();
    let once = said.matches("may hide rows of audit_logs from this role");
    assert_eq!(once.count(), 1, "{said}");
    assert!(
        said.contains("what was in the way of settlements is gone"),
        "{said}"
    );
    assert!(!said.contains("it is restarted"), "nothing failed\n{said}");
    dismiss(worker).await;
    scene.assert_one_of_each(6).await;
}

/// A worker that is not told takes nothing up, and says what it waits for.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_look_says_so_and_begins_once_it_can() {
    let scene = Scene::new(SWEEPS).await;
    scene.plant((1..=3).map(Case::proven)).await;
    let mut owner = scene.pg().begin().await.expect("a transaction");
    let lock = sqlx::query("LOCK TABLE evidence_snapshots IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut *owner).await.expect("a lock");
    let worker = scene.unready_at(scene.url()).await;
    let why = "the database does not say whether proof can be trusted, so nothing is taken up yet";
    until_said(&worker, why).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    assert!(
        state.contains("[-] settling: the database was not examined yet"),
        "{state}"
    );
    assert_eq!(scene.count(VERDICTS).await, 0);
    owner.commit().await.expect("it lets go");
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    assert_eq!(worker.said().matches(why).count(), 1, "{}", worker.said());
    dismiss(worker).await;
}

/// Vouched for from the start, policies keep nobody from working.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_vouched_for_works_under_policies() {
    let config = format!("{SWEEPS}\n[database]\nrow_security = \"trusted\"\n");
    let scene = Scene::new(&config).await;
    scene.execute(HIDE).await;
    scene
        .execute("CREATE POLICY adds ON audit_logs FOR INSERT WITH CHECK (true)")
        .await;
    let worker = scene.worker().await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.until(OPEN, 0, &worker).await;
    dismiss(worker).await;
    scene.assert_one_of_each(3).await;
}
