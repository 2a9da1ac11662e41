//! An export: the verdicts of one workspace in a file that needs no database, and two programs can check.
//!
//! | Entry | Holds |
//! |---|---|
//! | `manifest.json` | format, origin, workspace, counts, and the digest of every other entry |
//! | `checkpoints.txt` | checkpoints as they were handed out; proofs lead to the last |
//! | `consistency.json` | that the tree of each checkpoint goes on from that of the one before |
//! | `rules/` | the decision table of each ruleset, as JSON and as text |
//! | `verdicts.jsonl` | a line a verdict, in their order: leaf, facts with their salt, decision, proof |
//! | `report.html` | the same for people |
//!
//! Values of a leaf are text, or nothing, as they are in the tree. JSON is in canonical form, so that each value has one text.

use std::collections::BTreeMap;

use reconciler_jobs::restore_execute::Facts;
use reconciler_jobs::restore_execute::canonical::read_back;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The format that is written, and the only one that is read. The first had no proofs between checkpoints.
pub const FORMAT: u32 = 2;

/// How large all entries may be together, in bytes: larger ones are neither written nor read.
pub(super) const BYTES_MAX: u64 = 2 << 30;

/// How large a line of verdicts may be, and any other entry that is read whole.
pub(super) const TEXT_BYTES_MAX: u64 = 16 << 20;

/// What an export is about, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// What checkpoints of the database are called.
    pub origin: String,
    /// The workspace.
    pub workspace: String,
    /// Since when, where it begins later than the workspace.
    pub since: Option<String>,
    /// How many leaves the last checkpoint is of.
    pub size: u64,
    /// How many verdicts there are.
    pub verdicts: u64,
    /// How many of them are without their facts. A file cannot show whether these were erased on record.
    pub erased: u64,
    /// SHA-256 of each entry but this one.
    pub entries: BTreeMap<String, String>,
}

/// A line of `verdicts.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportEntry {
    /// What the leaf is made of.
    pub leaf: ExportLeaf,
    /// The facts, in canonical form; none where they were erased.
    pub facts: Option<String>,
    /// Their salt; none where they were erased.
    pub salt: Option<String>,
    /// The decision, in canonical form; none where the verdict was gone before it had a leaf.
    pub decision: Option<String>,
    /// The nodes beside the leaf's way to the root, from the leaf on.
    pub proof: Vec<String>,
}

/// What a leaf is made of, as [`crate::tree::Leaf`] has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "they are those of the leaf")]
pub struct ExportLeaf {
    pub position: String,
    pub workspace: String,
    pub workspace_position: String,
    pub previous_leaf: Option<String>,
    pub verdict: Option<ExportVerdict>,
}

/// A verdict, as [`crate::tree::LeafVerdict`] has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "they are those of the leaf")]
pub struct ExportVerdict {
    pub decision_id: String,
    pub run: String,
    pub environment: Option<String>,
    pub run_created_at: Option<String>,
    pub revision: String,
    pub first_decision_id: Option<String>,
    pub outcome: String,
    pub reason_code: String,
    pub ruleset: String,
    pub facts_digest: String,
    pub decision_digest: String,
    pub decided_at: String,
    pub source: String,
    pub worker: String,
    pub facts_seal: Option<String>,
}

impl ExportEntry {
    /// Whether it is a verdict whose facts were erased.
    pub fn is_erased(&self) -> bool {
        self.leaf.verdict.is_some() && self.facts.is_none() && self.salt.is_none()
    }

    /// From a line; none where that says more, less or other things than an entry does.
    pub fn read(line: &[u8]) -> Option<Self> {
        read_exactly(line.strip_suffix(b"\n")?)
    }
}

impl ExportLeaf {
    /// Whether the facts are of the run, the workspace, the environment and the moment that it says.
    pub(super) fn is_about(&self, facts: &Facts) -> bool {
        let run = &facts.run;
        let environment = run.environment_id.map(|id| id.to_string());
        let created_at = run.created_at.moment().map(|at| at.to_string());
        self.verdict.as_ref().is_some_and(|verdict| {
            verdict.run == run.id.to_string()
                && self.workspace == run.workspace_id.to_string()
                && verdict.environment == environment
                && verdict.decided_at == facts.as_of.to_string()
                // A verdict from before that was kept does not say when its run was created.
                && (verdict.run_created_at.is_none() || verdict.run_created_at == created_at)
        })
    }
}

impl ExportVerdict {
    /// Whether a decision has its outcome and its reason.
    pub(super) fn says(&self, decision: &str) -> bool {
        let said: Option<Value> = read_exactly(decision.as_bytes());
        said.is_some_and(|said| {
            said.get("ruling") == Some(&json!({ "verdict": self.outcome }))
                && said.get("reason") == Some(&json!(self.reason_code))
        })
    }
}

/// Reads JSON in canonical form; none where it says more, less or other things than such a value.
pub(super) fn read_exactly<T: Serialize + for<'de> Deserialize<'de>>(text: &[u8]) -> Option<T> {
    read_back(str::from_utf8(text).ok()?).ok()
}

/// The names of entries.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const CHECKPOINTS: &str = "checkpoints.txt";
pub(super) const CONSISTENCY: &str = "consistency.json";
pub(super) const VERDICTS: &str = "verdicts.jsonl";
pub(super) const REPORT: &str = "report.html";

/// The entry with the table of a ruleset.
pub(super) fn table_name(ruleset: &str, form: &str) -> String {
    format!("rules/{}.{form}", ruleset.replace('/', "-"))
}
