//! Histories without findings: what correct workers, an unruly platform and waiting leave behind.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_fixtures::PlatformRows;
use reconciler_jobs::restore_execute::record::Source;
use restore_reconciler::internals::storage::{Settlement, Settling};
use restore_reconciler::internals::sweep::Scope;

use super::{Kind, System, assert_sound, check, summary};
use crate::support::case::{Case, FOREIGN, STARTED, restore_of};
use crate::support::settled::{committed, deferred, pass, reason, settle, settling};
use crate::support::store::{Fixture, moved, on_all, with};

on_all!(
    a_swept_mixture_has_no_findings,
    late_evidence_and_a_platform_that_closes_runs_are_no_findings,
    a_run_is_lost_only_in_a_quiet_system_and_only_once_overdue,
    a_run_waits_for_whichever_time_comes_last,
);

/// Deferred runs wait longer than any test takes.
pub(super) fn patient() -> Settling {
    let mut with = settling();
    with.schedule.wait_min = SignedDuration::from_hours(24);
    with.schedule.wait_max = SignedDuration::from_hours(24);
    with
}

/// How many different cases [`mixture`] repeats.
pub(super) const VARIETY: i64 = 20;

/// A run of every sort that a verdict may write about or leave alone, by `id % VARIETY`.
pub(super) fn mixture(id: i64) -> Case {
    let case = Case::proven(id);
    let restore = restore_of(id);
    match id % VARIETY {
        1 => Case::failed(id),
        2 => Case::in_progress(id),
        3 => with(case, |case| case.snapshots.clear()),
        4 => with(case, |case| case.audits.clear()),
        5 => with(case, |case| case.run.status = "completed".to_owned()),
        6 => with(Case::failed(id), |case| {
            case.restore.results = None;
            case.restore.metadata = Some(r#"{"blocked_reason":"write_gate_blocked"}"#.to_owned());
        }),
        7 => with(case, |case| case.restore.is_dry_run = true),
        8 => case.with_context(Some("[1]")),
        9 => case.with_context(None),
        10 => case.with_context(Some("[]")),
        11 => case.with_context(Some(&format!(
            r#"{{"restore_run_id":{restore},"reconciliation":{{"by":"another"}},"kept":1e2}}"#
        ))),
        12 => with(case, |case| case.run.r#type = "restore.verify".to_owned()),
        13 => with(case, |case| {
            case.run.started_at = Some(STARTED.to_owned());
            case.run.status = "queued".to_owned();
        }),
        14 => with(case, |case| {
            case.run.started_at = Some("infinity".to_owned());
        }),
        15 => with(case, |case| case.run.managed_environment_id = None),
        16 => moved(case, FOREIGN),
        17 => with(case, |case| case.restore.status = "cancelled".to_owned()),
        18 => with(case, |case| case.restore.completed_at = None),
        19 => with(case, |case| case.restore.workspace_id = FOREIGN.0),
        _ => case,
    }
}

async fn a_swept_mixture_has_no_findings(on: Fixture) {
    const RUNS: i64 = 17 * VARIETY;
    on.plant((1..=RUNS).map(mixture)).await;
    let before = check(&on.url, System::QUIET).await;
    let are_lost = before.iter().all(|found| found.kind == Kind::Lost);
    assert!(before.len() > 200 && are_lost, "{}", summary(&before));
    assert_sound(&on.url, System::Busy).await;

    let pass = pass(&on.store, Scope::default(), &patient()).await;
    let tally = pass.expect("a pass").tally;
    assert!(tally.refused == 0 && tally.deferred > 50, "{tally:?}");
    let verdicts = [
        tally.succeeded,
        tally.partially_succeeded,
        tally.blocked,
        tally.failed,
    ];
    assert!(verdicts.iter().all(|count| *count > 10), "{tally:?}");
    assert_sound(&on.url, System::QUIET).await;
}

async fn late_evidence_and_a_platform_that_closes_runs_are_no_findings(on: Fixture) {
    let now = on.store.now().await.expect("the time");
    let ago = |minutes| (now - SignedDuration::from_mins(minutes)).to_string();
    let late = with(Case::proven(1), |case| {
        case.restore.started_at = Some(ago(4));
        case.restore.completed_at = Some(ago(3));
        case.audits[0].recorded_at = ago(2);
    });
    let evidence = with(late.clone(), |case| {
        case.snapshots[0].generated_at = Some(ago(1));
    });
    let without = with(late, |case| case.snapshots.clear());
    on.plant([without, Case::in_progress(2), Case::proven(3)])
        .await;
    let waiting = settle(&on.store, &[1, 2], &patient()).await;
    assert_eq!(reason(deferred(&waiting[&1]).0), "restore.settling");
    let findings = check(&on.url, System::QUIET).await;
    assert_eq!(findings.len(), 1, "nobody looked at the third");

    on.execute(
        "UPDATE operation_runs SET status = 'completed', outcome = 'succeeded' WHERE id IN (2, 3)",
    )
    .await;
    assert_sound(&on.url, System::QUIET).await;
    let rows = PlatformRows {
        snapshots: evidence.snapshots,
        ..PlatformRows::default()
    };
    on.platform.plant(&rows).await.expect("rows can be planted");
    let mut by_command = patient();
    by_command.by.source = Source::Command;
    let settled = settle(&on.store, &[1, 2, 3], &by_command).await;
    committed(&settled[&1]);
    assert!(matches!(settled[&3], Settlement::Deferred(_, None)));
    assert_sound(&on.url, System::QUIET).await;
}

async fn a_run_is_lost_only_in_a_quiet_system_and_only_once_overdue(on: Fixture) {
    on.plant([Case::in_progress(1)]).await;
    settle(&on.store, &[1], &patient()).await;
    assert_sound(&on.url, System::QUIET).await;

    let since = on.in_seconds(-600);
    on.execute(&format!(
        "UPDATE reconciler.watch_list SET look_again_at = {since}"
    ))
    .await;
    assert_sound(&on.url, System::Busy).await;
    let overdue = |minutes: u64| System::Quiet {
        overdue: Duration::from_secs(minutes * 60),
    };
    assert_sound(&on.url, overdue(60)).await;
    for system in [overdue(5), System::QUIET] {
        let found = check(&on.url, system).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let expected =
            "run 1: Lost: expected a verdict, or a time to look again; found running, due for 60";
        let found = found[0].to_string();
        assert!(found.starts_with(expected), "{found}");
    }
}

async fn a_run_waits_for_whichever_time_comes_last(on: Fixture) {
    on.plant((1..=4).map(Case::proven)).await;
    let (past, future) = (on.in_seconds(-300), on.in_seconds(300));
    for (run, tried, watched) in [
        (1, &past, Some(&past)),
        (2, &past, Some(&future)),
        (3, &future, Some(&past)),
        (4, &future, None),
    ] {
        on.execute(&format!(
            "INSERT INTO reconciler.attempts
                 (operation_run_id, workspace_id, worker, first_seen_at, try_again_at)
             VALUES ({run}, 1, 'w', {past}, {tried})"
        ))
        .await;
        if let Some(watched) = watched {
            on.execute(&format!(
                "INSERT INTO reconciler.watch_list
                     (operation_run_id, workspace_id, reason_code, first_seen_at, last_looked_at, look_again_at, tries)
                 VALUES ({run}, 1, 'r', {past}, {past}, {watched}, 1)"
            ))
            .await;
        }
    }
    let found = check(&on.url, System::QUIET).await;
    let found: Vec<_> = found.iter().map(|it| (it.kind, it.run)).collect();
    assert_eq!(found, [(Kind::Lost, 1)]);
}
