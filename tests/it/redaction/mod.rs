//! Nothing that the platform holds is repeated: secrets stand in every text and every JSON column, and none of
//! them, nor any piece of one, is in what the product says or writes.
//!
//! | Module | Story |
//! |---|---|
//! | `secrets` | secrets that can be told apart, and how a piece of one is found |
//! | `sown` | a world with secrets in every column |
//! | `product` | the real binary, and everything it says |
//! | `said` | what may be said where, and why; all else is a leak |
//!
//! **Limit:** what is found is found as text, in any case, or as a list of bytes; not reversed, not hashed, not
//! encoded otherwise.

mod product;
mod said;
mod secrets;
mod sown;

use std::fs;
use std::io::Read as _;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::canonical::digest_of;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::storage::SweepStart;
use tempfile::TempDir;
use url::Url;
use zip::ZipArchive;

use self::product::{Call, Running};
use self::said::{Said, Surface, assert_exceptions_are_needed, assert_silent};
use self::secrets::Secrets;
use self::sown::{ASKED, DEAD, PREPARATION, REFUSED, sow};
use crate::console::server::Ask;
use crate::contract::place_verdicts;
use crate::support::case::Case;
use crate::support::scene::{VERDICTS, text_of};
use crate::support::store::Fixture;
use crate::support::time::eventually;
use crate::tree::seal_all;
use crate::work::jobs::queue;

/// A table or a statement, and what it is about.
type Query = (Surface, &'static str, &'static str);

/// What we write beside and into the platform's rows, and our own tables.
const WRITTEN: &[Query] = &[
    (
        Surface::Written,
        "audit_logs",
        "SELECT * FROM audit_logs WHERE action = 'operation_run.reconciled'",
    ),
    (
        Surface::Own,
        "watch_list",
        "SELECT operation_run_id, reason_code FROM reconciler.watch_list",
    ),
    (
        Surface::Refusal,
        "watch_list.error",
        "SELECT error FROM reconciler.watch_list WHERE error IS NOT NULL",
    ),
    (
        Surface::Ledger,
        "ledger",
        "SELECT * FROM reconciler.verdicts",
    ),
];

/// Our own tables that are read whole.
const OWN: &str =
    "reconciler.attempts reconciler.sweeps reconciler.ticks reconciler.census apalis.workers";

/// On either system, as are the next two: what verdicts wrote into contexts.
const RECONCILIATIONS: [&str; 2] = [
    "SELECT json_extract(context, '$.reconciliation') AS text FROM operation_runs
     WHERE id IN (SELECT operation_run_id FROM reconciler.ledger)",
    "SELECT (context::jsonb -> 'reconciliation')::text AS text FROM operation_runs
     WHERE id IN (SELECT operation_run_id FROM reconciler.ledger)",
];

/// The entry that a verdict adds is the last one. What is no list gets none.
const FAILURES: [&str; 2] = [
    "SELECT json_extract(failure_summary, '$[#-1]') AS text FROM operation_runs
     WHERE json_type(failure_summary) = 'array'
       AND id IN (SELECT operation_run_id FROM reconciler.ledger WHERE outcome <> 'succeeded')",
    "SELECT (failure_summary::jsonb -> -1)::text AS text FROM operation_runs
     WHERE jsonb_typeof(failure_summary::jsonb) = 'array'
       AND id IN (SELECT operation_run_id FROM reconciler.ledger WHERE outcome <> 'succeeded')",
];

/// Jobs without what whoever queued them wrote.
const JOBS: [&str; 2] = [
    "SELECT id, status, lock_by, last_result FROM apalis.jobs",
    "SELECT id, status, lock_by, last_result::text FROM apalis.jobs",
];

/// Open runs that nobody has looked at.
const NOT_LOOKED_AT: &str = "SELECT count(*) FROM operation_runs
    WHERE type = 'restore.execute' AND status IN ('queued', 'running')
      AND id NOT IN (SELECT operation_run_id FROM reconciler.watch_list)
      AND id NOT IN (SELECT operation_run_id FROM reconciler.attempts)";

const OPEN_JOBS: &str =
    "SELECT count(*) FROM apalis.jobs WHERE status NOT IN ('Done', 'Killed', 'Failed')";

/// A database with secrets, and the product on it.
struct Stage {
    on: Fixture,
    secrets: Secrets,
    /// Runs in which words are secrets.
    rough: Vec<i64>,
    call: Call,
    token: String,
    directory: TempDir,
}

