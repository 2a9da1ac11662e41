//! Pages that list things.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::facts::{
    EvidenceFacts, RestoreFacts, RestoreStatus, RunOutcome,
};
use restore_reconciler::internals::console::RunQuery;
use restore_reconciler::internals::console::pages::{Form, OverviewPage, QueuePage, RunsPage};
use restore_reconciler::internals::storage::reader::{
    EnvironmentPage, EnvironmentSeen, OpenRuns, OrphanedRuns, QueueCount, QueueEntry, QueueListing,
    RunListing, RunOnRecord, ShardJobs, SweepSeen, UnprovenRuns, Walked, WorkerSeen,
};
use restore_reconciler::internals::storage::{Pause, QueueState, Tally};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::overview::{Overview, OverviewFacts};
use restore_reconciler::internals::views::queue::{QueueView, SweepsShown};
use restore_reconciler::internals::views::runs::RunList;
use restore_reconciler::internals::views::survey::Survey;

use super::scene::{at, backup, decided, moment, now, open, proven, restore, with_restore};
use super::{judging, shell, text};

fn runs(page: &RunListing, query: &RunQuery) -> String {
    let visibility = Visibility { evidence: true };
    let next = |below| format!("/runs?{}", query.text(Some(below)));
    let answer = RunList::new(page, visibility, &FreshnessThresholds::default(), next);
    text(&RunsPage {
        shell: &shell("Runs"),
        answer: &answer,
        form: &Form::from(query),
        csv: "/runs.csv".to_owned(),
        json: "/runs.json".to_owned(),
    })
}

#[test]
fn runs_with_filters_and_without_any_run() {
    let running = with_restore(|restore| restore.status = RestoreStatus::Running);
    let mut unlinked = proven();
    unlinked.restore = None;
    unlinked.candidates.clear();
    let all = [decided(&proven(), proven()), open(running), open(unlinked)];
    let mut page = RunListing {
        as_of: now(),
        rows: all.map(|run| run.seen).into(),
        below: Some(RunId(4000)),
    };
    let query = RunQuery {
        outcome: Some(RunOutcome::Failed),
        older_than: Some(SignedDuration::from_mins(90)),
        undecided: true,
        ..RunQuery::default()
    };
    insta::assert_snapshot!("runs", runs(&page, &query));
    page.rows.clear();
    insta::assert_snapshot!("runs_none_so_far", runs(&page, &RunQuery::default()));
    page.below = None;
    insta::assert_snapshot!("runs_none", runs(&page, &RunQuery::default()));
}

fn environment(id: i64, name: &str, latest: Option<RestoreFacts>) -> EnvironmentSeen {
    EnvironmentSeen {
        workspace: WorkspaceId(1),
        workspace_name: "Contoso".to_owned(),
        environment: EnvironmentId(id),
        name: name.to_owned(),
        latest: latest.map(|latest| {
            (
                latest,
                None,
                EvidenceFacts::default(),
                RunOnRecord::default(),
            )
        }),
        backup: Some(backup()),
        preparing: None,
        open: OpenRuns::default(),
        unproven: UnprovenRuns::default(),
    }
}

/// The page of `rows`, where a walk through `all` ended before an environment.
fn overview_beside(
    rows: Vec<EnvironmentSeen>,
    all: &[EnvironmentSeen],
    ended_before: Option<(WorkspaceId, EnvironmentId)>,
) -> String {
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
    let mut survey = Survey::default();
    judging(|judging| survey.add(all, now(), judging));
    let survey = survey.ended(Walked {
        as_of: now() - SignedDuration::from_secs(12),
        ended_before,
    });
    let found = OverviewFacts {
        page: &page,
        verdicts: &verdicts,
        survey: &survey,
        is_of_one: false,
        judges: Some(&[]),
    };
    let after = |(workspace, environment)| format!("/?after={workspace}.{environment}");
    let answer = judging(|judging| Overview::new(found, judging, after));
    text(&OverviewPage {
        shell: &shell("Overview"),
        answer: &answer,
    })
}

fn overview(rows: Vec<EnvironmentSeen>) -> String {
    let all = rows.clone();
    overview_beside(rows, &all, None)
}

/// So many environments whose backups are fine and whose latest restore was this.
fn row_of(first: i64, number: i64, latest: Option<&RestoreFacts>) -> Vec<EnvironmentSeen> {
    let ids = first..first + number;
    let each = |id| environment(id, &format!("Branch {id}"), latest.cloned());
    ids.map(each).collect()
}

