//! What each statement may read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::day::PAGE;

/// Tables that grow for ever.
pub(super) const LARGE: [&str; 12] = [
    "operation_runs",
    "restore_runs",
    "evidence_snapshots",
    "audit_logs",
    "ledger",
    "ledger_facts",
    "ledger_positions",
    "ledger_leaves",
    "checkpoints",
    "opinions",
    "sweeps",
    "backup_items",
];

/// One statement, named as its file is.
pub(super) struct Statement {
    pub(super) name: &'static str,
    /// How many rows it may read of one large table, with the indexes that `doctor` advises.
    pub(super) rows_max: u64,
    /// The tables of which it reads a good part with the platform's own indexes alone, those of the queue
    /// included. Each of them makes it slower as time goes by.
    pub(super) through: &'static [&'static str],
}

/// Reads none of the large tables.
const NONE: u64 = 0;
/// A row by its key.
const ONE: u64 = 1;
/// What a page asks for.
const A_PAGE: u64 = PAGE.unsigned_abs();
/// What is open: all runs that were prepared, and those that stayed open on the days before.
const ALL_OPEN: u64 = 6 * A_PAGE;

/// Two thousand runs, which are a tenth of those that are passed on the way to them.
const BESIDE_OTHERS: u64 = 2_000 * 10 + ALL_OPEN;

/// The unproven successes among a hundred thousand runs that others closed, each with a look for a later opinion on it.
const ALL_UNPROVEN: u64 = 2 * 1_000;

/// A part of a walk, and whether each of its runs is ours.
const WALKED: u64 = 2 * 2_000;

/// A part of the tree.
const PLACES: u64 = 2_000;

/// The leaves that are read at once.
const LEAVES: u64 = 10_000;

/// The newest rows of a table, among which a survey looks.
const SCANNED: u64 = 20_000;

const fn reads(name: &'static str, rows_max: u64) -> Statement {
    reads_through(name, rows_max, &[])
}

const fn reads_through(
    name: &'static str,
    rows_max: u64,
    through: &'static [&'static str],
) -> Statement {
    Statement {
        name,
        rows_max,
        through,
    }
}

/// Finished jobs stay in the queue's table for a while and then go, so these are slow within limits.
const QUEUE: &[&str] = &["jobs"];

