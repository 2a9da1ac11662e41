//! Rows that row security or a view may hide: nothing is proven from what is left, unless somebody vouches for it.

use restore_reconciler::internals::storage::{
    Distrust, ErrorKind, Settlement, Store, StoreError, Trust,
};

use crate::support::case::Case;
use crate::support::settled::{run_ids, settling};
use crate::support::store::{Fixture, open_trusting};
use crate::support::time::eventually;

/// Hides every audit entry from everybody but the owner.
const HIDE: &str = "ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
    CREATE POLICY nobody ON audit_logs USING (false); CREATE POLICY adds ON audit_logs FOR INSERT WITH CHECK (true)";

/// Who waits for a lock on a table.
const WAITING: &str = "SELECT count(*) FROM pg_locks
    WHERE locktype = 'relation' AND NOT granted AND relation = 'audit_logs'::regclass";

async fn settle(store: &Store, run: i64) -> Result<Option<Settlement>, StoreError> {
    let mut settled = Vec::new();
    let (runs, with) = (run_ids(&[run]), settling());
    store.settle(&runs, &with, &mut settled).await?;
    Ok(settled.pop().map(|settled| settled.result))
}

async fn trusting(on: &Fixture) -> Store {
    open_trusting(
        &on.url,
        Trust {
            row_security: true,
            ..Trust::default()
        },
    )
    .await
}

async fn assert_refused(on: &Fixture, tables: &str) {
    let before = on.fingerprint().await;
    let expected = Distrust::HiddenRows(tables.to_owned());
    assert_eq!(
        on.store.find_distrust().await.unwrap(),
        Some(expected.clone())
    );
    let error = settle(&on.store, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fatal);
    assert_eq!(error.distrust(), Some(&expected));
    assert!(error.advice().unwrap().contains("doctor"));
    assert_eq!(before, on.fingerprint().await);
}

#[tokio::test]
async fn nothing_is_settled_where_a_policy_may_hide_proof() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1)]).await;
    let proof = [
        "operation_runs",
        "restore_runs",
        "evidence_snapshots",
        "audit_logs",
        "backup_sets",
        "backup_items",
    ];
    for table in proof {
        on.execute(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
            .await;
        assert_refused(&on, table).await;
        on.execute(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))
            .await;
    }
    assert_eq!(on.store.find_distrust().await.unwrap(), None);
    on.verdict(1).await;
}

#[tokio::test]
async fn nothing_is_settled_from_a_view_unless_it_is_vouched_for() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1)]).await;
    on.execute(
        "ALTER TABLE restore_runs RENAME TO restores_kept;
         CREATE VIEW public.restore_runs AS SELECT * FROM restores_kept;
         GRANT SELECT ON public.restore_runs TO reconciler",
    )
    .await;
    assert_refused(&on, "restore_runs").await;
    let settled = settle(&trusting(&on).await, 1).await.unwrap();
    assert!(matches!(settled, Some(Settlement::Committed(_))));
}

#[tokio::test]
async fn policies_that_are_vouched_for_are_no_obstacle() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1)]).await;
    on.execute(HIDE).await;
    on.execute("CREATE POLICY all_rows ON audit_logs TO reconciler USING (true)")
        .await;
    assert_refused(&on, "audit_logs").await;
    let trusting = trusting(&on).await;
    assert_eq!(trusting.find_distrust().await.unwrap(), None);
    let settled = settle(&trusting, 1).await.unwrap();
    assert!(matches!(settled, Some(Settlement::Committed(_))));
}

/// A settlement that began before the policy, and reads after it, closes nothing: the database did not keep what was written.
#[tokio::test]
async fn a_policy_that_comes_in_the_middle_of_a_settlement_is_noticed() {
    let on = Fixture::postgres().await;
    // Its audit entry says that it failed.
    on.plant([Case::failed(1)]).await;
    let mut owner = on.pg().begin().await.unwrap();
    sqlx::query("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *owner)
        .await
        .unwrap();
    let store = on.store.clone();
    let settling = tokio::spawn(async move { settle(&store, 1).await });
    let waits = async || (on.count(WAITING).await == 1).then_some(());
    eventually(waits, async || "nobody waits".to_owned()).await;
    sqlx::raw_sql(HIDE).execute(&mut *owner).await.unwrap();
    owner.commit().await.unwrap();

    let settled = settling.await.unwrap().unwrap();
    assert!(
        matches!(settled, Some(Settlement::Refused { .. })),
        "{settled:?}"
    );
    on.assert_one_of_each(0).await;
    assert!(settle(&on.store, 1).await.unwrap_err().distrust().is_some());
}
