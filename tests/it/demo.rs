//! The demonstration, on both databases: every reason code, nothing foreign, and a second pass that
//! changes nothing.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use reconciler_fixtures::{HIDDEN_IDS, Standin};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::{Decision, Policy, ReasonCode};
use restore_reconciler::demo::{
    self, DemoError, DemoOptions, DemoProgress, DemoReport, Phase, QueueReport, ThroughQueue,
};
use restore_reconciler::storage::reader::Workspaces;
use restore_reconciler::storage::{Access, Backend, Limits, QueuePool, Store, Tally, connect};
use restore_reconciler::worker;
use serde_json::Value;
use sqlx::{PgPool, SqlitePool};

use crate::support::cluster::database;

/// An empty database, a store on it, and a way past the store.
struct Stage {
    store: Store,
    standin: Standin,
    beside: Beside,
    _until_the_end: Box<dyn Any + Send>,
}

enum Beside {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A SQLite file, removed with this value.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str) -> Self {
        let name = format!("demo-{name}-{}.sqlite", std::process::id());
        let file = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.remove(); // a killed process with the same id may have left one
        file
    }

    fn remove(&self) {
        let suffixes = ["", "-wal", "-shm", ".queue", ".queue-wal", ".queue-shm"];
        for suffix in suffixes {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            drop(std::fs::remove_file(path)); // usually not there
        }
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Stage {
    async fn sqlite(name: &str) -> Self {
        let file = TemporaryFile::new(name);
        let url = format!("sqlite:{}", file.0.display());
        let store = connect(&url, Access::Create, &Limits::default())
            .await
            .unwrap();
        let pool = SqlitePool::connect(&url).await.unwrap();
        Self {
            store,
            standin: Standin::new(&url).unwrap(),
            beside: Beside::Sqlite(pool),
            _until_the_end: Box::new(file),
        }
    }

    async fn postgres() -> Self {
        let database = database().await;
        let store = connect(&database.url(), Access::Write, &Limits::default())
            .await
            .unwrap();
        let pool = PgPool::connect(&database.url()).await.unwrap();
        Self {
            store,
            standin: Standin::new(&database.url()).unwrap(),
            beside: Beside::Postgres(pool),
            _until_the_end: Box::new(database),
        }
    }

    async fn demonstrate(&self, runs: u64) -> Result<(DemoReport, Vec<DemoProgress>), DemoError> {
        self.demonstrate_as(runs, None).await
    }

    async fn demonstrate_through_queue(
        &self,
        runs: u64,
    ) -> Result<(DemoReport, Vec<DemoProgress>), DemoError> {
        self.demonstrate_as(runs, Some(ThroughQueue::default()))
            .await
    }

    async fn demonstrate_as(
        &self,
        runs: u64,
        through_queue: Option<ThroughQueue>,
    ) -> Result<(DemoReport, Vec<DemoProgress>), DemoError> {
        let options = DemoOptions {
            runs,
            through_queue,
            ..DemoOptions::default()
        };
        let mut said = Vec::new();
        let report = demo::run(&self.store, &self.standin, &options, |progress| {
            said.push(progress);
        })
        .await?;
        Ok((report, said))
    }

    /// Runs the statement for this database; each row is a run and a text.
    async fn rows(&self, postgres: &'static str, sqlite: &'static str) -> Vec<(i64, String)> {
        match &self.beside {
            Beside::Postgres(pool) => sqlx::query_as(postgres).fetch_all(pool).await.unwrap(),
            Beside::Sqlite(pool) => sqlx::query_as(sqlite).fetch_all(pool).await.unwrap(),
        }
    }

    async fn reconciliations(&self) -> Vec<(i64, String)> {
        self.rows(
            "SELECT id, context ->> 'reconciliation' FROM operation_runs
             WHERE status = 'completed' AND jsonb_typeof(context) = 'object'
               AND context ? 'reconciliation'",
            "SELECT id, context ->> '$.reconciliation' FROM operation_runs
             WHERE status = 'completed' AND context ->> '$.reconciliation' IS NOT NULL",
        )
        .await
    }

    async fn audits(&self) -> Vec<(i64, String)> {
        self.rows(
            "SELECT resource_id::bigint, jsonb_build_array(metadata, summary, resource_id)::text
             FROM audit_logs WHERE action = 'operation_run.reconciled'",
            "SELECT CAST(resource_id AS INTEGER), json_array(json(metadata), summary, resource_id)
             FROM audit_logs WHERE action = 'operation_run.reconciled'",
        )
        .await
    }

    async fn ledger(&self) -> Vec<(i64, String)> {
        self.rows(
            "SELECT operation_run_id, '[' || facts || ',' || decision || ',' || workspace_id || ']'
             FROM reconciler.ledger",
            "SELECT operation_run_id, '[' || facts || ',' || decision || ',' || workspace_id || ']'
             FROM reconciler_ledger",
        )
        .await
    }

    async fn sources(&self) -> BTreeSet<String> {
        let rows = self
            .rows(
                "SELECT operation_run_id, source FROM reconciler.ledger",
                "SELECT operation_run_id, source FROM reconciler_ledger",
            )
            .await;
        rows.into_iter().map(|(_, source)| source).collect()
    }

    /// How many jobs there are in each state.
    async fn jobs(&self) -> Vec<(i64, String)> {
        match self.store.queue_pool() {
            QueuePool::Postgres(pool) => {
                let jobs = "SELECT count(*), status FROM apalis.jobs GROUP BY status";
                sqlx::query_as(jobs).fetch_all(&pool).await.unwrap()
            }
            QueuePool::Sqlite(pool) => {
                let jobs = "SELECT count(*), status FROM Jobs GROUP BY status";
                sqlx::query_as(jobs).fetch_all(&pool).await.unwrap()
            }
        }
    }

    /// Queues a job that no worker will take in this century.
    async fn plant_a_job_for_later(&self) {
        worker::set_up(&self.store).await.unwrap();
        match self.store.queue_pool() {
            QueuePool::Postgres(pool) => sqlx::raw_sql(
                "INSERT INTO apalis.jobs
                     (id, job_type, job, status, attempts, max_attempts, run_at, priority)
                 VALUES ('00000000000000000000000000', 'restore.execute', '{}', 'Pending', 0, 1, '2200-01-01', 0)",
            )
            .execute(&pool)
            .await
            .map(drop),
            QueuePool::Sqlite(pool) => sqlx::raw_sql(
                "INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
                 VALUES ('00000000000000000000000000', 'restore.execute', '{}', 'Pending', 0, 1, 7258118400, 0)",
            )
            .execute(&pool)
            .await
            .map(drop),
        }
        .unwrap();
    }

    /// Everything that verdicts wrote: three texts per verdict, each a JSON document.
    async fn written(&self) -> [Vec<(i64, String)>; 3] {
        [
            self.reconciliations().await,
            self.audits().await,
            self.ledger().await,
        ]
    }
}

fn assert_as_expected(report: &DemoReport) {
    for scenario in &report.scenarios {
        assert!(scenario.as_expected, "{scenario:#?}");
    }
    let volume = report.volume.as_ref();
    assert_eq!(volume.map_or(0, |volume| volume.unexpected), 0);
    assert!(report.unchanged);
    assert!(report.is_as_expected());
    assert_eq!(report.first.swept.passed_over, 0);
    assert_eq!(report.first.swept.refused, 1);
    assert_eq!(
        report.second.swept.looked_at(),
        0,
        "nothing is due any more"
    );
    assert_eq!(report.second.by_command, report.first.by_command);
}

fn assert_every_code_is_a_primary_reason(report: &DemoReport) {
    let seen: BTreeSet<_> = report
        .scenarios
        .iter()
        .filter_map(|scenario| scenario.reason_code)
        .collect();
    let never: Vec<_> = ReasonCode::ALL
        .iter()
        .filter(|code| !seen.contains(code))
        .collect();
    assert!(never.is_empty(), "{never:?}");
}

/// One entry of each kind per verdict, and none for any other run.
async fn assert_written_once(stage: &Stage, report: &DemoReport) {
    let first = &report.first.swept;
    let verdicts = first.succeeded + first.partially_succeeded + first.blocked + first.failed;
    let written = stage.written().await;
    let runs: Vec<BTreeSet<i64>> = written
        .iter()
        .map(|rows| rows.iter().map(|(run, _)| *run).collect())
        .collect();
    for (rows, runs) in written.iter().zip(&runs) {
        assert_eq!(rows.len() as u64, verdicts);
        assert_eq!(runs.len() as u64, verdicts, "one row per run");
        assert_eq!(Some(runs), runs_of(&written).as_ref(), "for the same runs");
    }
    for scenario in &report.scenarios {
        let written = runs.iter().all(|runs| runs.contains(&scenario.run.0));
        assert_eq!(written, scenario.decision.is_verdict(), "{}", scenario.name);
    }
}

fn runs_of(written: &[Vec<(i64, String)>; 3]) -> Option<BTreeSet<i64>> {
    let rows = written.last()?;
    Some(rows.iter().map(|(run, _)| *run).collect())
}

async fn assert_nothing_foreign_is_mentioned(stage: &Stage) {
    let mut numbers = 0;
    for (run, text) in stage.written().await.iter().flatten() {
        let document: Value = serde_json::from_str(text).unwrap();
        each_number(&document, &mut |number| {
            assert!(number < HIDDEN_IDS, "run {run} mentions {number}: {text}");
            numbers += 1;
        });
    }
    assert!(numbers > 1_000, "the texts were not looked into");
}

fn each_number(value: &Value, visit: &mut impl FnMut(i64)) {
    match value {
        Value::Number(number) => visit(number.as_i64().expect("ids and counts are integers")),
        Value::String(text) => {
            if let Ok(number) = text.parse() {
                visit(number);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_number(item, visit)),
        Value::Object(entries) => {
            for (key, item) in entries {
                each_number(&Value::from(key.as_str()), visit);
                each_number(item, visit);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Phases follow each other, and each one counts up to its end.
fn assert_progress_is_usable(said: &[DemoProgress]) {
    assert!(said.is_sorted_by_key(|progress| (progress.phase, progress.done)));
    for phase in [Phase::Planting, Phase::FirstPass, Phase::Reading] {
        let last = said
            .iter()
            .rfind(|progress| progress.phase == phase)
            .unwrap();
        assert!(last.total > 0);
        assert_eq!(last.done, last.total, "{phase:?}");
    }
}

async fn scenarios_hold_on(stage: Stage) {
    let (report, said) = stage.demonstrate(0).await.unwrap();
    assert_as_expected(&report);
    assert_every_code_is_a_primary_reason(&report);
    assert_written_once(&stage, &report).await;
    assert_nothing_foreign_is_mentioned(&stage).await;
    assert_progress_is_usable(&said);

    let before = stage.standin.fingerprint().await.unwrap();
    let again = stage.demonstrate(0).await;
    assert!(matches!(again, Err(DemoError::PlatformPresent)));
    assert_eq!(stage.standin.fingerprint().await.unwrap(), before);
}

#[tokio::test]
async fn every_scenario_comes_out_as_the_rulebook_demands_on_sqlite() {
    scenarios_hold_on(Stage::sqlite("scenarios").await).await;
}

#[tokio::test]
async fn every_scenario_comes_out_as_the_rulebook_demands_on_postgres() {
    scenarios_hold_on(Stage::postgres().await).await;
}

/// How what would be said now relates to each recorded verdict.
async fn changes_since(stage: &Stage) -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    for (run, _) in stage.ledger().await {
        let run = RunId(run);
        let reader = stage.store.reader();
        let verdict = reader.load_verdict(&Workspaces::All, run).await;
        let verdict = verdict.unwrap().unwrap();
        let recorded: Decision = serde_json::from_str(&verdict.decision).unwrap();
        let assessed = reader
            .assess(&Workspaces::All, &[run], &Policy::default())
            .await;
        let now = Now::of(&assessed.unwrap()[0].facts, Some(&recorded));
        changes.insert(now.change);
    }
    changes
}

/// Scenes change nothing of what is demonstrated, and every way in which proof can come late is among them.
async fn scenes_stand_beside_the_scenarios_on(stage: Stage, through_queue: Option<ThroughQueue>) {
    let options = DemoOptions {
        scenes: true,
        through_queue,
        ..DemoOptions::default()
    };
    let report = demo::run(&stage.store, &stage.standin, &options, |_| ())
        .await
        .unwrap();
    assert!(report.unchanged && report.is_as_expected(), "{report:#?}");
    assert_every_code_is_a_primary_reason(&report);
    assert_written_once(&stage, &report).await;
    assert_nothing_foreign_is_mentioned(&stage).await;
    let changes = changes_since(&stage).await;
    let unrecorded = [
        Change::OpenUndecided,
        Change::RecordUnreadable,
        Change::RecordContradicted,
        Change::ClosedElsewhere,
    ];
    for change in Change::ALL {
        assert_eq!(
            changes.contains(&change),
            !unrecorded.contains(&change),
            "{change:?}"
        );
    }
}

#[tokio::test]
async fn scenes_stand_beside_the_scenarios_on_sqlite() {
    scenes_stand_beside_the_scenarios_on(Stage::sqlite("scenes").await, None).await;
}

#[tokio::test]
async fn scenes_stand_beside_the_scenarios_on_postgres() {
    let through_queue = Some(ThroughQueue::default());
    scenes_stand_beside_the_scenarios_on(Stage::postgres().await, through_queue).await;
}

#[tokio::test]
async fn two_thousand_generated_runs_come_out_alike_on_both_databases() {
    let [sqlite, postgres] = [Stage::sqlite("volume").await, Stage::postgres().await];
    let (on_sqlite, _) = sqlite.demonstrate(2_000).await.unwrap();
    let (on_postgres, said) = postgres.demonstrate(2_000).await.unwrap();
    for (stage, report) in [(&sqlite, &on_sqlite), (&postgres, &on_postgres)] {
        assert_as_expected(report);
        assert_written_once(stage, report).await;
        assert_nothing_foreign_is_mentioned(stage).await;
    }
    assert_progress_is_usable(&said);
    for (left, right) in on_sqlite.scenarios.iter().zip(&on_postgres.scenarios) {
        assert_eq!(left, right);
    }
    assert_eq!(on_sqlite.scenarios.len(), on_postgres.scenarios.len());
    assert_eq!(on_sqlite.volume, on_postgres.volume);
    assert_eq!(on_sqlite.first.swept, on_postgres.first.swept);
}

/// The same scenarios, the same verdicts, read field by field; only what led to the run differs.
fn assert_same_verdicts(swept: &DemoReport, queued: &DemoReport) {
    assert_eq!(swept.scenarios.len(), queued.scenarios.len());
    for (swept, queued) in swept.scenarios.iter().zip(&queued.scenarios) {
        let mut swept = serde_json::to_value(swept).unwrap();
        if swept["reached_by"] == "sweep" {
            swept["reached_by"] = "request".into();
        }
        assert_eq!(swept, serde_json::to_value(queued).unwrap());
    }
    assert_eq!(swept.volume, queued.volume);
    assert_eq!(swept.first.swept, queued.first.swept);
    assert_eq!(swept.first.by_command, queued.first.by_command);
    assert_eq!(swept.second.by_command, queued.second.by_command);
    assert_eq!(swept.first.queue, None);
}

/// One job per open run in each pass, each finished; open runs stay open for the same reasons.
fn assert_passes_went_through_the_queue(report: &DemoReport) {
    let (first, second) = (&report.first, &report.second);
    let runs = report.scenarios.len() as u64 + report.volume.as_ref().unwrap().runs;
    let by_command = first.by_command.looked_at();
    assert!(by_command > 0);
    let asked = QueueReport {
        queued: runs - by_command,
        turned_away: by_command,
    };
    assert_eq!(first.queue, Some(asked));
    assert_eq!(first.swept.looked_at(), asked.queued);

    let open = first.swept.deferred + first.swept.refused;
    assert!(first.swept.refused == 1 && open > 1 && first.swept.verdicts() > 1);
    let asked = QueueReport {
        queued: open,
        turned_away: runs - open,
    };
    assert_eq!(second.queue, Some(asked));
    let stayed_open = Tally {
        deferred: first.swept.deferred,
        refused: first.swept.refused,
        ..Tally::default()
    };
    assert_eq!(second.swept, stayed_open);
}

async fn queue_comes_to_the_same_on(swept: Stage, queued: Stage) {
    let (by_sweep, _) = swept.demonstrate(200).await.unwrap();
    let (report, said) = queued.demonstrate_through_queue(200).await.unwrap();
    assert_same_verdicts(&by_sweep, &report);
    assert_passes_went_through_the_queue(&report);
    assert!(report.is_as_expected(), "{report:#?}");
    assert_written_once(&queued, &report).await;
    assert_nothing_foreign_is_mentioned(&queued).await;
    assert_progress_is_usable(&said);

    assert_eq!(swept.sources().await, BTreeSet::from(["sweep".to_owned()]));
    assert_eq!(
        queued.sources().await,
        BTreeSet::from(["request".to_owned()])
    );
    let jobs = [report.first, report.second].map(|pass| pass.queue.unwrap().queued);
    let jobs = i64::try_from(jobs.iter().sum::<u64>()).unwrap();
    assert_eq!(queued.jobs().await, [(jobs, "Done".to_owned())]);
    assert_digests_tell_looks_from_changes(&queued).await;
}

async fn assert_digests_tell_looks_from_changes(stage: &Stage) {
    let [look, reason] = match stage.store.backend() {
        Backend::Postgres => [
            "UPDATE reconciler.watch_list SET tries = tries + 1",
            "UPDATE reconciler.watch_list SET reason_code = 'other'",
        ],
        Backend::Sqlite => [
            "UPDATE reconciler_watch_list SET tries = tries + 1",
            "UPDATE reconciler_watch_list SET reason_code = 'other'",
        ],
    };
    let (standin, run) = (
        &stage.standin,
        "UPDATE operation_runs SET outcome = 'other'",
    );
    let whole = standin.fingerprint().await.unwrap();
    let before = standin.fingerprint_but_looks().await.unwrap();
    standin.execute_script(look).await.unwrap();
    assert_ne!(standin.fingerprint().await.unwrap(), whole);
    assert_eq!(standin.fingerprint_but_looks().await.unwrap(), before);
    standin.execute_script(reason).await.unwrap();
    let watched = standin.fingerprint_but_looks().await.unwrap();
    assert_ne!(watched, before);
    standin.execute_script(run).await.unwrap();
    assert_ne!(standin.fingerprint_but_looks().await.unwrap(), watched);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_comes_to_the_same_as_a_sweep_on_sqlite() {
    let stages = (Stage::sqlite("swept").await, Stage::sqlite("queued").await);
    queue_comes_to_the_same_on(stages.0, stages.1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_comes_to_the_same_as_a_sweep_on_postgres() {
    queue_comes_to_the_same_on(Stage::postgres().await, Stage::postgres().await).await;
}

async fn a_job_that_is_left_is_told_on(stage: Stage) {
    stage.plant_a_job_for_later().await;
    let impatient = ThroughQueue {
        stalled_after: Duration::from_secs(6), // some are finished in less, on a busy machine too
        ..ThroughQueue::default()
    };
    let error = stage.demonstrate_as(0, Some(impatient)).await.unwrap_err();
    let DemoError::Stalled { left, queued, .. } = error else {
        panic!("{error}");
    };
    assert!(0 < left && left < queued, "{left} of {queued}");
    assert!(error.to_string().ends_with("none was finished for 6s"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_finishes_ends_the_wait_and_is_told_on_sqlite() {
    a_job_that_is_left_is_told_on(Stage::sqlite("stalled").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_finishes_ends_the_wait_and_is_told_on_postgres() {
    a_job_that_is_left_is_told_on(Stage::postgres().await).await;
}

#[tokio::test]
async fn a_report_says_the_same_words_as_json() {
    let stage = Stage::sqlite("words").await;
    let (report, _) = stage.demonstrate(1).await.unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["volume"]["runs"], 1);
    for (scenario, json) in report
        .scenarios
        .iter()
        .zip(json["scenarios"].as_array().unwrap())
    {
        assert_eq!(json["decision"], scenario.decision.name());
        assert_eq!(json["reason_code"], scenario.expected_reason.code());
        assert_eq!(json["run"], scenario.run.0);
        assert!(!scenario.next_action.is_empty());
    }
}
