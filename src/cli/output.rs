//! What `--output json` writes: one document per command, described by a JSON Schema that
//! `config schema --of output` prints.
//!
//! Names are the platform's and the registry's words, in `snake_case`. A field that a later version
//! adds is no break; one that it removes or gives another meaning is.
//!
//! **Invariant:** every document that can hold `succeeded` holds `claim_boundary`, so that nobody
//! reads the one without the other.

use reconciler_jobs::restore_execute::survey::SurveyReport;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Config, Token};
use crate::demo::DemoReport;
use crate::doctor::{Check, Level, Purpose};
use crate::ledger::leaves::KeptElsewhere;
use crate::ledger::offline::ExportChecked;
use crate::ledger::verify::{Disagreement, LedgerCounts};
use crate::storage::{Pause, Tally};
use crate::views::explain::Explained;
use crate::views::opinion::OpinionShown;
use crate::views::past::ExplainedAt;
use crate::views::queue::{QueueListed, RequestedRun, RunInQueue};
use crate::views::runs::RunLine;
use crate::views::simulation::SimulationShown;
use crate::views::verdict::{DecisionWord, FiledVerdict, RunResult, codes};
use crate::views::{ClaimBoundary, Moment};

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Document {
    /// `migrate`
    Migrate(Migrated),
    /// `migrate --status`
    MigrateStatus(MigrationStatus),
    /// `uninstall`
    Uninstall(Uninstalled),
    /// `forget`
    Forget(Forgotten),
    /// `sweep`
    Sweep(Swept),
    /// `reconcile`
    Reconcile(Reconciled),
    /// `opinions`, and `sweep --opinions`
    Opinions(OpinionList),
    /// `wait`, and `enqueue --wait`
    Wait(Reconciled),
    /// `runs`
    #[serde(skip_deserializing)]
    Runs(RunsListed),
    /// `ledger list`
    LedgerList(LedgerListed),
    /// `ledger show`
    LedgerShow(LedgerListed),
    /// `ledger verify`
    LedgerVerify(LedgerVerified),
    /// `ledger checkpoints`
    LedgerCheckpoints(CheckpointsListed),
    /// `ledger key`
    LedgerKey(KeyMade),
    /// `ledger export`
    LedgerExport(LedgerExported),
    /// `ledger verify --offline`
    LedgerVerifyOffline(ExportVerified),
    /// `ledger simulate`
    LedgerSimulate(Box<SimulationShown>),
    /// `explain`
    Explain(Box<Explained>),
    /// `explain --at`
    ExplainAt(Box<ExplainedAt>),
    /// `enqueue`
    Enqueue(RequestReport),
    /// `queue list`
    QueueList(QueueListed),
    /// `queue show`
    QueueShow(Box<RunInQueue>),
    /// `queue retry`
    QueueRetry(RequestReport),
    /// `queue drop`
    QueueDrop(RequestReport),
    /// `queue pause`
    QueuePause(PauseReport),
    /// `queue resume`
    QueueResume(PauseReport),
    /// `doctor`
    Doctor(Examined),
    /// `doctor --survey`
    DoctorSurvey(Surveyed),
    /// `grants`
    Grants(GrantList),
    /// `config default` and `config check`
    Config(Box<Settings>),
    /// `token`
    Token(TokenMade),
    /// `version`
    Version(Build),
    /// `probe`
    Probe(Probed),
    /// `config show`
    ConfigShow(SettingList),
    /// `work` and `serve`, once they listen
    Listening(Listening),
    /// Any command that could not do its work.
    Error(FailedCommand),
    /// `demo`
    #[serde(skip_deserializing)]
    Demo(Box<DemoReport>),
}

impl Document {
    /// The JSON Schema of all documents, as they are written.
    pub fn schema() -> Schema {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>()
    }
}

/// Documents that are lists, by command, with the field that is listed.
const LISTS: [(&str, &str); 15] = [
    ("runs", "runs"),
    ("ledger_list", "entries"),
    ("ledger_show", "entries"),
    ("ledger_verify", "disagreements"),
    ("ledger_checkpoints", "checkpoints"),
    ("opinions", "opinions"),
    ("reconcile", "runs"),
    ("wait", "runs"),
    ("enqueue", "runs"),
    ("queue_list", "entries"),
    ("queue_retry", "runs"),
    ("queue_drop", "runs"),
    ("doctor", "checks"),
    ("grants", "grants"),
    ("config_show", "settings"),
];

