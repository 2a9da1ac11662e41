//! `opinions` and `sweep --opinions`: what is listed, and the exit code that tells of unproven successes.

use restore_reconciler::internals::cli::output::Document;

use super::stage::run;
use crate::console::Settings;
use crate::support::case::{Case, ENDED};
use crate::support::store::{Fixture, on_both};

on_both!(
    successes_that_are_not_proven_are_listed_and_told_by_the_exit_code,
    verdicts_that_would_be_stronger_today_are_listed_where_they_are_asked_for,
);

fn closed(mut case: Case, outcome: &str) -> Case {
    "completed".clone_into(&mut case.run.status);
    outcome.clone_into(&mut case.run.outcome);
    case.run.completed_at = Some(ENDED.to_owned());
    case
}

/// Run, claim, opinion and reason of each that is listed.
fn listed(document: Document) -> Vec<String> {
    let Document::Opinions(list) = document else {
        panic!("{document:?}")
    };
    let lines = list.opinions.iter().map(|it| {
        let word = it.opinion.expect("a word that this program knows").word();
        let mark = if it.unproven_success { " !" } else { "" };
        format!("{} {} {word} {}{mark}", it.run, it.claimed, it.reason)
    });
    lines.collect()
}

async fn successes_that_are_not_proven_are_listed_and_told_by_the_exit_code(on: Fixture) {
    let json = ["--output", "json"];
    let url = on.url.clone();
    let says = |arguments: &[&str]| run(&url, arguments);
    says(&["opinions"])
        .exits(0)
        .says(&["No opinion is on record."], &[]);

    let mut unproven = closed(Case::proven(1), "succeeded");
    unproven.snapshots.clear();
    on.plant([
        unproven,
        closed(Case::proven(2), "succeeded"),
        Case::proven(3),
    ])
    .await;
    let before = on.fingerprint().await;
    // The cases are older than the window.
    says(&["sweep", "--opinions"]).exits(0);
    let settings = Settings::holding("[sweep]\nopinions_window = \"87600h\"\n");
    let forming = ["--config", &settings.path(), "sweep", "--opinions"];
    says(&forming).exits(10);
    assert_eq!(on.fingerprint().await, before);

    let expected = [
        "1 succeeded claims_more restore.evidence_missing !",
        "2 succeeded agrees restore.proof_complete",
    ];
    let found = says(&[&["opinions"][..], &json].concat()).exits(10);
    assert_eq!(listed(found.document()), expected);
    let found = says(&[&["opinions", "--limit", "1"][..], &json].concat()).exits(10);
    assert_eq!(listed(found.document()), expected[..1]);
    says(&["opinions", "--workspace", "2"]).exits(0);
    says(&["opinions", "--since", "1h"]).exits(0);
    says(&["opinions", "--since", "2025-01-01T00:00:00Z"]).exits(10);
    says(&["opinions", "--since", "yesterday"]).exits(2);
    says(&["opinions"]).exits(10).says(
        &[
            "Among these, runs that say that they succeeded, which is not proven: 1.",
            "unproven success",
            "do not prove environment recovery",
        ],
        &[],
    );
}

async fn verdicts_that_would_be_stronger_today_are_listed_where_they_are_asked_for(on: Fixture) {
    let mut late = Case::proven(1);
    late.each_snapshot(|it| "failed".clone_into(&mut it.status));
    on.plant([late, Case::failed(2)]).await;
    on.settle(&[1, 2]).await;
    on.execute("UPDATE evidence_snapshots SET status = 'active'")
        .await;
    let url = on.url.clone();
    let says = |arguments: &[&str]| run(&url, arguments);
    let nothing: [&str; 0] = [];
    assert_eq!(
        listed(says(&["--output", "json", "opinions"]).exits(0).document()),
        nothing
    );
    let found = says(&["--output", "json", "opinions", "--later"]).exits(0);
    let expected = ["1 partially_succeeded claims_less restore.proof_complete"];
    assert_eq!(listed(found.document()), expected);
    says(&["opinions", "--later"])
        .exits(0)
        .says(&["stronger today, verdict is final"], &[]);
}
