//! Laws 1 and 2 over the cells of the abstract space: each state of each kind of proof, combined with each state of
//! every other.
//!
//! What a cell must come out as is said from the cell itself, never from the legs the code under
//! test computed. Cells are made of parsed rows, so a state means what it means in a database.
//!
//! The space has more than fifty million cells. Every so many of them are looked at by default, and all of them with
//! `RECONCILER_TEST_SPACE=whole` (`cargo test --release -p reconciler-jobs --test laws space`).
//!
//! # Where law 2 meets the table
//!
//! "Weakening or removing any one proof of success never improves the outcome" is tested step by step: the
//! tables below name every single step that weakens one kind of proof. Two things are no weakening,
//! although they take something away:
//!
//! - taking away a row that only shows a failure takes away proof *of* failure, so item steps start
//!   from rows that show something applied;
//! - recording a stop (a blocker, a cancellation, an abortion) explains a failure. The table lists
//!   stops before failures, so a stop may turn `failed` into `blocked`, or into
//!   `partially_succeeded` where something had been applied. That is asserted exactly.

use std::collections::BTreeSet;
use std::num::NonZero;

use jiff::Timestamp;
use reconciler_jobs::ids::{RestoreId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::{
    AuditFacts, EvidenceFacts, Facts, RestoreFacts, RestoreStatus, RunOutcome,
};
use reconciler_jobs::restore_execute::proof::{Leg, LegState};
use reconciler_jobs::restore_execute::rows::SetItems;
use reconciler_jobs::restore_execute::{Decision, Outcome, decide};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, RESTORE, RUN, at, audit, candidate, json, moment, snapshot};

macro_rules! dimension {
    ($name:ident: $($state:ident)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($state),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$state),+];
        }
    };
}

dimension!(Settle: Open OpenWhileInProgress Closed NoEnd ZeroDate);
dimension!(Items:
    Applied Decided WholeSet AppliedFailed AppliedUnknown AppliedDenied AppliedContradicted
    AppliedMissing AppliedUnexpected AppliedConflict AppliedNotAssigned AppliedBeside
    SetAbsent SetLarger AllFailed FailedMissing FailedButFounded AllSkipped AllUnknown
    NoRows CountersOnly Unreadable);
dimension!(Status:
    Completed Partial CompletedWithErrors Failed Cancelled Aborted
    Queued Running Draft Scoped Checked Previewed Pending Unknown);
dimension!(DryRun: No Yes);
dimension!(Started: Yes No);
dimension!(Blocker: None OnRun OnRestore Paused Unreadable Misshapen);
dimension!(Failure: None OnRun Outcome OnRestore);
dimension!(Link:
    NamedAndPointing Pointing BesideDraft Gone Contested ScopeContradicts Foreign);
dimension!(Audit: Agrees UnknownBesideKnown Missing Contradicts ContradictedLater UnknownAlone);
dimension!(Evidence:
    Qualifies ExpiresFar QualifiesBesideNewer Missing InProgress Incomplete Expired Predates NotCurrent);

/// One state of every dimension. Cells are numbered with the last field counting fastest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) settle: Settle,
    pub(crate) items: Items,
    pub(crate) status: Status,
    pub(crate) dry_run: DryRun,
    pub(crate) started: Started,
    pub(crate) blocker: Blocker,
    pub(crate) failure: Failure,
    pub(crate) link: Link,
    pub(crate) audit: Audit,
    pub(crate) evidence: Evidence,
}

const SHAPE: [usize; 10] = [
    Settle::ALL.len(),
    Items::ALL.len(),
    Status::ALL.len(),
    DryRun::ALL.len(),
    Started::ALL.len(),
    Blocker::ALL.len(),
    Failure::ALL.len(),
    Link::ALL.len(),
    Audit::ALL.len(),
    Evidence::ALL.len(),
];

/// How many cells there are.
const CELLS: usize = {
    let mut cells = 1;
    let mut dimension = 0;
    while dimension < SHAPE.len() {
        cells *= SHAPE[dimension];
        dimension += 1;
    }
    cells
};

impl Cell {
    pub(crate) fn at(at: [usize; 10]) -> Self {
        Self {
            settle: Settle::ALL[at[0]],
            items: Items::ALL[at[1]],
            status: Status::ALL[at[2]],
            dry_run: DryRun::ALL[at[3]],
            started: Started::ALL[at[4]],
            blocker: Blocker::ALL[at[5]],
            failure: Failure::ALL[at[6]],
            link: Link::ALL[at[7]],
            audit: Audit::ALL[at[8]],
            evidence: Evidence::ALL[at[9]],
        }
    }