/// A document as lines: a list with entries as documents that hold one each, any other as it is.
pub(super) fn lines(mut document: Value) -> Vec<Value> {
    let command = document.get("command").and_then(Value::as_str);
    let list = LISTS.iter().find(|(it, _)| Some(*it) == command);
    let listed = list.and_then(|(_, field)| document.get_mut(*field)?.as_array_mut());
    let (Some((_, field)), Some(entries)) = (list, listed.map(std::mem::take)) else {
        return vec![document];
    };
    if entries.is_empty() {
        return vec![document];
    }
    let with = |entry| {
        let mut line = document.clone();
        if let Some(list) = line.get_mut(*field) {
            *list = Value::Array(vec![entry]);
        }
        line
    };
    entries.into_iter().map(with).collect()
}

/// Where a process listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listening {
    /// A socket's address, or a URL.
    pub address: String,
}

/// Why a command could not do its work; written to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedCommand {
    /// The exit code.
    pub code: u8,
    /// What happened.
    pub error: String,
    /// Why, from the outside in.
    pub because: Vec<String>,
    /// Each mistake of the configuration, where that is what failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
    /// What to do, where that is known.
    pub advice: Option<String>,
}

/// What `migrate` did to this product's own schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Migrated {
    /// The version before; none where there was no schema.
    pub before: Option<i64>,
    /// The version now.
    pub after: Option<i64>,
    /// The version of the queue's tables before; none where there were none, and on SQLite.
    pub queue_before: Option<i64>,
    /// Their version now; none on SQLite.
    pub queue_after: Option<i64>,
    /// The extensions that were created.
    pub extensions: Vec<ExtensionShown>,
    /// The schema of the platform that was served before, quoted where it must be; none unless that has changed.
    pub bound_before: Option<String>,
    /// The schema of the platform that is served; none on SQLite.
    pub platform_schema: Option<String>,
    /// What tells this installation from every other; none on SQLite.
    pub install_id: Option<String>,
    /// What was done about the triggers on platform tables; none where nothing was asked for.
    pub platform_trigger: Option<TriggerWord>,
    /// What was missing or different and was made again; none where nobody asked for that.
    pub repaired: Option<Vec<String>>,
}

/// An extension, and where its types are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Extension")]
pub struct ExtensionShown {
    /// Its name.
    pub name: String,
    /// Its schema, quoted where it must be.
    pub schema: String,
}

/// What `migrate` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MigrationStatus {
    /// Whether nothing is left to do.
    pub up_to_date: bool,
    /// Our own schema.
    pub own: SchemaStatus,
    /// The queue's schema.
    pub queue: SchemaStatus,
    /// The extensions that would be created.
    pub extensions: Vec<ExtensionShown>,
    /// The schema of the platform that is served, quoted where it must be; none before that was asked for.
    pub platform_schema: Option<String>,
    /// What tells this installation from every other; none before it was installed.
    pub install_id: Option<String>,
    /// What stands in the way, each with what to do.
    pub obstacles: Vec<CheckShown>,
}

/// How far a schema was migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaStatus {
    /// The newest migration that was run; none where there is no schema.
    pub version: Option<i64>,
    /// Those that are yet to be run.
    pub pending: Vec<i64>,
}

/// What `uninstall` removed, or would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uninstalled {
    /// Whether it was done.
    pub removed: bool,
    /// The verdicts in the ledger, which cannot be written again.
    pub verdicts: i64,
    /// The schemas.
    pub schemas: Vec<String>,
    /// What stays where it is, and why.
    pub kept: Vec<String>,
}

/// What `forget` erased, and what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// The workspace.
    pub workspace: i64,
    /// Facts of verdicts and of opinions that are gone.
    pub facts_erased: u64,
    /// Verdicts in the ledger, which keep the digest of their facts.
    pub verdicts_kept: u64,
    /// How many of these have their facts in the ledger itself, where they stay.
    pub facts_in_ledger: u64,
    /// Open runs that were looked at: a verdict on one brings facts again.
    pub open_runs: u64,
}

/// What was done about the triggers on platform tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerWord {
    /// They are there.
    Added,
    /// They are not there.
    Removed,
}

