//! All environments, gone through part by part, and how many of them are in which posture.

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::posture::WorkspacePosture;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::postures::{Coverage, Postures, count};
use restore_reconciler::internals::storage::reader::{EnvironmentSeen, OpenRuns, Walk, Workspaces};

use super::{POLICY, delete, only, reader};
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::store::{Fixture, moved, on_both};

on_both!(
    whole_workspaces_are_counted,
    a_count_that_ends_early_says_so,
    every_environment_is_passed_once_as_a_page_has_it,
);

/// More environments of the home workspace than a page has.
const MORE: i64 = 40;
/// The first of them; the last one is the only one that is weakened.
const FIRST: i64 = 1_000;
const LAST: i64 = FIRST + MORE - 1;

const fn counts(weakened: u64, unvalidated: u64, quiet: u64) -> WorkspacePosture {
    WorkspacePosture {
        weakened,
        unvalidated,
        no_recent_issues_visible: quiet,
    }
}

/// Forty more environments at home, of which the first has a proven restore and the last a failed one, and
/// failed ones elsewhere.
async fn furnish(on: &Fixture) {
    let (workspace, far) = (HOME.0, FIRST + 10_000);
    on.execute(&format!(
        "INSERT INTO managed_environments (id, workspace_id, name)
         WITH RECURSIVE number (id) AS (
             SELECT {FIRST} UNION ALL SELECT id + 1 FROM number WHERE id < {LAST}
         )
         SELECT id, {workspace}, 'Branch' FROM number;
         INSERT INTO managed_environments (id, workspace_id, name) VALUES ({far}, {workspace}, 'Gone');
         INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
         SELECT id, workspace_id, id, 'Nightly', 'completed' FROM managed_environments WHERE id >= {FIRST}",
    ))
    .await;
    on.plant([
        moved(Case::proven(1), (workspace, FIRST)),
        moved(Case::failed(2), (workspace, LAST)),
        moved(Case::failed(3), FOREIGN),
        moved(Case::failed(4), (workspace, far)),
        // Rows that no foreign key forbids: an environment of one workspace under the name of the other.
        moved(Case::failed(5), (FOREIGN.0, FIRST + 1)),
        moved(Case::failed(6), (workspace, FOREIGN.1)),
    ])
    .await;
    on.settle(&[1, 2, 3, 4]).await;
    delete(on, "managed_environments", far).await;
}

async fn counted(on: &Fixture, of: &Workspaces, walk: Walk) -> Postures {
    let reader = reader(on).await;
    let counted = count(&reader, of, walk, &POLICY, true).await;
    let (as_of, counted) = counted.expect("counts");
    assert!(as_of <= reader.now().await.unwrap());
    counted
}

async fn whole_workspaces_are_counted(on: Fixture) {
    furnish(&on).await;
    // As many at a time as all, as some, and as one.
    for at_once in [250, 7, 1] {
        let walk = Walk {
            at_once,
            ..Walk::default()
        };
        let all = counted(&on, &Workspaces::All, walk).await;
        let home = counts(1, MORE.unsigned_abs(), 1);
        assert_eq!(all.workspaces[&WorkspaceId(HOME.0)], home);
        let foreign = counts(1, 0, 0);
        assert_eq!(all.workspaces[&WorkspaceId(FOREIGN.0)], foreign);
        assert_eq!(all.workspaces.len(), 2);
        assert_eq!(all.total(), counts(2, MORE.unsigned_abs(), 1));
        assert_eq!(all.ended_before, None);
        assert_eq!(all.coverage(WorkspaceId(HOME.0)), Coverage::All);

        let own = counted(&on, &only(HOME.0), walk).await;
        let seen: Vec<_> = own.workspaces.into_iter().collect();
        assert_eq!(seen, [(WorkspaceId(HOME.0), home)]);
        let elsewhere = Walk {
            workspace: Some(WorkspaceId(FOREIGN.0)),
            ..walk
        };
        let narrowed = counted(&on, &only(HOME.0), elsewhere).await;
        assert_eq!(narrowed, Postures::default());
        let narrowed = counted(&on, &Workspaces::All, elsewhere).await;
        assert_eq!(narrowed.total(), foreign);
    }
}

async fn a_count_that_ends_early_says_so(on: Fixture) {
    furnish(&on).await;
    let [home, foreign] = [HOME.0, FOREIGN.0].map(WorkspaceId);
    let first = |environments_max, at_once| {
        let walk = Walk {
            environments_max,
            at_once,
            ..Walk::default()
        };
        counted(&on, &Workspaces::All, walk)
    };
    // The home workspace has two environments, and forty.
    for at_once in [250, 10, 4] {
        let part = first(10, at_once).await;
        assert_eq!(part.total().total(), 10);
        let next = Some((home, EnvironmentId(FIRST + 8)));
        assert_eq!(part.ended_before, next);
        assert_eq!(part.coverage(home), Coverage::First);
        assert_eq!(part.coverage(foreign), Coverage::Nothing);

        let border = first(42, at_once).await;
        assert_eq!(border.total(), counts(1, 40, 1));
        let next = Some((foreign, EnvironmentId(FOREIGN.1)));
        assert_eq!(border.ended_before, next);
        assert_eq!(border.coverage(home), Coverage::All);
        assert_eq!(border.coverage(foreign), Coverage::Nothing);

        let all = first(43, at_once).await;
        assert_eq!((all.total().total(), all.ended_before), (43, None));
        assert_eq!(all.coverage(foreign), Coverage::All);
    }
}

async fn every_environment_is_passed_once_as_a_page_has_it(on: Fixture) {
    furnish(&on).await;
    let reader = reader(&on).await;
    let policy = Policy::default();
    let page = reader.load_environments(&Workspaces::All, None, None, 250, &policy);
    let page = page.await.unwrap();
    for with_more in [true, false] {
        let walk = Walk {
            at_once: 5,
            with_more,
            ..Walk::default()
        };
        let mut moments: Vec<Timestamp> = Vec::new();
        let mut all: Vec<EnvironmentSeen> = Vec::new();
        let mut pass = |as_of, passed: Vec<EnvironmentSeen>| {
            assert!(passed.len() <= 5);
            moments.push(as_of);
            all.extend(passed);
        };
        let walked = reader.walk_environments(&Workspaces::All, &walk, &policy, &mut pass);
        let walked = walked.await.unwrap();
        assert_eq!(moments, vec![walked.as_of; 9]);
        assert_eq!(all.len(), page.rows.len());
        for (passed, seen) in all.into_iter().zip(&page.rows) {
            let as_seen = EnvironmentSeen {
                preparing: None,
                backup: seen.backup.clone().filter(|_| with_more),
                open: if with_more {
                    seen.open
                } else {
                    OpenRuns::default()
                },
                ..seen.clone()
            };
            assert_eq!(passed, as_seen);
        }
    }
}