    /// Whether a leg holds, said from the cell.
    fn holds(self, leg: Leg) -> bool {
        use Link::{BesideDraft, NamedAndPointing, Pointing, ScopeContradicts};
        let in_scope = matches!(self.link, NamedAndPointing | Pointing | BesideDraft);
        let linked = in_scope || self.link == ScopeContradicts;
        linked
            && match leg {
                Leg::Link => true,
                Leg::Scope => in_scope,
                Leg::Intent => self.dry_run == DryRun::No && !self.status.is_preparation(),
                Leg::Execution => self.status == Status::Completed,
                Leg::Items => matches!(
                    self.items,
                    Items::Applied | Items::Decided | Items::WholeSet
                ),
                Leg::Audit => match self.audit {
                    Audit::Agrees => self.status.is_end(),
                    Audit::UnknownBesideKnown => self.status == Status::Completed,
                    _ => false,
                },
                Leg::Evidence => {
                    use Evidence::{ExpiresFar, Qualifies, QualifiesBesideNewer};
                    let qualifies =
                        matches!(self.evidence, Qualifies | ExpiresFar | QualifiesBesideNewer);
                    qualifies && !matches!(self.settle, Settle::NoEnd | Settle::ZeroDate)
                }
                Leg::Clearance => self.blocker == Blocker::None && self.failure == Failure::None,
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

/// A cell's state in each dimension.
fn places(mut number: usize) -> [usize; 10] {
    let mut at = [0; 10];
    for (digit, size) in at.iter_mut().zip(SHAPE).rev() {
        *digit = number % size;
        number /= size;
    }
    at
}

impl Settle {
    fn as_of(self) -> Timestamp {
        match self {
            Self::Open | Self::NoEnd | Self::ZeroDate => moment("11:36:00"),
            Self::OpenWhileInProgress => moment("11:50:00"),
            Self::Closed => moment("12:45:00"),
        }
    }

    fn completed_at(self) -> Stamp {
        match self {
            Self::NoEnd => Stamp::Absent,
            Self::ZeroDate => Stamp::At(Timestamp::UNIX_EPOCH),
            _ => at("11:30:00"),
        }
    }
}

impl Items {
    fn set(self, case: &mut Case) {
        const BOTH: &str = r#"{"1":{"status":"applied"},"2":{"status":"created"}}"#;
        const FAILED: &str = r#"{"1":{"status":"failed"},"2":{"status":"error"}}"#;
        let beside = |second: &str| format!(r#"{{"1":{{"status":"applied"}},"2":{second}}}"#);
        let both = || BOTH.to_owned();
        let (items, requested, metadata) = match self {
            Self::Applied | Self::AppliedBeside => (both(), "[1,2]", "{}"),
            Self::Decided => (
                r#"{"1":{"decision":"applied"},"2":{"outcome":"created","status":null}}"#
                    .to_owned(),
                "[1,2]",
                "{}",
            ),
            Self::WholeSet | Self::SetAbsent | Self::SetLarger => {
                (both(), "null", r#"{"total":2}"#)
            }
            Self::AppliedUnexpected => (both(), "[1]", "{}"),
            Self::AppliedConflict => (both(), "[1,2]", r#"{"succeeded":1}"#),
            Self::AppliedFailed => (beside(r#"{"status":"failed"}"#), "[1,2]", "{}"),
            Self::AppliedUnknown => (beside(r#"{"status":"done"}"#), "[1,2]", "{}"),
            Self::AppliedDenied => (
                beside(r#"{"status":"applied","error":{"code":409}}"#),
                "[1,2]",
                "{}",
            ),
            Self::AppliedContradicted => (
                beside(r#"{"status":"applied","decision":"failed"}"#),
                "[1,2]",
                "{}",
            ),
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
        let beside_them = match self {
            Self::FailedButFounded => r#""mappings":{"foundations":[{"decision":"created"}]},"#,
            Self::AppliedBeside => r#""assignments":[{"status":"failed"}],"#,
            _ => "",
        };
        case.restore.results = json(&format!(r#"{{{beside_them}"items":{items}}}"#));
        case.restore.requested_items = json(requested);
        case.restore.metadata = json(metadata);
        case.restore.backup_items = match self {
            Self::SetAbsent => SetItems::Absent,
            Self::SetLarger => SetItems::Ids(vec![1, 2, 3]),
            _ => SetItems::Ids(vec![1, 2]),
        };
    }
}

impl Blocker {
    fn set(self, case: &mut Case) {
        match self {
            Self::None => {}
            Self::OnRun => case.run.failure_summary = json(r#"[{"code":"write_gate_blocked"}]"#),
            Self::OnRestore => case.restore.failure_reason = Some("missing_capability".to_owned()),
            Self::Paused => {
                case.run.failure_summary = json(r#"[{"code":"operational_control.paused"}]"#);
            }
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
            Self::BesideDraft => {
                let mut draft = other;
                draft.contests = false;
                (r#"{"restore_run_id":7}"#, vec![this, draft])
            }
            Self::Gone => (r#"{"restore_run_id":7}"#, vec![]),
            Self::Contested => (r#"{"restore_run_id":7}"#, vec![this, other]),
            Self::ScopeContradicts => (
                r#"{"restore_run_id":7,"target_scope":{"tenant_id":9}}"#,
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
        let entry = |id, clock, status: Option<&str>, outcome: Option<&str>| {
            let mut entry = audit(id, "restore.executed", clock);
            entry.status = status.map(str::to_owned);
            entry.outcome = outcome.map(str::to_owned);
            entry
        };
        let agrees = || entry(900, "11:31:00", None, None);
        // No status of a restore agrees with a word nobody knows.
        let odd = || entry(901, "11:32:00", None, Some("exploded"));
        case.audits = match self {
            Self::Agrees => vec![agrees()],
            Self::UnknownBesideKnown => vec![entry(900, "11:31:00", Some("success"), Some("ok"))],
            Self::Missing => vec![],
            Self::Contradicts => vec![entry(901, "11:32:00", Some("aborted"), Some("failed"))],
            Self::ContradictedLater => vec![agrees(), odd()],
            Self::UnknownAlone => vec![odd()],
        };
    }
}

impl Evidence {
    fn set(self, case: &mut Case) {
        let mut active = snapshot(500, "active", "11:35:00");
        let newer = snapshot(501, "generating", "11:35:30");
        match self {
            Self::Incomplete => active.completeness = Some("partial".to_owned()),
            Self::Expired => active.expires_at = Stamp::At(case.as_of),
            Self::ExpiresFar => active.expires_at = Stamp::Far,
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

/// Facts of every state, from which those of a cell are put together without reading a row again.
pub(crate) struct Parts {
    /// By state of the items.
    restores: Vec<RestoreFacts>,
    /// By blocker, and by link.
    recorded: Vec<Facts>,
    linked: Vec<Facts>,
    /// By audit, and by settle window and evidence.
    audits: Vec<Vec<AuditFacts>>,
    evidence: Vec<Vec<EvidenceFacts>>,
}

impl Parts {
    pub(crate) fn new() -> Self {
        let noon = moment("12:00:00");
        let each = |set: &dyn Fn(&mut Case)| facts_of(noon, set);
        Self {
            restores: Items::ALL
                .iter()
                .map(|state| each(&|case| state.set(case)).restore.unwrap())
                .collect(),
            recorded: Blocker::ALL
                .iter()
                .map(|state| each(&|case| state.set(case)))
                .collect(),
            linked: Link::ALL
                .iter()
                .map(|state| each(&|case| state.set(case)))
                .collect(),
            audits: Audit::ALL
                .iter()
                .map(|state| each(&|case| state.set(case)).audits)
                .collect(),
            evidence: Settle::ALL
                .iter()
                .map(|settle| {
                    let states = Evidence::ALL.iter();
                    states
                        .map(|state| facts_of(settle.as_of(), |case| state.set(case)).evidence)
                        .collect()
                })
                .collect(),
        }
    }

    /// A bad link is met with a restore in the facts all the same: no store should do that, and nothing may follow.
    pub(crate) fn facts(&self, at: [usize; 10]) -> Facts {
        let cell = Cell::at(at);
        let mut facts = self.linked[at[7]].clone();
        let recorded = &self.recorded[at[5]];
        facts.as_of = cell.settle.as_of();
        facts.run.blockers.clone_from(&recorded.run.blockers);
        facts.run.blockers_readable = recorded.run.blockers_readable;
        let mut restore = self.restores[at[1]].clone();
        if let (Some(linked), Some(recorded)) = (&facts.restore, &recorded.restore) {
            restore.workspace_id = linked.workspace_id;
            restore.blockers.clone_from(&recorded.blockers);
        }
        restore.status = RestoreStatus::parse(cell.status.word());
        restore.is_dry_run = cell.dry_run == DryRun::Yes;
        restore.completed_at = cell.settle.completed_at();
        if cell.started == Started::No {
            restore.started_at = Stamp::Absent;
        }
        match cell.failure {
            Failure::None => {}
            Failure::OnRun => facts.run.failures = 1,
            Failure::Outcome => facts.run.outcome = RunOutcome::Failed,
            Failure::OnRestore => {
                let told = facts_of(facts.as_of, |case| {
                    case.restore.failure_reason = Some("HTTP 500".to_owned());
                });
                restore.failures = told.restore.unwrap().failures;
            }
        }
        facts.restore = Some(restore);
        facts.audits.clone_from(&self.audits[at[8]]);
        facts.evidence = self.evidence[at[0]][at[9]].clone();
        facts
    }

    fn decide(&self, at: [usize; 10]) -> Decision {
        decide(&self.facts(at))
    }
}

/// Looks at cells until there are none left or one is wrong, on every processor.
#[expect(
    clippy::disallowed_methods,
    reason = "how much is looked at is asked for where the test is run"
)]
pub(crate) fn look_at_cells(
    look: impl Fn(&Parts, [usize; 10]) -> Result<(), String> + Sync,
) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Coprime to every size, so that each state meets each other.
    let every = match std::env::var("RECONCILER_TEST_SPACE").as_deref() {
        Ok("whole") => 1,
        _ => 1_009,
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|thread| {
                let look = &look;
                scope.spawn(move || {
                    let parts = Parts::new();
                    let numbers = (thread * every..CELLS).step_by(threads * every);
                    numbers
                        .map(|number| {
                            look(&parts, places(number)).unwrap_or_else(|it| panic!("{it}"));
                        })
                        .count()
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    })
}

#[test]
fn law_1_succeeded_if_and_only_if_all_eight_legs_hold() {
    const { assert!(CELLS > 10_000_000) };
    let looked_at = look_at_cells(|parts, at| {
        let cell = Cell::at(at);
        let decision = parts.decide(at);
        let holding = Leg::ALL.map(|leg| cell.holds(leg));
        let proven = holding.iter().all(|holds| *holds);
        let legs_agree = decision
            .proof
            .legs()
            .zip(holding)
            .all(|((_, state), holds)| (*state == LegState::Holds) == holds);
        let succeeded = decision.outcome() == Some(Outcome::Succeeded);
        if !legs_agree || proven != succeeded || decision.rule == 0 {
            return Err(format!("{cell:?}\n  {decision:?}"));
        }
        Ok(())
    });
    assert!(looked_at >= 50_000, "{looked_at}");
}

/// Success is one cell in tens of thousands, so it is looked for where it is.
#[test]
fn every_proven_cell_succeeds_and_every_neighbour_of_it_does_not() {
    let parts = Parts::new();
    let proven: Vec<_> = proven_cells();
    for at in &proven {
        let decision = parts.decide(*at);
        assert_eq!(
            decision.outcome(),
            Some(Outcome::Succeeded),
            "{:?}",
            Cell::at(*at)
        );
        for step in weakening_steps().iter().filter(|step| step.applies(*at)) {
            let weaker = step.from(*at);
            let decision = parts.decide(weaker);
            let cell = Cell::at(weaker);
            assert_ne!(decision.outcome(), Some(Outcome::Succeeded), "{cell:?}");
        }
    }
    assert!(proven.len() > 100, "{}", proven.len());
}

/// All cells of which each leg holds, found dimension by dimension.
pub(crate) fn proven_cells() -> Vec<[usize; 10]> {
    let mut cells = vec![[0; 10]];
    for (dimension, size) in SHAPE.into_iter().enumerate() {
        let states = |cell: &[usize; 10]| {
            let cell = *cell;
            (0..size).map(move |state| {
                let mut next = cell;
                next[dimension] = state;
                next
            })
        };
        cells = cells.iter().flat_map(states).collect();
        cells.retain(|at| Leg::ALL.iter().all(|leg| Cell::at(*at).holds(*leg)));
    }
    cells
}

#[test]
fn every_outcome_is_reached() {
    let parts = Parts::new();
    let numbers = (0..CELLS).step_by(10_007);
    let reached: BTreeSet<_> = numbers
        .map(|number| parts.decide(places(number)).outcome())
        .collect();
    let succeeded = Some(Outcome::Succeeded);
    let expected = Outcome::ALL.into_iter().map(Some).chain([None]);
    let expected: BTreeSet<_> = expected.filter(|it| *it != succeeded).collect();
    let found: BTreeSet<_> = reached.into_iter().filter(|it| *it != succeeded).collect();
    assert_eq!(found, expected);
}

/// One single step that weakens the proof: in this dimension, from this state to that one.
struct Step {
    dimension: usize,
    from: usize,
    to: usize,
    /// Whether the step records that somebody or something stopped the restore.
    stops: bool,
}

impl Step {
    fn applies(&self, at: [usize; 10]) -> bool {
        at[self.dimension] == self.from
    }

    fn from(&self, mut at: [usize; 10]) -> [usize; 10] {
        at[self.dimension] = self.to;
        at
    }
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
    let settle = [(Settle::Open, &[Settle::NoEnd, Settle::ZeroDate][..])];
    let dry_run = [(DryRun::No, &[DryRun::Yes][..])];
    let blocker = [(Blocker::None, &Blocker::ALL[1..])];
    let failure = [(Failure::None, &Failure::ALL[1..])];
    let link = [
        (Link::NamedAndPointing, &Link::ALL[3..]),
        (Link::BesideDraft, &Link::ALL[3..]),
        (Link::Pointing, &[Link::Gone][..]),
    ];
    let audit = [
        (Audit::Agrees, &Audit::ALL[2..]),
        (
            Audit::UnknownBesideKnown,
            &[Audit::UnknownAlone, Audit::Missing][..],
        ),
        (Audit::ContradictedLater, &[Audit::Contradicts][..]),
    ];
    let evidence = [
        (Evidence::Qualifies, &Evidence::ALL[3..]),
        (Evidence::ExpiresFar, &Evidence::ALL[3..]),
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
    let stops = [Blocker::OnRun, Blocker::OnRestore, Blocker::Paused];
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
        steps(5, Blocker::ALL, &blocker, &stops),
        steps(6, Failure::ALL, &failure, &[]),
        steps(7, Link::ALL, &link, &[]),
        steps(8, Audit::ALL, &audit, &[]),
        steps(9, Evidence::ALL, &evidence, &[]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What can become of rows that show something applied: an applied row is lost or becomes any less,
/// the request or the counters stop agreeing, or nothing can be read any more.
const ITEM_STEPS: [(Items, &[Items]); 12] = {
    use Items::{
        AllFailed, AllSkipped, AllUnknown, Applied, AppliedBeside, AppliedConflict,
        AppliedContradicted, AppliedDenied, AppliedFailed, AppliedMissing, AppliedNotAssigned,
        AppliedUnexpected, AppliedUnknown, CountersOnly, Decided, FailedButFounded, FailedMissing,
        NoRows, SetAbsent, SetLarger, Unreadable, WholeSet,
    };
    const LESS: &[Items] = &[
        AppliedFailed,
        AppliedUnknown,
        AppliedDenied,
        AppliedContradicted,
        AppliedMissing,
        AppliedUnexpected,
        AppliedConflict,
        AppliedNotAssigned,
        AppliedBeside,
        AllFailed,
        AllSkipped,
        AllUnknown,
        NoRows,
        Unreadable,
    ];
    [
        (Applied, LESS),
        (Decided, LESS),
        (
            WholeSet,
            &[SetAbsent, SetLarger, AppliedConflict, Unreadable],
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
        (AppliedBeside, &[Unreadable]),
        (CountersOnly, &[NoRows]),
        (FailedButFounded, &[AllFailed]),
    ]
};

#[test]
fn law_2_no_weaker_proof_has_a_better_outcome() {
    let steps = weakening_steps();
    let stopped = std::sync::atomic::AtomicUsize::new(0);
    look_at_cells(|parts, at| {
        let before = parts.decide(at).outcome();
        for step in steps.iter().filter(|step| step.applies(at)) {
            let weaker = step.from(at);
            let cell = Cell::at(weaker);
            let after = parts.decide(weaker).outcome();
            if after == Some(Outcome::Succeeded) {
                return Err(format!("a weaker proof succeeded: {cell:?}"));
            }
            if before
                .zip(after)
                .is_none_or(|(before, after)| after <= before)
            {
                continue;
            }
            let explained = if cell.something_applied() {
                Outcome::PartiallySucceeded
            } else {
                Outcome::Blocked
            };
            if !(step.stops && before == Some(Outcome::Failed) && after == Some(explained)) {
                let from = Cell::at(at);
                return Err(format!("{before:?} became {after:?}: {from:?} to {cell:?}"));
            }
            stopped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(())
    });
    assert!(stopped.into_inner() > 0, "the exception is real");
}
