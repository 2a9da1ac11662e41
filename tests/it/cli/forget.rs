//! `forget`: what is erased of a workspace, what stays, and who may do it.

use std::time::Duration;

use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::cli::output::Document;
use restore_reconciler::internals::storage::OpinionScope;

use super::stage::run;
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::roles::Purpose;
use crate::support::store::{Fixture, moved, on_both};

on_both!(a_workspace_is_forgotten_and_its_verdicts_stay,);

/// A run that somebody else closed.
fn closed(id: i64) -> Case {
    let mut case = Case::proven(id);
    "completed".clone_into(&mut case.run.status);
    "succeeded".clone_into(&mut case.run.outcome);
    case
}

async fn a_workspace_is_forgotten_and_its_verdicts_stay(on: Fixture) {
    on.plant([
        Case::proven(1),
        Case::failed(2),
        Case::in_progress(3),
        moved(Case::proven(4), FOREIGN),
    ])
    .await;
    on.settle(&[1, 2, 3, 4]).await;
    on.plant([closed(5), moved(closed(6), FOREIGN)]).await;
    let scope = OpinionScope {
        from: Some(0),
        ..OpinionScope::new(Duration::from_hours(24 * 365 * 100))
    };
    let part = on.store.form_opinions(&Policy::default(), scope).await;
    assert_eq!(part.unwrap().expect("a part").judged, 2);
    let home = HOME.0.to_string();
    let migrator = on.url_of(Purpose::Migrator);
    let forget = ["forget", "--workspace", &home];
    let ledger = async || {
        on.rows("SELECT * FROM reconciler.ledger ORDER BY operation_run_id")
            .await
    };
    let before = ledger().await;

    run(&migrator, &forget).exits(1).says(
        &[],
        &[
            "nothing was erased",
            "the facts of 2 verdicts and of 1 opinion",
            "--yes",
        ],
    );
    assert_eq!(on.number_of("reconciler.ledger_facts").await, 3);
    assert_eq!(on.number_of("reconciler.actions").await, 0);
    let yes = [&forget[..], &["--yes"]].concat();
    if !on.is_sqlite() {
        run(&on.url_of(Purpose::Worker), &yes).exits(1);
        assert_eq!(on.number_of("reconciler.ledger_facts").await, 3);
    }

    run(&migrator, &yes).exits(0).says(
        &[
            "Erased 3 facts",
            "Kept: 2 verdicts",
            "Runs of it that were open when last looked at: 1.",
        ],
        &[],
    );
    assert_eq!(
        on.number_of("reconciler.ledger_facts").await,
        1,
        "the other workspace's"
    );
    let others = "SELECT count(*) FROM reconciler.opinion_facts WHERE workspace_id = 2";
    assert_eq!(
        (
            on.count(others).await,
            on.number_of("reconciler.opinion_facts").await
        ),
        (1, 1)
    );
    assert_eq!(ledger().await, before);
    let action = on
        .row("SELECT action, workspace_id, found FROM reconciler.actions")
        .await;
    assert_eq!(action["action"].as_deref(), Some("forget"));
    assert!(
        action["found"]
            .as_deref()
            .is_some_and(|it| it.contains("\"facts\":2"))
    );
    run(&on.url, &["explain", "1"])
        .exits(0)
        .says(&["erased"], &[]);
    assert!(
        on.try_execute("DELETE FROM reconciler.actions")
            .await
            .is_err()
    );

    let again = [&["--output", "json"], &yes[..]].concat();
    let Document::Forget(forgotten) = run(&migrator, &again).exits(0).document() else {
        panic!("another document")
    };
    assert_eq!((forgotten.facts_erased, forgotten.verdicts_kept), (0, 2));
    assert_eq!(on.number_of("reconciler.actions").await, 2);
    assert_eq!(ledger().await, before);
}
