//! What an operator sees of the queue and may change about it.

use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::request::Request;
use reconciler_jobs::sweep::admission::Admission;
use reconciler_jobs::trace::TraceContext;
use restore_reconciler::internals::storage::QueueState::{
    self, DeadLetter, Deferred, Dropped, InHand, Refused, Suspended, Waiting,
};
use restore_reconciler::internals::storage::reader::{
    JobState, QueueListing, QueueScope, QueueStanding, Workspaces,
};
use restore_reconciler::internals::storage::{
    Action, ActionOnRecord, ActionVerb, Settlement, Settling,
};

use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::settled::{run_ids as ids, settle, settling};
use crate::support::store::{Columns, Fixture, moved, on_both, with};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

on_both!(
    open_runs_get_a_job_and_others_do_not,
    what_is_listed_is_worst_first_counted_and_cut,
    a_list_keeps_to_its_workspace,
    a_job_that_nobody_can_read_hides_no_other,
    a_jobs_run_is_the_one_that_a_worker_reads,
    a_dead_letter_that_starts_over_is_due_and_settled_alone,
    starting_over_twice_does_it_once,
    a_refused_run_is_due_at_once,
    a_closed_or_untroubled_run_never_starts_over,
    a_dropped_dead_letter_stays_open_and_is_left_alone,
    only_dead_letters_are_dropped,
    whoever_acts_is_on_record_with_what_came_of_it,
    what_was_known_before_a_run_starts_over_stays_known,
    what_is_remembered_of_another_run_with_the_id_is_not_this_ones,
);

/// Remembers settlements of a run that never ended.
async fn attempts(on: &Fixture, run: i64, dead: bool, dropped: bool) {
    let (now, later) = (&on.in_seconds(0), on.in_seconds(3600));
    let dead = if dead { now } else { "NULL" };
    let dropped = if dropped { now } else { "NULL" };
    on.execute(&format!(
        "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at,
            dead_at, dropped_at
        ) VALUES ({run}, 1, 5, 'the-worker-that-ended', {now}, {now}, {later}, {dead}, {dropped})"
    ))
    .await;
}

async fn watched(on: &Fixture, run: i64, reason: &str) {
    let (now, later) = (on.in_seconds(0), on.in_seconds(3600));
    on.execute(&format!(
        "INSERT INTO reconciler.watch_list (
            operation_run_id, workspace_id, reason_code, first_seen_at, last_looked_at, look_again_at, tries, error
        ) VALUES ({run}, 1, '{reason}', {now}, {now}, {later}, 3, 'said the database')"
    ))
    .await;
}

/// Has a worker take every job that waits.
async fn take_all(on: &Fixture) {
    let seen = on.either("unixepoch('now')", "now()");
    on.execute_on_queue(&format!(
        "INSERT INTO Workers (id, worker_type, storage_name, layers, last_seen)
         VALUES ('hands', 'restore.execute', 'storage', '', {seen})"
    ))
    .await;
    on.execute_on_queue(&format!(
        "UPDATE Jobs SET status = 'Running', lock_by = 'hands', lock_at = {seen}, attempts = 1"
    ))
    .await;
}

async fn list(on: &Fixture, states: &[QueueState], limit: u32) -> QueueListing {
    list_in(on, None, states, limit).await
}

async fn list_in(
    on: &Fixture,
    workspace: Option<WorkspaceId>,
    states: &[QueueState],
    limit: u32,
) -> QueueListing {
    let scope = QueueScope {
        states: states.to_vec(),
        of: Workspaces::All,
        workspace,
        live_only: false,
        limit,
    };
    on.store.reader().load_queue(&scope).await.unwrap()
}

fn shown(listing: &QueueListing) -> Vec<(QueueState, Option<i64>)> {
    let entries = listing.entries.iter();
    entries
        .map(|entry| (entry.state, entry.run.map(|run| run.0)))
        .collect()
}

async fn standing(on: &Fixture, run: i64) -> QueueStanding {
    let (reader, run) = (on.store.reader(), RunId(run));
    let found = reader.load_standings(&Workspaces::All, &[run]).await;
    found.unwrap().remove(0)
}