/// What one pass over the due runs came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swept {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether each run was settled for real, and that undone: then what the database would refuse is among this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsed: bool,
    /// Whether the pass reached its end. If not, standard error says why.
    pub complete: bool,
    /// The workspace it was confined to.
    pub workspace: Option<i64>,
    /// The most runs it was to look at.
    pub limit: Option<u64>,
    /// How many runs were looked at.
    pub runs: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// Runs by what became of them.
    pub counts: Tally,
    /// Runs by decision and reason, in the order of decisions, then of codes.
    pub reasons: Vec<ReasonCount>,
    /// The runs that were decided, in the order in which they were, with `--list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Vec<SweptRun>>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_omitted: Option<u64>,
    /// The same of runs that the configuration has only observed, by what would be decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_be: Vec<ReasonCount>,
    /// The first refusals.
    pub refusals: Vec<Refusal>,
    /// How many more there were.
    pub refusals_omitted: u64,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// Second opinions on runs that somebody else closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpinionList {
    /// The database's clock when they were read.
    pub as_of: Moment,
    /// The workspace that was asked for.
    pub workspace: Option<i64>,
    /// Unproven successes first, then the latest runs.
    pub opinions: Vec<OpinionShown>,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// What no opinion claims.
    pub claim_boundary: ClaimBoundary,
}

/// A run that a pass decided, or would decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweptRun {
    /// The run.
    pub run: i64,
    /// Its workspace.
    pub workspace: i64,
    /// Its environment, where it has one.
    pub environment: Option<i64>,
    /// The decision.
    pub decision: DecisionWord,
    /// The reason's code.
    #[schemars(extend("enum" = codes()))]
    pub code: String,
}

/// How many runs were decided in one way for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonCount {
    /// The decision.
    pub decision: DecisionWord,
    /// The reason's code.
    #[schemars(extend("enum" = codes()))]
    pub code: String,
    /// How many runs.
    pub runs: u64,
}

/// A run that the database refused to record a verdict for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// The run.
    pub run: i64,
    /// What the database said.
    pub error: String,
}

/// Runs, the highest ids first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunsListed {
    /// The database's clock when they were read.
    pub as_of: Moment,
    /// The runs.
    pub runs: Vec<RunLine>,
    /// Whether there may be more.
    pub more: bool,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// Verdicts on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerListed {
    /// The database's clock when they were read.
    pub as_of: Moment,
    /// Verdicts, those on the highest runs first; of several on one run, the latest first.
    pub entries: Vec<FiledVerdict>,
    /// Whether there may be more.
    pub more: bool,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// Checkpoints on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointsListed {
    /// The database's clock when they were read.
    pub as_of: Moment,
    /// The latest first.
    pub checkpoints: Vec<CheckpointShown>,
}

/// A checkpoint: the root of the first leaves of the tree over the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointShown {
    /// How many leaves it covers: the first so many verdicts.
    pub size: i64,
    /// The root of these leaves, in hexadecimal digits.
    pub root: String,
    /// When it was made.
    pub made_at: Moment,
    /// The keys that its signatures name; nobody has checked the signatures. Empty where it is unsigned.
    pub signed_by: Vec<String>,
    /// Its text with its signatures, as it was handed out.
    pub note: String,
}

/// A key that signs checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyMade {
    /// The public key, for whoever checks checkpoints.
    pub key: String,
    /// The file that the private key was written to.
    pub file: String,
}

