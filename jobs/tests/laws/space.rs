//! Laws 1 and 2 over every cell of the abstract space: each state of each kind of proof, combined
//! with each state of every other.
//!
//! What a cell must come out as is said from the cell itself, never from the legs the code under
//! test computed. Cells are made of parsed rows, so a state means what it means in a database.
//!
//! # Where law 2 meets the table
//!
//! "Weakening or removing any one proof never improves the outcome" is tested step by step: the
//! tables below name every single step that weakens one kind of proof. Two things are no weakening,
//! although they take something away:
//!
//! - taking away a row that only shows a failure takes away proof *of* failure, so item steps start
//!   from rows that show something applied;
//! - recording a stop (a blocker, a cancellation, an abortion) explains a failure. The table lists
//!   stops before failures, so a stop may turn `failed` into `blocked`, or into
//!   `partially_succeeded` where something had been applied. That is asserted exactly.

use std::sync::OnceLock;

use jiff::Timestamp;
use reconciler_jobs::ids::{RestoreId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::{AuditFacts, EvidenceFacts, Facts};
use reconciler_jobs::restore_execute::proof::{Leg, LegState};
use reconciler_jobs::restore_execute::{Decision, Outcome, decide};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, RESTORE, RUN, at, audit, candidate, json, moment, snapshot};

macro_rules! dimension {
    ($name:ident: $($state:ident)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $name { $($state),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$state),+];
        }
    };
}

dimension!(Settle: Open OpenWhileInProgress Closed NoEnd);
dimension!(Items:
    Applied AppliedAndCounted AppliedFailed AppliedUnknown
    AppliedMissing AppliedUnexpected AppliedConflict AppliedNotAssigned
    AppliedUncounted AllFailed FailedMissing FailedButFounded AllSkipped AllUnknown
    NoRows CountersOnly Unreadable);
dimension!(Status:
    Completed Partial CompletedWithErrors Failed Cancelled Aborted
    Queued Running Draft Scoped Checked Previewed Pending Unknown);
dimension!(DryRun: No Yes);
dimension!(Blocker: None OnRun OnRestore Unreadable Misshapen);
dimension!(Link:
    NamedAndPointing Pointing Gone Contested ScopeContradicts Foreign);
dimension!(Audit: Agrees Missing Contradicts ContradictedLater);
dimension!(Evidence:
    Qualifies QualifiesBesideNewer Missing InProgress Incomplete Expired Predates NotCurrent);

/// One state of every dimension. Cells are numbered with the last field counting fastest.
#[derive(Debug, Clone, Copy)]
struct Cell {
    settle: Settle,
    items: Items,
    status: Status,
    dry_run: DryRun,
    blocker: Blocker,
    link: Link,
    audit: Audit,
    evidence: Evidence,
}

const SHAPE: [usize; 8] = [
    Settle::ALL.len(),
    Items::ALL.len(),
    Status::ALL.len(),
    DryRun::ALL.len(),
    Blocker::ALL.len(),
    Link::ALL.len(),
    Audit::ALL.len(),
    Evidence::ALL.len(),
];

impl Cell {
    fn numbered(mut number: usize) -> Self {
        let mut at = [0; 8];
        for (digit, size) in at.iter_mut().zip(SHAPE).rev() {
            *digit = number % size;
            number /= size;
        }
        Self {
            settle: Settle::ALL[at[0]],
            items: Items::ALL[at[1]],
            status: Status::ALL[at[2]],
            dry_run: DryRun::ALL[at[3]],
            blocker: Blocker::ALL[at[4]],
            link: Link::ALL[at[5]],
            audit: Audit::ALL[at[6]],
            evidence: Evidence::ALL[at[7]],
        }
    }

    /// Whether a leg holds, said from the cell.
    fn holds(self, leg: Leg) -> bool {
        use Link::{NamedAndPointing, Pointing, ScopeContradicts};
        let in_scope = matches!(self.link, NamedAndPointing | Pointing);
        let linked = in_scope || self.link == ScopeContradicts;
        linked
            && match leg {
                Leg::Link => true,
                Leg::Scope => in_scope,
                Leg::Intent => self.dry_run == DryRun::No && !self.status.is_preparation(),
                Leg::Execution => self.status == Status::Completed,
                Leg::Items => matches!(self.items, Items::Applied | Items::AppliedAndCounted),
                Leg::Audit => self.audit == Audit::Agrees && self.status.is_end(),
                Leg::Evidence => {
                    matches!(
                        self.evidence,
                        Evidence::Qualifies | Evidence::QualifiesBesideNewer
                    ) && self.settle != Settle::NoEnd
                }
                Leg::Clearance => self.blocker == Blocker::None,
            }
    }

