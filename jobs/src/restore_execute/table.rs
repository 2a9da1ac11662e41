//! The decision table as data: rows of named predicates, each with what follows, and the one way in which they are read.
//!
//! ```text
//! facts ──by a ruleset──▶ case: legs, and what holds ──the first row of which all predicates hold──▶ decision
//! ```
//!
//! A ruleset says by its own facts what holds of a case. A table is written as text, which is the table of the
//! ruleset's documentation, and as JSON, by which a third party decides again.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::decision::{Decision, Ruling};
use super::facts::{RestoreStatus, RunStatus};
use super::outcome::Outcome;
use super::proof::{Leg, Proof};
use super::reason::ReasonCode;
use crate::vocabulary;

vocabulary! {
    /// What can hold of a run, its restore and its legs. In JSON it has the name of its variant, in snake case.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Predicate {
        /// As the table says it.
        words,
    }
    OtherType = "type is not `restore.execute`"
    RunCompleted = "run is `completed` already"
    RunStatusUnknown = "run is neither `queued`, `running` nor `completed`"
    ContextMalformed = "`context` is no map, or cannot be written back whole"
    LinkOrScopeGap = "link or scope leg has a gap"
    DryRun = "dry run"
    BlockerRecorded = "recorded blocker"
    LastingBlocker = "recorded blocker other than a pause"
    NeverStarted = "the restore never started"
    BlockedAfterPassed = "`blocked_after` has passed"
    IntentGap = "intent leg has a gap"
    Executing = "restore `queued` or `running`"
    StatusUnknown = "restore status unknown"
    SomethingApplied = "something applied"
    NothingApplied = "nothing applied"
    Cancelled = "`cancelled`"
    Aborted = "`aborted`"
    CancelledOrAborted = "`cancelled` or `aborted`"
    Failed = "`failed`"
    EveryItemFailed = "at least one item, and every item failed"
    ItemRows = "item rows exist"
    Mixed = "`partial` or `completed_with_errors`"
    ItemsGap = "items leg has a gap"
    ClearanceGap = "clearance leg has a gap"
    AuditGap = "audit leg has a gap"
    EvidenceGap = "evidence leg has a gap"
    AuditOrEvidenceGap = "audit or evidence leg has a gap"
    SettleWindowOpen = "the settle window is open"
    AllLegsHold = "all legs hold"
}

/// The table of a ruleset. The first row that matches decides.
#[derive(Debug)]
pub struct RuleTable {
    /// What the ledger calls the ruleset.
    pub ruleset: &'static str,
    /// The rows; a decision names its row by its place, from 1 on.
    pub rows: &'static [RuleRow],
}

/// A row of the table.
#[derive(Debug, Serialize)]
pub struct RuleRow {
    /// It matches where all of these hold.
    pub when: &'static [Predicate],
    /// What follows then.
    pub then: Consequence,
    /// For which reason.
    pub because: Because,
}

/// What follows from a row.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// A verdict with this outcome.
    Verdict(Outcome),
    /// None yet.
    Deferred(Until),
}

/// What a deferred decision waits for.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Other facts.
    OtherFacts,
    /// That `blocked_after` has passed; where all that blocks is a pause, other facts.
    BlockedAfterPassed,
    /// The end of the settle window.
    SettleWindowClosed,
}

/// The reason that a row gives.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// This one.
    Code(ReasonCode),
    /// The first gap of this leg, in the registry's order.
    FirstGap(Leg),
    /// The first recorded blocker, in the registry's order.
    Blocker,
    /// The first that is no pause.
    LastingBlocker,
}

/// What rows look at, as a ruleset took it from its facts. Without a linked restore the first rows decide, so what is said
/// of the restore is moot then.
pub(super) struct RuleCase {
    pub(super) as_of: Timestamp,
    pub(super) run: RunStatus,
    pub(super) restore: RestoreStatus,
    pub(super) proof: Proof,
    /// What the ruleset says of its facts; all else follows from the other fields.
    pub(super) said: Vec<Predicate>,
    /// The first recorded blocker.
    pub(super) blocker: Option<ReasonCode>,
    /// The first one that is no pause.
    pub(super) lasting: Option<ReasonCode>,
    /// When `blocked_after` has passed.
    pub(super) blocked_at: Option<Timestamp>,
    /// When the settle window closes.
    pub(super) settled_at: Option<Timestamp>,
}

/// Rows of a table, a line each: what holds, what follows, and the reason.
macro_rules! rule_rows {
    ($( $($when:ident)&&+ => $then:expr, $because:expr; )+) => {
        &[$( $crate::restore_execute::table::RuleRow {
            when: &[$( $crate::restore_execute::table::Predicate::$when ),+],
            then: $then,
            because: $because,
        } ),+]
    };
}
pub(super) use rule_rows;

