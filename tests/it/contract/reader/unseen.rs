//! What is elsewhere, and what was deleted, does not exist; and nothing can be written.

use std::collections::BTreeSet;

use reconciler_fixtures::{PlantedRestore, PlantedSnapshot};
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::storage::QueueState;
use restore_reconciler::internals::storage::reader::{
    EnvironmentSeen, QueueScope, Reader, RunFilter, Walk, Workspaces,
};

use super::{POLICY, delete, filter, ids, only, page, reader};
use crate::support::case::{Case, ENDED, FOREIGN, HOME, restore_of};
use crate::support::store::{Fixture, moved, on_both, with};

on_both!(
    what_is_elsewhere_does_not_exist,
    what_is_deleted_does_not_exist,
    what_is_orphaned_is_counted
);

/// As in `scope`: ids that no digest and no moment has by chance.
const MARK: i64 = 7_777_777_777_000;

/// Has whoever reads the name of a workspace write an audit entry.
pub(crate) const READING_WRITES: &str = "
CREATE FUNCTION act() RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN INSERT INTO audit_logs (action, recorded_at) VALUES ('written', now()); RETURN ''; END $$;
ALTER TABLE workspaces RENAME TO kept;
CREATE VIEW workspaces AS SELECT id, name || act() AS name FROM kept;
GRANT SELECT ON workspaces TO console";

/// Everything that a viewer is shown, as text.
async fn everything(on: &Fixture, of: &Workspaces) -> String {
    let reader = reader(on).await;
    let mut said = Vec::new();
    for undecided in [false, true] {
        let filter = filter(|it| it.undecided = undecided);
        let page = page(&reader, of, &filter, None, 100).await;
        for seen in &page.rows {
            let run = seen.assessment.facts.run.id;
            let restore = RestoreId(restore_of(run.0));
            said.push(format!("{:?}", reader.load_run(of, run, &POLICY).await));
            let restore = reader
                .load_restore(of, restore, &POLICY, &MetadataKeys::default())
                .await;
            said.push(format!("{restore:?}"));
        }
        said.push(format!("{page:?}"));
    }
    let environments = reader
        .load_environments(of, None, None, 100, &Policy::default())
        .await;
    said.push(format!("{environments:?}"));
    let walk = Walk {
        with_more: true,
        ..Walk::default()
    };
    let mut passed = |_, passed: Vec<EnvironmentSeen>| said.push(format!("{passed:?}"));
    let walked = reader
        .walk_environments(of, &walk, &Policy::default(), &mut passed)
        .await;
    said.push(format!("{walked:?}"));
    let workspaces = [HOME.0, FOREIGN.0, MARK].map(WorkspaceId);
    let verdicts = reader.load_recent_verdicts(of, &workspaces, 100).await;
    said.push(format!("{verdicts:?}"));
    let scope = QueueScope::for_viewer(of, &QueueState::ALL, 100);
    let queue = reader.load_queue(&scope).await;
    said.push(format!("{queue:?}"));
    said.push(format!("{:?}", reader.load_sweeps(of, 100).await));
    let said = said.join("\n");
    assert!(!said.contains("Err("), "{said}");
    said
}

