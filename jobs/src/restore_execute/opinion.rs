//! A second opinion on a run that somebody else closed: whether what the run claims is covered by proof.
//!
//! The platform closes runs too, and says itself how they came out. Nothing of that is touched; the same rules are
//! asked what they would have said, and the two are compared.
//!
//! **How it differs from a decision** (the platform's reconciliation specification, and this product's own where that is
//! silent):
//! - The rows of the table that look at whether the run is closed (2 and 3) are left out.
//! - What the closer wrote, the outcome and failures with its own code, is the claim and no evidence.
//! - Proof counts as it stood when the run was closed: evidence that has expired or was superseded since is taken as
//!   it was. What came to be recorded within [`CHANGES_WITHIN`] of that counts as well, and nothing later.
//! - Where only such ageing may separate the run from a success, nobody can tell any more.
//! - What the rules would leave undecided, nobody can tell either.
//!
//! **Invariant:** the same facts always give the same opinion. It is no verdict, and writes none.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Decision;
use super::facts::{AuditFacts, EvidenceFacts, Facts, Retirement, RunOutcome, SnapshotFacts};
use super::outcome::Outcome;
use super::reason::ReasonCode;
use super::rules::decide;
use crate::stamp::{Stamp, is_later, shifted};
use crate::vocabulary;

/// How long after a run was closed proof may still come to be recorded, and an opinion may change.
pub const CHANGES_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What is written where evidence has aged, in the place of a reason code.
pub const PROOF_AGED: &str = "proof_aged";

vocabulary! {
    /// How what a run claims relates to what is proven.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Stance {
        /// The word that is stored.
        word: &'static str,
        /// What to tell people about it.
        sentence: &'static str,
    }
    /// The rules come to the same outcome.
    Agrees {
        word: "agrees",
        sentence: "The rules come to the same outcome.",
    }
    /// The run claims more than the rules find proven.
    ClaimsMore {
        word: "claims_more",
        sentence: "The run claims more than is proven.",
    }
    /// The run claims less than the rules find proven.
    ClaimsLess {
        word: "claims_less",
        sentence: "The run claims less than is proven.",
    }
    /// One says that it was blocked, and the other that it failed.
    Disagrees {
        word: "disagrees",
        sentence: "One of run and rules says that it was blocked, and the other that it failed.",
    }
    /// The rules leave it undecided, or proof has aged since.
    CannotTell {
        word: "cannot_tell",
        sentence: "The rules cannot tell whether what the run claims is proven.",
    }
}

impl Stance {
    /// The stored word, read back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stance| stance.word() == word)
    }
}

/// What the rules have to say on a closed run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// What the run says of itself.
    pub claimed: RunOutcome,
    /// How that relates to what is proven.
    pub stance: Stance,
    /// What the rules would have decided.
    pub decision: Decision,
    /// Whether evidence that has aged may have been the one thing missing.
    pub proof_aged: bool,
}

impl Opinion {
    /// The code of the reason: the decision's, or [`PROOF_AGED`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        if self.proof_aged {
            PROOF_AGED
        } else {
            self.decision.reason.code()
        }
    }
}

/// Whether a run says that it succeeded, and that is not proven.
#[must_use]
pub fn is_unproven_success(claimed: RunOutcome, stance: Stance) -> bool {
    claimed == RunOutcome::Succeeded && stance == Stance::ClaimsMore
}

/// What the rules have to say on a closed run. Total: every input has an answer.
#[must_use]
pub fn opine(facts: &Facts) -> Opinion {
    let mut stood = facts.reopened();
    let closed_at = facts.run.completed_at.moment();
    if let Some(closed_at) = closed_at {
        let until = shifted(closed_at, CHANGES_WITHIN);
        stood.evidence = evidence_at(&facts.evidence, closed_at, until);
        stood.audits.retain(|audit| is_in_time(audit, closed_at));
    }
    let decision = decide(&stood);
    let claimed = facts.run.outcome;
    let stance = compare(claimed, decision.outcome());
    let proof_aged = stance == Stance::ClaimsMore
        && aged(&facts.evidence, closed_at).any(|snapshot| {
            stood.evidence.active = Some(snapshot);
            decide(&stood).reason == ReasonCode::ProofComplete
        });
    Opinion {
        claimed,
        stance: if proof_aged {
            Stance::CannotTell
        } else {
            stance
        },
        decision,
        proof_aged,
    }
}