impl RuleTable {
    /// The table as JSON, a row a line.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let rows: Result<Vec<_>, _> = self.rows.iter().map(serde_json::to_string).collect();
        let (ruleset, rows) = (serde_json::to_string(self.ruleset)?, rows?.join(",\n"));
        Ok(format!("{{\"ruleset\":{ruleset},\"rows\":[\n{rows}\n]}}\n"))
    }

    /// Decides a case. Total: a case without a row, which the last row and those before it leave none, would be a defect,
    /// and stays open rather than being called anything.
    pub(super) fn decide(&self, case: RuleCase) -> Decision {
        let matched = self.rows.iter().zip(1..).find_map(|(row, number)| {
            let matches = row.when.iter().all(|predicate| case.holds(*predicate));
            let reason = case.reason(row.because).filter(|_| matches)?;
            Some((case.ruling(row.then), reason, number))
        });
        let open = Ruling::Deferred {
            look_again_at: None,
        };
        let (ruling, reason, rule) = matched.unwrap_or((open, ReasonCode::ProofUnavailable, 0));
        Decision {
            ruling,
            reason,
            rule,
            proof: case.proof,
        }
    }
}

impl RuleCase {
    fn holds(&self, predicate: Predicate) -> bool {
        use RestoreStatus as Restore;
        let has_gap = |leg| !self.proof.holds(leg);
        match predicate {
            Predicate::RunCompleted => self.run == RunStatus::Completed,
            Predicate::RunStatusUnknown => self.run == RunStatus::Unknown,
            Predicate::LinkOrScopeGap => has_gap(Leg::Link) || has_gap(Leg::Scope),
            Predicate::BlockerRecorded => self.blocker.is_some(),
            Predicate::LastingBlocker => self.lasting.is_some(),
            Predicate::BlockedAfterPassed => self.blocked_at.is_some_and(|at| at <= self.as_of),
            Predicate::Executing => matches!(self.restore, Restore::Queued | Restore::Running),
            Predicate::StatusUnknown => self.restore == Restore::Unknown,
            Predicate::NothingApplied => !self.said.contains(&Predicate::SomethingApplied),
            Predicate::Cancelled => self.restore == Restore::Cancelled,
            Predicate::Aborted => self.restore == Restore::Aborted,
            Predicate::CancelledOrAborted => {
                matches!(self.restore, Restore::Cancelled | Restore::Aborted)
            }
            Predicate::Failed => self.restore == Restore::Failed,
            Predicate::Mixed => {
                matches!(
                    self.restore,
                    Restore::Partial | Restore::CompletedWithErrors
                )
            }
            Predicate::IntentGap => has_gap(Leg::Intent),
            Predicate::ItemsGap => has_gap(Leg::Items),
            Predicate::ClearanceGap => has_gap(Leg::Clearance),
            Predicate::AuditGap => has_gap(Leg::Audit),
            Predicate::EvidenceGap => has_gap(Leg::Evidence),
            Predicate::AuditOrEvidenceGap => has_gap(Leg::Audit) || has_gap(Leg::Evidence),
            Predicate::SettleWindowOpen => self.settled_at.is_some_and(|at| at > self.as_of),
            Predicate::AllLegsHold => self.proof.is_complete(),
            Predicate::OtherType
            | Predicate::ContextMalformed
            | Predicate::DryRun
            | Predicate::NeverStarted
            | Predicate::SomethingApplied
            | Predicate::EveryItemFailed
            | Predicate::ItemRows => self.said.contains(&predicate),
        }
    }

    fn reason(&self, because: Because) -> Option<ReasonCode> {
        match because {
            Because::Code(code) => Some(code),
            Because::FirstGap(leg) => self.proof.gaps_of(leg).first().copied(),
            Because::Blocker => self.blocker,
            Because::LastingBlocker => self.lasting,
        }
    }

    fn ruling(&self, consequence: Consequence) -> Ruling {
        let look_again_at = match consequence {
            Consequence::Verdict(outcome) => return Ruling::Verdict(outcome),
            Consequence::Deferred(Until::OtherFacts) => None,
            Consequence::Deferred(Until::BlockedAfterPassed) => {
                self.blocked_at.filter(|_| self.lasting.is_some())
            }
            Consequence::Deferred(Until::SettleWindowClosed) => self.settled_at,
        };
        Ruling::Deferred { look_again_at }
    }
}

/// The table as text, a row a line.
impl fmt::Display for RuleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| # | Condition | Decision | Reason |\n|---|---|---|---|\n")?;
        for (row, number) in self.rows.iter().zip(1..) {
            let when: Vec<_> = row.when.iter().map(|predicate| predicate.words()).collect();
            let (when, then, because) = (when.join(", "), row.then, row.because);
            writeln!(f, "| {number} | {when} | {then} | {because} |")?;
        }
        Ok(())
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(outcome) => write!(f, "`{outcome}`"),
            Self::Deferred(_) => f.write_str("deferred"),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "`{code}`"),
            Self::FirstGap(leg) => write!(f, "first gap of {}", leg.name()),
            Self::Blocker => f.write_str("first blocker"),
            Self::LastingBlocker => f.write_str("first blocker other than a pause"),
        }
    }
}
