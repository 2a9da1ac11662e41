//! What migrations make, as it is written down for whoever looks for what was lost.

use std::fs;
use std::path::Path;

use restore_reconciler::internals::storage::look_at_shape;

use crate::support::store::Fixture;

#[tokio::test]
async fn what_migrations_make_is_what_is_written_down() {
    let on = Fixture::postgres_with_queue().await;
    let mut connection = on.pg().acquire().await.expect("a connection");
    let made = look_at_shape(&mut connection).await.expect("an answer");
    let mut made = serde_json::to_value(made).expect("JSON");
    let parts = made.as_array_mut().expect("a list");
    // Which platform is asked about, is no part of what migrations make.
    parts.retain(|part| part["kind"] != "request");
    assert!(parts.len() > 150, "{parts:?}");
    let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shape.json");
    fs::write(&copy, &text).expect("a file");
    assert!(
        include_str!("../../../migrations/shape.json") == text,
        "migrations/shape.json is out of date; it must be {}",
        copy.display()
    );
}
