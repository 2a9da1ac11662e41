//! Runs whose settlement may have ended a process: tried alone, each try written down before it begins.

use reconciler_jobs::sweep::admission::Admission;
use restore_reconciler::internals::storage::{Rechecks, Settlement};
use restore_reconciler::internals::sweep::Scope;
use sqlx::raw_sql;

use crate::support::case::{Case, FOREIGN};
use crate::support::roles::{Purpose, connect};
use crate::support::settled::{committed, deferred, pages, refused, run_ids, settle, settling};
use crate::support::store::{Columns, Fixture, moment, moved, on_both};

on_both!(
    only_open_runs_are_suspected,
    a_suspect_is_settled_alone_and_the_others_together,
    a_suspect_that_is_deferred_is_no_longer_suspected,
    a_suspect_that_is_refused_is_no_longer_suspected,
    a_try_is_written_down_before_it_begins,
    after_the_last_try_a_run_is_a_dead_letter,
    a_suspect_whose_time_has_not_come_is_left_alone,
    only_a_request_looks_before_its_time,
    what_is_awaited_is_open_and_its_time_has_come,
    as_many_are_awaited_as_were_asked_for,
    workspaces_are_awaited_in_turns,
);

/// The suspect in the middle of a batch.
const SUSPECT: i64 = 25;
const BATCH: i64 = 50;

async fn suspect(on: &Fixture, runs: &[i64]) {
    on.store.suspect(&run_ids(runs), "heir").await.unwrap();
}

/// A suspect that was tried so often.
async fn tried(on: &Fixture, run: i64, tries: u32) {
    on.plant([Case::failed(run)]).await;
    suspect(on, &[run]).await;
    on.execute(&format!("UPDATE reconciler.attempts SET tries = {tries}"))
        .await;
}

async fn attempts(on: &Fixture) -> Vec<Columns> {
    let attempts = "SELECT * FROM reconciler.attempts ORDER BY operation_run_id";
    on.rows(attempts).await
}

async fn awaited(on: &Fixture, limit: u32) -> (Vec<i64>, Rechecks) {
    let awaited = on
        .store
        .load_rechecks(limit, &Admission::default())
        .await
        .unwrap();
    (awaited.runs.iter().map(|run| run.0).collect(), awaited)
}

/// Moves a moment of some rows by so many seconds from now.
async fn set_moment(on: &Fixture, table: &str, column: &str, seconds: i64, run: i64) {
    let moment = on.in_seconds(seconds);
    on.execute(&format!(
        "UPDATE {table} SET {column} = {moment} WHERE operation_run_id = {run}"
    ))
    .await;
}

/// Notes, whenever a run is closed, how many verdicts there were by then and how many tries of this run.
async fn witness(on: &Fixture) {
    let note = "INSERT INTO witness
        SELECT new.id, (SELECT count(*) FROM reconciler.ledger),
            (SELECT tries FROM reconciler.attempts WHERE operation_run_id = new.id)";
    on.execute("CREATE TABLE witness (run bigint, verdicts bigint, tries bigint)")
        .await;
    let trigger = if on.is_sqlite() {
        format!(
            "CREATE TRIGGER witness AFTER UPDATE ON operation_runs WHEN new.status = 'completed'
             BEGIN {note}; END"
        )
    } else {
        format!(
            "CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN {note}; RETURN new; END $$;
             CREATE TRIGGER witness BEFORE UPDATE ON operation_runs FOR EACH ROW
             WHEN (new.status = 'completed') EXECUTE FUNCTION witness()"
        )
    };
    on.execute(&trigger).await;
}

async fn only_open_runs_are_suspected(on: Fixture) {
    on.plant((1..=4).map(Case::failed)).await;
    on.settle(&[2]).await;
    on.execute("UPDATE operation_runs SET type = 'restore.verify' WHERE id = 3")
        .await;
    suspect(&on, &[4, 3, 2, 1, 404]).await;
    let rows = attempts(&on).await;
    assert_eq!(rows.len(), 2);
    for (row, run) in rows.iter().zip(["1", "4"]) {
        let text = [
            "operation_run_id",
            "tries",
            "worker",
            "last_tried_at",
            "dead_at",
        ];
        let text = text.map(|column| row[column].as_deref());
        assert_eq!(text, [Some(run), Some("0"), Some("heir"), None, None]);
        assert_eq!(row["try_again_at"], row["first_seen_at"], "at once");
    }
    on.execute("UPDATE reconciler.attempts SET tries = 3").await;
    let before = attempts(&on).await;
    suspect(&on, &[1, 4]).await;
    assert_eq!(before, attempts(&on).await, "what is known is kept");
}

