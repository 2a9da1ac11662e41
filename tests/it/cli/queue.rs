//! `enqueue`, `queue` and the trigger options of `migrate`, by running them.

use restore_reconciler::internals::{
    cli::output::{Document, TriggerWord},
    storage::QueueState,
    views::queue::RequestState,
};

use super::stage::{File, execute, plant, run};
use crate::support::cluster;

const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000";

/// A file in which run 1 is a dead letter and run 3 was refused.
async fn troubled() -> File {
    let file = File::planted().await;
    let script = format!(
        "INSERT INTO reconciler_attempts (
             operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at, dead_at
         ) VALUES (1, 1, 5, 'worker-that-ended', {NOW}, {NOW}, {NOW}, {NOW});
         INSERT INTO reconciler_watch_list (
             operation_run_id, workspace_id, reason_code, first_seen_at, last_looked_at, look_again_at, tries, error
         ) VALUES (3, 1, 'run.settle_failed', {NOW}, {NOW}, {NOW} + 3600000000, 4, 'the disk is full');"
    );
    execute(&file.url(), script.leak()).await;
    file
}

#[tokio::test]
async fn enqueueing_says_for_each_run_whether_and_why_not() {
    let file = troubled().await;
    let url = file.url();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["enqueue", "2"], 0, "a job was queued"),
        (&["enqueue", "2", "6"], 0, "a job was queued"),
        (&["enqueue", "4"], 11, "not a restore.execute run"),
        (&["enqueue", "5"], 11, "closed elsewhere; not proven"),
        (&["enqueue", "1"], 11, "a dead letter; no job was queued"),
        (&["enqueue", "2", "999"], 1, "does not exist"),
    ];
    for (arguments, code, said) in cases {
        run(&url, arguments).exits(*code).says(&[said], &[]);
    }
    run(&url, &["reconcile", "2"]).exits(10);
    run(&url, &["enqueue", "2"])
        .exits(10)
        .says(&["closed, with a verdict on record", "failed"], &[]);
    let asked = run(&url, &["enqueue", "6", "1", "6", "999", "--output", "json"]).exits(1);
    let Document::Enqueue(asked) = asked.document() else {
        panic!("{}", asked.stdout)
    };
    let states: Vec<_> = asked
        .runs
        .iter()
        .map(|run| (run.run, run.state, run.workspace))
        .collect();
    assert_eq!(
        states,
        [
            (6, RequestState::Queued, Some(2)),
            (1, RequestState::DeadLetter, Some(1)),
            (999, RequestState::Absent, None)
        ]
    );
}

#[tokio::test]
async fn a_proven_run_that_is_asked_for_again_comes_with_the_claim_boundary() {
    let file = File::planted().await;
    run(&file.url(), &["reconcile", "1"]).exits(0);
    // `exits` checks that whoever says `succeeded` also says what that does not claim.
    for verb in [
        &["enqueue", "1"][..],
        &["queue", "retry", "1"],
        &["queue", "drop", "1"],
    ] {
        run(&file.url(), verb).exits(0).says(&["succeeded"], &[]);
    }
    run(&file.url(), &["queue", "show", "1"])
        .exits(0)
        .says(&["Verdict on record"], &[]);
}

#[tokio::test]
async fn a_list_begins_with_what_is_worst_and_says_what_it_leaves_out() {
    let file = troubled().await;
    let url = file.url();
    run(&url, &["enqueue", "2", "6"]).exits(0);
    let listed = run(&url, &["queue", "list", "--output", "json"]).exits(0);
    let Document::QueueList(listed) = listed.document() else {
        panic!("{}", listed.stdout)
    };
    let states: Vec<_> = listed
        .entries
        .iter()
        .map(|entry| (entry.state, entry.run.map(|run| run.0)))
        .collect();
    assert_eq!(
        states,
        [
            (QueueState::DeadLetter, Some(1)),
            (QueueState::Refused, Some(3)),
            (QueueState::Waiting, Some(2)),
            (QueueState::Waiting, Some(6)),
        ]
    );
    run(&url, &["queue", "list"]).exits(0).says(
        &[
            "dead_letter",
            "the oldest for",
            "worker-that-ended",
            "never",
            "the disk is full",
            "ENVIRONMENT",
        ],
        &[],
    );
    run(&url, &["queue", "list", "--limit", "1"])
        .exits(0)
        .says(&["3 more"], &[]);
    let other = run(&url, &["queue", "list", "--workspace", "2"]).exits(0);
    assert!(!other.stdout.contains("dead_letter"), "{}", other.stdout);
    let chosen = run(&url, &["queue", "list", "--waiting"]).exits(0);
    assert!(!chosen.stdout.contains("dead_letter"), "{}", chosen.stdout);
    run(&url, &["queue", "list", "--workspace", "9"])
        .exits(0)
        .says(&["Nothing is listed in workspace 9."], &[]);
}