fn compare(claimed: RunOutcome, found: Option<Outcome>) -> Stance {
    let (Some(claimed), Some(found)) = (Outcome::parse(claimed.word()), found) else {
        return Stance::CannotTell;
    };
    match (claimed, found) {
        (Outcome::Blocked, Outcome::Failed) | (Outcome::Failed, Outcome::Blocked) => {
            Stance::Disagrees
        }
        _ if claimed == found => Stance::Agrees,
        _ if claimed > found => Stance::ClaimsMore,
        _ => Stance::ClaimsLess,
    }
}

/// Evidence as it stood at `moment`: the latest that was active, or came by `until`, with its age undone.
pub(super) fn evidence_at(
    evidence: &EvidenceFacts,
    moment: Timestamp,
    until: Timestamp,
) -> EvidenceFacts {
    let still_active = evidence
        .retired
        .iter()
        .filter(|retired| retired.status != Retirement::Failed)
        .filter(|retired| is_later(retired.retired_at, moment))
        .map(|retired| retired.snapshot);
    let latest = evidence
        .active
        .into_iter()
        .chain(still_active)
        .filter(|snapshot| !is_later(snapshot.generated_at, until))
        .max_by_key(|snapshot| snapshot.id);
    EvidenceFacts {
        active: latest.map(|snapshot| valid_at(snapshot, moment)),
        ..evidence.clone()
    }
}

/// A snapshot that was valid when the run was closed, or when it was made after that, and has expired since, has not.
fn valid_at(snapshot: SnapshotFacts, closed_at: Timestamp) -> SnapshotFacts {
    let since = snapshot.generated_at.moment().max(Some(closed_at));
    match (snapshot.expires_at, since) {
        (Stamp::At(expires), Some(since)) if expires > since => unexpiring(snapshot),
        _ => snapshot,
    }
}

fn unexpiring(snapshot: SnapshotFacts) -> SnapshotFacts {
    SnapshotFacts {
        expires_at: Stamp::Absent,
        ..snapshot
    }
}

/// Snapshots of which nobody knows whether they counted when the run was closed: others than the latest did, or may have.
///
/// A store reads one snapshot of each status, the one with the highest id. One that was made after the run was closed, and was replaced, may have
/// replaced another that counted: that one is taken for complete.
fn aged(
    evidence: &EvidenceFacts,
    closed_at: Option<Timestamp>,
) -> impl Iterator<Item = SnapshotFacts> {
    let retired = evidence
        .retired
        .iter()
        .filter(|retired| retired.status != Retirement::Failed)
        .filter(move |retired| match (retired.retired_at, closed_at) {
            (Stamp::At(_), Some(closed_at)) => is_later(retired.retired_at, closed_at),
            _ => true,
        })
        .map(|retired| retired.snapshot);
    let unplaced = evidence.active.filter(|_| closed_at.is_none());
    let known = retired.chain(unplaced).filter(move |snapshot| {
        closed_at.is_none_or(|closed_at| !is_too_late(snapshot.generated_at, closed_at))
    });
    let known = known.map(move |snapshot| match closed_at {
        Some(closed_at) => valid_at(snapshot, closed_at),
        None => unexpiring(snapshot),
    });
    let replaced = evidence
        .retired
        .iter()
        .filter(|retired| retired.status != Retirement::Failed)
        .filter_map(move |retired| {
            let closed_at = closed_at?;
            is_later(retired.snapshot.generated_at, closed_at).then_some(SnapshotFacts {
                complete: true,
                generated_at: Stamp::At(closed_at),
                expires_at: Stamp::Absent,
                ..retired.snapshot
            })
        });
    known.chain(replaced)
}

fn is_too_late(stamp: Stamp, closed_at: Timestamp) -> bool {
    is_later(stamp, shifted(closed_at, CHANGES_WITHIN))
}

fn is_in_time(audit: &AuditFacts, closed_at: Timestamp) -> bool {
    let recorded = audit.recorded_at.map_or(Stamp::Absent, Stamp::At);
    !is_too_late(recorded, closed_at)
}