async fn a_suspect_is_settled_alone_and_the_others_together(on: Fixture) {
    on.plant((1..=BATCH).map(Case::failed)).await;
    witness(&on).await;
    suspect(&on, &[SUSPECT]).await;
    let results = on.settle(&(1..=BATCH).collect::<Vec<_>>()).await;
    assert_eq!(results.values().map(committed).count(), 50);
    on.assert_one_of_each(BATCH).await;
    // A transaction closes all of its runs before it writes its first entry.
    let seen = async |when: &str| on.number_of(&format!("witness WHERE {when}")).await;
    assert_eq!(seen("verdicts = 0 AND tries IS NULL").await, 49);
    assert_eq!(seen("verdicts = 49 AND tries = 1").await, 1);
    assert_eq!(seen("true").await, BATCH);
    assert_eq!(attempts(&on).await, []);
}

async fn a_suspect_that_is_deferred_is_no_longer_suspected(on: Fixture) {
    on.plant([Case::failed(24), Case::in_progress(SUSPECT)])
        .await;
    suspect(&on, &[SUSPECT]).await;
    let results = on.settle(&[24, SUSPECT]).await;
    assert_eq!(deferred(&results[&SUSPECT]).1.tries, 1);
    assert_eq!(attempts(&on).await, []);
    on.assert_one_of_each(1).await;
}

async fn a_suspect_that_is_refused_is_no_longer_suspected(on: Fixture) {
    on.plant([Case::failed(24), Case::failed(SUSPECT)]).await;
    on.refuse("UPDATE ON operation_runs", "NEW.id = 25").await;
    suspect(&on, &[SUSPECT]).await;
    let results = on.settle(&[24, SUSPECT]).await;
    let (watch, error) = refused(&results[&SUSPECT]);
    assert!(
        watch.is_some() && error.contains("refused by a test"),
        "{error}"
    );
    assert_eq!(attempts(&on).await, []);
    let watched = on.row("SELECT * FROM reconciler.watch_list").await;
    assert_eq!(watched["reason_code"].as_deref(), Some("run.settle_failed"));
    let error = watched["error"].as_deref().unwrap();
    assert!(error.contains("refused by a test"), "{error}");
}

/// Whatever ends the process inside of the second transaction, the first one has counted.
async fn a_try_is_written_down_before_it_begins(on: Fixture) {
    tried(&on, 1, 0).await;
    // Nothing gets past this, and nobody may write to the watch list instead.
    on.refuse("UPDATE ON operation_runs", "true").await;
    on.refuse("INSERT ON reconciler.watch_list", "true").await;
    let before = on.store.now().await.unwrap();
    let result = on.settle_one(1).await;
    assert_eq!(refused(&result).0, None);
    let row = attempts(&on).await.remove(0);
    assert_eq!(row["tries"].as_deref(), Some("1"));
    assert_eq!(row["worker"].as_deref(), Some("worker-of-a-test"));
    assert!(row["last_tried_at"].is_some());
    let (runs, awaited) = awaited(&on, 10).await;
    assert_eq!(runs, [0; 0]);
    let wait = awaited.next_in.unwrap();
    let waited = on.store.now().await.unwrap().duration_since(before) + wait;
    let waited = waited.as_secs();
    assert!((30..=31).contains(&waited), "the first wait: {waited} s");
}

