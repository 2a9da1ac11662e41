//! Pages that list things.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::{self, BackupSetFacts, Quality};
use reconciler_jobs::reading::freshness::Thresholds;
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, RestoreFacts, RestoreStatus};
use reconciler_jobs::restore_execute::results::Tally as ItemTally;
use reconciler_jobs::restore_execute::{Outcome, Policy};

use super::scene::{at, backup, decided, moment, now, open, proven, restore, with_restore};
use super::*;
use crate::console::answers::Sight;
use crate::console::answers::overview::Judging;
use crate::console::asked::{EnvironmentQuery, RunQuery};
use crate::storage::Tally;
use crate::storage::oversight::{QueueCount, QueueEntry, QueueListing, QueueState, ShardJobs};
use crate::storage::reader::{
    EnvironmentPage, EnvironmentSeen, OpenRuns, RunPage, SweepSeen, WorkerSeen,
};

fn runs(page: &RunPage, query: &str) -> String {
    let query = RunQuery::parse(query).unwrap();
    let sight = Sight { evidence: true };
    let next = |below| format!("/runs?{}", query.text(Some(below)));
    let answer = RunList::of(page, sight, &Thresholds::default(), next);
    text(&RunsPage {
        shell: &shell("Runs"),
        answer: &answer,
        form: &Form::of(&query),
        csv: "/runs.csv".to_owned(),
        json: "/runs.json".to_owned(),
    })
}

#[test]
fn runs_with_filters_and_without_any_run() {
    let rows = vec![
        decided(&proven(), proven()).seen,
        open(with_restore(|restore| {
            restore.status = RestoreStatus::Running;
        }))
        .seen,
        open({
            let mut facts = proven();
            facts.restore = None;
            facts.candidates.clear();
            facts
        })
        .seen,
    ];
    let page = RunPage {
        as_of: now(),
        rows,
        below: Some(RunId(4000)),
    };
    insta::assert_snapshot!(
        "runs",
        runs(&page, "outcome=failed&older_than=90m&undecided=true")
    );
    let none = RunPage {
        rows: Vec::new(),
        ..page
    };
    insta::assert_snapshot!("runs_none_so_far", runs(&none, ""));
    let end = RunPage {
        below: None,
        ..none
    };
    insta::assert_snapshot!("runs_none", runs(&end, ""));
}

fn environment(id: i64, name: &str, latest: Option<RestoreFacts>) -> EnvironmentSeen {
    EnvironmentSeen {
        workspace: WorkspaceId(1),
        workspace_name: "Contoso".to_owned(),
        environment: EnvironmentId(id),
        name: name.to_owned(),
        latest: latest.map(|latest| (latest, None, EvidenceFacts::default())),
        backup: Some(backup()),
        preparing: None,
        open: OpenRuns::default(),
    }
}

fn overview(rows: Vec<EnvironmentSeen>) -> String {
    let page = EnvironmentPage {
        as_of: now(),
        rows,
        after: Some((WorkspaceId(1), EnvironmentId(14))),
    };
    let verdicts = [
        ("2026-11-21T09:20:00Z", Outcome::Succeeded),
        ("2026-11-21T09:40:00Z", Outcome::Failed),
        ("2026-11-21T11:00:00Z", Outcome::PartiallySucceeded),
    ]
    .map(|(at, outcome)| (WorkspaceId(1), moment(at), outcome));
    let policy = Policy::default();
    let judging = Judging {
        policy: &policy,
        freshness: &Thresholds::default(),
        backup: &backup_health::Thresholds::default(),
        sight: Sight { evidence: true },
    };
    let query = EnvironmentQuery::default();
    let answer = Overview::of(&page, &verdicts, judging, |after| {
        format!("/?{}", query.text(after))
    });
    text(&OverviewPage {
        shell: &shell("Overview"),
        answer: &answer,
    })
}

#[test]
fn posture_and_backup_stand_side_by_side_in_every_state() {
    let failed = RestoreFacts {
        status: RestoreStatus::Failed,
        ..restore()
    };
    let mut followed_up = restore();
    followed_up.items.items = ItemTally {
        applied: 2,
        skipped: 1,
        ..ItemTally::default()
    };
    let degraded = BackupSetFacts {
        quality: Quality {
            items: 40,
            degraded: 2,
            metadata_only: 2,
            ..Quality::default()
        },
        ..backup()
    };
    let stale = BackupSetFacts {
        completed_at: at("2026-10-01T00:00:00Z"),
        ..backup()
    };
    insta::assert_snapshot!(
        "overview",
        overview(vec![
            environment(11, "Quiet", Some(restore())),
            EnvironmentSeen {
                backup: Some(stale),
                open: OpenRuns {
                    runs: 2,
                    oldest: Some(moment("2026-11-21T08:00:00Z")),
                    first: Some(RunId(4711)),
                },
                ..environment(12, "Failed", Some(failed))
            },
            EnvironmentSeen {
                backup: Some(degraded),
                preparing: Some(RestoreId(900)),
                ..environment(13, "Followed up", Some(followed_up))
            },
            EnvironmentSeen {
                backup: None,
                ..environment(14, "Untouched", None)
            },
        ])
    );
}

#[test]
fn nobody_sees_an_environment_that_is_not_there() {
    assert!(overview(Vec::new()).contains("There is no environment that you may see."));
}

#[test]
fn the_queue_and_whoever_works_on_it() {
    let before = |length: Duration| now() - SignedDuration::try_from(length).unwrap();
    let listing = QueueListing {
        as_of: now(),
        entries: vec![QueueEntry {
            state: QueueState::DeadLetter,
            run: Some(RunId(4711)),
            workspace: Some(WorkspaceId(1)),
            environment: Some(EnvironmentId(11)),
            job: None,
            cause: None,
            worker: Some("worker-1".to_owned()),
            tries: 3,
            since: before(Duration::from_mins(90)),
            next_at: None,
            reason: Some("run.settle_failed".to_owned()),
            error: Some("a secret of the database".to_owned()),
        }],
        counts: vec![QueueCount {
            state: QueueState::DeadLetter,
            entries: 12,
            oldest: before(Duration::from_hours(30)),
        }],
        shards: ShardJobs {
            waiting: 1,
            in_hand: 0,
        },
    };
    let worker = |name: &str, silent| WorkerSeen {
        name: name.to_owned(),
        queue: "restore.execute".to_owned(),
        last_seen_at: before(silent),
    };
    let sweep = SweepSeen {
        id: 9,
        worker: "worker-1".to_owned(),
        workspace: None,
        started_at: before(Duration::from_secs(40)),
        ended_at: Some(before(Duration::from_secs(39))),
        tick_at: None,
        shard: (0, 2),
        beat_at: None,
        tally: Tally {
            succeeded: 5,
            deferred: 1,
            ..Tally::default()
        },
    };
    let show = |sees_all| {
        let workers = [
            worker("worker-1", Duration::from_secs(3)),
            worker("worker-2", Duration::from_mins(10)),
        ];
        text(&QueuePage {
            shell: &shell("Queue"),
            queue: &QueueShown::of(&listing, &workers, sees_all),
            sweeps: &SweepsShown::of(now(), std::slice::from_ref(&sweep), sees_all),
        })
    };
    insta::assert_snapshot!("queue", show(true));
    assert!(show(false).contains("over workspaces that you may not all see"));
    assert!(!show(true).contains("secret"));
}
