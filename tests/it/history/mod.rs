//! Whether a database's history is one that correct workers could have left.
//!
//! ```text
//! URL ──one statement──▶ rows about one run ──judge──▶ findings      (run by run, in one snapshot)
//! ```
//!
//! The checker remembers nothing of what a test did: it reads rows, decides each verdict once more from the
//! facts in the ledger, and compares everything a verdict writes with everything that is there. So it also
//! serves where nobody can remember, because processes were killed while they worked.
//!
//! | Module | Story |
//! |---|---|
//! | `rows` | the rows about each run, streamed |
//! | `judge` | what is wrong with them |
//! | `expected` | what a verdict must have written |
//! | `honest` | histories without findings |
//! | `planted` | one violation at a time, and each is found for what it is |
//!
//! **Limits:** a run that is deleted together with all that was written about it leaves no trace. `worker`
//! stands in the ledger alone, so only an empty one is found.

mod expected;
mod honest;
mod judge;
mod planted;
mod rows;

use std::{collections::BTreeMap, fmt, time::Duration};

/// What the caller knows about the moment at which a history is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    /// Nobody works, or whoever does had time to look at everything: nothing may be due, save what came due
    /// less than `overdue` ago.
    Quiet { overdue: Duration },
    /// Somebody works: runs may be due.
    Busy,
}

impl System {
    /// Nothing at all may be due.
    pub(crate) const QUIET: Self = Self::Quiet {
        overdue: Duration::ZERO,
    };
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// An open run is due, although the system is quiet.
    Lost,
    /// An open run that nobody tries again by himself, because its settlement killed who tried.
    DeadLetter,
    /// A verdict about a run that is not there.
    RunMissing,
    /// A verdict about a run that is not closed.
    RunOpen,
    /// A closed run with another outcome than its verdict's.
    OutcomeDiffers,
    /// A run that we closed, and that somebody changed afterwards.
    ChangedAfterwards,
    /// A run that somebody else closed, and about which we wrote all the same.
    ClosedByAnother,
    /// A run that we closed, without our words in its context.
    ContextMissing,
    /// A run's context tells of its verdict other than the ledger does.
    ContextDiffers,
    /// A run's context names a decision that the ledger does not hold for it.
    UnknownDecision,
    /// A verdict without an audit entry.
    AuditMissing,
    /// An audit entry tells of a verdict other than the ledger does.
    AuditDiffers,
    /// An audit entry about a verdict that the ledger does not hold.
    AuditWithoutVerdict,
    /// More than one ledger row for a run.
    TwoVerdicts,
    /// More than one audit entry for a run.
    TwoAudits,
    /// More than one decision in a run's context.
    TwoDecisions,
    /// A ledger row's columns contradict its own facts.
    LedgerDiffers,
    /// Facts that do not have the digest on record.
    FactsAltered,
    /// Facts that have it, but are not what this version could have written.
    FactsUnreadable,
    /// A success that the facts do not give.
    Overclaim,
    /// Any other verdict that the facts do not give. The last kind, by which they are counted.
    WrongVerdict,
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// The run; 0 where an audit entry names none.
    pub(crate) run: i64,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, kind, expected) = (self.run, self.kind, &self.expected);
        write!(
            f,
            "run {run}: {kind:?}: expected {expected}; found {}",
            self.found
        )
    }
}

/// Everything that is wrong in the database at `url`, in order of runs. Reads one snapshot and writes
/// nothing, so it may run beside workers.
pub(crate) async fn check(url: &str, system: System) -> Vec<Finding> {
    let mut findings = Vec::new();
    rows::each_run(url, |said| findings.extend(judge::judge(said, system))).await;
    findings
}

/// Fails the test if anything is wrong, and says what.
pub(crate) async fn assert_sound(url: &str, system: System) {
    let findings = check(url, system).await;
    assert!(findings.is_empty(), "{}", summary(&findings));
}

/// How many findings there are of which kind, and the first of them.
pub(crate) fn summary(findings: &[Finding]) -> String {
    const SHOWN: usize = 20;
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for finding in findings {
        *kinds.entry(finding.kind).or_default() += 1;
    }
    let mut text = format!("{} violation(s) {kinds:?}", findings.len());
    for finding in findings.iter().take(SHOWN) {
        text = format!("{text}\n{finding}");
    }
    text
}
