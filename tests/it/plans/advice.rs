//! The indexes that statements are judged with are those that `doctor` advises, no more and no fewer.

use std::collections::BTreeSet;

use restore_reconciler::internals::doctor::{Level, examine};
use restore_reconciler::internals::storage::Store;

use crate::support::store::Fixture;

const ADVISED: &str = include_str!("../../fixtures/src/postgres/advised_indexes.sql");

/// The statements of a script or of an advice, in words that can be compared.
fn statements(script: &str) -> BTreeSet<String> {
    let lines = script.lines().filter(|line| !line.starts_with("--"));
    let text = lines.collect::<Vec<_>>().join(" ");
    let statements = text.split(';').map(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        words
            .join(" ")
            .replace(" CONCURRENTLY", "")
            .replace("public.", "")
    });
    statements
        .filter(|statement| !statement.is_empty())
        .collect()
}

async fn advised(store: &Store) -> BTreeSet<String> {
    let examined = examine(store, None)
        .await
        .expect("the database can be examined");
    let checks = examined.checks;
    let about_indexes = checks
        .iter()
        .filter(|check| check.level == Level::Advice && check.subject.starts_with("index on "));
    about_indexes
        .flat_map(|check| statements(check.action.as_deref().expect("advice says what to do")))
        .collect()
}

#[tokio::test]
async fn what_is_measured_is_what_is_advised() {
    let on = Fixture::postgres().await;
    let wanted = advised(&on.store).await;
    assert_eq!(wanted.len(), 6);
    assert_eq!(statements(ADVISED), wanted);
    for (are_there, advice) in [(true, BTreeSet::new()), (false, wanted)] {
        on.standin.set_advised_indexes(are_there).await.unwrap();
        assert_eq!(advised(&on.store).await, advice);
    }
}
