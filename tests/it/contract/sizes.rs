//! Documents as large as they get. Times are printed, not judged.

use reconciler_jobs::json::{BYTES_MAX, Fault};
use reconciler_jobs::restore_execute::results::ColumnState;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::RUN_COLUMN_BYTES_MAX;

use crate::support::case::Case;
use crate::support::settled::{assessed, committed, deferred, reason};
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
    let [list, object, map] = if on.is_sqlite() {
        ["json_group_array", "json_object", "json_group_object"]
    } else {
        ["json_agg", "json_build_object", "json_object_agg"]
    };
    on.execute(&format!(
        "{numbers} UPDATE restore_runs SET
            metadata = NULL,
            requested_items = (SELECT {list}(n) FROM numbers),
            results = (SELECT {object}('items', {map}(CAST(n AS TEXT), {object}(
                'status', 'applied', 'filler', {}
            ))) FROM numbers)",
        filled(on, filler)
    ))
    .await;
}

/// A text of so many bytes.
fn filled(on: &Fixture, bytes: usize) -> String {
    if on.is_sqlite() {
        format!("replace(hex(zeroblob({bytes} / 2)), '0', 'x')")
    } else {
        format!("repeat('x', {bytes})")
    }
}

async fn ten_thousand_items_are_counted(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    fill(&on, 5_000).await; // 50 MB
    let bytes = "SELECT octet_length(CAST(results AS text)) FROM restore_runs";
    let bytes = on.count(bytes).await;
    assert!((50_000_000..60_000_000).contains(&bytes), "{bytes}");
    let watch = Stopwatch::start();
    let written = on.verdict(1).await;
    let (backend, took) = (on.store.backend(), watch.elapsed());
    println!("{backend:?}: {bytes} bytes in {took:?}");
    assert_eq!(written.reason(), "restore.proof_complete");
    let restore = written.assessment.facts.restore.unwrap();
    assert_eq!(restore.items.items.applied, 10_000);
}

async fn a_document_beyond_the_limit_is_a_gap_of_its_own_run_only(on: Fixture) {
    on.plant((1..=3).map(Case::proven)).await;
    let text = filled(&on, BYTES_MAX + 1_000_000);
    let json = on.either("", "::json");
    let text = format!("('\"' || {text} || '\"'){json}");
    on.execute(&format!(
        "UPDATE restore_runs SET results = {text} WHERE operation_run_id = 1;
         UPDATE operation_runs SET context = {text} WHERE id = 3"
    ))
    .await;
    let length = "SELECT length(CAST(context AS text)) FROM operation_runs WHERE id = 3";
    let before = on.count(length).await;

    let watch = Stopwatch::start();
    let results = on.settle(&[1, 2, 3]).await;
    let (backend, took) = (on.store.backend(), watch.elapsed());
    println!("{backend:?}: passed over in {took:?}");
    let found = [1, 2, 3].map(|run| assessed(&results[&run]));
    let expected = [
        "restore.items_unrecognised",
        "restore.proof_complete",
        "run.context_malformed",
    ];
    assert_eq!(found.map(reason), expected);
    let restore = found[0].facts.restore.as_ref().unwrap();
    let oversized = ColumnState::Unreadable(Fault::Oversized);
    assert_eq!(restore.items.reading, oversized);
    assert_eq!(before, on.count(length).await, "nothing of it is lost");
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
    committed(&results[&1]);
    let (malformed, _) = deferred(&results[&2]);
    assert_eq!(reason(malformed), "run.context_malformed");
    on.assert_one_of_each(1).await;

    let kept = |run: i64| {
        format!("SELECT length(context ->> 'filler') FROM operation_runs WHERE id = {run}")
    };
    assert_eq!(on.count(&kept(1)).await, below);
    assert_eq!(on.count(&kept(2)).await, beyond);
}
