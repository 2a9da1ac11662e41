//! What a console may see: everything within its viewer's workspaces as a verdict would be made from it, nothing
//! else, and nothing that was deleted.

mod beside;
mod pages;
mod restore_list;
mod unseen;
mod walks;

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use reconciler_fixtures::PlantedRestore;
use reconciler_jobs::ids::{BackupSetId, EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::{RestoreStatus, RunOutcome};
use restore_reconciler::internals::storage::Limits;
use restore_reconciler::internals::storage::reader::{
    Reader, RunFilter, RunListing, Workspaces, open_reader,
};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::environment::UndecidedShown;
use restore_reconciler::internals::views::runs::RunLine;
use restore_reconciler::internals::views::state::RunState;

use crate::support::case::{
    CREATED, Case, ENDED, FOREIGN, HOME, NEIGHBOUR, restore_of, snapshot_of,
};
use crate::support::roles::Purpose;
use crate::support::store::{Fixture, moved, on_all, with};

pub(crate) use unseen::READING_WRITES;

static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);

on_all!(
    a_run_is_seen_as_it_would_be_judged,
    a_restore_is_seen_with_what_it_points_at,
    environments_are_seen_with_their_latest,
    what_was_executed_last_decides,
    the_backup_that_finished_last_decides,
    a_run_is_not_executed_where_its_own_restore_is_prepared,
    a_run_is_open_for_too_long_or_not_wherever_that_is_said,
    what_cannot_be_read_hides_nothing,
    items_have_the_types_that_their_backup_set_holds,
);

/// Those of another set are not looked up, and a column that may not be read hides nothing else.
async fn items_have_the_types_that_their_backup_set_holds(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.execute(&format!(
        "INSERT INTO backup_items (id, backup_set_id, policy_type, payload, captured_at)
         VALUES (501, {own}, 'compliancePolicy', {json}, {now}), (502, {own}, 'a\u{202e}b', {json}, {now}),
             (503, {other}, 'script', {json}, {now})",
        own = HOME.1,
        other = NEIGHBOUR.1,
        json = "'{}'",
        now = on.either("1", "now()"),
    ))
    .await;
    let reader = reader(&on).await;
    let types = async || {
        let found = reader.load_item_types(BackupSetId(HOME.1), vec![501, 502, 503, 504]);
        let mut found: Vec<_> = found.await.into_iter().collect();
        found.sort_unstable();
        found
    };
    let expected = [(501, "compliancePolicy"), (502, "a\u{fffd}b")];
    assert_eq!(
        types().await,
        expected.map(|(id, name)| (id, name.to_owned()))
    );
    on.execute("ALTER TABLE backup_items RENAME COLUMN policy_type TO kind")
        .await;
    assert_eq!(types().await, []);
}

pub(super) async fn reader(on: &Fixture) -> Reader {
    let reader = open_reader(&on.url_of(Purpose::Console), &Limits::default()).await;
    reader.expect("the database opens")
}

fn only(workspace: i64) -> Workspaces {
    Workspaces::Only([WorkspaceId(workspace)].into())
}

async fn page(
    reader: &Reader,
    of: &Workspaces,
    filter: &RunFilter,
    below: Option<RunId>,
    limit: u32,
) -> RunListing {
    let page = reader.load_runs(of, filter, below, limit, &POLICY);
    page.await.expect("a page")
}

/// What the default leaves, and what is changed about it.
pub(crate) fn filter(change: impl FnOnce(&mut RunFilter)) -> RunFilter {
    let mut filter = RunFilter::default();
    change(&mut filter);
    filter
}

fn ids(page: &RunListing) -> Vec<i64> {
    let runs = page.rows.iter();
    runs.map(|seen| seen.assessment.facts.run.id.0).collect()
}

/// All runs that a filter leaves, over pages of `limit`.
async fn all(reader: &Reader, of: &Workspaces, filter: &RunFilter, limit: u32) -> Vec<i64> {
    let mut below = None;
    let mut found = Vec::new();
    loop {
        let page = page(reader, of, filter, below, limit).await;
        assert!(page.rows.len() <= limit as usize);
        found.extend(ids(&page));
        below = page.below;
        if below.is_none() {
            return found;
        }
    }
}