impl Stage {
    async fn new(on: Fixture, format: &str) -> Self {
        let on = on.with_queue().await;
        let mut secrets = Secrets::default();
        let rough = sow(&on, &mut secrets).await;
        if on.is_sqlite() {
            make_unreadable(&on, &mut secrets).await;
        }
        refuse(&on, &mut secrets).await;
        ask_badly(&on, &mut secrets).await;
        bury(&on).await;
        let token = format!("rrt_{}", secrets.core("a token of the console"));
        let directory = TempDir::new().expect("a temporary directory");
        let config = directory.path().join("reconciler.toml");
        fs::write(&config, configuration(format, &token)).expect("a file");
        let url = with_password(&on, &mut secrets);
        assert!(secrets.len() >= 1_000, "{} secrets", secrets.len());
        Self {
            on,
            secrets,
            rough,
            call: Call { url, config },
            token,
            directory,
        }
    }

    async fn until(&self, query: &str, wanted: impl Fn(i64) -> bool, working: &Running) {
        let is_so = async || wanted(self.on.count(query).await).then_some(());
        let state = async || {
            let (found, log) = (self.on.count(query).await, working.log());
            let bad = |line: &&str| line.contains("WARN") || line.contains("ERROR");
            let last: Vec<&str> = log.lines().rev().filter(bad).take(20).collect();
            format!("{found}: {query}\n{}", last.join("\n"))
        };
        eventually(is_so, state).await;
    }

    /// Everything that was written, column by column.
    async fn written(&self) -> Vec<Said> {
        let on_either = [
            (Surface::Written, "context.reconciliation", RECONCILIATIONS),
            (Surface::Written, "failure_summary", FAILURES),
            (Surface::Own, "jobs", JOBS),
        ];
        let on_either = on_either.map(|(surface, by, [sqlite, postgres])| {
            (surface, by, self.on.either(sqlite, postgres).to_owned())
        });
        let own = OWN
            .split(' ')
            .map(|table| (Surface::Own, table, format!("SELECT * FROM {table}")));
        let others = WRITTEN
            .iter()
            .map(|(surface, by, query)| (*surface, *by, (*query).to_owned()));
        let mut said = Vec::new();
        for (surface, by, query) in others.chain(own).chain(on_either) {
            let rows = self.on.rows(&query).await;
            assert!(!rows.is_empty(), "{by}: nothing was written");
            said.push(Said::new(surface, by, format!("{rows:#?}")));
        }
        said
    }
}

fn configuration(format: &str, token: &str) -> String {
    format!(
        r#"
[sweep]
schedule = "* * * * * *"
[worker]
orphan_after = "2s"
[metrics]
census_every = "1s"
by_workspace = true
[log]
filter = "trace,apalis_core=trace,apalis_postgres=trace,apalis_sqlite=trace"
format = "{format}"
# Every run has a secret where failures are recorded.
[survey]
accepted = ["clearance"]
[console]
listen = "127.0.0.1:0"
requests_per_minute = 1000000
[[console.tokens]]
name = "ops"
sha256 = "{}"
workspaces = "all"
capabilities = ["runs.view", "evidence.view", "runs.reconcile", "metrics.view"]
"#,
        digest_of(token)
    )
}

/// The database's URL, with a password in it where there can be one. The server asks nobody for it.
fn with_password(on: &Fixture, secrets: &mut Secrets) -> String {
    if on.is_sqlite() {
        return on.url.clone();
    }
    let mut url: Url = on.url.parse().expect("a URL");
    let password = secrets.core("the password of the database's URL");
    let is_set = url.set_password(Some(&password));
    is_set.expect("a URL with a host");
    url.to_string()
}

/// Lets the database refuse two verdicts: one in words of its own, with more behind them, and one for a row,
/// which PostgreSQL quotes.
async fn refuse(on: &Fixture, secrets: &mut Secrets) {
    let message = secrets.make("the message of a refusal");
    let [by_trigger, by_constraint] = REFUSED;
    if on.is_sqlite() {
        let triggers = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit_logs
             WHEN NEW.resource_type = 'operation_run' AND NEW.resource_id = '{by_trigger}'
             BEGIN SELECT RAISE(ABORT, '{message}'); END;
             CREATE TRIGGER refuse_too BEFORE UPDATE ON operation_runs
             WHEN NEW.id = {by_constraint} AND NEW.status = 'completed'
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        return on.execute(&triggers).await;
    }
    let detail = secrets.make("the detail of a refusal");
    let hint = secrets.make("the hint of a refusal");
    on.execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION USING MESSAGE = '{message}', DETAIL = '{detail}', HINT = '{hint}';
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW
         WHEN (NEW.resource_type = 'operation_run' AND NEW.resource_id = '{by_trigger}')
         EXECUTE FUNCTION refuse();
         ALTER TABLE operation_runs ADD CHECK (id <> {by_constraint} OR status <> 'completed')"
    ))
    .await;
}

