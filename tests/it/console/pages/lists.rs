//! Pages that list things.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::posture::Posture;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{
    EvidenceFacts, RestoreFacts, RestoreStatus, RunOutcome,
};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::pages::{Form, OverviewPage, QueuePage, RunsPage};
use restore_reconciler::internals::console::{EnvironmentQuery, RunQuery};
use restore_reconciler::internals::storage::reader::{
    EnvironmentPage, EnvironmentSeen, LongestOpen, OpenReason, OpenRuns, OrphanedRuns, PlaceSeen,
    QueueCount, QueueEntry, QueueListing, RecentVerdict, RunCounts, RunListing, RunOnRecord,
    RunParts, ShardJobs, SweepSeen, UnprovenRuns, Walked, WorkerSeen,
};
use restore_reconciler::internals::storage::{Judge, Pause, QueueState, Tally};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::mix::Window;
use restore_reconciler::internals::views::overview::{Overview, OverviewFacts};
use restore_reconciler::internals::views::queue::{QueueView, SweepsShown};
use restore_reconciler::internals::views::runs::RunList;
use restore_reconciler::internals::views::survey::Survey;

use super::scene::{at, backup, decided, moment, now, open, paused, proven, restore, with_restore};
use super::{judging, shell, text};

fn runs(page: &RunListing, query: &RunQuery) -> String {
    let visibility = Visibility { evidence: true };
    let next = page.below.map(|below| format!("/runs?below={below}"));
    let links = (Some("/runs?above=9000".to_owned()), next);
    let answer = RunList::new(page, visibility, &FreshnessThresholds::default(), links);
    text(&RunsPage {
        shell: &shell("Runs"),
        answer: &answer,
        form: &Form::new(query, &parts(), SignedDuration::from_hours(1)),
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
        workspace: Some(WorkspaceId(2)),
        environment: Some(EnvironmentId(77)),
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

fn parts() -> RunParts {
    let place = |workspace, environment| PlaceSeen {
        workspace: WorkspaceId(workspace),
        workspace_name: format!("Workspace {workspace}"),
        environment: EnvironmentId(environment),
        name: format!("Environment {environment}"),
    };
    RunParts {
        counts: RunCounts {
            runs: 5_001,
            failed: 776,
            undecided: 3_559,
            too_long: 3_040,
            unproven: 2,
            ..RunCounts::default()
        },
        places: vec![place(1, 11), place(1, 12), place(2, 21)],
    }
}

fn overview_page(answer: &Overview) -> String {
    let query = EnvironmentQuery::default();
    text(&OverviewPage {
        shell: &shell("Overview"),
        answer,
        runs: &Form::new(
            &RunQuery::default(),
            &parts(),
            SignedDuration::from_hours(1),
        ),
        query: &query,
        form: &Form::of_environments(&query, answer),
    })
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
        ("2026-11-21T09:20:00Z", ReasonCode::ProofComplete, true),
        ("2026-11-21T09:40:00Z", ReasonCode::ExecutionFailed, true),
        ("2026-11-21T09:50:00Z", ReasonCode::ExecutionFailed, false),
        ("2026-11-20T11:00:00Z", ReasonCode::EvidenceMissing, true),
    ]
    .map(|(at, reason, stands)| RecentVerdict {
        workspace: WorkspaceId(1),
        environment: Some(EnvironmentId(11)),
        created_at: moment(at),
        decided_at: moment(at),
        outcome: reason.outcome().unwrap(),
        reason: Some(reason),
        stands,
    });
    let mut survey = Survey::default();
    judging(|judging| survey.add(all, now(), judging));
    let survey = survey.ended(Walked {
        as_of: now() - SignedDuration::from_secs(12),
        ended_before,
    });
    let found = OverviewFacts {
        pauses: &[],
        page: &page,
        verdicts: &verdicts,
        survey: &survey,
        is_of_one: false,
        urgent_first: false,
        window: Window::Month,
        judges: Some(&[]),
    };
    let after = |(workspace, environment)| format!("/?after={workspace}.{environment}");
    let answer = judging(|judging| Overview::new(found, judging, after));
    overview_page(&answer)
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
fn whole_workspaces_are_counted_and_what_is_wrong_is_named_wherever_it_stands() {
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
    assert!(shown.contains("1 kind of trouble, 1 place."), "{shown}");
    assert!(shown.contains("Of its 1,301 environments:"), "{shown}");
    assert!(
        shown.contains("Weakened last restore not clean\n1\n"),
        "{shown}"
    );
    assert!(!shown.contains("first "), "{shown}");

    // More than are named.
    all.extend(row_of(3_000, 1_111, Some(&failed)));
    let shown = overview_beside(page, &all, None);
    assert!(shown.contains("599 more\n"), "{shown}");
    assert!(
        shown.contains("And 512 where it is so for no longer."),
        "{shown}"
    );
}

/// Ten times as many as anybody reads, and each is named below its cause, the causes in a few lines.
#[test]
fn of_520_environments_in_every_kind_of_trouble_none_goes_unlisted() {
    let hours = |age: i64| now() - SignedDuration::from_hours(age);
    let mut all = row_of(11, 520, Some(&restore()));
    for (place, seen) in (0..).zip(&mut all) {
        let latest = &mut seen.latest.as_mut().unwrap().0;
        let age = i64::from(place);
        latest.completed_at = Stamp::At(hours(age + 1));
        match place % 5 {
            0 => latest.status = RestoreStatus::Failed,
            1 => latest.items.items.skipped = 1,
            2 => seen.backup = None,
            3 => {
                seen.open = OpenRuns {
                    runs: 1,
                    not_executed: 0,
                    oldest: Some(hours(age + 2)),
                    queued: Some(LongestOpen {
                        run: RunId(4711),
                        since: Stamp::At(hours(age + 2)),
                    }),
                    running: None,
                };
            }
            _ => {
                seen.unproven = UnprovenRuns {
                    runs: 1,
                    oldest: Some(hours(1)),
                };
            }
        }
    }
    let shown = overview_beside(all[..1].to_vec(), &all, None);
    let (attention, _) = shown.split_once("Environments\n").unwrap();
    for seen in &all {
        let place = format!("Contoso / {}[", seen.name);
        assert!(attention.contains(&place), "{place}: {shown}");
    }
    assert!(
        attention.contains("5 kinds of trouble, 520 places."),
        "{attention}"
    );
    let causes: Vec<&str> = attention
        .lines()
        .filter(|line| line.contains(" 104 place"))
        .collect();
    // Severity first, then what began longest ago; without a moment last.
    let expected = [
        ("Urgent", "The latest restore failed"),
        ("Urgent", "Runs say that they succeeded"),
        ("Urgent", "No completed backup set"),
        ("Attention", "Operations have been open"),
        (
            "Attention",
            "The latest restore completed and needs follow-up",
        ),
    ];
    assert_eq!(causes.len(), expected.len(), "{attention}");
    for (cause, (severity, what)) in causes.iter().zip(expected) {
        assert!(cause.contains(severity) && cause.contains(what), "{cause}");
    }
}

/// Page by page, whichever comes first, each environment once.
#[test]
fn environments_are_chosen_by_posture_and_the_most_urgent_come_first() {
    let failed = RestoreFacts {
        status: RestoreStatus::Failed,
        ..restore()
    };
    let mut all = row_of(11, 3, Some(&restore()));
    all.extend(row_of(21, 2, Some(&failed)));
    all.extend(row_of(31, 2, None));
    let mut survey = Survey::default();
    judging(|judging| survey.add(&all, now(), judging));
    let pages = |posture, urgent_first| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, last) = survey.chosen(posture, urgent_first, after, 2);
            assert!(page.len() <= 2 && !page.is_empty());
            found.extend(page.into_iter().map(|it| it.0));
            after = last;
            if after.is_none() {
                return found;
            }
        }
    };
    assert_eq!(pages(None, false), [11, 12, 13, 21, 22, 31, 32]);
    assert_eq!(pages(None, true), [21, 22, 11, 12, 13, 31, 32]);
    assert_eq!(pages(Some(Posture::Weakened), true), [21, 22]);
    assert_eq!(pages(Some(Posture::Unvalidated), false), [31, 32]);
    let gone = Some((WorkspaceId(9), EnvironmentId(9)));
    assert_eq!(survey.chosen(None, false, gone, 1).0, [EnvironmentId(11)]);
}