async fn delete(on: &Fixture, table: &str, id: i64) {
    let now = on.either("1", "now()");
    on.execute(&format!(
        "UPDATE {table} SET deleted_at = {now} WHERE id = {id}"
    ))
    .await;
}

async fn a_run_is_seen_as_it_would_be_judged(on: Fixture) {
    on.plant([Case::proven(1), Case::failed(2), Case::in_progress(3)])
        .await;
    on.settle(&[2, 3]).await;
    let reader = reader(&on).await;
    for run in 1..=3 {
        let full = reader.load_run(&only(HOME.0), RunId(run), &POLICY).await;
        let full = full.unwrap().expect("a run of the viewer");
        let own = on.store.reader();
        let judged = own.assess(&Workspaces::All, &[RunId(run)], &POLICY).await;
        let mut judged = judged.unwrap().remove(0);
        judged.facts.as_of = full.seen.assessment.facts.as_of;
        assert_eq!(full.seen.assessment, judged);
        assert_eq!(full.seen.workspace_name, "Workspace 1");
        let environment = full.seen.environment_name.as_deref();
        assert_eq!(environment, Some("Environment 11"));
        assert_eq!(full.backup_set, Some(BackupSetId(HOME.1)));
        let verdict = own.load_verdict(&Workspaces::All, RunId(run)).await;
        assert_eq!(full.verdict, verdict.unwrap());
        let short = full.seen.record.verdict;
        assert_eq!(
            short.map(|it| (it.outcome, it.reason_code, it.decided_at)),
            (full.verdict).map(|it| (it.outcome, it.reason_code, it.decided_at)),
        );
    }
    let listed = page(&reader, &Workspaces::All, &RunFilter::default(), None, 10).await;
    assert_eq!(ids(&listed), [3, 2, 1]);
    assert_eq!(listed.below, None);
    assert!(listed.rows[1].record.verdict.is_some());
    assert!(listed.rows[2].record.verdict.is_none());
    let age = reader.now().await.unwrap().duration_since(listed.as_of);
    assert_eq!(age.as_mins(), 0);
}

async fn a_restore_is_seen_with_what_it_points_at(on: Fixture) {
    on.plant([
        Case::proven(1),
        with(Case::proven(2), |case| {
            case.restore.status = "draft".to_owned();
            case.restore.operation_run_id = None;
        }),
        moved(Case::proven(4), NEIGHBOUR),
        // Points at a run of another environment.
        with(Case::proven(3), |case| {
            case.restore.operation_run_id = Some(4);
        }),
    ])
    .await;
    on.execute("UPDATE restore_runs SET requested_by = 'A. Operator', preview = '[1]'")
        .await;
    let reader = reader(&on).await;
    let restore = async |run: i64| {
        let id = RestoreId(restore_of(run));
        let of = only(HOME.0);
        let found = reader
            .load_restore(&of, id, &POLICY, &MetadataKeys::default())
            .await;
        found.unwrap().expect("a restore of the viewer")
    };
    let seen = restore(1).await;
    assert_eq!(seen.restore.status, RestoreStatus::Completed);
    assert_eq!(seen.run.map(|run| run.id), Some(RunId(1)));
    let active = seen.evidence.active.expect("a snapshot");
    assert_eq!(active.id.0, snapshot_of(1));
    assert_eq!(seen.workspace_name, "Workspace 1");
    assert_eq!(seen.environment_name, "Environment 11");
    assert_eq!(seen.requested_by.as_deref(), Some("A. Operator"));
    let source = seen.preparation.source.expect("a backup set");
    assert_eq!(source.id, BackupSetId(HOME.1));
    assert!(!source.is_deleted);

    let seen = restore(2).await;
    assert_eq!(seen.restore.status, RestoreStatus::Draft);
    assert_eq!((seen.run, seen.evidence.active), (None, None));
    let seen = restore(3).await;
    assert_eq!((seen.run, seen.evidence.active), (None, None));

    delete(&on, "backup_sets", HOME.1).await;
    let source = restore(1).await.preparation.source;
    assert!(source.expect("a backup set that was deleted").is_deleted);
    on.execute(&format!(
        "UPDATE restore_runs SET backup_set_id = {} WHERE id = {}",
        NEIGHBOUR.1,
        restore_of(1)
    ))
    .await;
    assert_eq!(restore(1).await.preparation.source, None);
    let run = reader.load_run(&Workspaces::All, RunId(1), &POLICY);
    assert_eq!(run.await.unwrap().expect("a run").backup_set, None);
}

