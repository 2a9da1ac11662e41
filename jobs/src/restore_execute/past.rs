//! What was known of a run at an earlier moment, as far as the record tells, and what the rules would have said of it.
//!
//! ```text
//! facts of today, or of a verdict ──take back what is dated later──▶ facts of then, and what nobody can say ──decide──▶
//! ```
//!
//! Rows are changed in their place, so that most of what they said before is gone. What has a moment is taken back to it;
//! of what has none, the record says nothing: what is taken instead is named.
//!
//! **Invariant:** what is dated later than the moment that is asked for proves nothing then.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{EvidenceFacts, Facts, RestoreFacts, RestoreStatus, RunStatus};
use super::opinion::evidence_at;
use super::results::{Counters, ItemFacts};
use crate::stamp::Stamp;
use crate::vocabulary;

vocabulary! {
    /// What nobody can say of a moment that has passed.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Unrecorded {
        /// What is missing, and what is taken in its place.
        sentence: &'static str,
    }
    /// A row of a run has one text, that of today.
    RunTexts {
        sentence: "What the run's outcome, its context and its recorded failures said then; they are taken as they are on record.",
    }
    /// Restores that belong to the run or may have are facts without a moment.
    OtherRestores {
        sentence: "Which other restores there were then; those on record are taken.",
    }
    /// Facts keep one snapshot of each status, as its row is now.
    Evidence {
        sentence: "Which other evidence there was, and whether that on record was complete then; it is taken as it is on record.",
    }
    /// The run is closed, and nobody noted when.
    RunEnd {
        sentence: "When the run was closed; it is taken as closed.",
    }
    /// The platform opened the run again after its verdict.
    Reopening {
        sentence: "When the run was opened again after that verdict; it is taken as closed.",
    }
    /// The restore had not started.
    RestoreStatus {
        sentence: "Which status and which blockers the restore had before it started; it is taken as queued, with the blockers on record.",
    }
    /// The restore was under way.
    Progress {
        sentence: "What the restore had done by then; it is taken as under way, with nothing recorded.",
    }
    /// The restore's row was written after that moment, or nobody can say when.
    RestoreRow {
        sentence: "What the restore's row said before it was last written; it is taken as it is on record.",
    }
    /// An audit entry has no moment that can be read.
    AuditMoment {
        sentence: "When an audit entry was recorded; it is taken as recorded by then.",
    }
}

/// What of each past nobody can say.
const ALWAYS: [Unrecorded; 3] = [
    Unrecorded::RunTexts,
    Unrecorded::OtherRestores,
    Unrecorded::Evidence,
];

/// A run as it was known at an earlier moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What was known, as far as the record tells.
    pub facts: Facts,
    /// What nobody can say of it.
    pub unrecorded: Vec<Unrecorded>,
}

impl Past {
    /// What `facts` say of `moment`: themselves, where they were read no later. Nothing where there was no such run.
    #[must_use]
    pub fn of(facts: &Facts, moment: Timestamp) -> Option<Self> {
        if moment >= facts.as_of {
            return Some(Self {
                facts: facts.clone(),
                unrecorded: Vec::new(),
            });
        }
        if is_after(facts.run.created_at, moment) {
            return None;
        }
        let mut unrecorded = ALWAYS.to_vec();
        let mut then = run_at(facts, moment, &mut unrecorded);
        then.as_of = moment;
        let born = |restore: &RestoreFacts| !is_after(restore.created_at, moment);
        if let Some(unborn) = then.restore.take_if(|restore| !born(restore)) {
            then.candidates.retain(|it| it.restore_id != unborn.id);
        }
        then.restore = then
            .restore
            .map(|restore| restore_at(restore, moment, &mut unrecorded));
        if then.audits.iter().any(|audit| audit.recorded_at.is_none()) {
            unrecorded.push(Unrecorded::AuditMoment);
        }
        then.audits
            .retain(|audit| audit.recorded_at.is_none_or(|at| at <= moment));
        then.evidence = evidence_of(&facts.evidence, moment);
        Some(Self {
            facts: then,
            unrecorded,
        })
    }
}

fn is_after(stamp: Stamp, moment: Timestamp) -> bool {
    stamp.moment().is_some_and(|at| at > moment)
}

fn run_at(facts: &Facts, moment: Timestamp, unrecorded: &mut Vec<Unrecorded>) -> Facts {
    let is_closed = facts.run.status == RunStatus::Completed;
    if is_closed && facts.run.completed_at.moment().is_none() {
        unrecorded.push(Unrecorded::RunEnd);
    }
    let mut then = if is_closed && is_after(facts.run.completed_at, moment) {
        facts.reopened()
    } else {
        facts.clone()
    };
    let run = &mut then.run;
    if is_after(run.completed_at, moment) {
        run.completed_at = Stamp::Absent;
    }
    if is_after(run.started_at, moment) {
        run.started_at = Stamp::Absent;
        if run.status == RunStatus::Running {
            run.status = RunStatus::Queued;
        }
    }
    then
}

/// A restore that had not ended had recorded nothing that the record still tells.
fn restore_at(
    restore: RestoreFacts,
    moment: Timestamp,
    unrecorded: &mut Vec<Unrecorded>,
) -> RestoreFacts {
    let is_prepared = restore.status.is_pre_execution();
    let may_never_have = matches!(
        restore.status,
        RestoreStatus::Queued | RestoreStatus::Cancelled
    );
    let has_started = match restore.started_at {
        Stamp::At(at) => at <= moment,
        _ => !is_prepared && !may_never_have,
    };
    let written = restore.updated_at.moment();
    let is_rewritten = written.is_none_or(|at| at > moment);
    let has_ended = match restore.completed_at {
        Stamp::At(at) => at <= moment,
        _ => !is_rewritten,
    };
    if has_ended && (has_started || restore.started_at.moment().is_none()) {
        unrecorded.extend(is_rewritten.then_some(Unrecorded::RestoreRow));
        return restore;
    }
    let status = match (has_started, is_prepared) {
        (true, _) => RestoreStatus::Running,
        (false, true) => restore.status,
        (false, false) => RestoreStatus::Queued,
    };
    unrecorded.push(if has_started {
        Unrecorded::Progress
    } else {
        Unrecorded::RestoreStatus
    });
    RestoreFacts {
        status,
        started_at: if has_started {
            restore.started_at
        } else {
            Stamp::Absent
        },
        completed_at: Stamp::Absent,
        // Nobody can say when it was written last, and a blocker's time does not run out on a guess.
        updated_at: written.map_or(restore.updated_at, |at| Stamp::At(at.min(moment))),
        items: ItemFacts {
            requested: restore.items.requested,
            ..ItemFacts::default()
        },
        counters: Counters::default(),
        failures: Vec::new(),
        ..restore
    }
}

/// Evidence that there was: what came or went later is taken away, and its age is undone. What is being made now may have
/// been then.
fn evidence_of(evidence: &EvidenceFacts, moment: Timestamp) -> EvidenceFacts {
    let then = evidence_at(evidence, moment, moment);
    let retired = evidence.retired.iter().filter(|it| {
        !is_after(it.retired_at, moment) && !is_after(it.snapshot.generated_at, moment)
    });
    EvidenceFacts {
        active: then.active.filter(|it| !is_after(it.generated_at, moment)),
        retired: retired.cloned().collect(),
        ..then
    }
}