pub(super) const STATEMENTS: &[Statement] = &[
    // A settlement.
    reads("open_transaction", NONE),
    reads("open_reading", NONE),
    reads("lock_open_runs", A_PAGE),
    reads("load_runs", A_PAGE),
    reads_through("load_candidates", 2 * A_PAGE, &["restore_runs"]),
    reads("load_restores", 2 * A_PAGE),
    reads_through("load_audits", A_PAGE, &["audit_logs"]),
    reads_through("load_snapshots", A_PAGE, &["evidence_snapshots"]),
    reads("close_runs", A_PAGE),
    reads("look_for_written", 2 * A_PAGE),
    reads("insert_audits", NONE),
    reads("insert_ledger", NONE),
    reads("watch", NONE),
    reads("unwatch", NONE),
    reads("load_attempts", NONE),
    reads("note_attempt", NONE),
    reads("forget_attempts", NONE),
    reads("finish_jobs", NONE),
    reads("release_jobs", NONE),
    reads("load_verdict", ONE),
    reads("load_verdicts", ONE),
    // A sweep.
    reads("load_due_workspaces", ALL_OPEN),
    reads("load_due", ALL_OPEN),
    reads("open_sweep", NONE),
    reads("note_page", ONE),
    reads("close_sweep", ONE),
    reads("has_leftovers", ALL_OPEN),
    reads("forget_closed", ALL_OPEN),
    reads("take_over_sweeps", A_PAGE),
    // A worker.
    reads("request", A_PAGE),
    reads("note_actions", A_PAGE),
    reads("load_actions", ONE),
    reads("load_pauses", NONE),
    reads("suspect", A_PAGE),
    reads("load_awaited", 2 * A_PAGE),
    reads("forget_early_ticks", NONE),
    reads("win_tick", NONE),
    reads("queue_shards", NONE),
    reads("note_swept", NONE),
    reads("last_swept", NONE),
    reads("keep_alive", NONE),
    reads("sample_moments", 2 * A_PAGE),
    reads("sample_metadata", A_PAGE),
    reads("discard", NONE),
    reads("prune_ticks", NONE),
    reads("extend_ledger", NONE),
    reads("prune_workers", NONE),
    reads_through("prune_jobs", NONE, QUEUE),
    reads_through("discard_unreadable", NONE, QUEUE),
    reads("release_all", NONE),
    reads_through("count_unfinished", NONE, QUEUE),
    reads("place_verdicts", NONE),
    reads("load_tree_state", 2 * ONE),
    reads("take_leaf_turn", NONE),
    // Places and leaves that are found, each with its own row, and with the leaf before it.
    reads("walk_leaves", 3 * PLACES),
    // Leaves that are read at once, each with its position.
    reads("load_leaves", LEAVES),
    reads("load_unsealed", 2 * 200),
    reads("find_exported", PLACES),
    // One place more, for the leaf before the first.
    reads("walk_exported", PLACES + 1),
    reads("insert_leaves", NONE),
    reads("insert_checkpoint", NONE),
    reads("load_checkpoints", A_PAGE),
    // Opinions.
    reads("take_opinion_turn", ONE),
    reads("load_due_opinions", ALL_OPEN),
    reads("walk_runs", WALKED),
    reads("load_opinions", NONE),
    reads("insert_opinions", NONE),
    reads("watch_opinions", NONE),
    reads("unwatch_opinions", NONE),
    reads("watch_open_runs", A_PAGE),
    reads("move_opinion_cursor", NONE),
    reads("list_opinions", ALL_UNPROVEN + A_PAGE),
    reads("find_unproven_runs", 2 * ALL_UNPROVEN),
    reads("count_unproven_runs", 2 * ALL_UNPROVEN),
    reads("walk_verdicts", WALKED),
    // The ledger: entries with all that is compared, among it what the audit log has of the same environment and second,
    // and positions with their entries.
    reads("walk_ledger", 10 * WALKED),
    reads("find_entries", ONE),
    reads("walk_positions", 5_000),
    // A survey.
    reads("survey_restores", SCANNED),
    reads("survey_runs", SCANNED),
    reads("survey_audits", SCANNED),
    // An operator.
    reads_through("load_entries", ALL_OPEN, QUEUE),
    reads("count_shards", NONE),
    reads("load_standings", A_PAGE),
    reads_through("load_jobs", NONE, QUEUE),
    reads("retry", A_PAGE),
    reads("drop_dead_letters", A_PAGE),
    // A console.
    // The run that is asked for, and again for who asked.
    reads_through("request_once", 2 * ONE, QUEUE),
    reads("has_tables", NONE),
    reads("look_for_runs", BESIDE_OTHERS),
    reads("look_for_open_runs", ALL_OPEN),
    // The latest runs of a tenth of the workspaces, among those of all others.
    reads("count_listed_runs", 10 * 5_001 + ALL_OPEN),
    reads("count_listed_restores", 11 * 5_001),
    reads("describe_runs", A_PAGE),
    reads("find_orphaned_runs", ALL_OPEN),
    reads("find_environment", NONE),
    reads("find_by_id", 2 * ONE),
    reads("find_restore", ONE),
    reads("look_for_restores", BESIDE_OTHERS),
    reads("find_sources", ONE),
    reads("list_environments", NONE),
    // Of each environment on a page, one row and the next below it.
    reads_through("find_latest_restores", A_PAGE, &["restore_runs"]),
    reads("find_preparing", NONE),
    reads_through("count_open_runs", ALL_OPEN, &["restore_runs"]),
    reads_through("find_backup_sets", NONE, &["backup_sets"]),
    reads_through("load_backup_items", 4 * A_PAGE, &["backup_items"]),
    reads("load_recent_verdicts", 50 * A_PAGE),
    reads("list_sweeps", A_PAGE),
    reads("list_workers", NONE),
    reads("count_undecided", ALL_OPEN),
    // The latest verdicts of a tenth of the workspaces, each with its run.
    reads("load_status", 10_000 + ALL_OPEN),
    reads("last_complete_sweep", 100),
];