async fn jobs(on: &Fixture, run: i64) -> Vec<JobState> {
    let jobs = on.store.reader().load_jobs(RunId(run), 10).await.unwrap();
    jobs.iter().map(|job| job.state).collect()
}

async fn remembered(on: &Fixture) -> Vec<Columns> {
    on.rows("SELECT * FROM reconciler.attempts").await
}

async fn ask(on: &Fixture, runs: &[i64], cause: &str) -> Vec<RunId> {
    on.store.request(&ids(runs), cause, None).await.unwrap()
}

async fn retry(on: &Fixture, runs: &[i64]) -> Vec<RunId> {
    let action = action(ActionVerb::Retry);
    on.store.retry(&ids(runs), &action).await.unwrap()
}

async fn give_up(on: &Fixture, runs: &[i64]) -> Vec<RunId> {
    let action = action(ActionVerb::Drop);
    let dropped = on.store.drop_dead_letters(&ids(runs), &action).await;
    dropped.unwrap()
}

fn action(verb: ActionVerb) -> Action {
    Action {
        actor: Some("ops".to_owned()),
        reason: Some("the host had no memory".to_owned()),
        trace: TraceContext::parse(TRACE),
        ..Action::new(verb)
    }
}

async fn awaited(on: &Fixture) -> Vec<RunId> {
    on.store
        .load_rechecks(10, &Admission::default())
        .await
        .unwrap()
        .runs
}

/// A dead letter is settled by nobody.
async fn assert_left_alone(on: &Fixture, run: i64) {
    let result = on.settle_one(run).await;
    assert!(
        matches!(result, Settlement::Suspended { until: None, .. }),
        "{result:?}"
    );
    assert_eq!(awaited(on).await, []);
}

fn closed(id: i64) -> Case {
    with(Case::proven(id), |case| {
        case.run.status = "completed".to_owned();
    })
}

async fn open_runs_get_a_job_and_others_do_not(on: Fixture) {
    let on = on.with_queue().await;
    let other = with(Case::proven(3), |case| {
        case.run.r#type = "backup.execute".to_owned();
    });
    on.plant([Case::proven(1), closed(2), other]).await;
    let before = on.platform().await;
    let cause = format!("\"run\": 7, {}", "ü".repeat(100));
    assert_eq!(ask(&on, &[1, 2, 3, 999], &cause).await, ids(&[1]));
    assert_eq!(before, on.platform().await);
    for (run, count) in [(1, 1), (2, 0), (3, 0), (7, 0), (999, 0)] {
        assert_eq!(jobs(&on, run).await.len(), count, "run {run}");
    }
    let job = on.store.reader().load_jobs(RunId(1), 10).await;
    let job = job.unwrap().remove(0);
    assert_eq!((job.state, job.deliveries), (JobState::Waiting, 0));
    let expected: String = cause.chars().take(64).collect();
    assert_eq!(job.cause, Some(expected));
}