async fn after_the_last_try_a_run_is_a_dead_letter(on: Fixture) {
    tried(&on, 1, 5).await;
    on.plant([Case::failed(2)]).await;
    assert_eq!(on.store.count_due(None).await.unwrap(), 2);
    assert_eq!(awaited(&on, 10).await.0, [1]);
    let untouched = on.run(1).await;

    let given_up = Settlement::Suspended {
        tries: 5,
        until: None,
    };
    assert_eq!(on.settle_one(1).await, given_up);
    let rows = attempts(&on).await;
    assert!(rows[0]["dead_at"].is_some(), "{rows:?}");
    assert_eq!(rows[0]["tries"].as_deref(), Some("5"));
    assert_eq!(rows[0]["last_tried_at"], None, "no try began");
    assert_eq!(on.store.count_due(None).await.unwrap(), 1);
    assert_eq!(awaited(&on, 10).await, (vec![], Rechecks::default()));

    let fingerprint = on.fingerprint().await;
    assert_eq!(on.settle_one(1).await, given_up);
    assert_eq!(fingerprint, on.fingerprint().await);
    assert_eq!(rows, attempts(&on).await, "a second look changes nothing");

    let (pass, swept) = pages(&on.store, Scope::default(), &settling()).await;
    assert_eq!(pass.tally.verdicts(), 1);
    assert_eq!(swept, [[2]], "a sweep passes it over");
    assert_eq!(untouched, on.run(1).await);
    assert_eq!(rows, attempts(&on).await);
}

async fn a_suspect_whose_time_has_not_come_is_left_alone(on: Fixture) {
    tried(&on, 1, 2).await;
    set_moment(&on, "reconciler.attempts", "try_again_at", 100, 1).await;
    let (rows, untouched) = (attempts(&on).await, on.run(1).await);
    let Settlement::Suspended {
        tries: 2,
        until: Some(until),
    } = on.settle_one(1).await
    else {
        panic!("it was tried");
    };
    let left = until.duration_since(on.store.now().await.unwrap());
    assert!((90..=100).contains(&left.as_secs()), "{left}");
    assert_eq!(rows, attempts(&on).await);
    assert_eq!(untouched, on.run(1).await);
    assert_eq!(on.store.count_due(None).await.unwrap(), 0);

    set_moment(&on, "reconciler.attempts", "try_again_at", -1, 1).await;
    committed(&on.settle_one(1).await);
}

async fn only_a_request_looks_before_its_time(on: Fixture) {
    let watched = async || on.rows("SELECT * FROM reconciler.watch_list").await;
    let look = async |due_only| {
        let mut with = settling();
        with.due_only = due_only;
        settle(&on.store, &[1], &with).await.remove(&1).unwrap()
    };
    on.plant([Case::in_progress(1)]).await;
    on.deferral(1).await;
    let before = watched().await;
    assert_eq!(look(true).await, Settlement::Locked);
    assert_eq!(before, watched().await);
    assert_eq!(deferred(&look(false).await).1.tries, 2);
    set_moment(&on, "reconciler.watch_list", "look_again_at", -1, 1).await;
    assert_eq!(deferred(&look(true).await).1.tries, 3);
}

async fn what_is_awaited_is_open_and_its_time_has_come(on: Fixture) {
    on.plant((1..=4).map(Case::in_progress)).await;
    on.plant((11..=14).map(Case::failed)).await;
    assert_eq!(awaited(&on, 10).await, (vec![], Rechecks::default()));
    on.settle(&[1, 2, 3, 4]).await;
    suspect(&on, &[11, 12, 13, 14]).await;
    let watched = async |run, seconds| {
        set_moment(&on, "reconciler.watch_list", "look_again_at", seconds, run).await;
    };
    let suspected = async |run, seconds| {
        set_moment(&on, "reconciler.attempts", "try_again_at", seconds, run).await;
    };
    watched(1, -1).await;
    watched(2, 500).await;
    watched(3, -3).await; // somebody else closes its run
    watched(4, -4).await; // its settlement is suspected as well, and has to wait
    suspect(&on, &[4]).await;
    suspected(4, 300).await;
    suspected(11, -2).await;
    suspected(12, 400).await;
    suspected(13, -5).await; // somebody else closes its run
    suspected(14, -6).await; // a dead letter
    on.execute(
        "UPDATE operation_runs SET status = 'completed' WHERE id IN (3, 13);
         UPDATE reconciler.attempts SET dead_at = first_seen_at WHERE operation_run_id = 14",
    )
    .await;
    let (runs, awaited) = awaited(&on, 10).await;
    assert_eq!(runs, [11, 1], "whoever has waited longest comes first");
    let next = awaited.next_in.unwrap().as_secs();
    assert!((290..=300).contains(&next), "{next} s");
}

