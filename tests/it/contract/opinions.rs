//! Second opinions on runs that somebody else closed: which runs get one, how often, and that nothing else is touched.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::{Policy, ReasonCode};
use restore_reconciler::internals::storage::reader::{
    EnvironmentSeen, RunFilter, RunListing, Walk, Workspaces,
};
use restore_reconciler::internals::storage::{OpinionOnRecord, OpinionPart, OpinionScope};

use super::identity::build_afresh;
use super::reader::{filter, reader};
use crate::support::case::{Case, ENDED, FOREIGN, HOME, NEIGHBOUR, snapshot_of};
use crate::support::store::{Fixture, on_all, with};

on_all!(
    every_claim_gets_its_opinion_and_a_second_pass_changes_nothing,
    runs_that_are_open_are_remembered_and_judged_once_they_are_closed,
    our_own_verdicts_get_no_opinion,
    what_changes_within_a_day_is_the_next_revision,
    a_run_of_the_same_id_is_another_run,
    what_is_on_record_about_another_run_keeps_no_opinion_away,
    an_opinion_without_a_moment_is_about_a_run_without_one,
    runs_of_before_the_window_are_passed,
    young_runs_are_left_for_later_unless_asked_for,
    a_run_from_the_future_holds_nobody_up,
    a_run_that_cannot_be_judged_is_passed,
    nobody_looks_again_at_once,
    ids_that_begin_again_are_walked_again,
    pages_show_what_is_not_proven,
    verdicts_that_would_be_stronger_today_are_found,
    a_run_without_an_end_is_looked_at_when_its_time_to_settle_is_over,
);

/// Back to before any case.
const EVER: Duration = Duration::from_hours(24 * 365 * 100);

/// A case that somebody else closed with this outcome.
fn closed(mut case: Case, outcome: &str) -> Case {
    "completed".clone_into(&mut case.run.status);
    outcome.clone_into(&mut case.run.outcome);
    case.run.completed_at = Some(ENDED.to_owned());
    case
}

fn unproven(id: i64) -> Case {
    let mut case = closed(Case::proven(id), "succeeded");
    case.snapshots.clear();
    case
}

/// As if the moment had passed in which nobody looks.
async fn form_part(on: &Fixture, scope: OpinionScope) -> OpinionPart {
    let long_ago = on.either("0", "'-infinity'");
    on.execute(&format!(
        "UPDATE reconciler.opinion_cursor SET idle_until = {long_ago}"
    ))
    .await;
    let part = on.store.form_opinions(&Policy::default(), scope).await;
    part.unwrap().expect("nobody else is at it")
}

async fn form(on: &Fixture) -> OpinionPart {
    let mut all = OpinionPart::default();
    loop {
        let part = form_part(on, OpinionScope::new(EVER)).await;
        all.judged += part.judged;
        all.kept.extend(part.kept);
        if part.is_over {
            return OpinionPart {
                is_over: true,
                ..all
            };
        }
    }
}

async fn listed(on: &Fixture) -> Vec<String> {
    let listed = on.store.list_opinions(None, None, 100).await.unwrap();
    let line = |it: OpinionOnRecord| {
        let found = it.found.unwrap_or_else(|| "nothing".to_owned());
        format!(
            "{} {} {}: {} {}",
            it.run_id, it.claimed, it.stance, found, it.reason_code
        )
    };
    listed.into_iter().map(line).collect()
}