async fn what_is_listed_is_worst_first_counted_and_cut(on: Fixture) {
    let on = on.with_queue().await;
    on.plant((1..=9).map(Case::proven)).await;
    attempts(&on, 1, true, false).await;
    attempts(&on, 2, true, false).await;
    attempts(&on, 3, false, false).await;
    attempts(&on, 4, true, true).await;
    watched(&on, 5, "run.settle_failed").await;
    watched(&on, 6, "restore.in_progress").await;
    ask(&on, &[7], "first").await;
    take_all(&on).await;
    ask(&on, &[8], "second").await;

    let listing = list(&on, &QueueState::UNSETTLED, 100).await;
    let states = [DeadLetter, DeadLetter, Suspended, Refused, InHand, Waiting];
    let unsettled: Vec<_> = states
        .into_iter()
        .zip([1, 2, 3, 5, 7, 8].map(Some))
        .collect();
    assert_eq!(shown(&listing), unsettled);
    assert_eq!(listing.omitted(), 0);
    let [dead, _, suspended, refused, in_hand, waiting] = &listing.entries[..] else {
        panic!("six entries")
    };
    assert_eq!((dead.tries, dead.next_at), (5, None));
    assert_eq!(dead.worker.as_deref(), Some("the-worker-that-ended"));
    assert!(suspended.next_at.unwrap() > listing.as_of);
    assert_eq!(refused.tries, 3);
    assert_eq!(refused.error.as_deref(), Some("said the database"));
    assert!(refused.next_at.unwrap() > listing.as_of);
    assert_eq!(in_hand.worker.as_deref(), Some("hands"));
    for (job, tries, cause) in [(in_hand, 2, "first"), (waiting, 0, "second")] {
        assert_eq!((job.tries, job.cause.as_deref()), (tries, Some(cause)));
    }
    for entry in &listing.entries {
        let scope = (entry.workspace.unwrap().0, entry.environment.unwrap().0);
        assert_eq!(scope, HOME);
        let age = listing.as_of.duration_since(entry.since);
        assert!(age.as_secs().abs() < 60, "{entry:?}");
    }

    let all = list(&on, &QueueState::ALL, 100).await;
    let rest = [(Dropped, Some(4)), (Deferred, Some(6))];
    assert_eq!(shown(&all), [&unsettled[..], &rest].concat());

    let cut = list(&on, &QueueState::UNSETTLED, 1).await;
    assert_eq!(shown(&cut), unsettled[..1]);
    assert_eq!((cut.omitted(), cut.counts.len()), (5, 5));
    assert_eq!(cut.counts[0].entries, 2);
    let one = list(&on, &[Waiting], 100).await;
    assert_eq!(shown(&one), [(Waiting, Some(8))]);
}

async fn a_list_keeps_to_its_workspace(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), moved(Case::proven(2), FOREIGN)])
        .await;
    ask(&on, &[1, 2], "test").await;
    attempts(&on, 1, true, false).await;
    for (workspace, expected) in [
        (HOME.0, &[(DeadLetter, Some(1)), (Waiting, Some(1))][..]),
        (FOREIGN.0, &[(Waiting, Some(2))]),
        (77, &[]),
    ] {
        let workspace = Some(WorkspaceId(workspace));
        let listing = list_in(&on, workspace, &QueueState::ALL, 10).await;
        assert_eq!(shown(&listing), expected);
        assert_eq!(listing.omitted(), 0);
        assert_eq!(listing.counts.len(), expected.len());
    }
}

async fn a_job_that_nobody_can_read_hides_no_other(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1)]).await;
    ask(&on, &[1], "test").await;
    let huge = r#"{"run": 123456789012345678901234567890}"#.as_bytes();
    let payloads = [&b"\xff\x00\xfe"[..], b"no JSON", br#"{"run": "1"}"#, huge];
    queue_payloads(&on, &payloads).await;
    let listing = list(&on, &[Waiting], 100).await;
    assert_eq!(listing.entries.len(), 5);
    let named = listing.entries.iter().filter_map(|entry| entry.run);
    assert_eq!(named.collect::<Vec<_>>(), ids(&[1]));
    assert_eq!(jobs(&on, 1).await, [JobState::Waiting]);
    assert_eq!(give_up(&on, &[1]).await, []);
}

/// Adds jobs that wait and say this, whatever it is.
async fn queue_payloads(on: &Fixture, payloads: &[&[u8]]) {
    for (at, payload) in payloads.iter().enumerate() {
        let hex: String = payload
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect();
        let bytes = on.either("x'", "'\\x").to_owned() + &hex;
        on.execute_on_queue(&format!(
            "INSERT INTO Jobs (id, job_type, job, status) VALUES ('{at:02}', 'restore.execute', {bytes}', 'Pending')"
        ))
        .await;
    }
}

