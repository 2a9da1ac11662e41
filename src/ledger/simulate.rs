//! What another policy would have said of each verdict on record.
//!
//! **Invariants:**
//! - Nothing is written, and no table of the platform is asked.
//! - Of an entry that does not stand nothing is said: it is counted apart, and so is one whose facts were erased.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::simulate::{PolicyAnswer, Unanswered, simulate as ask};
use reconciler_jobs::restore_execute::{Outcome, Policy, ReasonCode};

use super::parts::judge_parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::StoreError;
use crate::storage::reader::{LedgerFilter, LedgerPart, LedgerParts, LedgerRow, Reader};

/// How many verdicts are named of each change.
pub const EXAMPLES_MAX: usize = 3;

/// What is asked of each verdict.
#[derive(Debug, Clone)]
pub struct OtherPolicy {
    /// The settings that each verdict is asked with.
    pub policy: Policy,
    /// Only verdicts of this ruleset are asked; none where those of any are.
    pub ruleset: Option<String>,
}

/// A verdict by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedVerdict {
    /// The run.
    pub run: RunId,
    /// The workspace of the run.
    pub workspace: WorkspaceId,
    /// Names the verdict.
    pub decision_id: String,
}

/// Verdicts that would have changed alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many.
    pub count: u64,
    /// Some of them, those of the highest runs.
    pub examples: Vec<NamedVerdict>,
}

/// What the verdicts on record came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Verdicts that were read.
    pub entries: u64,
    /// Those of which the other policy would have given the same outcome and primary reason.
    pub same: u64,
    /// Those of which it would have said something else: by what is on record, and what it would have said.
    pub changes: BTreeMap<(PolicyAnswer, PolicyAnswer), Changed>,
    /// Those of which their facts do not tell.
    pub unanswered: BTreeMap<Unanswered, u64>,
    /// Those whose facts were erased.
    pub erased: u64,
    /// Those that do not follow from their facts by the rules of their time.
    pub unsound: u64,
    /// Of each workspace how many verdicts were read, and how many would have changed.
    pub workspaces: BTreeMap<WorkspaceId, (u64, u64)>,
}

impl Simulation {
    /// Counts more verdicts.
    pub fn add(&mut self, more: Self) {
        self.entries += more.entries;
        self.same += more.same;
        self.erased += more.erased;
        self.unsound += more.unsound;
        for (why, count) in more.unanswered {
            *self.unanswered.entry(why).or_default() += count;
        }
        for (change, found) in more.changes {
            let changed = self.changes.entry(change).or_default();
            changed.count += found.count;
            changed.examples.extend(found.examples);
            changed.examples.truncate(EXAMPLES_MAX);
        }
        for (workspace, (entries, changed)) in more.workspaces {
            let counts = self.workspaces.entry(workspace).or_default();
            counts.0 += entries;
            counts.1 += changed;
        }
    }

    fn judge(&mut self, row: &LedgerRow, question: &OtherPolicy) {
        self.entries += 1;
        let of_workspace = self.workspaces.entry(row.workspace).or_default();
        of_workspace.0 += 1;
        let verdict = &row.verdict;
        if verdict.facts.is_none() {
            self.erased += 1;
            return;
        }
        let ruleset = question.ruleset.as_deref();
        let recorded =
            Outcome::parse(&verdict.outcome).zip(ReasonCode::parse(&verdict.reason_code));
        let asked = ask(
            &verdict.recorded(),
            &verdict.name(),
            ruleset,
            &question.policy,
        );
        let (Some((outcome, reason)), Ok(asked)) = (recorded, asked) else {
            self.unsound += 1;
            return;
        };
        let recorded = PolicyAnswer {
            outcome: Some(outcome),
            reason,
        };
        match asked {
            Err(why) => *self.unanswered.entry(why).or_default() += 1,
            Ok(said) if said == recorded => self.same += 1,
            Ok(said) => {
                of_workspace.1 += 1;
                let changed = self.changes.entry((recorded, said)).or_default();
                changed.count += 1;
                if changed.examples.len() < EXAMPLES_MAX {
                    changed.examples.push(NamedVerdict {
                        run: verdict.run,
                        workspace: row.workspace,
                        decision_id: verdict.decision_id.clone(),
                    });
                }
            }
        }
    }
}

/// Asks what `question` would have said of the verdicts that `filter` asks for. `heard` is told how many entries each
/// part passed and what it came to, and may end it.
///
/// Fails where the database does.
pub async fn simulate(
    reader: &Reader,
    filter: LedgerFilter,
    question: OtherPolicy,
    mut heard: impl FnMut(usize, Simulation) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let question = Arc::new(question);
    let judge = move |part: LedgerPart| {
        let mut found = Simulation::default();
        for entry in &part.entries {
            found.judge(&entry.row, &question);
        }
        (part.passed, found)
    };
    let all = RunId(i64::MAX);
    let parts = reader.walk_ledger(filter, all, LedgerParts::Judged);
    let mut judged = pin!(judge_parts(parts, judge));
    while let Some((passed, found)) = judged.try_next().await? {
        if heard(passed, found).is_break() {
            return Ok(());
        }
    }
    Ok(())
}
