//! Which platform our schema serves: looked at in the transaction that settles.

use restore_reconciler::internals::storage::{Distrust, ErrorKind};

use crate::support::case::Case;
use crate::support::settled::{run_ids, settling};
use crate::support::store::{Fixture, on_both};

on_both!(each_installation_has_an_id_of_its_own);

async fn each_installation_has_an_id_of_its_own(on: Fixture) {
    let id = async |on: &Fixture| {
        let id = on.value("SELECT install_id FROM reconciler.platform").await;
        id.expect("an id")
    };
    let first = id(&on).await;
    let groups: Vec<usize> = first.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{first}");
    assert!(first[14..].starts_with('4'), "{first}");
    assert!("89ab".contains(&first[19..20]), "{first}");
    let other = on.empty_one_beside().await;
    other.install().await;
    other.migrator().await.migrate().await.expect("our schema");
    assert_ne!(first, id(&other).await);
    on.migrator().await.migrate().await.expect("our schema");
    assert_eq!(first, id(&on).await);
}

#[tokio::test]
async fn a_settlement_refuses_a_platform_that_is_not_served() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1)]).await;
    // As if the tables had been in another schema when it was bound.
    on.execute("UPDATE reconciler.platform SET schema_name = 'former'")
        .await;
    let before = on.fingerprint().await;
    let expected = Distrust::OtherPlatform {
        bound: "former".to_owned(),
        found: "public".to_owned(),
    };
    let (runs, with, mut settled) = (run_ids(&[1]), settling(), Vec::new());
    let error = on.store.settle(&runs, &with, &mut settled).await;
    let error = error.expect_err("another platform");
    assert_eq!(error.kind(), ErrorKind::Fatal);
    assert_eq!(error.distrust(), Some(&expected));
    assert!(error.advice().expect("advice").contains("--rebind"));
    let error = on.store.rehearse(&runs, &with).await;
    let error = error.expect_err("another platform");
    assert_eq!(error.distrust(), Some(&expected));
    assert_eq!(
        on.store.find_distrust().await.expect("an answer"),
        Some(expected)
    );
    assert_eq!(before, on.fingerprint().await);

    on.migrator().await.rebind().await.expect("it is bound");
    on.verdict(1).await;
}
