//! Documents as large as they get. Times are printed, not judged.

use reconciler_jobs::json::{BYTES_MAX, Fault};
use reconciler_jobs::restore_execute::results::ColumnState;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::{RUN_COLUMN_BYTES_MAX, Settlement};

use crate::support::case::Case;
use crate::support::store::{Fixture, on_both};

on_both!(
    ten_thousand_items_are_counted,
    a_document_beyond_the_limit_is_a_gap_of_its_own_run_only,
    a_context_is_read_up_to_its_own_limit,
);

/// Fills the results of run 1 with 10,000 applied items, each with a filler of so many bytes.
async fn fill(on: &Fixture, filler: usize) {
    let numbers = "WITH RECURSIVE numbers (n) AS (
        SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000
    )";
    let statement = if on.is_sqlite() {
        format!(
            "{numbers} UPDATE restore_runs SET
                metadata = NULL,
                requested_items = (SELECT json_group_array(n) FROM numbers),
                results = (SELECT json_object('items', json_group_object(CAST(n AS TEXT), json_object(
                    'status', 'applied', 'filler', replace(hex(zeroblob({filler} / 2)), '0', 'x')
                ))) FROM numbers)"
        )
    } else {
        format!(
            "{numbers} UPDATE restore_runs SET
                metadata = NULL,
                requested_items = (SELECT json_agg(n) FROM numbers),
                results = (SELECT json_build_object('items', json_object_agg(n, json_build_object(
                    'status', 'applied', 'filler', repeat('x', {filler})
                ))) FROM numbers)"
        )
    };
    on.execute(&statement).await;
}

async fn ten_thousand_items_are_counted(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    fill(&on, 5_000).await; // 50 MB
    let bytes = on
        .count(on.either(
            "SELECT octet_length(results) FROM restore_runs",
            "SELECT octet_length(results::text) FROM restore_runs",
        ))
        .await;
    assert!((50_000_000..60_000_000).contains(&bytes), "{bytes}");
    let watch = Stopwatch::start();
    let written = on.verdict(1).await;
    println!(
        "{:?}: {bytes} bytes in {:?}",
        on.store.backend(),
        watch.elapsed()
    );
    assert_eq!(written.reason(), "restore.proof_complete");
    let restore = written.assessment.facts.restore.unwrap();
    assert_eq!(restore.items.items.applied, 10_000);
}

async fn a_document_beyond_the_limit_is_a_gap_of_its_own_run_only(on: Fixture) {
    on.plant([Case::proven(1), Case::proven(2), Case::proven(3)])
        .await;
    let bytes = BYTES_MAX + 1_000_000;
    let text = if on.is_sqlite() {
        format!("'\"' || replace(hex(zeroblob({bytes} / 2)), '0', 'x') || '\"'")
    } else {
        format!("('\"' || repeat('x', {bytes}) || '\"')::json")
    };
    on.execute(&format!(
        "UPDATE restore_runs SET results = {text} WHERE operation_run_id = 1;
         UPDATE operation_runs SET context = {text} WHERE id = 3"
    ))
    .await;
    let length = on.either("length(context)", "length(context::text)");
    let length = format!("SELECT {length} FROM operation_runs WHERE id = 3");
    let before = on.count(&length).await;

    let watch = Stopwatch::start();
    let results = on.settle(&[1, 2, 3]).await;
    println!(
        "{:?}: passed over in {:?}",
        on.store.backend(),
        watch.elapsed()
    );
    let reason = |run: i64| {
        use restore_reconciler::internals::storage::Settlement::{Committed, Deferred};
        let (Committed(assessment) | Deferred(assessment, Some(_))) = &results[&run] else {
            panic!("run {run}: {:?}", results[&run]);
        };
        (
            assessment.decision.reason.code(),
            assessment.facts.restore.clone(),
        )
    };
    let (code, restore) = reason(1);
    assert_eq!(code, "restore.items_unrecognised");
    assert_eq!(
        restore.unwrap().items.reading,
        ColumnState::Unreadable(Fault::Oversized)
    );
    assert_eq!(reason(2).0, "restore.proof_complete");
    assert_eq!(reason(3).0, "run.context_malformed");
    assert_eq!(before, on.count(&length).await, "nothing of it is lost");
    on.assert_one_of_each(2).await;
}

/// A batch holds the columns of all its runs, so their limit is lower than a restore's.
async fn a_context_is_read_up_to_its_own_limit(on: Fixture) {
    let filled = |run: i64, bytes: i64| {
        let mut case = Case::proven(run);
        let filler = "x".repeat(usize::try_from(bytes).unwrap());
        case.run.context = Some(format!(r#"{{"filler":"{filler}"}}"#));
        case
    };
    let (below, beyond) = (RUN_COLUMN_BYTES_MAX - 100, RUN_COLUMN_BYTES_MAX);
    on.plant([filled(1, below), filled(2, beyond)]).await;

    let results = on.settle(&[1, 2]).await;
    assert!(
        matches!(results[&1], Settlement::Committed(_)),
        "{:?}",
        results[&1]
    );
    let Settlement::Deferred(assessment, Some(_)) = &results[&2] else {
        panic!("{:?}", results[&2]);
    };
    assert_eq!(assessment.decision.reason.code(), "run.context_malformed");
    on.assert_one_of_each(1).await;

    let kept = |run: i64| {
        let length = on.either(
            "length(context ->> '$.filler')",
            "length(context ->> 'filler')",
        );
        format!("SELECT {length} FROM operation_runs WHERE id = {run}")
    };
    assert_eq!(on.count(&kept(1)).await, below);
    assert_eq!(on.count(&kept(2)).await, beyond);
}