/// What checking the ledger came to. Without a copy kept elsewhere it is one database's word against its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerVerified {
    /// The database's clock when it began.
    pub as_of: Moment,
    /// The workspace that was asked for.
    pub workspace: Option<i64>,
    /// Only what was decided then or later.
    pub since: Option<Moment>,
    /// Only what was decided before then.
    pub until: Option<Moment>,
    /// Whether all that was asked for was read. If not, standard error may say why.
    pub complete: bool,
    /// Where to go on: with `--below` this run. None where it is complete, or only the tree is left.
    pub go_on_below: Option<i64>,
    /// Where to go on if all but the tree was checked: with `--above` this position. None where it is complete.
    pub go_on_above: Option<i64>,
    /// What the checkpoints kept elsewhere showed; none where none were given.
    pub kept_elsewhere: Option<KeptElsewhere>,
    /// What was counted.
    pub counts: LedgerCounts,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What disagrees, in the order in which it was found; with `-o jsonl` a line each, before the last line.
    pub disagreements: Vec<Disagreement>,
    /// How many more there are.
    pub disagreements_omitted: u64,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// An export of a workspace's verdicts that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerExported {
    /// The file that was written.
    pub file: String,
    /// The workspace whose verdicts are in it.
    pub workspace: String,
    /// The moment from which on verdicts are in it; null where it begins with the workspace's first verdict.
    pub since: Option<String>,
    /// How many verdicts are in it.
    pub verdicts: u64,
    /// How many of these have no facts any more.
    pub erased: u64,
    /// How many leaves the last checkpoint in it covers. The proofs of all verdicts lead to that checkpoint.
    pub size: u64,
    /// The keys that signed the last checkpoint. Empty where it is unsigned.
    pub signed_by: Vec<String>,
    /// How many of the verdicts do not have the leaf that follows from them.
    pub disagree: u64,
    /// These verdicts, the first 10,000.
    pub disagreements: Vec<Disagreement>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// The result of checking an export without its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportVerified {
    /// The file that was checked.
    pub file: String,
    /// What was found in it.
    pub checked: ExportChecked,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What `reconcile` or `wait` came to, run by run, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciled {
    /// Whether every run was dealt with. If not, standard error says why, and runs are missing here; or, of a wait, a run is
    /// open still.
    pub complete: bool,
    /// One entry per run.
    pub runs: Vec<RunResult>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What `enqueue`, `queue retry` or `queue drop` came to, run by run. None of them decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Asked")]
pub struct RequestReport {
    /// One entry per run, in the order in which they were asked for.
    pub runs: Vec<RequestedRun>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What `queue pause` or `queue resume` came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseReport {
    /// The workspace that was named; none where everything was meant.
    pub workspace: Option<i64>,
    /// Whether that changed anything.
    pub changed: bool,
    /// What is paused now, everything first.
    pub pauses: Vec<Pause>,
}

/// What `doctor` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Examined {
    /// By what the role was judged; none on SQLite, which has no roles, and where nothing could be asked.
    pub purpose: Option<Purpose>,
    /// One entry per thing that was looked at, problems first.
    pub checks: Vec<CheckShown>,
}

/// What `doctor --survey` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Surveyed {
    /// What was found of the latest restores that ended.
    #[serde(flatten)]
    pub report: SurveyReport,
    /// What no survey claims.
    pub claim_boundary: ClaimBoundary,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct CheckShown {
    /// How it was found.
    pub level: LevelWord,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub finding: String,
    /// What to do.
    pub action: Option<String>,
}

impl From<Check> for CheckShown {
    fn from(check: Check) -> Self {
        Self {
            level: match check.level {
                Level::Problem => LevelWord::Problem,
                Level::Advice => LevelWord::Advice,
                Level::Good => LevelWord::Good,
            },
            subject: check.subject,
            finding: check.finding,
            action: check.action,
        }
    }
}

/// How something was found.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LevelWord {
    /// It does not work until somebody changes something.
    Problem,
    /// It works, but could work better.
    Advice,
    /// What was checked is as it must be.
    Good,
}

/// What a role needs for its purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Grants")]
pub struct GrantList {
    /// What the role is for.
    pub purpose: Purpose,
    /// The role.
    pub role: String,
    /// All of it, whether it is granted already or not.
    pub grants: Vec<GrantShown>,
    /// What is needed and not there, so that nobody can grant it yet.
    pub absent: Vec<String>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub struct GrantShown {
    /// The role that owns the object and so may grant it, quoted where it must be.
    pub owner: String,
    /// The statement.
    pub statement: String,
}

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// All of them, as they are in force or would be.
    pub settings: Config,
}

/// Every setting, and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingList {
    /// One entry per setting, in the order of their names.
    pub settings: Vec<SettingShown>,
}

/// A setting that is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Setting")]
pub struct SettingShown {
    /// The section and the key.
    pub key: String,
    /// The value.
    pub value: Value,
    /// `default`, a file, or the variable that holds it.
    pub from: String,
    /// The variable that would set it.
    pub variable: String,
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenMade {
    /// The token. It is a secret, and is shown nowhere else.
    pub token: String,
    /// The token's entry of `console.tokens` in the configuration.
    pub entry: Token,
}

/// What a process said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    /// Where it was asked.
    pub url: String,
    /// The status of the answer, 200 where it is well.
    pub status: u16,
    /// The answer itself.
    pub said: String,
}

/// Which program this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// The program's version number.
    pub version: String,
    /// The commit that it was built from; none where whoever built it did not say.
    pub commit: Option<String>,
    /// What it was built with: `tls` to PostgreSQL, and `otlp` where it can send traces.
    pub features: Vec<String>,
    /// The rules by which it judges.
    pub ruleset: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let generated = serde_json::to_string_pretty(&Document::schema()).unwrap() + "\n";
        assert!(
            include_str!("../../config/output.schema.json") == generated,
            "config/output.schema.json is out of date; it must hold what \
             `restore-reconciler config schema --of output` prints:\n{generated}"
        );
    }
}
