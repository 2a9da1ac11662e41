//! The real binary, and a small platform for it to judge.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use reconciler_fixtures::{Case, CaseIds, PlatformRows, Standin};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use restore_reconciler::internals::{
    cli::output::Document,
    clock,
    storage::{self, Access, Limits, Store},
    worker,
};
use serde_json::json;
use tempfile::TempDir;

pub(crate) use crate::support::process::program;
use crate::support::roles::{Purpose, grant};

/// Complete proof.
pub(crate) const PROVEN: i64 = 1;
/// The restore failed.
pub(crate) const FAILED: i64 = 2;
/// The restore is still running.
pub(crate) const RUNNING: i64 = 3;
/// Another type of operation.
pub(crate) const OTHER_TYPE: i64 = 4;
/// Closed by somebody else, who claims success.
pub(crate) const CLOSED: i64 = 5;
/// No evidence; an item's id is made to trick a terminal. In another workspace.
pub(crate) const UNPROVEN: i64 = 6;
/// Named a restore that belongs to somebody else.
pub(crate) const FOREIGN: i64 = 7;

pub(crate) const SECRET: &str = "hunter2-do-not-print";

/// What a run of the binary left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn document(&self) -> Document {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    pub(crate) fn all(&self) -> String {
        format!("{}\n{}\n{}", self.code, self.stdout, self.stderr)
    }

    /// Asserts the exit code and that nothing secret or forbidden was said.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        let said = self.all().to_lowercase();
        let claims = "recovery verified; is healthy; compliant; customer-safe";
        // The line of a server's program helps nobody.
        for forbidden in claims.split("; ").chain([SECRET, " at line "]) {
            assert!(!said.contains(forbidden), "{forbidden}: {said}");
        }
        // The configuration names a counter, and what completes words a word, which claims nothing.
        let claims_nothing = [
            "summary_keys",
            "_restore-reconciler",
            "complete -c",
            "edit:complet",
            "CompletionResult",
        ];
        let is_claim = !claims_nothing.iter().any(|it| self.stdout.contains(it));
        if says_succeeded(&self.stdout) && is_claim {
            assert!(self.stdout.contains(CLAIM_BOUNDARY), "{}", self.stdout);
        }
        assert!(!self.stdout.contains('\u{1b}') && !self.stderr.contains('\u{1b}'));
        self
    }

    #[track_caller]
    pub(crate) fn says(self, stdout: &[&str], stderr: &[&str]) -> Self {
        for text in stdout {
            assert!(self.stdout.contains(text), "{text:?} in {}", self.all());
        }
        for text in stderr {
            assert!(self.stderr.contains(text), "{text:?} in {}", self.all());
        }
        self
    }
}

/// The word itself, not `partially_succeeded`.
fn says_succeeded(text: &str) -> bool {
    text.match_indices("succeeded")
        .any(|(start, _)| !text[..start].ends_with('_'))
}

pub(crate) fn run(url: &str, arguments: &[&str]) -> Ran {
    ran(&mut program(url, arguments))
}