async fn environments_are_seen_with_their_latest(on: Fixture) {
    let becomes = |case, status: &str| {
        with(case, |case: &mut Case| {
            case.restore.status = status.to_owned();
            case.restore.started_at = None;
        })
    };
    on.plant([
        Case::proven(1),
        Case::failed(2),
        // Later ones that are no history: on their way, not begun, previews, or gone.
        becomes(Case::proven(3), "running"),
        becomes(Case::proven(4), "queued"),
        becomes(Case::proven(5), "draft"),
        becomes(Case::proven(6), "previewed"),
        with(Case::proven(7), |case| case.restore.is_dry_run = true),
        with(Case::proven(8), |case| {
            case.restore.deleted_at = Some(ENDED.to_owned());
        }),
        becomes(moved(Case::proven(9), NEIGHBOUR), "Completed "),
    ])
    .await;
    on.settle(&[1, 2]).await;
    let reader = reader(&on).await;
    let load = async |of: &Workspaces, after, limit| {
        let page = reader
            .load_environments(of, None, after, limit, &Policy::default())
            .await;
        page.expect("a page")
    };
    let all = load(&Workspaces::All, None, 10).await;
    assert_eq!(all.after, None);
    let scopes = all.rows.iter();
    let scopes = scopes.map(|seen| (seen.workspace.0, seen.environment.0));
    assert!(scopes.eq([HOME, NEIGHBOUR, FOREIGN]), "{:?}", all.rows);
    let home = &all.rows[0];
    let (restore, run, evidence, _) = home.latest.as_ref().expect("a history");
    assert_eq!(restore.id.0, restore_of(2));
    assert_eq!(run.as_ref().map(|run| run.id), Some(RunId(2)));
    let active = evidence.active.map(|active| active.id.0);
    assert_eq!(active, Some(snapshot_of(2)));
    assert_eq!(home.preparing, Some(RestoreId(restore_of(6))));
    assert_eq!((home.open.runs, home.open.not_executed), (6, 3));
    let longest = home.open.running.map(|it| it.run);
    assert_eq!((longest, home.open.queued), (Some(RunId(3)), None));
    assert_eq!(home.open.oldest, Some(CREATED.parse().unwrap()));
    let backup = home.backup.as_ref().map(|set| set.id);
    assert_eq!(backup, Some(BackupSetId(HOME.1)));
    let (restore, ..) = all.rows[1].latest.as_ref().expect("a history");
    assert_eq!(restore.status, RestoreStatus::Unknown);
    assert_eq!((&all.rows[2].latest, all.rows[2].preparing), (&None, None));
    assert_eq!(all.rows[2].open.runs, 0);

    // Page by page it is the same.
    let mut after = None;
    for expected in &all.rows {
        let page = load(&Workspaces::All, after, 1).await;
        assert_eq!(page.rows, std::slice::from_ref(expected));
        after = page.after;
    }
    assert_eq!(after, None);
    assert_eq!(load(&only(HOME.0), None, 10).await.rows, all.rows[..2]);
    let (own, foreign) = (only(HOME.0), WorkspaceId(FOREIGN.0));
    let narrowed = reader.load_environments(&own, Some(foreign), None, 10, &POLICY);
    assert_eq!(narrowed.await.unwrap().rows, []);
}