#[test]
fn what_was_not_counted_is_said() {
    let page = || vec![environment(11, "Quiet", Some(restore()))];
    let own = row_of(11, 3, Some(&restore()));
    let ended = |workspace, environment| Some((WorkspaceId(workspace), EnvironmentId(environment)));
    let alone = "Count this workspace alone[→ /?workspace=1]";
    let all = overview_beside(page(), &own, ended(2, 99));
    let counted = "Of the first 3 environments, counted";
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
    let (_, workspaces) = none.split_once("Count this workspace alone").unwrap();
    assert!(
        none.contains(alone) && !workspaces.contains("Weakened"),
        "{none}"
    );
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
                queued: Some(LongestOpen {
                    run: RunId(4711),
                    since: at("2026-11-21T08:00:00Z"),
                }),
                running: None,
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

/// A restore is chosen, and shown, by moments that can be: one that ended in ten days started an hour ago.
#[test]
fn no_restore_was_executed_in_the_future() {
    let mut latest = restore();
    latest.started_at = Stamp::At(now() - SignedDuration::from_hours(1));
    latest.completed_at = Stamp::At(now() + SignedDuration::from_hours(240));
    let shown = overview(vec![environment(11, "Ahead", Some(latest))]);
    assert!(shown.contains("1 h ago"), "{shown}");
    assert!(!shown.contains("in 10 d"), "{shown}");
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
    let pauses = [paused(None), paused(Some(WorkspaceId(1)))];
    let found = OverviewFacts {
        pauses: &pauses,
        page: &page,
        verdicts: &[],
        survey: &survey,
        is_of_one: false,
        urgent_first: false,
        window: Window::Month,
        judges: None,
    };
    let answer = judging(|judging| Overview::new(found, judging, |_| String::new()));
    let shown = overview_page(&answer);
    assert!(
        shown.contains("Contoso / environment 12, deleted or moved"),
        "{shown}"
    );
    assert!(
        shown.contains("[→ /runs?workspace=1&#38;orphaned=true]"),
        "{shown}"
    );
    let causes = &answer.needs_attention.causes;
    assert_eq!((causes.len(), causes[0].tone), (1, Tone::Warning));
    for what in ["Everything", "Workspace 1"] {
        let said = format!("{what} is paused since 2026-11-21T11:30:00Z by ops: a");
        assert!(shown.contains(&said), "{said}: {shown}");
    }
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
            worker("worker-1/restore.execute/0", Duration::from_secs(3)),
            worker("worker-1/restore.sweep/2", Duration::from_secs(4)),
            worker("worker-2/restore.execute/0", Duration::from_mins(10)),
            worker("worker-3/restore.execute/0", Duration::from_secs(2)),
        ];
        let judge = |worker: &str, version: &str, wait| Judge {
            worker: worker.to_owned(),
            ruleset: 3,
            policy_digest: "0123".to_owned(),
            mode: "act".to_owned(),
            version: Some(version.to_owned()),
            next_sweep_at: Some(now() + SignedDuration::from_secs(wait)),
        };
        let judges = [
            judge("worker-1", "1.4.0 0123456789ab", 51),
            judge("worker-3", "1.5.0", 50),
        ];
        let reason = |code: ReasonCode, runs| OpenReason {
            reason: code.code().to_owned(),
            runs,
            oldest: before(Duration::from_mins(44)),
            next_at: now() + SignedDuration::from_secs(20),
        };
        let reasons = [
            reason(ReasonCode::Settling, 260),
            reason(ReasonCode::ProofUnavailable, 1_494),
        ];
        text(&QueuePage {
            shell: &shell("Queue"),
            queue: &QueueView::new(&listing, &reasons, (&workers, &judges), sees_all),
            sweeps: &SweepsShown::new(now(), std::slice::from_ref(&sweep), sees_all),
        })
    };
    insta::assert_snapshot!("queue", show(true));
    let differ = "Workers of different versions are running: 1.4.0 0123456789ab, 1.5.0.";
    assert!(show(false).contains(differ) && show(false).contains(": in 50 s."));
    assert!(show(false).contains("over workspaces that you may not all see"));
    assert!(!show(true).contains("secret"));
}