async fn what_is_elsewhere_does_not_exist(on: Fixture) {
    let on = on.with_queue().await;
    let elsewhere = MARK + 1;
    on.execute(&format!(
        "INSERT INTO workspaces (id, name) VALUES ({MARK}, 'Marked {MARK}');
         INSERT INTO managed_environments (id, workspace_id, name)
         VALUES ({elsewhere}, {MARK}, 'Marked {MARK}');
         INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
         VALUES ({elsewhere}, {MARK}, {elsewhere}, 'Marked {MARK}', 'completed')"
    ))
    .await;
    let foreign = (MARK, elsewhere);
    // Whole ones, open and closed, and rows that no foreign key forbids.
    let mut cases: Vec<Case> = (10..14)
        .map(|run| moved(Case::proven(MARK + run), foreign))
        .collect();
    for (run, scope) in [(1, (HOME.0, elsewhere)), (2, (MARK, HOME.1))] {
        cases.push(with(Case::proven(MARK + 20 + run), |mixed| {
            mixed.run.workspace_id = scope.0;
            mixed.run.managed_environment_id = Some(scope.1);
            mixed.restore.workspace_id = scope.0;
            mixed.restore.managed_environment_id = scope.1;
        }));
    }
    for (run, scope) in [(1, (MARK, HOME.1)), (2, (HOME.0, elsewhere))] {
        cases.push(with(Case::proven(run), |home| {
            let id = MARK + 30 + run;
            home.others.push(PlantedRestore {
                id,
                workspace_id: scope.0,
                managed_environment_id: scope.1,
                ..home.restore.clone()
            });
            home.snapshots.push(PlantedSnapshot {
                id,
                workspace_id: MARK,
                ..home.snapshots[0].clone()
            });
        }));
    }
    // A restore of the viewer that points at a run, and was made from a backup, of others.
    cases.push(with(Case::proven(3), |astray| {
        astray.restore.operation_run_id = Some(MARK + 10);
        astray.restore.backup_set_id = elsewhere;
    }));
    on.plant(cases).await;
    on.settle(&[1, MARK + 10, MARK + 11, MARK + 22]).await;
    let all = [1, 2, 3, MARK + 10, MARK + 12, MARK + 21].map(RunId);
    on.store.request(&all, "test", None).await.unwrap();
    on.execute(&format!(
        "INSERT INTO reconciler.sweeps (worker, workspace_id, started_at)
         VALUES ('host', {MARK}, {0}), ('host', {1}, {0})",
        on.either("1", "now()"),
        HOME.0
    ))
    .await;

    // What the viewer's own restore says of itself, which the rules judge it by.
    let own = format!("points_at: Some(RunId({}))", MARK + 10);
    let said = everything(&on, &only(HOME.0)).await.replace(&own, "");
    assert!(said.contains("Workspace 1"), "{said}");
    assert!(!said.contains("77777777"), "{said}");
    assert!(everything(&on, &Workspaces::All).await.contains("77777777"));
    let nobody = everything(&on, &Workspaces::Only(BTreeSet::new())).await;
    assert!(!nobody.contains("Workspace"), "{nobody}");
    let reader = reader(&on).await;
    for run in [MARK + 10, MARK + 11, MARK + 21, MARK + 22, 999] {
        let found = reader.load_run(&only(HOME.0), RunId(run), &POLICY).await;
        assert_eq!(found.unwrap(), None, "{run}");
        let restore = RestoreId(restore_of(run));
        let found = reader
            .load_restore(&only(HOME.0), restore, &POLICY, &MetadataKeys::default())
            .await;
        assert_eq!(found.unwrap(), None, "{run}");
    }
    for filter in [
        filter(|it| it.workspace = Some(WorkspaceId(MARK))),
        filter(|it| it.environment = Some(EnvironmentId(elsewhere))),
    ] {
        let found = page(&reader, &only(HOME.0), &filter, None, 10).await;
        assert_eq!((ids(&found), found.below), (vec![], None), "{filter:?}");
    }
}

/// A restore whose environment is gone is there for whoever may see all, without its target.
async fn assert_found_for_all_alone(reader: &Reader, restore: RestoreId) {
    for of in [Workspaces::All, only(HOME.0)] {
        let keys = MetadataKeys::default();
        let found = reader.load_restore(&of, restore, &POLICY, &keys).await;
        let has_target = found.unwrap().map(|it| it.preparation.has_target);
        let known = reader.find(&of, Some(restore.0), None, false).await;
        let expected = (of == Workspaces::All).then_some(false);
        assert_eq!(
            (has_target, known.unwrap().len()),
            (expected, expected.iter().count()),
            "{of:?}"
        );
    }
}