/// Restores of an environment, of which the first was executed last: status, and how many seconds ago each started and
/// ended and was created; `x` is a moment that is none, `z` the beginning of time. The first has the lowest id.
const EXECUTED_LAST: &[&[&str]] = &[
    // It failed an hour ago, and one that was created after it was executed before it.
    &["failed 4000 3600 90000", "completed 8000 7200 80000"],
    // A draft, previews and what still runs were not executed to their end.
    &[
        "failed 4000 3600 90000",
        "draft - - 60",
        "previewed - - 60",
        "pending 60 60 60",
        "running 60 - 60",
        "preview 60 60 60",
        "deleted 60 60 60",
    ],
    // Where no end is noted, the start says when; and where no start is, the creation.
    &["failed 4000 - 90000", "completed 8000 7200 80000"],
    &["failed - - 4000", "completed 8000 7200 80000"],
    &[
        "completed 8000 7200 90000",
        "failed - - 80000",
        "failed - - -",
    ],
    // It was started again, and its end is that of the time before.
    &["failed 3600 9000 90000", "completed 8000 7200 80000"],
    // What is no moment, or lies in the future, does not push away what ended.
    &[
        "failed 4000 3600 90000",
        "completed 8000 x 80000",
        "completed x - 80000",
        "completed 8000 -864000 80000",
        "completed 8000 z 80000",
        "completed - z -",
    ],
    // A clock that is a little ahead is believed.
    &["failed 4000 -60 90000", "completed 8000 7200 80000"],
    // At the same end, what started last.
    &["failed 4000 3600 90000", "completed 5000 3600 80000"],
    &["failed 4000 3600 90000", "completed x 3600 80000"],
];

/// SQL for a moment so many whole seconds ago, for none (`-`), for the beginning of time (`z`), and for no moment (`x`).
fn ago(on: &Fixture, now: Timestamp, text: &str) -> String {
    let seconds = match text {
        "-" => return "NULL".to_owned(),
        "z" => return on.either("0", "'1970-01-01'").to_owned(),
        "x" => return on.either("'soon'", "'infinity'").to_owned(),
        seconds => seconds.parse().expect("seconds"),
    };
    let now = Timestamp::from_second(now.as_second()).unwrap();
    let moment = now - SignedDuration::from_secs(seconds);
    if on.is_sqlite() {
        moment.as_microsecond().to_string()
    } else {
        format!("'{moment}'")
    }
}

/// Environments in which rows are ordered: their ids, each with what stands in it.
fn ordered(
    rows: &'static [&'static [&'static str]],
) -> impl Iterator<Item = (i64, &'static [&'static str])> {
    (50_000..).step_by(100).zip(rows.iter().copied())
}

async fn what_was_executed_last_decides(on: Fixture) {
    let home = HOME.0;
    let reader = reader(&on).await;
    let (now, mut sql) = (reader.now().await.unwrap(), Vec::new());
    for (environment, restores) in ordered(EXECUTED_LAST) {
        sql.push(format!(
            "INSERT INTO managed_environments (id, workspace_id, name) VALUES ({environment}, {home}, 'Ordered');
             INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
             VALUES ({environment}, {home}, {environment}, 'Nightly', 'completed');"
        ));
        for (id, restore) in (environment + 1..).zip(restores) {
            let words: Vec<&str> = restore.split(' ').collect();
            let [started, completed, created] = [1, 2, 3].map(|word| ago(&on, now, words[word]));
            let (status, preview, deleted) = match words[0] {
                "preview" => ("completed", on.either("1", "true"), "-"),
                "deleted" => ("completed", on.either("0", "false"), "60"),
                status => (status, on.either("0", "false"), "-"),
            };
            let deleted = ago(&on, now, deleted);
            sql.push(format!(
                "INSERT INTO restore_runs (id, workspace_id, managed_environment_id, backup_set_id, status,
                     is_dry_run, started_at, completed_at, created_at, deleted_at)
                 VALUES ({id}, {home}, {environment}, {environment}, '{status}', {preview}, {started}, {completed},
                     {created}, {deleted});"
            ));
        }
    }
    on.plant([Case::proven(1)]).await;
    on.execute(&sql.concat()).await;
    let found = reader.load_environments(&Workspaces::All, None, None, 100, &POLICY);
    let found = found.await.unwrap().rows;
    for (environment, restores) in ordered(EXECUTED_LAST) {
        let seen = found.iter().find(|seen| seen.environment.0 == environment);
        let latest = seen
            .and_then(|seen| seen.latest.as_ref())
            .map(|(it, ..)| it.id.0 - environment);
        assert_eq!(latest, Some(1), "{restores:?}");
    }
}

