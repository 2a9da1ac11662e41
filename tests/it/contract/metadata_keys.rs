//! Keys of preparations that the platform calls otherwise: said once there are enough records, and found under the name that
//! the configuration gives.

use reconciler_jobs::reading::metadata_keys::{MetadataKey, MetadataKeys};
use restore_reconciler::internals::doctor::{Level, examine_metadata};
use serde_json::json;

use crate::support::case::Case;
use crate::support::store::{Fixture, on_all};

on_all!(a_key_that_no_record_has_is_said_until_it_is_named);

/// Of a platform that counts in another language.
fn prepared(run: i64) -> Case {
    let mut case = Case::proven(run);
    let metadata = json!({
        "scope_basis": {"fingerprint": "f1", "required_groups": [], "cached_groups": 3},
        "check_basis": {"fingerprint": "f1", "blockers": 0, "warning_count": 0},
        "execution_safety_snapshot": {"fingerprint": "f1", "confirmed": true},
    });
    case.restore.metadata = Some(metadata.to_string());
    case
}

async fn a_key_that_no_record_has_is_said_until_it_is_named(on: Fixture) {
    let keys = MetadataKeys::default();
    on.plant((1..=9).map(prepared)).await;
    let few = examine_metadata(&on.store, &keys).await;
    assert!(few.is_empty(), "eighteen records say nothing: {few:?}");

    on.plant((10..=11).map(prepared)).await;
    let checks = examine_metadata(&on.store, &keys).await;
    let [check] = &*checks else {
        panic!("one key is missing: {checks:?}")
    };
    assert_eq!(check.level, Level::Advice);
    let found = "Of the latest 22 records (check_basis and execution_safety_snapshot), none has the key blocking_count";
    assert!(check.finding.starts_with(found), "{check:?}");
    assert!(
        check
            .action
            .as_ref()
            .is_some_and(|it| it.contains("blocking_count = \"...\" into [preparation]"))
    );

    let named = MetadataKeys(MetadataKey::ALL.map(|key| match key {
        MetadataKey::BlockingCount => "blockers".to_owned(),
        other => other.setting().to_owned(),
    }));
    assert_eq!(examine_metadata(&on.store, &named).await, []);
}