async fn what_is_deleted_does_not_exist(on: Fixture) {
    let on = on.with_queue().await;
    let marked = MARK + 1;
    on.execute(&format!(
        "INSERT INTO managed_environments (id, workspace_id, name) VALUES ({marked}, {0}, 'Marked {MARK}');
         INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
         VALUES ({marked}, {0}, {marked}, 'Marked', 'completed'), ({marked} + 1, {0}, {1}, 'Marked', 'completed')",
        HOME.0, HOME.1
    ))
    .await;
    let mut cases: Vec<Case> = (10..14)
        .map(|run| moved(Case::proven(MARK + run), (HOME.0, marked)))
        .collect();
    cases.push(with(Case::proven(1), |case| {
        case.others.push(PlantedRestore {
            id: MARK + 31,
            deleted_at: Some(ENDED.to_owned()),
            ..case.restore.clone()
        });
    }));
    on.plant(cases).await;
    on.settle(&[MARK + 10]).await;
    let all = [1, MARK + 11].map(RunId);
    on.store.request(&all, "test", None).await.unwrap();
    on.execute(&format!(
        "INSERT INTO reconciler.watch_list (operation_run_id, workspace_id, managed_environment_id,
             reason_code, first_seen_at, last_looked_at, look_again_at, tries)
         VALUES ({MARK} + 12, {}, {marked}, 'run.settle_failed', {now}, {now}, {now}, 1)",
        HOME.0,
        now = on.either("1", "now()"),
    ))
    .await;
    let before = everything(&on, &Workspaces::All).await;
    assert!(before.contains("77777777"), "{before}");
    delete(&on, "managed_environments", marked).await;
    delete(&on, "backup_sets", marked + 1).await;
    let said = everything(&on, &only(HOME.0)).await;
    assert!(said.contains("Workspace 1"), "{said}");
    assert!(!said.contains("77777777"), "{said}");
    let reader = reader(&on).await;
    // Whoever may see all sees what is open there, and no more; and so it is of an environment that was moved.
    let orphaned = filter(|it| it.orphaned = true);
    let open = [MARK + 13, MARK + 12, MARK + 11];
    for change in [
        "deleted_at = deleted_at",
        "deleted_at = NULL, workspace_id = 2",
    ] {
        on.execute(&format!(
            "UPDATE managed_environments SET {change} WHERE id = {marked}"
        ))
        .await;
        let found = page(&reader, &Workspaces::All, &orphaned, None, 10).await;
        assert_eq!(ids(&found), open);
        let seen = &found.rows[0];
        assert_eq!(
            (&*seen.workspace_name, &seen.environment_name),
            ("Workspace 1", &None)
        );
        let all = page(&reader, &Workspaces::All, &RunFilter::default(), None, 10).await;
        assert_eq!(ids(&all)[..3], open);
        assert!(!ids(&all).contains(&(MARK + 10)), "that one is closed");
        let environment = filter(|it| it.orphaned = true);
        let narrowed = RunFilter {
            workspace: Some(WorkspaceId(HOME.0)),
            ..environment
        };
        assert_eq!(
            ids(&page(&reader, &Workspaces::All, &narrowed, None, 10).await),
            open
        );
        let none = page(&reader, &only(HOME.0), &orphaned, None, 10).await;
        assert_eq!((ids(&none), none.below), (vec![], None));
        for (run, of, is_seen) in [
            (11, Workspaces::All, true),
            (10, Workspaces::All, false),
            (11, only(HOME.0), false),
        ] {
            let found = reader.load_run(&of, RunId(MARK + run), &POLICY).await;
            assert_eq!(found.unwrap().is_some(), is_seen, "{run} {of:?}");
        }
        let counted = reader.load_orphaned(None, 10).await.unwrap();
        let counted: Vec<_> = counted
            .iter()
            .map(|it| (it.workspace.0, it.environment.0, it.runs))
            .collect();
        assert_eq!(counted, [(HOME.0, marked, 3)]);
        for (of, waiting) in [(Workspaces::All, 3), (only(HOME.0), 1)] {
            let queue = QueueScope::for_viewer(&of, &QueueState::ALL, 100);
            let queue = reader.load_queue(&queue).await.unwrap();
            assert_eq!(queue.entries.len(), waiting, "{of:?}");
        }
    }
    assert_found_for_all_alone(&reader, RestoreId(restore_of(MARK + 11))).await;
    let verdicts = reader.load_recent_verdicts(&Workspaces::All, &[WorkspaceId(HOME.0)], 10);
    assert_eq!(verdicts.await.unwrap(), []);
    let restore = RestoreId(MARK + 31);
    let keys = MetadataKeys::default();
    let restore = reader.load_restore(&Workspaces::All, restore, &POLICY, &keys);
    assert_eq!(restore.await.unwrap(), None);
}