/// What is changed of a case, and whether its run is then about a preview or a preparation.
type Prepared = (&'static str, bool, fn(&mut Case));

/// What is so of an open run and its restores, and whether it is about a preview or a preparation: its own one is a
/// draft unless that is changed.
const PREPARED: [Prepared; 14] = [
    ("a draft", true, |_| ()),
    ("a dry run", true, |it| {
        it.restore.status = "completed".to_owned();
        it.restore.is_dry_run = true;
    }),
    ("a draft that started", false, |it| {
        it.restore.started_at = Some(ENDED.to_owned());
    }),
    ("handed over", false, |it| {
        it.restore.status = "pending".to_owned();
    }),
    ("deleted", false, |it| {
        it.restore.deleted_at = Some(ENDED.to_owned());
    }),
    ("one that runs is named, a draft points", false, |it| {
        also(it, |draft| draft.id += 100);
        it.restore.status = "running".to_owned();
    }),
    ("a draft is named, one that runs points", false, |it| {
        also(it, |other| {
            other.id += 100;
            other.status = "running".to_owned();
        });
    }),
    ("both of two are drafts", true, |it| {
        also(it, |other| other.id += 100);
    }),
    (
        "the draft that points is of another workspace",
        false,
        |it| {
            also(it, |draft| {
                draft.id += 100;
                (draft.workspace_id, draft.managed_environment_id) = FOREIGN;
            });
            it.restore.deleted_at = Some(ENDED.to_owned());
        },
    ),
    ("none is named", true, |it| it.run.context = None),
    ("the draft that is named does not point", true, |it| {
        it.restore.operation_run_id = None;
    }),
    ("one is named that does not exist", false, |it| {
        it.run.context = Some(r#"{"restore_run_id":999}"#.to_owned());
    }),
    ("the draft that is named has a long id", true, |it| {
        it.restore.id = 9_000_000_000_000_000_003;
        it.restore.operation_run_id = None;
        it.run.context = Some(r#"{"restore_run_id":9000000000000000003}"#.to_owned());
    }),
    ("a number beyond all ids is named", false, |it| {
        it.run.context = Some(r#"{"restore_run_id":10000000000000000000}"#.to_owned());
    }),
];

/// Another restore beside that of a case, as that is but for what is changed.
fn also(case: &mut Case, change: impl FnOnce(&mut PlantedRestore)) {
    let mut other = case.restore.clone();
    change(&mut other);
    case.others.push(other);
}

async fn a_run_is_not_executed_where_its_own_restore_is_prepared(on: Fixture) {
    let (reader, home) = (reader(&on).await, HOME.0);
    on.plant([Case::proven(90)]).await;
    for (run, (name, is_prepared, change)) in (1..).zip(PREPARED) {
        let environment = 60_000 + run;
        on.execute(&format!(
            "INSERT INTO managed_environments (id, workspace_id, name) VALUES ({environment}, {home}, 'Quiet');
             INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
             VALUES ({environment}, {home}, {environment}, 'Nightly', 'completed')"
        ))
        .await;
        let mut case = moved(Case::proven(run), (home, environment));
        case.restore.status = "draft".to_owned();
        case.restore.started_at = None;
        change(&mut case);
        on.plant([case]).await;
        let found = reader.load_environments(&Workspaces::All, None, None, 100, &POLICY);
        let found = found.await.unwrap().rows;
        let seen = found.iter().find(|seen| seen.environment.0 == environment);
        let open = seen.expect("the environment").open;
        let expected = (1, u64::from(is_prepared), !is_prepared);
        let longest = open.running.is_some_and(|it| it.run == RunId(run));
        assert_eq!((open.runs, open.not_executed, longest), expected, "{name}");
    }
    let gone = on.either("1", "now()");
    on.execute(&format!(
        "UPDATE managed_environments SET deleted_at = {gone} WHERE id > 60000"
    ))
    .await;
    let orphaned = reader.load_orphaned(None, 100).await.unwrap();
    let orphaned = orphaned.iter().map(|it| it.environment.0);
    let expected = (60_001..).zip(PREPARED);
    let expected = expected.filter_map(|(id, (_, is_prepared, _))| (!is_prepared).then_some(id));
    assert!(orphaned.eq(expected));
}

/// Open runs of an environment: status, and how many seconds ago each was created and started, as [`ago`] has it. A star is
/// at the one that is open for too long, and of several for longest.
const OPEN: &[&[&str]] = &[
    &["queued 600 -"],
    &["*queued 1200 -"],
    &["*queued 1200 60"],
    &["running 1200 300"],
    &["running 7200 300"],
    &["*running 7200 4000"],
    &["running 1200 -"],
    &["*running 4000 -"],
    &["*queued x -"],
    &["*queued - -"],
    &["*running 60 x"],
    &["running x 60"],
    &[
        "queued 600 -",
        "running 7200 300",
        "*running 9000 5000",
        "running 9000 4000",
    ],
    &["*queued 5000 -", "running 9000 4000"],
    &["running 9000 4000", "*running - -"],
];

/// The overview says it of environments, and a list of each run.
async fn a_run_is_open_for_too_long_or_not_wherever_that_is_said(on: Fixture) {
    let home = HOME.0;
    let reader = reader(&on).await;
    let (now, mut sql) = (reader.now().await.unwrap(), Vec::new());
    for (environment, runs) in ordered(OPEN) {
        sql.push(format!(
            "INSERT INTO managed_environments (id, workspace_id, name) VALUES ({environment}, {home}, 'Busy');"
        ));
        for (id, run) in (environment + 1..).zip(runs) {
            let [status, created, started] =
                run.trim_start_matches('*').split(' ').collect::<Vec<_>>()[..]
            else {
                panic!("{run}");
            };
            let [created, started] = [created, started].map(|it| ago(&on, now, it));
            sql.push(format!(
                "INSERT INTO operation_runs
                     (id, workspace_id, managed_environment_id, type, status, outcome, context, summary_counts, created_at,
                      started_at, initiator_name, run_identity_hash)
                 VALUES ({id}, {home}, {environment}, 'restore.execute', '{status}', 'pending', '{{}}', '{{}}', {created},
                         {started}, 'Ada', '{id}');"
            ));
        }
    }
    on.plant([Case::proven(1)]).await;
    on.execute(&sql.concat()).await;
    let limits = FreshnessThresholds::default();
    let found = reader.load_environments(&Workspaces::All, None, None, 100, &POLICY);
    let found = found.await.unwrap().rows;
    for (environment, runs) in ordered(OPEN) {
        let seen = found.iter().find(|seen| seen.environment.0 == environment);
        let open = seen.expect("the environment").open;
        let overdue = UndecidedShown::new(open, now, &limits).overdue;
        let starred = (environment + 1..)
            .zip(runs)
            .find(|(_, run)| run.starts_with('*'));
        let expected = starred.map(|(id, _)| RunId(id));
        assert_eq!(overdue.map(|it| it.run), expected, "{runs:?}");
        let mine = filter(|it| it.environment = Some(EnvironmentId(environment)));
        let listed = page(&reader, &Workspaces::All, &mine, None, 10).await.rows;
        let is_any = listed.iter().any(|seen| {
            let line = RunLine::new(seen, Visibility { evidence: true }, &limits);
            line.state.state == RunState::UndecidedTooLong
        });
        assert_eq!(is_any, expected.is_some(), "{runs:?}");
    }
}

/// Backup sets of an environment, of which the first finished last: status, and how many seconds ago. The first has the
/// lowest id, or a star.
const FINISHED_LAST: &[&[&str]] = &[
    &["failed 3600", "completed 7200"],
    &["partial 3600", "completed 7200", "running 60", "deleted 60"],
    &["completed 3600", "failed 7200"],
    &["completed -864000", "completed z", "*failed 3600"],
    // One without an end came right after those before it.
    &["completed 7200", "*failed -", "completed 9000"],
    &["failed -", "*completed 7200"],
    &["failed -", "running 60"],
];

async fn the_backup_that_finished_last_decides(on: Fixture) {
    let home = HOME.0;
    let reader = reader(&on).await;
    let (now, mut sql) = (reader.now().await.unwrap(), Vec::new());
    for (environment, sets) in ordered(FINISHED_LAST) {
        sql.push(format!(
            "INSERT INTO managed_environments (id, workspace_id, name) VALUES ({environment}, {home}, 'Ordered');"
        ));
        for (id, set) in (environment + 1..).zip(sets) {
            let (status, ended) = set.trim_start_matches('*').split_once(' ').unwrap();
            let deleted = ago(&on, now, if status == "deleted" { "60" } else { "-" });
            let (status, ended) = (status.replace("deleted", "completed"), ago(&on, now, ended));
            sql.push(format!(
                "INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status, completed_at,
                     deleted_at)
                 VALUES ({id}, {home}, {environment}, 'Nightly', '{status}', {ended}, {deleted});"
            ));
        }
    }
    on.plant([Case::proven(1)]).await;
    on.execute(&sql.concat()).await;
    let found = reader.load_environments(&Workspaces::All, None, None, 100, &POLICY);
    let found = found.await.unwrap().rows;
    for (environment, sets) in ordered(FINISHED_LAST) {
        let seen = found.iter().find(|seen| seen.environment.0 == environment);
        let backup = seen.and_then(|seen| seen.backup.as_ref()).expect("a set");
        let expected = sets
            .iter()
            .position(|set| set.starts_with('*'))
            .unwrap_or(0);
        let found = usize::try_from(backup.id.0 - environment - 1);
        assert_eq!(found, Ok(expected), "{sets:?}");
        assert!(sets[expected].contains(backup.status.word()), "{sets:?}");
    }
}

async fn what_cannot_be_read_hides_nothing(on: Fixture) {
    let mut odd = Case::proven(1);
    let garbage = on.either("{\"a", "[[], {\"\": null}, -1e3]");
    for column in [
        &mut odd.run.context,
        &mut odd.run.failure_summary,
        &mut odd.run.summary_counts,
        &mut odd.restore.requested_items,
        &mut odd.restore.results,
        &mut odd.restore.metadata,
    ] {
        *column = Some(garbage.to_owned());
    }
    for moment in [
        &mut odd.run.created_at,
        &mut odd.run.started_at,
        &mut odd.restore.created_at,
        &mut odd.restore.started_at,
        &mut odd.restore.completed_at,
    ] {
        *moment = Some("infinity".to_owned());
    }
    odd.each_snapshot(|snapshot| {
        snapshot.generated_at = Some("infinity".to_owned());
        snapshot.expires_at = Some("infinity".to_owned());
    });
    odd.run.status = String::new();
    odd.run.outcome = "Succeeded?".to_owned();
    odd.restore.status = "completed\u{a0}".to_owned();
    on.plant([odd]).await;
    let garbage = on.either("x'7b22ff'", "'[{}, 1e9, \"\\u2028\"]'");
    on.execute(&format!(
        "UPDATE backup_sets SET completed_at = 'infinity', metadata = {garbage};
         INSERT INTO backup_items (id, backup_set_id, policy_type, payload, metadata, captured_at)
         VALUES (1, {}, '', {garbage}, {garbage}, 'infinity');
         UPDATE restore_runs SET preview = {garbage}, group_mapping = {garbage}",
        HOME.1
    ))
    .await;
    let reader = reader(&on).await;
    let of = Workspaces::All;
    let listed = page(&reader, &of, &RunFilter::default(), None, 10).await;
    assert_eq!(ids(&listed), [1]);
    let run = reader.load_run(&of, RunId(1), &POLICY).await;
    assert!(run.unwrap().is_some());
    let restore = RestoreId(restore_of(1));
    let restore = reader
        .load_restore(&of, restore, &POLICY, &MetadataKeys::default())
        .await
        .unwrap();
    let source = restore.expect("a restore").preparation.source;
    assert_eq!(source.expect("a backup set").quality.items, 1);
    let environments = reader.load_environments(&of, None, None, 10, &POLICY);
    let environments = environments.await.unwrap();
    assert!(environments.rows[0].latest.is_some());
    // No moment lies before or after one that cannot be read.
    let from = filter(|it| it.created_from = Some(Timestamp::UNIX_EPOCH));
    let before = filter(|it| it.created_before = Some(Timestamp::MAX));
    for filter in [from, before] {
        assert_eq!(all(&reader, &of, &filter, 10).await, [0; 0]);
    }
    let unknown = filter(|it| it.outcome = Some(RunOutcome::Unknown));
    assert_eq!(all(&reader, &of, &unknown, 10).await, [1]);
}