/// Files that no day needs, and why.
const OTHERS: &[(&str, &str)] = &[
    ("add_triggers", "creates, and has no plan"),
    ("remove_triggers", "drops, and has no plan"),
    ("check_deferred", "is a setting, and has no plan"),
    (
        "find_lockable",
        "reads what was locked, where a policy is on the table",
    ),
    ("schema_version", "reads a row per migration"),
    ("lock_migrations", "reads nothing"),
    ("is_ledger_copied", "reads the catalogue"),
    ("copy_ledger", "reads what it copies, once"),
    ("set_local", "reads nothing"),
    ("backend_pid", "reads nothing"),
    ("lock_queue", "reads nothing"),
    ("load_runs_alone", "is load_runs without our tables"),
    (
        "load_due_workspaces_alone",
        "is load_due_workspaces without our tables",
    ),
    ("load_due_alone", "is load_due without our tables"),
    ("look_before_migrating", "reads the catalogue"),
    ("load_binding", "reads the one row"),
    ("load_install_id", "reads the one row"),
    ("bind", "writes the one row"),
    ("look_before_uninstalling", "reads the catalogue"),
    ("applied_own", "reads a row per migration"),
    ("applied_queue", "reads a row per migration"),
    (
        "count_verdicts",
        "reads the whole ledger, once, before it is removed",
    ),
    (
        "look_into_queue",
        "reads all jobs and workers, once, before they are removed",
    ),
    ("drop_own", "removes what it names"),
    ("correct_queue", "reads the catalogue"),
    ("drop_queue", "removes what it names"),
    ("shape", "reads the catalogue"),
    (
        "empty_jobs",
        "removes all jobs, once, where they are worthless",
    ),
    (
        "empty_workers",
        "removes all workers, once, where they are worthless",
    ),
    (
        "repair_claims",
        "reads all jobs, once, where the workers were lost",
    ),
    ("find_holders", "reads the catalogue"),
    ("end_waits", "reads what sessions do"),
    ("send_notice", "reads nothing"),
    ("demand_primary", "reads nothing"),
    ("demand_standby", "reads nothing"),
    ("which_database", "reads a file of the server"),
    ("load_item_types", "looks items up by their ids"),
    ("announce_rules", "writes the worker's own row"),
    ("list_judges", "reads a row per worker"),
    ("withdraw_rules", "reads a row per worker"),
    ("claim_census", "reads the census's one row"),
    ("load_census", "reads the census's one row"),
    ("publish_census", "writes the census's one row"),
    (
        "count_feed",
        "reads a row per consumer, and the first that waits",
    ),
    (
        "count_queue",
        "counts all jobs, for all workers once per interval",
    ),
    (
        "count_forgettable",
        "reads all facts, once, before a workspace is forgotten",
    ),
    (
        "forget_facts",
        "reads all facts, where a workspace is forgotten",
    ),
    (
        "forget_opinion_facts",
        "reads all facts, where a workspace is forgotten",
    ),
    ("note_action", "reads nothing"),
    ("pause", "writes a row"),
    ("resume", "reads a row per pause"),
    (
        "end_deferrals",
        "reads the watch list, once, where something is resumed",
    ),
    (
        "count_runs",
        "counts the whole ledger, for all workers once per interval",
    ),
];

#[test]
fn every_statement_is_listed_or_excused() {
    let mut files = BTreeSet::new();
    for folder in ["sql", "postgres/sql"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
        for entry in fs::read_dir(path.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.extend(name.strip_suffix(".sql").map(str::to_owned));
        }
    }
    assert!(files.len() > 50, "the files were not found");
    let listed = STATEMENTS.iter().map(|statement| statement.name);
    let known: Vec<&str> = listed.chain(OTHERS.iter().map(|(name, _)| *name)).collect();
    let unique: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    assert_eq!(unique.len(), known.len(), "one place each");
    assert_eq!(unique, files);
}