/// Jobs that say more than they should, or nothing that could be understood.
async fn ask_badly(on: &Fixture, secrets: &mut Secrets) {
    let [cause, trace, run, list, key, tick] = [
        "the cause of a job",
        "the trace context of a job",
        "the run of a job",
        "a job that is a list",
        "a key of a job",
        "the tick of a job",
    ]
    .map(|place| secrets.core(place));
    let [caused, traced] = ASKED;
    let jobs = [
        format!(r#"{{"run":{caused},"cause":"{cause}"}}"#),
        format!(r#"{{"run":{traced},"traceparent":"{trace}"}}"#),
        format!(r#"{{"run":"{run}"}}"#),
        format!(r#"["{list}"]"#),
        format!(r#"{{"{key}":"{key}"#),
    ];
    let jobs = jobs.map(|job| ("restore.execute", job)).into_iter();
    let shard = format!(r#"{{"tick":"{tick}","shard":0,"shards":1}}"#);
    let jobs: Vec<_> = jobs.chain([("restore.sweep", shard)]).collect();
    queue(on, &jobs).await;
}

/// A run that is a dead letter.
async fn bury(on: &Fixture) {
    let now = on.either("1700000000000000", "now()");
    on.execute(&format!(
        "INSERT INTO reconciler.attempts
             (operation_run_id, workspace_id, worker, tries, first_seen_at, try_again_at, dead_at)
         VALUES ({DEAD}, 1, 'somebody', 5, {now}, {now}, {now})"
    ))
    .await;
}

/// Columns of SQLite hold whatever is put there: texts for moments, and JSON that is none.
async fn make_unreadable(on: &Fixture, secrets: &mut Secrets) {
    let mut made = |place: &str| secrets.core(place.to_owned());
    let statements = format!(
        "UPDATE operation_runs SET started_at = '{}' WHERE id = 20020;
         UPDATE restore_runs SET completed_at = '{}' WHERE id = 1020020;
         UPDATE operation_runs SET context = '{{\"a\": {}' WHERE id = 20021;
         UPDATE restore_runs SET results = CAST(x'ff' AS TEXT) || '{}' WHERE id = 1020022;
         UPDATE evidence_snapshots SET expires_at = '{}' WHERE id = 2020022",
        made("operation_runs.started_at"),
        made("restore_runs.completed_at"),
        made("operation_runs.context, broken"),
        made("restore_runs.results, broken"),
        made("evidence_snapshots.expires_at"),
    );
    on.execute(&statements).await;
}

/// Has a worker look at everything, by jobs and by sweeps, and says what it said.
async fn work(stage: &Stage) -> Vec<Said> {
    let worker = stage.call.start(&["work", "--listen", "127.0.0.1:0"]).await;
    let open = "SELECT id FROM operation_runs WHERE status IN ('queued', 'running')";
    let runs = stage.on.rows(open).await;
    let runs = runs
        .iter()
        .map(|run| RunId(text_of(run, "id").parse().expect("an id")));
    // Every other one is left to the sweeps.
    let asked: Vec<RunId> = runs.step_by(2).collect();
    let asked = stage.on.store.request(&asked, "platform", None).await;
    assert!(!asked.expect("the queue is there").is_empty());
    stage.until(OPEN_JOBS, |left| left == 0, &worker).await;
    stage.until(NOT_LOOKED_AT, |left| left == 0, &worker).await;
    stage.until(VERDICTS, |found| found > 40, &worker).await;
    let swept = "SELECT count(*) FROM reconciler.sweeps WHERE ended_at IS NOT NULL";
    stage.until(swept, |sweeps| sweeps > 0, &worker).await;
    let counted = "SELECT count(*) FROM reconciler.census WHERE counts IS NOT NULL";
    stage.until(counted, |census| census == 1, &worker).await;
    let mut said = Vec::new();
    for address in ["/metrics", "/readyz", "/readyz?verbose", "/livez?verbose"] {
        let ask = Ask::get(address);
        said.push(worker.probe(&ask));
        said.push(worker.probe(&ask.header("accept", "application/json")));
    }
    said.push(worker.end().await);
    said
}

/// Every verb that prints, on a database that is there.
fn commands(stage: &Stage) -> Vec<Said> {
    let list = |runs: &[i64]| {
        let runs: Vec<String> = runs.iter().map(i64::to_string).collect();
        runs.join(" ")
    };
    let (rough, refused) = (list(&stage.rough), list(&REFUSED));
    let lines = format!(
        "sweep --dry-run; sweep; queue list --all; queue list --refused; doctor; doctor --survey; config default; config check; \
         --help; explain --help; queue --help; migrate; reconcile {rough}; enqueue {rough}; reconcile {refused}"
    );
    let mut lines: Vec<String> = lines.split("; ").map(str::to_owned).collect();
    let scenarios = (1_000..1_080).step_by(8);
    let explained = scenarios.chain(stage.rough.iter().copied());
    lines.extend(explained.map(|run| format!("explain {run}")));
    let in_trouble = REFUSED.into_iter().chain(ASKED).chain([DEAD]);
    let shown = in_trouble.chain(stage.rough.iter().copied().take(3));
    lines.extend(shown.map(|run| format!("queue show {run}")));
    let as_json = lines.iter().map(|line| format!("{line} --output json"));
    let all: Vec<String> = lines.iter().cloned().chain(as_json).collect();
    let arguments = all.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    arguments.map(|call| stage.call.verb(&call)).collect()
}

/// Everything that exports hold, entry by entry.
async fn exports(stage: &Stage) -> Vec<Said> {
    place_verdicts(&stage.on, stage.on.number_of("reconciler.ledger").await).await;
    seal_all(&stage.on, 1_000, None).await;
    let workspaces = "SELECT DISTINCT workspace_id AS id FROM reconciler.ledger";
    let mut said = Vec::new();
    for row in stage.on.rows(workspaces).await {
        let workspace = text_of(&row, "id");
        let file = stage.directory.path().join(format!("{workspace}.zip"));
        let to = file.to_str().expect("a path");
        let verb = ["ledger", "export", "--workspace", workspace, "--to", to];
        said.push(stage.call.verb(&verb));
        let export = fs::File::open(&file).expect("an export");
        let mut export = ZipArchive::new(export).expect("an archive");
        for place in 0..export.len() {
            let mut entry = export.by_index(place).expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            let by = format!("{to}: {place}");
            said.push(Said::new(Surface::Ledger, by, text));
        }
    }
    said
}

/// Verbs that cannot do their work.
async fn failures(stage: &mut Stage) -> Vec<Said> {
    let secrets = &mut stage.secrets;
    let password = secrets.core("the password of a URL that leads nowhere");
    let bad = secrets.core("a configuration that cannot be read");
    let urls = [
        format!("postgres://app:{password}@127.0.0.1:1/none"),
        format!("postgres://app:{password}@no-such-host.invalid/none"),
        format!("postgres://app:{password}/x@127.0.0.1/none"),
        format!("postgres://app:{password} @127.0.0.1/none"),
        format!("postgres://127.0.0.1/none?token={password}"),
        format!("mysql://app:{password}@127.0.0.1/none"),
        password.clone(),
    ];
    let mut said = Vec::new();
    for (number, url) in urls.into_iter().enumerate() {
        let mut call = stage.call.clone();
        call.url = url;
        said.push(call.verb(&["sweep"]));
        // One verb finds out all there is to say of a URL that is none.
        if number == 0 {
            let others = [&["doctor"][..], &["explain", "1"], &["config", "check"]];
            said.extend(others.map(|verb| call.verb(verb)));
            // Waits for it, and says so to whoever asks.
            let waiting = call.start(&["serve"]).await;
            said.push(waiting.probe(&Ask::get("/")));
            said.push(waiting.end().await);
        }
    }
    let files = [
        format!("database_url = \"postgres://app:{bad}@h/d\"\n"),
        format!("[database]\nurl = \"postgres://app:{bad}@h/d\"\n"),
        format!("[database]\npassword = \"{bad}\"\n"),
        format!("[database]\nconnections_max = 8 {bad}\n"),
        format!("= {bad}"),
        format!("[[console.tokens]]\nname = \"ops\"\ntoken = \"{bad}\"\n"),
        format!(
            "[[console.tokens]]\nname = \"ops\"\nsha256 = \"{bad}\"\nworkspaces = \"all\"\ncapabilities = []\n"
        ),
    ];
    for (number, text) in files.iter().enumerate() {
        let config = stage.directory.path().join(format!("bad-{number}.toml"));
        fs::write(&config, text).expect("a file");
        let mut call = stage.call.clone();
        call.config = config;
        let mut tried = call.verb(&["config", "check"]);
        tried.by = format!("{}: {}", tried.by, text.replace(&bad, "SECRET"));
        said.push(tried);
    }
    said
}

/// Pages and the API, and what the console logged meanwhile.
async fn console(stage: &Stage) -> Vec<Said> {
    let console = stage.call.start(&["serve"]).await;
    let addresses = "/ /runs /runs.csv /runs.json /queue /api/v1/ /api/v1/runs /api/v1/posture /api/v1/queue \
        /api/v1/sweeps /api/v1/openapi.json /nowhere /runs?status=nonsense";
    let mut addresses: Vec<String> = addresses.split(' ').map(str::to_owned).collect();
    let rough = || stage.rough.iter().copied();
    let scenarios = (1_000..1_080).step_by(8);
    let runs = scenarios.chain(rough()).chain(REFUSED).chain([DEAD]);
    for run in runs {
        addresses.extend(["", "/evidence", "/explain"].map(|part| format!("/runs/{run}{part}")));
        addresses.extend(["", "/explain"].map(|part| format!("/api/v1/runs/{run}{part}")));
    }
    let prepared = (70_001..70_031).step_by(3).chain([PREPARATION]);
    let executed = rough().map(|run| 1_000_000 + run);
    for restore in prepared.chain(executed) {
        addresses.push(format!("/restores/{restore}"));
        addresses.push(format!("/api/v1/restores/{restore}/gates"));
    }
    let get = |address: &str| Ask::get(address).bearer(&stage.token);
    let pages = addresses
        .iter()
        .map(|it| console.ask(Surface::Console, &get(it)));
    let mut said: Vec<Said> = pages.collect();
    said.push(console.ask(Surface::Metrics, &get("/metrics")));
    let login = Ask::post("/login").form(&[("token", &stage.token)]);
    said.push(console.ask(Surface::Console, &login));
    said.push(console.end().await);
    said
}

async fn nothing_is_said(on: Fixture, format: &str, everywhere: bool) {
    let mut stage = Stage::new(on, format).await;
    let mut said = work(&stage).await;
    if everywhere {
        said.extend(commands(&stage));
        said.extend(failures(&mut stage).await);
        said.extend(console(&stage).await);
        if !stage.on.is_sqlite() {
            said.extend(exports(&stage).await);
        }
    }
    said.extend(stage.written().await);
    let bytes: usize = said.iter().map(|said| said.text.len()).sum();
    let (secrets, texts) = (stage.secrets.len(), said.len());
    println!("{secrets} secrets, {texts} texts of {bytes} bytes");
    assert_silent(&stage.secrets, &said);
    if everywhere && !stage.on.is_sqlite() {
        assert_exceptions_are_needed(&stage.secrets, &said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_platform_holds_is_said_on_postgres() {
    nothing_is_said(Fixture::postgres().await, "text", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_platform_holds_is_logged_as_json_on_postgres() {
    nothing_is_said(Fixture::postgres().await, "json", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_platform_holds_is_said_on_sqlite() {
    nothing_is_said(Fixture::sqlite().await, "json", true).await;
}

/// What a database adds to its message quotes rows.
#[tokio::test]
async fn an_error_says_no_more_than_the_message_of_the_database() {
    let on = Fixture::postgres().await;
    on.plant([Case::failed(1), Case::failed(2)]).await;
    let mut secrets = Secrets::default();
    let [detail, hint] = ["the detail", "the hint"].map(|place| secrets.make(place));
    on.execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION USING MESSAGE = 'not today', DETAIL = '{detail}', HINT = '{hint}',
                 ERRCODE = 'insufficient_privilege';
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON reconciler.sweeps FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
    ))
    .await;
    let start = SweepStart {
        by: "worker-of-a-test",
        workspace: None,
        tick: None,
        shard: Shard::WHOLE,
        in_hand: &[RunId(1)],
    };
    let refused = on.store.open_sweep(&start).await;
    let error = refused.expect_err("it is refused");
    let text = format!("{error}\n{error:?}\n{error:#?}");
    assert!(text.contains("not today"), "{text}");
    assert_silent(&secrets, &[Said::new(Surface::Log, "an error", text)]);
}