/// Runs one command line after the other. Each row is one, then `⇒`, its exit code, and what it says: behind `|` on
/// standard output, behind `!` on standard error.
#[track_caller]
pub(crate) fn assert_says(url: &str, rows: &str) {
    for row in rows.lines().map(str::trim) {
        println!("{row}");
        let (line, expected) = row.split_once(" ⇒ ").expect("a row");
        let (stdout, stderr) = expected.split_once(" ! ").unwrap_or((expected, ""));
        let (code, stdout) = stdout.split_once(" | ").unwrap_or((stdout, ""));
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let [stdout, stderr] = [stdout.split(" | "), stderr.split(" ! ")].map(Vec::from_iter);
        run(url, &arguments)
            .exits(code.trim().parse().expect("an exit code"))
            .says(&stdout, &stderr);
    }
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary was built");
    Ran {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A SQLite file that is gone afterwards.
pub(crate) struct File {
    directory: TempDir,
    /// The connection that planted it. Whoever closes the last one moves the log into the file, at
    /// a moment of its own, so this one stays open where bytes are compared.
    store: Option<Store>,
}

impl File {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a temporary directory"),
            store: None,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("platform.sqlite")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    pub(crate) async fn create(&self) -> Store {
        open(&self.url(), Access::Create).await
    }

    /// The platform's tables and rows, our schema, and the queue.
    pub(crate) async fn planted() -> Self {
        let mut file = Self::new();
        let store = file.create().await;
        plant(&file.url()).await;
        store.migrate().await.unwrap();
        worker::set_up(&store).await.unwrap();
        file.store = Some(store);
        file
    }

    /// Every file that holds anything, with its bytes.
    ///
    /// Read by another process: closing a file gives up every lock that a process holds on it, and
    /// with it those of the connection above.
    pub(crate) fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // Shared memory indexes the log; without a log it holds nothing.
            .filter(|name| !name.ends_with("-shm"))
            .map(|name| {
                let path = self.directory.path().join(&name);
                let read = Command::new("cat").arg(path).output().unwrap();
                assert!(read.status.success(), "{name} cannot be read");
                (name, read.stdout)
            })
            .filter(|(_, bytes)| !bytes.is_empty())
            .collect()
    }
}

pub(crate) async fn open(url: &str, access: Access) -> Store {
    let store = storage::connect(url, access, &Limits::default()).await;
    store.unwrap()
}

/// The platform's tables and rows.
pub(crate) async fn plant(url: &str) {
    let standin = Standin::new(&Purpose::Owner.url(url)).unwrap();
    standin.install().await.unwrap();
    standin.plant(&platform()).await.unwrap();
    if url.starts_with("postgres:") {
        grant(url).await;
    }
}

/// Runs statements beside the program.
pub(crate) async fn execute(url: &str, script: &'static str) {
    let standin = Standin::new(&Purpose::Engineer.url(url)).unwrap();
    standin.execute_script(script).await.unwrap();
}

fn platform() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for id in [1, 2] {
        let environment = (id, format!("environment {id}"));
        rows.add_environments(id, format!("workspace {id}"), [environment]);
    }
    rows.extend((PROVEN..=FOREIGN).map(case));
    rows
}

fn case(run: i64) -> Case {
    let workspace = if run == UNPROVEN { 2 } else { 1 };
    let ids = CaseIds {
        run,
        restore: 1_000 + run,
        workspace,
        environment: workspace,
    };
    let mut case = Case::new(ids, clock::wall());
    case.without_foundation();
    case.request([(11, json!({ "status": "applied" }))]);
    case.restore.metadata = None;
    case.run.context = None;
    case.run.summary_counts = None;
    if run != PROVEN {
        case.snapshots.clear();
    }
    if ![PROVEN, UNPROVEN].contains(&run) {
        case.audits.clear();
    }
    case.has_restore = [PROVEN, FAILED, RUNNING, UNPROVEN].contains(&run);
    match run {
        FAILED => {
            "failed".clone_into(&mut case.restore.status);
            case.item("11", json!({ "status": "failed" }));
        }
        RUNNING => {
            "queued".clone_into(&mut case.run.status);
            "running".clone_into(&mut case.restore.status);
            case.without_items();
        }
        OTHER_TYPE => "backup.execute".clone_into(&mut case.run.r#type),
        CLOSED => {
            "completed".clone_into(&mut case.run.status);
            "succeeded".clone_into(&mut case.run.outcome);
        }
        UNPROVEN => case.item("\u{1b}[2J", json!({ "status": "failed" })),
        // The restore of a run in another workspace.
        FOREIGN => case.run.context = Some(r#"{"restore_run_id": 1006}"#.to_owned()),
        _ => {}
    }
    case
}