/// Whatever a payload looks like: shown, found and dropped is the run that a worker would look at.
async fn a_jobs_run_is_the_one_that_a_worker_reads(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(7)]).await;
    let payloads: [&[u8]; 17] = [
        br#"{"run": 7}"#,
        br#"{"run":7,"cause":"\u00fc \"run\": 8","traceparent":null}"#,
        "\t{\n \"cause\": \"ü\", \"run\"\r\n:\t7 }\n".as_bytes(),
        br#"{"run": 7, "cause": null, "more": {"run": 8}}"#,
        br#"{"more": {"run": 8}, "run": 7}"#,
        br#"{"more": {"run": 7}}"#,
        br#"{"run": 9223372036854775807, "cause": "7"}"#,
        br#"{"run": 9223372036854775808, "cause": "7"}"#,
        br#"{"run": -7}"#,
        br#"{"run": 7.0}"#,
        br#"{"run": 7e0}"#,
        br#"{"run": "7"}"#,
        br#"{"run": 7, "cause": 7}"#,
        br#"{"run": 77}"#,
        br#"{"run": 7"#,
        b"{\"run\": 7, \"cause\": \"\xff\"}",
        b"7",
    ];
    queue_payloads(&on, &payloads).await;
    let requests = payloads.map(|payload| serde_json::from_slice::<Request>(payload).ok());
    let read = requests.map(|request| request.map(|request| request.run));
    assert_eq!(read.iter().flatten().count(), 8, "{read:?}");

    let mut listed = list(&on, &[Waiting], 100).await.entries;
    listed.sort_by(|a, b| a.job.cmp(&b.job));
    let listed: Vec<_> = listed.iter().map(|entry| entry.run).collect();
    assert_eq!(listed, read);
    for run in read.iter().flatten() {
        let asked = read.iter().filter(|other| **other == Some(*run)).count();
        assert_eq!(jobs(&on, run.0).await.len(), asked, "run {run:?}");
    }
    let two = on.store.reader().load_jobs(RunId(7), 2).await;
    assert_eq!(two.unwrap().len(), 2);

    attempts(&on, 7, true, false).await;
    assert_eq!(give_up(&on, &[7]).await.len(), 1);
    assert_eq!(jobs(&on, 7).await, [JobState::Killed; 5]);
    let waiting = list(&on, &[Waiting], 100).await.entries;
    assert_eq!(waiting.len(), payloads.len() - 5);
}

async fn a_dead_letter_that_starts_over_is_due_and_settled_alone(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    attempts(&on, 1, true, true).await;
    assert_left_alone(&on, 1).await;

    assert_eq!(retry(&on, &[1, 2]).await, ids(&[1]));
    let kept = standing(&on, 1).await.attempts;
    let kept = kept.expect("a suspect stays one");
    assert_eq!((kept.tries, kept.dead_at, kept.dropped_at), (0, None, None));
    assert_eq!(jobs(&on, 1).await, [JobState::Waiting]);
    assert_eq!(jobs(&on, 2).await, []);
    assert_eq!(awaited(&on).await, ids(&[1]));
    on.verdict(1).await;
    assert_eq!(standing(&on, 1).await.attempts, None);
}

/// As a dump leaves it that is restored beside our schema, until a sweep forgets it.
async fn what_is_remembered_of_another_run_with_the_id_is_not_this_ones(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    attempts(&on, 1, true, false).await;
    watched(&on, 2, "run.settle_failed").await;
    let later = on.either("created_at + 1", "created_at + interval '1 s'");
    let both = [(DeadLetter, Some(1)), (Refused, Some(2))];
    for (table, run, left) in [("attempts", 1, both[1]), ("watch_list", 2, both[0])] {
        for (column, [other, own]) in [
            ("workspace_id", ["2", "1"]),
            ("managed_environment_id", ["12", "11"]),
            ("run_created_at", [later, "created_at"]),
        ] {
            let put = async |value| {
                let of_run = format!("SELECT {value} FROM operation_runs WHERE id = {run}");
                on.execute(&format!(
                    "UPDATE reconciler.{table} SET {column} = ({of_run}) WHERE operation_run_id = {run}"
                ))
                .await;
            };
            put(other).await;
            let listed = list(&on, &[DeadLetter, Refused], 10).await;
            assert_eq!(shown(&listed), [left], "{table}.{column}");
            let standing = standing(&on, run).await;
            let known = (standing.attempts.is_some(), standing.refusal().is_some());
            assert_eq!(known, (false, false), "{table}.{column}");
            assert_eq!(retry(&on, &[run]).await, [], "{table}.{column}");
            put(own).await;
        }
    }
    let listed = list(&on, &[DeadLetter, Refused], 10).await;
    assert_eq!(shown(&listed), both);
    assert_eq!(retry(&on, &[1, 2]).await, ids(&[1, 2]));
}