#[test]
fn whole_workspaces_are_counted_and_the_most_urgent_is_listed_wherever_it_stands() {
    let failed = RestoreFacts {
        status: RestoreStatus::Failed,
        ..restore()
    };
    let page = vec![environment(11, "Quiet", Some(restore()))];
    let mut all = row_of(11, 1_300, Some(&restore()));
    all.extend(row_of(2_000, 1, Some(&failed)));
    let shown = overview_beside(page.clone(), &all, None);
    assert!(shown.contains("The latest restore failed"), "{shown}");
    assert!(shown.contains("Contoso / Branch 2000"), "{shown}");
    assert!(shown.contains("Of its 1,301 environments:"), "{shown}");
    assert!(shown.contains("Weakened\n1\n"), "{shown}");
    assert!(!shown.contains("first"), "{shown}");

    // More than are listed.
    let mut all = row_of(11, 1, Some(&restore()));
    for seen in &mut all {
        seen.backup = None;
    }
    all.extend(row_of(2_000, 1_111, Some(&failed)));
    let shown = overview_beside(page, &all, None);
    let (urgent, less) = shown.split_once("90 more, of 1,102").expect(&shown);
    assert_eq!(urgent.matches("Branch 2").count(), 10, "{shown}");
    assert_eq!(less.matches("Branch 2").count(), 90, "{shown}");
    let unlisted = "1,012 that are no more urgent are not listed.";
    assert!(less.contains(unlisted), "{shown}");
}

#[test]
fn what_was_not_counted_is_said() {
    let page = || vec![environment(11, "Quiet", Some(restore()))];
    let own = row_of(11, 3, Some(&restore()));
    let ended = |workspace, environment| Some((WorkspaceId(workspace), EnvironmentId(environment)));
    let alone = "Count this workspace alone[→ /?workspace=1]";
    let all = overview_beside(page(), &own, ended(2, 99));
    let counted = "Of the first 3 environments, counted 12 s ago.";
    assert!(all.contains(counted), "{all}");
    assert!(all.contains("Of its 3 environments:"), "{all}");
    assert!(!all.contains(alone), "{all}");
    let first = overview_beside(page(), &own, ended(1, 14));
    let counted = "Of the first 3 of its environments:";
    assert!(first.contains(counted), "{first}");
    assert!(first.contains(alone), "{first}");
    let none = overview_beside(page(), &[], ended(1, 11));
    let counted = "None of its environments is among the first";
    assert!(none.contains(counted), "{none}");
    assert!(none.contains(alone) && !none.contains("Weakened"), "{none}");
    // It came after the count.
    let new = overview_beside(page(), &[], None);
    let counted = "It had no environments when they were counted.";
    assert!(new.contains(counted), "{new}");
    assert!(!new.contains(alone), "{new}");
}

#[test]
fn posture_and_backup_stand_side_by_side_in_every_state() {
    let failed = RestoreFacts {
        status: RestoreStatus::Failed,
        ..restore()
    };
    let mut followed_up = restore();
    followed_up.items.items.applied = 2;
    followed_up.items.items.skipped = 1;
    let mut degraded = backup();
    degraded.quality.degraded = 2;
    degraded.quality.metadata_only = 2;
    let mut stale = backup();
    stale.completed_at = at("2026-10-01T00:00:00Z");
    let rows = vec![
        environment(11, "Quiet", Some(restore())),
        EnvironmentSeen {
            backup: Some(stale),
            open: OpenRuns {
                runs: 2,
                not_executed: 0,
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
    ];
    insta::assert_snapshot!("overview", overview(rows));
}

/// No walk passes an environment that is gone; what is open there is listed all the same.
#[test]
fn open_runs_of_environments_that_are_gone_need_somebody() {
    let mut survey = Survey::default();
    survey.add_orphaned(vec![OrphanedRuns {
        workspace: WorkspaceId(1),
        workspace_name: "Contoso".to_owned(),
        environment: EnvironmentId(12),
        runs: 3,
        environments: 1,
    }]);
    let survey = survey.ended(Walked {
        as_of: now(),
        ended_before: None,
    });
    let page = EnvironmentPage {
        as_of: now(),
        rows: Vec::new(),
        after: None,
    };
    let found = OverviewFacts {
        page: &page,
        verdicts: &[],
        survey: &survey,
        is_of_one: false,
        judges: None,
    };
    let answer = judging(|judging| Overview::new(found, judging, |_| String::new()));
    let shown = text(&OverviewPage {
        shell: &shell("Overview"),
        answer: &answer,
    });
    assert!(
        shown.contains("Contoso / environment 12, deleted or moved"),
        "{shown}"
    );
    assert!(
        shown.contains("[→ /runs?workspace=1&#38;orphaned=true]"),
        "{shown}"
    );
    let needs = &answer.needs_attention;
    assert_eq!(
        (needs.listed.len(), needs.listed[0].tone),
        (1, Tone::Warning)
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
        pauses: vec![Pause {
            workspace: Some(WorkspaceId(1)),
            since: before(Duration::from_mins(5)),
            actor: Some("ops".to_owned()),
            reason: "a <b>move</b>".to_owned(),
        }],
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
        shard: 0,
        shards: 2,
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
            queue: &QueueView::new(&listing, &workers, sees_all),
            sweeps: &SweepsShown::new(now(), std::slice::from_ref(&sweep), sees_all),
        })
    };
    insta::assert_snapshot!("queue", show(true));
    assert!(show(false).contains("over workspaces that you may not all see"));
    assert!(!show(true).contains("secret"));
}
