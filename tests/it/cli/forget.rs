//! `forget`: what is erased of a workspace, what stays, and who may do it.

use restore_reconciler::internals::cli::output::Document;

use super::stage::run;
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::roles::Purpose;
use crate::support::store::{Fixture, moved, on_both};

on_both!(a_workspace_is_forgotten_and_its_verdicts_stay,);

async fn a_workspace_is_forgotten_and_its_verdicts_stay(on: Fixture) {
    on.plant([
        Case::proven(1),
        Case::failed(2),
        Case::in_progress(3),
        moved(Case::proven(4), FOREIGN),
    ])
    .await;
    on.settle(&[1, 2, 3, 4]).await;
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
        &["nothing was erased", "the facts of 2 verdicts", "--yes"],
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
            "Erased 2 facts",
            "Its 2 verdicts stay",
            "1 of its runs are open",
        ],
        &[],
    );
    assert_eq!(
        on.number_of("reconciler.ledger_facts").await,
        1,
        "the other workspace's"
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