async fn starting_over_twice_does_it_once(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    attempts(&on, 1, true, false).await;
    attempts(&on, 2, false, false).await;
    assert_eq!(retry(&on, &[2, 1]).await, ids(&[1, 2]));
    let after = remembered(&on).await;
    assert_eq!(retry(&on, &[1, 2]).await, []);
    assert_eq!(after, remembered(&on).await);
    for run in [1, 2] {
        assert_eq!(jobs(&on, run).await, [JobState::Waiting]);
    }
}

async fn a_refused_run_is_due_at_once(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    watched(&on, 1, "run.settle_failed").await;
    watched(&on, 2, "restore.in_progress").await;
    assert_eq!(retry(&on, &[1, 2]).await, ids(&[1]));
    assert_eq!(awaited(&on).await, ids(&[1]));
    assert_eq!(jobs(&on, 1).await, [JobState::Waiting]);
    assert_eq!(standing(&on, 1).await.watch.unwrap().tries, 3);
    assert_eq!(retry(&on, &[1]).await, []);
    on.verdict(1).await;
}

async fn a_closed_or_untroubled_run_never_starts_over(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([closed(1), Case::proven(2)]).await;
    attempts(&on, 1, true, false).await;
    let before = remembered(&on).await;
    assert_eq!(retry(&on, &[1, 2, 999]).await, []);
    assert_eq!(before, remembered(&on).await);
    let all = list(&on, &QueueState::ALL, 10).await;
    assert_eq!(shown(&all), [], "a closed run is nobody's trouble");
}

async fn a_dropped_dead_letter_stays_open_and_is_left_alone(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    ask(&on, &[1, 2], "test").await;
    attempts(&on, 1, true, false).await;
    let before = on.platform().await;
    assert_eq!(give_up(&on, &[1]).await, ids(&[1]));
    assert_eq!(before, on.platform().await, "a drop closes nothing");
    assert_eq!(on.number_of("reconciler.ledger").await, 0);
    assert_eq!(jobs(&on, 1).await, [JobState::Killed]);
    assert_eq!(jobs(&on, 2).await, [JobState::Waiting]);
    let unsettled = list(&on, &QueueState::UNSETTLED, 10).await;
    assert_eq!(shown(&unsettled), [(Waiting, Some(2))]);
    let all = list(&on, &QueueState::ALL, 10).await;
    assert!(shown(&all).contains(&(Dropped, Some(1))));
    assert_left_alone(&on, 1).await;

    let row = remembered(&on).await;
    assert_eq!(give_up(&on, &[1]).await, []);
    assert_eq!(row, remembered(&on).await);
    assert_eq!(retry(&on, &[1]).await, ids(&[1]));
    on.verdict(1).await;
}

async fn only_dead_letters_are_dropped(on: Fixture) {
    let on = on.with_queue().await;
    on.plant((1..=3).map(Case::proven)).await;
    attempts(&on, 1, false, false).await;
    watched(&on, 2, "run.settle_failed").await;
    ask(&on, &[1, 2, 3], "test").await;
    let before = remembered(&on).await;
    assert_eq!(give_up(&on, &[1, 2, 3, 999]).await, []);
    assert_eq!(before, remembered(&on).await);
    for run in 1..=3 {
        assert_eq!(jobs(&on, run).await, [JobState::Waiting]);
    }
}

/// Verb, outcome, actor, reason and trace of what is on record about a run, the earliest first.
async fn acted(on: &Fixture, run: i64) -> Vec<(String, String)> {
    let mut found = on.store.reader().load_actions(RunId(run)).await.unwrap();
    found.reverse();
    let told = |it: ActionOnRecord| {
        assert_eq!(it.actor.as_deref(), Some("ops"));
        assert_eq!(it.reason.as_deref(), Some("the host had no memory"));
        assert_eq!(it.trace.as_deref(), TRACE.split('-').nth(1));
        (it.verb, it.outcome.expect("what came of it"))
    };
    found.into_iter().map(told).collect()
}