async fn as_many_are_awaited_as_were_asked_for(on: Fixture) {
    on.plant((1..=3).map(Case::failed)).await;
    suspect(&on, &[1, 2, 3]).await;
    for (run, seconds) in [(1, -1), (2, -3), (3, -2)] {
        set_moment(&on, "reconciler.attempts", "try_again_at", seconds, run).await;
    }
    assert_eq!(awaited(&on, 2).await.0, [2, 3]);
    assert_eq!(awaited(&on, 9).await.0, [2, 3, 1]);
}

/// What is remembered of a run, but for who was the last to try and when.
async fn remembered(on: &Fixture) -> Vec<Columns> {
    let mut rows = attempts(on).await;
    for row in &mut rows {
        row.retain(|column, _| column != "worker" && column != "last_tried_at");
    }
    rows
}

/// Nobody's process ends of a lock.
#[tokio::test]
async fn a_try_that_meets_a_lock_does_not_count() {
    let on = Fixture::postgres().await;
    tried(&on, 1, 4).await;
    on.plant([Case::failed(2)]).await;
    let before = remembered(&on).await;
    let mut other = connect(Purpose::Engineer, &on.url).await;
    raw_sql("BEGIN; SELECT FROM operation_runs WHERE id = 1 FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    for _ in 0..3 {
        let results = on.settle(&[1, 2]).await;
        assert_eq!(results[&1], Settlement::Locked);
        assert_eq!(before, remembered(&on).await);
    }
    on.assert_one_of_each(1).await;
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    on.verdict(1).await;
    assert_eq!(attempts(&on).await, []);
}

/// Two look at one deferred run when its time comes: only one look counts.
#[tokio::test]
async fn of_several_who_look_when_it_is_time_one_looks() {
    const RUNS: i64 = 40;
    let on = Fixture::postgres().await;
    on.plant((1..=RUNS).map(Case::in_progress)).await;
    let runs: Vec<i64> = (1..=RUNS).collect();
    on.settle(&runs).await;
    let mut with = settling();
    with.due_only = true;
    for round in 2..12 {
        on.execute("UPDATE reconciler.watch_list SET look_again_at = now()")
            .await;
        let look = || settle(&on.store, &runs, &with);
        let looks = tokio::join!(look(), look(), look(), look());
        let looks = [looks.0, looks.1, looks.2, looks.3];
        let results = looks.iter().flat_map(|results| results.values());
        let deferred = results.filter(|result| matches!(result, Settlement::Deferred(..)));
        assert_eq!(deferred.count(), 40, "round {round}");
        let tries = "SELECT max(tries) FROM reconciler.watch_list";
        assert_eq!(on.count(tries).await, round, "round {round}");
    }
}

/// The database's clock is the one that counts.
#[tokio::test]
async fn a_dead_letter_says_when_it_became_one() {
    let on = Fixture::postgres().await;
    tried(&on, 1, 5).await;
    let before = on.store.now().await.unwrap();
    on.settle_one(1).await;
    let after = on.store.now().await.unwrap();
    let dead_at = moment(attempts(&on).await[0]["dead_at"].as_ref()).unwrap();
    assert!(before <= dead_at && dead_at <= after);
}

async fn workspaces_are_awaited_in_turns(on: Fixture) {
    on.plant((1..=20).map(Case::proven)).await;
    on.plant((31..=32).map(|id| moved(Case::proven(id), FOREIGN)))
        .await;
    let all: Vec<i64> = (1..=20).chain(31..=32).collect();
    suspect(&on, &all).await;
    on.execute("UPDATE operation_runs SET type = 'inventory.sync' WHERE id = 1")
        .await;
    let (first, _) = awaited(&on, 4).await;
    assert!(first.contains(&31) && first.contains(&32), "{first:?}");
    let (every, _) = awaited(&on, 100).await;
    assert!(every.len() == 21 && !every.contains(&1), "{every:?}");
}