    fn something_applied(self) -> bool {
        !matches!(
            self.items,
            Items::AllFailed
                | Items::FailedMissing
                | Items::AllSkipped
                | Items::AllUnknown
                | Items::NoRows
                | Items::Unreadable
        )
    }
}

impl Settle {
    fn as_of(self) -> Timestamp {
        match self {
            Self::Open | Self::NoEnd => moment("11:36:00"),
            Self::OpenWhileInProgress => moment("11:50:00"),
            Self::Closed => moment("12:45:00"),
        }
    }

    fn completed_at(self) -> Stamp {
        match self {
            Self::NoEnd => Stamp::Absent,
            _ => at("11:30:00"),
        }
    }
}

impl Items {
    fn set(self, case: &mut Case) {
        const BOTH: &str = r#"{"1":{"status":"applied"},"2":{"status":"created"}}"#;
        const FAILED: &str = r#"{"1":{"status":"failed"},"2":{"status":"error"}}"#;
        let beside = |second: &str| format!(r#"{{"1":{{"status":"applied"}},"2":{second}}}"#);
        let (items, requested, metadata) = match self {
            Self::Applied => (BOTH.to_owned(), "[1,2]", "{}"),
            Self::AppliedAndCounted => (BOTH.to_owned(), "null", r#"{"total":2}"#),
            Self::AppliedUncounted => (BOTH.to_owned(), "null", "{}"),
            Self::AppliedUnexpected => (BOTH.to_owned(), "[1]", "{}"),
            Self::AppliedConflict => (BOTH.to_owned(), "[1,2]", r#"{"succeeded":1}"#),
            Self::AppliedFailed => (beside(r#"{"status":"failed"}"#), "[1,2]", "{}"),
            Self::AppliedUnknown => (beside(r#"{"status":"done"}"#), "[1,2]", "{}"),
            Self::AppliedNotAssigned => (
                beside(r#"{"status":"created","assignment_summary":{"failed":1}}"#),
                "[1,2]",
                "{}",
            ),
            Self::AppliedMissing => (r#"{"1":{"status":"applied"}}"#.to_owned(), "[1,2]", "{}"),
            Self::AllFailed | Self::FailedButFounded => (FAILED.to_owned(), "[1,2]", "{}"),
            Self::FailedMissing => (r#"{"2":{"status":"failed"}}"#.to_owned(), "[1,2]", "{}"),
            Self::AllSkipped => (
                FAILED
                    .replace("failed", "skipped")
                    .replace("error", "ignored"),
                "[1,2]",
                "{}",
            ),
            Self::AllUnknown => (
                r#"{"1":{"status":"done"},"2":{}}"#.to_owned(),
                "[1,2]",
                "{}",
            ),
            Self::NoRows => ("{}".to_owned(), "[1,2]", "{}"),
            Self::CountersOnly => ("{}".to_owned(), "[1,2]", r#"{"succeeded":2}"#),
            Self::Unreadable => ("7".to_owned(), "[1,2]", "{}"),
        };
        case.items(&items);
        case.restore.requested_items = json(requested);
        case.restore.metadata = json(metadata);
        if self == Self::FailedButFounded {
            case.restore.results = json(&format!(
                r#"{{"foundations":[{{"decision":"created"}}],"items":{items}}}"#
            ));
        }
    }
}

impl Blocker {
    fn set(self, case: &mut Case) {
        match self {
            Self::None => {}
            Self::OnRun => case.run.failure_summary = json(r#"[{"code":"write_gate_blocked"}]"#),
            Self::OnRestore => case.restore.failure_reason = Some("missing_capability".to_owned()),
            Self::Unreadable => case.run.failure_summary = json("5"),
            Self::Misshapen => case.run.failure_summary = json(r#"[["write_gate_blocked"]]"#),
        }
    }
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Draft => "draft",
            Self::Scoped => "scoped",
            Self::Checked => "checked",
            Self::Previewed => "previewed",
            Self::Pending => "pending",
            Self::Unknown => "Completed ",
        }
    }

    const fn is_end(self) -> bool {
        use Status::{Aborted, Cancelled, Completed, CompletedWithErrors, Failed, Partial};
        matches!(
            self,
            Completed | Partial | CompletedWithErrors | Failed | Cancelled | Aborted
        )
    }

    const fn is_preparation(self) -> bool {
        use Status::{Checked, Draft, Pending, Previewed, Scoped};
        matches!(self, Draft | Scoped | Checked | Previewed | Pending)
    }
}

impl Link {
    fn set(self, case: &mut Case) {
        let other = candidate(RestoreId(8), Some(RUN));
        let this = candidate(RESTORE, Some(RUN));
        let (context, candidates) = match self {
            Self::NamedAndPointing | Self::Foreign => (r#"{"restore_run_id":7}"#, vec![this]),
            Self::Pointing => ("[]", vec![this]),
            Self::Gone => (r#"{"restore_run_id":7}"#, vec![]),
            Self::Contested => (r#"{"restore_run_id":7}"#, vec![this, other]),
            Self::ScopeContradicts => (
                r#"{"restore_run_id":7,"target_scope":{"workspace_id":9}}"#,
                vec![this],
            ),
        };
        case.run.context = json(context);
        case.candidates = candidates;
        if self == Self::Foreign {
            case.restore.workspace_id = WorkspaceId(9);
        }
    }
}

impl Audit {
    fn set(self, case: &mut Case) {
        case.audits = match self {
            Self::Missing => vec![],
            Self::Contradicts => vec![audit(901, "restore.executed", "11:32:00")],
            Self::ContradictedLater => vec![
                audit(900, "restore.executed", "11:31:00"),
                audit(901, "restore.executed", "11:32:00"),
            ],
            Self::Agrees => vec![audit(900, "restore.executed", "11:31:00")],
        };
        for entry in &mut case.audits {
            // No status of a restore agrees with a word nobody knows.
            entry.outcome = (entry.id.0 == 901).then(|| "exploded".to_owned());
        }
    }
}

impl Evidence {
    fn set(self, case: &mut Case) {
        let mut active = snapshot(500, "active", "11:35:00");
        let newer = snapshot(501, "generating", "11:35:30");
        match self {
            Self::Incomplete => active.completeness = Some("partial".to_owned()),
            Self::Expired => active.expires_at = Stamp::At(case.as_of),
            Self::Predates => active.generated_at = at("11:29:59.999999"),
            Self::InProgress => active.status = "generating".to_owned(),
            Self::NotCurrent => active.status = "superseded".to_owned(),
            Self::Qualifies | Self::QualifiesBesideNewer | Self::Missing => {}
        }
        case.snapshots = match self {
            Self::Missing => vec![],
            Self::QualifiesBesideNewer => vec![active, newer],
            _ => vec![active],
        };
    }
}

/// The facts of a case with one thing set.
fn facts_of(as_of: Timestamp, set: impl FnOnce(&mut Case)) -> Facts {
    let mut case = Case::proven();
    case.as_of = as_of;
    set(&mut case);
    case.facts_with_any_restore()
}

/// Decides every cell of one state of the settle window, in the order of the cells. A bad link is
/// met with a restore in the facts all the same: no store should do that, and nothing may follow.
fn decide_all(settle: Settle, mut look: impl FnMut(&Decision)) {
    let as_of = settle.as_of();
    let audits: Vec<Vec<AuditFacts>> = Audit::ALL
        .iter()
        .map(|state| facts_of(as_of, |case| state.set(case)).audits)
        .collect();
    let evidence: Vec<EvidenceFacts> = Evidence::ALL
        .iter()
        .map(|state| facts_of(as_of, |case| state.set(case)).evidence)
        .collect();
    let mut facts = facts_of(as_of, |_| {});
    for items in Items::ALL {
        for status in Status::ALL {
            for dry_run in DryRun::ALL {
                for blocker in Blocker::ALL {
                    for link in Link::ALL {
                        let set = |case: &mut Case| {
                            items.set(case);
                            blocker.set(case);
                            link.set(case);
                            case.restore.status = status.word().to_owned();
                            case.restore.is_dry_run = Some(*dry_run == DryRun::Yes);
                            case.restore.completed_at = settle.completed_at();
                        };
                        let made = facts_of(as_of, set);
                        facts.run = made.run;
                        facts.candidates = made.candidates;
                        facts.restore = made.restore;
                        for audits in &audits {
                            facts.audits.clone_from(audits);
                            for evidence in &evidence {
                                facts.evidence = *evidence;
                                look(&decide(&facts));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the whole space came out as.
struct Space {
    /// By cell number; none for a deferred decision.
    outcomes: Vec<Option<Outcome>>,
    /// Cells that broke law 1, or matched no rule.
    wrong: Vec<String>,
}

/// Decides the space once, for all tests of this module.
fn space() -> &'static Space {
    static SPACE: OnceLock<Space> = OnceLock::new();
    SPACE.get_or_init(|| {
        let mut space = Space {
            outcomes: Vec::new(),
            wrong: Vec::new(),
        };
        std::thread::scope(|scope| {
            let slices: Vec<_> = Settle::ALL
                .iter()
                .enumerate()
                .map(|(place, settle)| scope.spawn(move || slice(place, *settle)))
                .collect();
            for slice in slices {
                let part = slice.join().unwrap();
                space.outcomes.extend(part.outcomes);
                space.wrong.extend(part.wrong);
            }
        });
        space
    })
}

fn slice(place: usize, settle: Settle) -> Space {
    let first: usize = place * SHAPE.iter().skip(1).product::<usize>();
    let mut part = Space {
        outcomes: Vec::new(),
        wrong: Vec::new(),
    };
    decide_all(settle, |decision| {
        let cell = Cell::numbered(first + part.outcomes.len());
        let holding = Leg::ALL.map(|leg| cell.holds(leg));
        let proven = holding.iter().all(|holds| *holds);
        let legs_agree = decision
            .proof
            .legs()
            .zip(holding)
            .all(|((_, state), holds)| (*state == LegState::Holds) == holds);
        let succeeded = decision.outcome() == Some(Outcome::Succeeded);
        if !legs_agree || proven != succeeded || decision.rule == 0 {
            part.wrong.push(format!("{cell:?}\n  {decision:?}"));
        }
        part.outcomes.push(decision.outcome());
    });
    part
}

#[test]
fn law_1_succeeded_if_and_only_if_all_eight_legs_hold() {
    let space = space();
    assert_eq!(space.outcomes.len(), SHAPE.iter().product::<usize>());
    assert!(space.outcomes.len() >= 100_000);
    let first = space.wrong.first();
    assert!(
        first.is_none(),
        "{} cells, {}",
        space.wrong.len(),
        first.unwrap()
    );
}

#[test]
fn every_outcome_is_reached() {
    for outcome in Outcome::ALL.into_iter().map(Some).chain([None]) {
        assert!(space().outcomes.contains(&outcome), "{outcome:?}");
    }
}

/// One single step that weakens the proof: in this dimension, from this state to that one.
struct Step {
    dimension: usize,
    from: usize,
    to: usize,
    /// Whether the step records that somebody or something stopped the restore.
    stops: bool,
}

fn steps<T: Copy + PartialEq>(
    dimension: usize,
    all: &[T],
    table: &[(T, &[T])],
    stops: &[T],
) -> Vec<Step> {
    let place = |state: &T| all.iter().position(|each| each == state).unwrap();
    let edge = |from: &T, to: &T| Step {
        dimension,
        from: place(from),
        to: place(to),
        stops: stops.contains(to),
    };
    table
        .iter()
        .flat_map(|(from, weaker)| weaker.iter().map(move |to| edge(from, to)))
        .collect()
}

fn weakening_steps() -> Vec<Step> {
    let settle = [(Settle::Open, &[Settle::NoEnd][..])];
    let dry_run = [(DryRun::No, &[DryRun::Yes][..])];
    let blocker = [(Blocker::None, &Blocker::ALL[1..])];
    let link = [
        (Link::NamedAndPointing, &Link::ALL[2..]),
        (Link::Pointing, &[Link::Gone][..]),
    ];
    let audit = [
        (Audit::Agrees, &Audit::ALL[1..]),
        (Audit::ContradictedLater, &[Audit::Contradicts][..]),
    ];
    let evidence = [
        (Evidence::Qualifies, &Evidence::ALL[2..]),
        (
            Evidence::QualifiesBesideNewer,
            &[Evidence::InProgress, Evidence::Missing][..],
        ),
    ];
    // Every status is less than completed; an end in part is more than none.
    let status = [
        (Status::Completed, &Status::ALL[1..]),
        (Status::Partial, &Status::ALL[3..]),
        (Status::CompletedWithErrors, &Status::ALL[3..]),
    ];
    [
        steps(0, Settle::ALL, &settle, &[]),
        steps(1, Items::ALL, &ITEM_STEPS, &[]),
        steps(
            2,
            Status::ALL,
            &status,
            &[Status::Cancelled, Status::Aborted],
        ),
        steps(3, DryRun::ALL, &dry_run, &[]),
        steps(
            4,
            Blocker::ALL,
            &blocker,
            &[Blocker::OnRun, Blocker::OnRestore],
        ),
        steps(5, Link::ALL, &link, &[]),
        steps(6, Audit::ALL, &audit, &[]),
        steps(7, Evidence::ALL, &evidence, &[]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What can become of rows that show something applied: an applied row is lost or becomes any less,
/// the request or the counters stop agreeing, or nothing can be read any more.
const ITEM_STEPS: [(Items, &[Items]); 10] = {
    use Items::{
        AllFailed, AllSkipped, AllUnknown, Applied, AppliedAndCounted, AppliedConflict,
        AppliedFailed, AppliedMissing, AppliedNotAssigned, AppliedUncounted, AppliedUnexpected,
        AppliedUnknown, CountersOnly, FailedButFounded, FailedMissing, NoRows, Unreadable,
    };
    [
        (
            Applied,
            &[
                AppliedFailed,
                AppliedUnknown,
                AppliedMissing,
                AppliedUnexpected,
                AppliedConflict,
                AppliedNotAssigned,
                AppliedUncounted,
                AllFailed,
                AllSkipped,
                AllUnknown,
                NoRows,
                Unreadable,
            ],
        ),
        (
            AppliedAndCounted,
            &[AppliedUncounted, AppliedConflict, Unreadable],
        ),
        (AppliedFailed, &[AllFailed, FailedMissing, Unreadable]),
        (AppliedUnknown, &[AllUnknown, Unreadable]),
        (AppliedMissing, &[FailedMissing, NoRows, Unreadable]),
        (AppliedUnexpected, &[Unreadable]),
        (AppliedConflict, &[Unreadable]),
        (
            AppliedNotAssigned,
            &[AppliedFailed, AppliedMissing, Unreadable],
        ),
        (CountersOnly, &[NoRows]),
        (FailedButFounded, &[AllFailed]),
    ]
};

#[test]
fn law_2_no_weaker_proof_has_a_better_outcome() {
    let outcomes = &space().outcomes;
    let mut stopped = 0_usize;
    for step in weakening_steps() {
        let stride: usize = SHAPE.iter().skip(step.dimension + 1).product();
        let block = stride * SHAPE[step.dimension];
        for start in (0..outcomes.len()).step_by(block) {
            for offset in 0..stride {
                let from = start + step.from * stride + offset;
                let to = start + step.to * stride + offset;
                let (before, after) = (outcomes[from], outcomes[to]);
                assert_ne!(after, Some(Outcome::Succeeded), "{:?}", Cell::numbered(to));
                if before
                    .zip(after)
                    .is_none_or(|(before, after)| after <= before)
                {
                    continue;
                }
                let cell = Cell::numbered(to);
                let explained = if cell.something_applied() {
                    Outcome::PartiallySucceeded
                } else {
                    Outcome::Blocked
                };
                assert!(
                    step.stops && before == Some(Outcome::Failed) && after == Some(explained),
                    "{before:?} became {after:?}: {:?} to {cell:?}",
                    Cell::numbered(from)
                );
                stopped += 1;
            }
        }
    }
    assert!(stopped > 0, "the exception is real");
}