async fn every_claim_gets_its_opinion_and_a_second_pass_changes_nothing(on: Fixture) {
    let mut expired = closed(Case::proven(4), "succeeded");
    expired.each_snapshot(|it| it.expires_at = Some("2025-03-02T00:00:00Z".to_owned()));
    let mut alone = closed(Case::proven(5), "succeeded");
    alone.has_restore = false;
    let mut other = closed(Case::proven(7), "succeeded");
    "backup.execute".clone_into(&mut other.run.r#type);
    on.plant([
        closed(Case::proven(1), "succeeded"),
        unproven(2),
        closed(Case::failed(3), "blocked"),
        expired,
        alone,
        closed(Case::proven(6), "partially_succeeded"),
        other,
    ])
    .await;
    let before = on.fingerprint().await;
    let formed = form(&on).await;
    assert_eq!((formed.judged, formed.kept.len()), (6, 6));
    let expected = [
        "2 succeeded claims_more: partially_succeeded restore.evidence_missing",
        "6 partially_succeeded claims_less: succeeded restore.proof_complete",
        "5 succeeded cannot_tell: nothing restore.proof_unavailable",
        "4 succeeded agrees: succeeded restore.proof_complete",
        "3 blocked disagrees: failed restore.execution_failed",
        "1 succeeded agrees: succeeded restore.proof_complete",
    ];
    assert_eq!(listed(&on).await, expected);
    assert_eq!(
        on.fingerprint().await,
        before,
        "nothing of the platform's, and no verdict"
    );

    let again = form(&on).await;
    assert_eq!((again.judged, again.kept.len()), (0, 0));
    assert_eq!(listed(&on).await, expected);
    let of_nobody = on
        .store
        .list_opinions(Some(WorkspaceId(FOREIGN.0)), None, 9)
        .await;
    assert_eq!(of_nobody.unwrap(), []);
    assert_eq!(on.number_of("reconciler.opinion_facts").await, 6);
    assert_eq!(on.number_of("reconciler.opinion_watch").await, 0);
}

async fn runs_that_are_open_are_remembered_and_judged_once_they_are_closed(on: Fixture) {
    on.plant([Case::proven(1), Case::proven(2), unproven(3)])
        .await;
    assert_eq!(form(&on).await.judged, 1);
    assert_eq!(on.number_of("reconciler.opinion_watch").await, 2);
    assert_eq!(form(&on).await.judged, 0);
    on.settle(&[2]).await;
    on.execute("UPDATE operation_runs SET status = 'completed', outcome = 'failed' WHERE id = 1")
        .await;
    assert_eq!(form(&on).await.judged, 1, "the other one is ours");
    assert_eq!(on.number_of("reconciler.opinion_watch").await, 0);
    let found = listed(&on).await;
    assert_eq!(
        found[1],
        "1 failed claims_less: succeeded restore.proof_complete"
    );
}

async fn our_own_verdicts_get_no_opinion(on: Fixture) {
    on.plant((1..=5).map(Case::proven)).await;
    on.settle(&[1, 2, 3, 4, 5]).await;
    assert_eq!(form(&on).await.judged, 0);
    assert_eq!(on.number_of("reconciler.opinions").await, 0);
}

async fn what_changes_within_a_day_is_the_next_revision(on: Fixture) {
    let mut case = closed(Case::proven(1), "succeeded");
    let now = on.store.now().await.unwrap();
    let two_hours_ago = now.checked_sub(SignedDuration::from_hours(2)).unwrap();
    case.run.completed_at = Some(two_hours_ago.to_string());
    case.each_snapshot(|it| "failed".clone_into(&mut it.status));
    on.plant([case]).await;
    assert_eq!(form(&on).await.judged, 1);
    let due = "UPDATE reconciler.opinion_watch SET look_again_at = run_created_at";
    // Looked at again, nothing new is said.
    on.execute(due).await;
    let again = form(&on).await;
    assert_eq!((again.judged, again.kept.len()), (1, 0));
    let mut seen = listed(&on).await;
    for status in ["active", "failed", "active"] {
        on.execute(&format!(
            "UPDATE evidence_snapshots SET status = '{status}'"
        ))
        .await;
        on.execute(due).await;
        form(&on).await;
        seen.extend(listed(&on).await);
    }
    let agrees = "1 succeeded agrees: succeeded restore.proof_complete";
    let claims = "1 succeeded claims_more: partially_succeeded restore.evidence_not_current";
    // The third is kept for the last look.
    assert_eq!(seen, [claims, agrees, agrees, agrees]);
    let a_day_ago = on.either(
        "completed_at - 86400000000",
        "completed_at - interval '24 h'",
    );
    on.execute(&format!(
        "UPDATE evidence_snapshots SET status = 'failed';
         UPDATE operation_runs SET completed_at = {a_day_ago}"
    ))
    .await;
    on.execute(due).await;
    form(&on).await;
    assert_eq!(listed(&on).await, [claims]);
    assert_eq!(on.number_of("reconciler.opinion_watch").await, 0);
    assert_eq!(on.number_of("reconciler.opinions").await, 3);
}

async fn a_run_of_the_same_id_is_another_run(on: Fixture) {
    on.plant([unproven(1)]).await;
    form(&on).await;
    let created = on.either("1740823201000000", "'2025-03-01 10:00:01'");
    on.execute(&format!("UPDATE operation_runs SET created_at = {created}"))
        .await;
    assert_eq!(
        listed(&on).await,
        Vec::<String>::new(),
        "it was about another one"
    );
}

/// Of one without a moment, or in another environment, both walked past and watched.
async fn what_is_on_record_about_another_run_keeps_no_opinion_away(on: Fixture) {
    on.plant((1..=4).map(Case::proven)).await;
    on.execute("UPDATE operation_runs SET created_at = NULL WHERE id <= 2")
        .await;
    on.settle(&[1, 2, 3, 4]).await;
    build_afresh(&on).await;
    let on = on.with_queue().await;
    let elsewhere = |mut case: Case| {
        case.move_to(NEIGHBOUR.0, NEIGHBOUR.1);
        case
    };
    on.plant([
        unproven(1),
        Case::proven(2),
        elsewhere(unproven(3)),
        elsewhere(Case::proven(4)),
    ])
    .await;
    assert_eq!(form(&on).await.judged, 2);
    on.execute(
        "UPDATE operation_runs SET status = 'completed', outcome = 'succeeded';
         UPDATE evidence_snapshots SET status = 'failed'",
    )
    .await;
    assert_eq!(form(&on).await.judged, 2);
    assert_unproven(&on, &[(HOME.1, 2), (NEIGHBOUR.1, 2)]).await;
}

/// How many unproven successes each environment has, wherever they are counted or listed.
async fn assert_unproven(on: &Fixture, expected: &[(i64, u64)]) {
    let all: u64 = expected.iter().map(|(_, runs)| runs).sum();
    assert_eq!(counted(on).await, expected);
    let unproven = listed(on).await.into_iter();
    let unproven = unproven.filter(|line| line.contains("claims_more"));
    assert_eq!(unproven.count() as u64, all);
    let filter = filter(|it| it.unproven = true);
    let reader = reader(on).await;
    let policy = Policy::default();
    let page = reader.load_runs(&Workspaces::All, &filter, None, 50, &policy);
    assert_eq!(page.await.unwrap().rows.len() as u64, all);
    let census = on.store.take_census().await.unwrap();
    assert_eq!(census.unproven_successes, all);
}

async fn an_opinion_without_a_moment_is_about_a_run_without_one(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([unproven(1)]).await;
    let far = on.either("9223372036854775807", "'infinity'");
    on.execute(&format!("UPDATE operation_runs SET created_at = {far}"))
        .await;
    form(&on).await;
    assert_unproven(&on, &[(HOME.1, 1)]).await;
    on.execute("UPDATE operation_runs SET created_at = completed_at")
        .await;
    assert_unproven(&on, &[]).await;
    let from_the_first = OpinionScope {
        from: Some(0),
        ..OpinionScope::new(EVER)
    };
    assert_eq!(form_part(&on, from_the_first).await.judged, 1);
}

async fn runs_of_before_the_window_are_passed(on: Fixture) {
    on.plant([unproven(1)]).await;
    let window = Duration::from_hours(24);
    assert_eq!(form_part(&on, OpinionScope::new(window)).await.judged, 0);
    assert_eq!(form(&on).await.judged, 0, "it was walked past");
}

async fn young_runs_are_left_for_later_unless_asked_for(on: Fixture) {
    let mut young = unproven(2);
    young.run.created_at = Some(on.store.now().await.unwrap().to_string());
    young.run.completed_at = young.run.created_at.clone();
    on.plant([unproven(1), young, unproven(3)]).await;
    assert_eq!(form(&on).await.judged, 1);
    let from_the_first = OpinionScope {
        from: Some(0),
        ..OpinionScope::new(EVER)
    };
    assert_eq!(form_part(&on, from_the_first).await.judged, 2);
    assert_eq!(form(&on).await.judged, 0);
}

/// A moment that cannot be is nobody's reason to wait: the walk would never go on.
async fn a_run_from_the_future_holds_nobody_up(on: Fixture) {
    let mut future = unproven(1);
    future.run.created_at = Some("2099-01-01T00:00:00Z".to_owned());
    on.plant([future, unproven(2)]).await;
    assert_eq!(form(&on).await.judged, 2);
}

async fn a_run_that_cannot_be_judged_is_passed(on: Fixture) {
    on.plant((1..=3).map(unproven)).await;
    let one = OpinionScope {
        judged_max: 1,
        ..OpinionScope::new(EVER)
    };
    assert_eq!(form_part(&on, one).await.judged, 1);
    let passing = OpinionScope {
        passes: true,
        ..one
    };
    let part = form_part(&on, passing).await;
    assert_eq!((part.judged, part.passed), (0, vec![RunId(2)]));
    assert_eq!(form_part(&on, one).await.judged, 1);
    assert_eq!(
        on.numbers("SELECT operation_run_id FROM reconciler.opinions ORDER BY 1")
            .await,
        [1, 3]
    );
}

/// Of several workers one looks, and none for a moment after there was nothing to do.
async fn nobody_looks_again_at_once(on: Fixture) {
    on.plant([unproven(1)]).await;
    form(&on).await;
    let again = on
        .store
        .form_opinions(&Policy::default(), OpinionScope::new(EVER))
        .await;
    assert_eq!(again.unwrap(), None);
}

async fn ids_that_begin_again_are_walked_again(on: Fixture) {
    on.plant([unproven(1)]).await;
    on.execute("UPDATE reconciler.opinion_cursor SET walked_to = 1000000")
        .await;
    assert_eq!(form(&on).await.judged, 1);
}

async fn a_run_without_an_end_is_looked_at_when_its_time_to_settle_is_over(on: Fixture) {
    let mut case = unproven(1);
    let ended = on.store.now().await.unwrap() - SignedDuration::from_mins(2);
    case.run.completed_at = None;
    case.restore.completed_at = Some(ended.to_string());
    case.each_audit(|it| it.recorded_at = ended.to_string());
    on.plant([case]).await;
    form(&on).await;
    let waits = "1 succeeded cannot_tell: nothing restore.settling";
    assert_eq!(listed(&on).await, [waits]);
    assert_eq!(on.number_of("reconciler.opinion_watch").await, 1);
}

/// Environments with unproven successes, and how many those are.
async fn counted(on: &Fixture) -> Vec<(i64, u64)> {
    let mut counted = Vec::new();
    let mut visit = |_, part: Vec<EnvironmentSeen>| {
        counted.extend(part.iter().map(|it| (it.environment.0, it.unproven.runs)));
    };
    let walk = Walk {
        with_more: true,
        ..Walk::default()
    };
    let reader = reader(on).await;
    let policy = Policy::default();
    let walked = reader.walk_environments(&Workspaces::All, &walk, &policy, &mut visit);
    walked.await.unwrap();
    counted.retain(|(_, unproven)| *unproven > 0);
    counted
}

async fn pages_show_what_is_not_proven(on: Fixture) {
    let on = on.with_queue().await;
    let mut elsewhere = unproven(5);
    elsewhere.move_to(FOREIGN.0, FOREIGN.1);
    let ids = |page: &RunListing| -> Vec<i64> {
        let runs = page.rows.iter();
        runs.map(|seen| seen.assessment.facts.run.id.0).collect()
    };
    on.plant([
        closed(Case::proven(1), "succeeded"),
        unproven(2),
        unproven(3),
        unproven(4),
        elsewhere,
        Case::proven(6),
    ])
    .await;
    form(&on).await;
    let moved = on.either("created_at + 1000000", "created_at + interval '1 s'");
    on.execute(&format!(
        "UPDATE operation_runs SET created_at = {moved} WHERE id = 4"
    ))
    .await;
    let policy = Policy::default();
    let reader = reader(&on).await;
    let unproven = filter(|it| it.unproven = true);
    let all = async |of: &Workspaces, filter: &RunFilter| {
        let page = reader.load_runs(of, filter, None, 50, &policy).await;
        ids(&page.unwrap())
    };
    assert_eq!(
        all(&Workspaces::All, &unproven).await,
        [5, 3, 2],
        "4 is another run by now"
    );
    let home = Workspaces::Only([WorkspaceId(HOME.0)].into());
    assert_eq!(all(&home, &unproven).await, [3, 2]);
    let closed_as = |outcome| filter(|it| (it.unproven, it.outcome) = (true, Some(outcome)));
    assert_eq!(all(&home, &closed_as(RunOutcome::Succeeded)).await, [3, 2]);
    assert!(all(&home, &closed_as(RunOutcome::Failed)).await.is_empty());

    let missing = ReasonCode::EvidenceMissing;
    let missing = filter(|it| (it.unproven, it.reason) = (true, Some(missing)));
    assert_eq!(all(&home, &missing).await, [3, 2]);
    let open = filter(|it| (it.unproven, it.undecided) = (true, true));
    assert!(all(&home, &open).await.is_empty());

    let first = reader.load_runs(&home, &unproven, None, 1, &policy).await;
    let first = first.unwrap();
    assert_eq!((ids(&first), first.below), (vec![3], Some(RunId(3))));
    let second = reader
        .load_runs(&home, &unproven, first.below, 1, &policy)
        .await;
    assert_eq!(ids(&second.unwrap()), [2]);
    let found = reader.load_run(&home, RunId(2), &policy).await.unwrap();
    let opinion = found.unwrap().seen.record.opinion.expect("an opinion");
    assert_eq!(
        (&*opinion.claimed, &*opinion.stance),
        ("succeeded", "claims_more")
    );
    for other in [4, 6] {
        let found = reader.load_run(&home, RunId(other), &policy).await.unwrap();
        assert_eq!(found.unwrap().seen.record.opinion, None);
    }

    assert_eq!(counted(&on).await, [(HOME.1, 2), (FOREIGN.1, 1)]);

    // One is corrected, and one is opened again and judged.
    on.execute(
        "UPDATE operation_runs SET outcome = 'failed' WHERE id = 2;
         UPDATE operation_runs SET status = 'running', outcome = 'pending' WHERE id = 3",
    )
    .await;
    assert!(all(&home, &unproven).await.is_empty());
    on.settle(&[3]).await;
    on.execute("UPDATE operation_runs SET outcome = 'succeeded' WHERE id = 3")
        .await;
    assert!(all(&home, &unproven).await.is_empty(), "it has a verdict");
    assert_eq!(listed(&on).await.len(), 2, "1 and the one elsewhere");
    assert_eq!(on.store.take_census().await.unwrap().unproven_successes, 1);
}

async fn verdicts_that_would_be_stronger_today_are_found(on: Fixture) {
    let without_evidence = |id| {
        with(Case::proven(id), |it| {
            it.each_snapshot(|snapshot| "failed".clone_into(&mut snapshot.status));
        })
    };
    on.plant([
        Case::proven(1),
        without_evidence(2),
        without_evidence(3),
        Case::failed(4),
    ])
    .await;
    on.settle(&[1, 2, 3, 4]).await;
    let reader = reader(&on).await;
    let policy = Policy::default();
    let later = async |workspace: Option<i64>, since: Option<&str>| {
        let since = since.map(|moment| moment.parse().expect("a moment"));
        let workspace = workspace.map(WorkspaceId);
        let part = reader
            .load_later(workspace, since, RunId(0), &policy)
            .await
            .unwrap();
        assert_eq!(part.after, None);
        part.found
    };
    assert!(later(None, None).await.is_empty());
    on.execute(&format!(
        "UPDATE evidence_snapshots SET status = 'active' WHERE id = {}",
        snapshot_of(2)
    ))
    .await;
    let before = on.fingerprint().await;
    let found = later(None, None).await;
    assert_eq!(found.len(), 1);
    let record = &found[0];
    assert_eq!(
        (record.run_id, &*record.claimed),
        (RunId(2), "partially_succeeded")
    );
    assert_eq!(record.found.as_deref(), Some("succeeded"));
    assert_eq!(later(Some(HOME.0), None).await.len(), 1);
    assert!(later(Some(FOREIGN.0), None).await.is_empty());
    let never = later(None, Some("2999-01-01T00:00:00Z")).await;
    assert!(never.is_empty());
    assert_eq!(on.fingerprint().await, before, "a verdict is final");
}
