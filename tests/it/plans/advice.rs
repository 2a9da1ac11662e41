//! The indexes that statements are judged with are those that `doctor` advises, no more and no fewer.

use std::collections::BTreeSet;
use std::sync::Arc;

use restore_reconciler::doctor::Level;
use restore_reconciler::storage::{Limits, Scratch, Workbench};

use crate::support::store::Fixture;

const ON_POSTGRES: &str = include_str!("../../../src/storage/scratch/postgres/advise_indexes.sql");
const ON_SQLITE: &str = include_str!("../../../src/storage/scratch/sqlite/advise_indexes.sql");

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

async fn advised(store: &dyn Workbench) -> BTreeSet<String> {
    let checks = restore_reconciler::doctor::examine(store)
        .await
        .expect("the database can be examined");
    let about_indexes = checks
        .iter()
        .filter(|check| check.level == Level::Advice && check.subject.starts_with("index on "));
    about_indexes
        .flat_map(|check| statements(check.action.as_deref().expect("advice says what to do")))
        .collect()
}

async fn what_is_measured_is_what_is_advised(store: Arc<dyn Workbench>, script: &str) {
    let wanted = advised(&*store).await;
    assert_eq!(wanted.len(), 5);
    assert_eq!(statements(script), wanted);
    store.set_advised_indexes(true).await.expect("indexes");
    assert_eq!(advised(&*store).await, BTreeSet::new());
    store
        .set_advised_indexes(false)
        .await
        .expect("no more of them");
    assert_eq!(advised(&*store).await, wanted);
}

#[tokio::test]
async fn what_is_measured_is_what_is_advised_on_postgres() {
    let on = Fixture::postgres().await;
    let scratch = Scratch::on_server(&on.url)
        .await
        .expect("the server answers");
    let store = scratch.open(&on.url, &Limits::default()).await;
    what_is_measured_is_what_is_advised(store.expect("a database"), ON_POSTGRES).await;
}

#[tokio::test]
async fn what_is_measured_is_what_is_advised_on_sqlite() {
    let on = Fixture::sqlite().await;
    let file = on.url.strip_prefix("sqlite:").expect("a file");
    let scratch = Scratch::in_directory(std::path::Path::new(file).parent().expect("a directory"));
    let store = scratch.open(&on.url, &Limits::default()).await;
    what_is_measured_is_what_is_advised(store.expect("a database"), ON_SQLITE).await;
}