/// Asked for by hand, which nobody refuses, and closed runs leave nothing.
async fn whoever_acts_is_on_record_with_what_came_of_it(on: Fixture) {
    let on = on.with_queue().await;
    let elsewhere = moved(Case::proven(4), FOREIGN);
    on.plant([Case::proven(1), Case::in_progress(2), closed(3), elsewhere])
        .await;
    let asked = action(ActionVerb::Request);
    assert!(on.store.request_once(RunId(1), &asked).await.unwrap());
    assert!(on.store.request_once(RunId(1), &asked).await.unwrap());
    assert!(!on.store.request_once(RunId(3), &asked).await.unwrap());
    let (all, enqueue) = (ids(&[1, 2, 3, 4, 999]), action(ActionVerb::Enqueue));
    let queued = on.store.enqueue(&all, &enqueue).await;
    assert_eq!(queued.unwrap(), ids(&[1, 2, 4]));
    ask(&on, &[1, 2], "platform").await;
    let by_hand = Settling {
        action: Some(action(ActionVerb::Reconcile)),
        ..settling()
    };
    settle(&on.store, &[1, 2, 3], &by_hand).await;
    on.settle(&[4]).await;
    let told = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |(verb, outcome): &(&str, &str)| ((*verb).to_owned(), (*outcome).to_owned());
        pairs.iter().map(owned).collect()
    };
    let of_one = told(&[
        ("request", "queued"),
        ("request", "queued_before"),
        ("enqueue", "queued"),
        ("reconcile", "succeeded: restore.proof_complete"),
    ]);
    assert_eq!(acted(&on, 1).await, of_one);
    let of_two = told(&[
        ("enqueue", "queued"),
        ("reconcile", "deferred: restore.in_progress"),
    ]);
    assert_eq!(acted(&on, 2).await, of_two);
    assert_eq!(acted(&on, 3).await, []);
    assert_eq!(acted(&on, 4).await, told(&[("enqueue", "queued")]));
    // Another run that has this id by now.
    let (workspace, environment) = HOME;
    on.execute(&format!(
        "UPDATE operation_runs SET workspace_id = {workspace}, managed_environment_id = {environment} WHERE id = 4"
    ))
    .await;
    assert_eq!(acted(&on, 4).await, []);
    let changed = on.try_execute("UPDATE reconciler.actions SET actor = 'another'");
    assert!(changed.await.is_err());
}

async fn what_was_known_before_a_run_starts_over_stays_known(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([1, 2, 3].map(Case::proven)).await;
    attempts(&on, 1, true, false).await;
    watched(&on, 2, "run.settle_failed").await;
    attempts(&on, 3, true, false).await;
    assert_eq!(give_up(&on, &[3]).await, ids(&[3]));
    assert_eq!(retry(&on, &[1, 2, 3]).await, ids(&[1, 2, 3]));
    assert_eq!(retry(&on, &[1, 2, 3]).await, []);
    let found = on
        .rows("SELECT operation_run_id, outcome, found FROM reconciler.actions WHERE action = 'retry' ORDER BY 1")
        .await;
    let expected = [
        (
            "1",
            "starts_over",
            &["\"tries\":5", "the-worker-that-ended", "dead_at"][..],
        ),
        (
            "2",
            "due_now",
            &["\"refused_tries\":3", "said the database"],
        ),
        ("3", "starts_over", &["\"tries\":5", "dropped_at"]),
    ];
    assert_eq!(found.len(), expected.len());
    for (row, (run, outcome, known)) in found.iter().zip(expected) {
        assert_eq!(row["operation_run_id"].as_deref(), Some(run));
        assert_eq!(row["outcome"].as_deref(), Some(outcome));
        let text = row["found"].as_deref().unwrap().replace(" : ", ":");
        for known in known {
            assert!(text.contains(known), "{text}");
        }
    }
    on.settle(&[1, 2, 3]).await;
    let verbs = acted(&on, 3).await.into_iter().map(|(verb, _)| verb);
    assert_eq!(verbs.collect::<Vec<_>>(), ["drop", "retry"]);
}
