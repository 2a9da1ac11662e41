//! Evidence that is dated hours off its restores or its own rows, as by a wrong time zone: found in a bounded sample of
//! what is newest.

use reconciler_jobs::shift::Anchor;
use restore_reconciler::internals::doctor::{Check, Level, examine};
use restore_reconciler::internals::storage::{Distrust, Store, Trust};

use crate::support::case::Case;
use crate::support::store::{Fixture, on_all, open_trusting};

on_all!(
    a_shift_of_most_evidence_is_found_until_it_is_mended_or_acknowledged,
    few_rows_and_other_environments_say_nothing,
    evidence_is_held_against_its_own_row_wherever_its_restore_is,
);

/// Dates these columns of evidence so many hours later.
async fn move_columns(on: &Fixture, columns: &[&str], hours: i64, which: &str) {
    let hour = on.either("3600000000", "interval '1 h'");
    let moved = columns
        .iter()
        .map(|column| format!("{column} = {column} + {hours} * {hour}"));
    let moved = moved.collect::<Vec<_>>().join(", ");
    on.execute(&format!(
        "UPDATE evidence_snapshots SET {moved} WHERE {which}"
    ))
    .await;
}

/// Both moments were written by the same session.
async fn shift(on: &Fixture, hours: i64, which: &str) {
    move_columns(on, &["generated_at", "created_at"], hours, which).await;
}

async fn moments(store: &Store) -> Check {
    let checks = examine(store, None).await.unwrap().checks;
    let found = checks.into_iter().find(|check| check.subject == "moments");
    found.expect("moments are looked at")
}

async fn found(on: &Fixture) -> Option<(i64, usize, usize)> {
    match on.store.find_distrust().await.unwrap() {
        None => None,
        Some(Distrust::ShiftedTimes(shift)) if shift.from == Anchor::RestoreEnd => {
            Some((shift.by.as_hours(), shift.rows, shift.rows_compared))
        }
        Some(other) => panic!("{other}"),
    }
}

async fn a_shift_of_most_evidence_is_found_until_it_is_mended_or_acknowledged(on: Fixture) {
    on.plant((1..=22).map(Case::proven)).await;
    assert_eq!(found(&on).await, None);
    assert_eq!(moments(&on.store).await.level, Level::Good);

    for hours in [-1, 5] {
        shift(&on, hours, "true").await;
        assert_eq!(found(&on).await, Some((hours, 22, 22)));
        let check = moments(&on.store).await;
        assert_eq!(check.level, Level::Problem);
        let when = if hours < 0 { "1h before" } else { "5h after" };
        let said = format!("22 of the 22 latest evidence snapshots are dated {when} the ends");
        assert!(check.finding.contains(&said), "{check:?}");
        assert!(
            check
                .action
                .unwrap()
                .contains("time_shift = \"acknowledged\"")
        );

        let trust = Trust {
            time_shift: true,
            ..Trust::default()
        };
        let limits = open_trusting(&on.url, trust).await;
        assert_eq!(limits.find_distrust().await.unwrap(), None);
        assert_eq!(moments(&limits).await.level, Level::Good);
        shift(&on, -hours, "true").await;
    }
    assert_eq!(found(&on).await, None);
}

async fn few_rows_and_other_environments_say_nothing(on: Fixture) {
    on.plant((1..=22).map(Case::proven)).await;
    shift(&on, -1, "operation_run_id <= 11").await;
    assert_eq!(found(&on).await, None, "half is not most");
    shift(&on, -1, "operation_run_id > 11").await;
    assert_eq!(found(&on).await, Some((-1, 22, 22)));
    on.execute("UPDATE restore_runs SET managed_environment_id = 12 WHERE operation_run_id <= 3")
        .await;
    assert_eq!(found(&on).await, None, "nineteen are left");
}

async fn evidence_is_held_against_its_own_row_wherever_its_restore_is(on: Fixture) {
    on.plant((1..=22).map(Case::proven)).await;
    on.execute("UPDATE restore_runs SET operation_run_id = NULL")
        .await;
    assert_eq!(found(&on).await, None);
    assert_eq!(moments(&on.store).await.level, Level::Good);
    for (later, when) in [(1, "1h before"), (-5, "5h after")] {
        move_columns(&on, &["created_at"], later, "true").await;
        let check = moments(&on.store).await;
        assert_eq!(check.level, Level::Problem);
        let said = format!(
            "22 of the 22 latest evidence snapshots are dated {when} the creation of their own rows"
        );
        assert!(check.finding.contains(&said), "{check:?}");
        let told = on.store.find_distrust().await.unwrap();
        assert!(told.is_some_and(|it| it.to_string().starts_with(&said)));
        move_columns(&on, &["created_at"], -later, "operation_run_id <= 11").await;
        assert_eq!(found(&on).await, None, "half is not most");
        move_columns(&on, &["created_at"], -later, "operation_run_id > 11").await;
    }
}