#[tokio::test]
async fn a_run_is_shown_with_what_to_do_next() {
    let file = troubled().await;
    let url = file.url();
    let cases: &[(&str, &[&str])] = &[
        (
            "1",
            &[
                "Dead letter since",
                "5 tries",
                "worker-that-ended",
                "queue retry 1",
                "queue drop 1",
            ],
        ),
        (
            "3",
            &[
                "run.settle_failed",
                "the disk is full",
                "4 looks",
                "queue retry 3",
            ],
        ),
        ("2", &["No job that asked for it", "enqueue 2"]),
        ("4", &["only runs of type restore.execute"]),
    ];
    for (id, said) in cases {
        run(&url, &["queue", "show", id]).exits(0).says(said, &[]);
    }
    run(&url, &["queue", "show", "5"])
        .exits(0)
        .says(&["completed"], &[]);
    run(&url, &["enqueue", "2"]).exits(0);
    run(&url, &["queue", "show", "2"])
        .exits(0)
        .says(&["command", "waiting", "See that a worker is running"], &[]);
    run(&url, &["queue", "show", "999"])
        .exits(1)
        .says(&[], &["run 999 does not exist", "to do:"]);
}

#[tokio::test]
async fn runs_in_trouble_start_over_and_those_that_are_not_do_not() {
    let file = troubled().await;
    let url = file.url();
    run(&url, &["reconcile", "1"])
        .exits(11)
        .says(&["suspended"], &[]);
    run(&url, &["queue", "retry", "1", "3"])
        .exits(0)
        .says(&["starts over"], &[]);
    run(&url, &["queue", "retry", "1", "3"])
        .exits(0)
        .says(&["due already"], &[]);
    run(&url, &["queue", "retry", "2"])
        .exits(0)
        .says(&["not in trouble"], &[]);
    run(&url, &["queue", "retry", "5"])
        .exits(11)
        .says(&["closed elsewhere"], &[]);
    run(&url, &["queue", "retry", "999"]).exits(1);
    run(&url, &["reconcile", "1"]).exits(0);

    let again = troubled().await;
    run(&again.url(), &["queue", "retry", "--dead"])
        .exits(0)
        .says(&["starts over"], &[]);
    run(&again.url(), &["queue", "retry", "--dead"])
        .exits(0)
        .says(&[], &["There are no dead letters."]);
}

#[tokio::test]
async fn a_dropped_dead_letter_is_said_to_be_open() {
    let file = troubled().await;
    let url = file.url();
    let open = "the run stays open, nothing is proven";
    run(&url, &["queue", "drop", "1"])
        .exits(0)
        .says(&["dropped", open], &[]);
    run(&url, &["queue", "drop", "1"])
        .exits(0)
        .says(&["dropped before", open], &[]);
    run(&url, &["queue", "drop", "3"])
        .exits(11)
        .says(&["nothing was dropped"], &[]);
    run(&url, &["queue", "drop", "999"]).exits(1);
    let listed = run(&url, &["queue", "list"]).exits(0);
    assert!(!listed.stdout.contains("dropped"), "{}", listed.stdout);
    run(&url, &["queue", "list", "--all"])
        .exits(0)
        .says(&["dropped"], &[]);
    run(&url, &["queue", "show", "1"])
        .exits(0)
        .says(&["still open and nothing is proven", "queue retry 1"], &[]);
    run(&url, &["queue", "retry", "1"])
        .exits(0)
        .says(&["starts over"], &[]);
}

#[tokio::test]
async fn without_the_queues_tables_its_verbs_say_what_to_do() {
    let file = File::new();
    let store = file.create().await;
    plant(&file.url()).await;
    store.migrate().await.unwrap();
    for verb in [
        &["enqueue", "1"][..],
        &["queue", "list"],
        &["queue", "retry", "--dead"],
    ] {
        run(&file.url(), verb)
            .exits(1)
            .says(&[], &["the queue's tables are not there", "migrate"]);
    }
}

#[tokio::test]
async fn on_sqlite_a_platform_trigger_is_refused_before_anything_is_done() {
    let file = File::new();
    plant(&file.url()).await;
    for option in ["--with-platform-trigger", "--without-platform-trigger"] {
        run(&file.url(), &["migrate", option]).exits(1).says(
            &[],
            &[
                "a SQLite file has no triggers",
                "nothing was changed",
                "to do: ",
            ],
        );
    }
    run(&file.url(), &["migrate"])
        .exits(0)
        .says(&["was created", "Platform tables were not touched."], &[]);
}

#[tokio::test]
async fn on_postgres_a_platform_trigger_is_added_named_kept_and_removed() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    run(&url, &["migrate", "--with-platform-trigger"])
        .exits(0)
        .says(
            &[
                "was created",
                "was added",
                "restore_runs",
                "evidence_snapshots",
            ],
            &[],
        );
    let installed = "It is installed on public.evidence_snapshots and public.restore_runs.";
    run(&url, &["doctor"]).exits(0).says(
        &[
            installed,
            "The queue's tables are there and may be used.",
            "hstore and pgcrypto are there.",
            "may call it.",
        ],
        &[],
    );
    run(&url, &["migrate"])
        .exits(0)
        .says(&["Platform tables were not touched."], &[]);
    run(&url, &["doctor"]).exits(0).says(&[installed], &[]);

    let ended = "UPDATE restore_runs SET status = 'partial' WHERE operation_run_id = 1";
    execute(&url, ended).await;
    run(&url, &["queue", "show", "1"])
        .exits(0)
        .says(&["restore", "waiting"], &[]);

    let removed = run(
        &url,
        &["migrate", "--without-platform-trigger", "--output", "json"],
    )
    .exits(0);
    let Document::Migrate(removed) = removed.document() else {
        panic!("{}", removed.stdout)
    };
    assert_eq!(removed.platform_trigger, Some(TriggerWord::Removed));
    run(&url, &["doctor"])
        .exits(0)
        .says(&["It is not installed"], &[]);
}