async fn what_is_orphaned_is_counted(on: Fixture) {
    let gone = on.either("1", "now()");
    let mut cases = Vec::new();
    let mut sql = format!("INSERT INTO workspaces (id, name) VALUES ({MARK}, 'Empty');");
    for (run, workspace) in (1..).zip([HOME.0, HOME.0, FOREIGN.0, HOME.0]) {
        let environment = MARK + run;
        let gone = format!(
            "INSERT INTO managed_environments (id, workspace_id, name, deleted_at)
             VALUES ({environment}, {workspace}, 'Gone', {gone});
             INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
             VALUES ({environment}, {workspace}, {environment}, 'Nightly', 'completed');"
        );
        sql.push_str(&gone);
        let case = moved(Case::proven(run), (workspace, environment));
        // Nobody has to look at the last one.
        cases.push(with(case, |it| it.restore.is_dry_run = run == 4));
    }
    // It has no environment, which nobody deleted; and its workspace has none either.
    cases.push(with(Case::proven(5), |it| {
        (it.run.workspace_id, it.run.managed_environment_id) = (MARK, None);
    }));
    on.plant([Case::proven(90)]).await;
    on.execute(&sql).await;
    on.plant(cases).await;
    let reader = reader(&on).await;
    for (workspace, limit, listed, in_all) in [
        (None, 10, &[1, 2, 3][..], 3),
        (None, 1, &[1], 3),
        (Some(HOME.0), 1, &[1], 2),
        (Some(FOREIGN.0), 1, &[3], 1),
        (Some(MARK), 1, &[], 0),
    ] {
        let found = reader.load_orphaned(workspace.map(WorkspaceId), limit);
        let found = found.await.unwrap();
        let ids = found.iter().map(|it| it.environment.0 - MARK);
        assert!(ids.eq(listed.iter().copied()), "{workspace:?} {found:?}");
        assert!(
            found
                .iter()
                .all(|it| it.environments == in_all && it.runs == 1)
        );
    }
    let orphaned = filter(|it| it.orphaned = true);
    let found = page(&reader, &Workspaces::All, &orphaned, None, 10).await;
    assert_eq!(ids(&found), [4, 3, 2, 1]);
}

/// Reading a row is made to write one: the connection refuses.
#[tokio::test]
async fn reading_cannot_be_made_to_write() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1)]).await;
    on.execute(READING_WRITES).await;
    let reader = reader(&on).await;
    let load = async || {
        let run = reader.load_run(&Workspaces::All, RunId(1), &POLICY);
        run.await.expect_err("no answer").to_string()
    };
    assert!(load().await.contains("read-only transaction"));
    // By the session's own setting, too, and not only by that of the transaction.
    on.execute(
        "CREATE OR REPLACE FUNCTION act() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
         BEGIN RAISE EXCEPTION 'sessions: %', current_setting('default_transaction_read_only'); END $$",
    )
    .await;
    let said = load().await;
    assert!(said.contains("sessions: on"), "{said}");
    let written = on.number_of("audit_logs WHERE action = 'written'").await;
    assert_eq!(written, 0);
}
