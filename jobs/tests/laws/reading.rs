//! What operators are shown: a row per state and trigger, and the laws that hold over any rows.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::attention::{AttentionState, Cause, Tone, attention};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::posture::{
    EnvironmentPosture, Posture, PostureReason, WorkspacePosture,
};
use reconciler_jobs::reading::result_state::{
    Claim, NextAction, RestoreResult, ResultState, Situation,
};
use reconciler_jobs::reading::summary::Summary;
use reconciler_jobs::reading::{Availability, SeenRestore};
use reconciler_jobs::restore_execute::context::Closer;
use reconciler_jobs::restore_execute::facts::{At, Facts, RunFacts};
use reconciler_jobs::restore_execute::proof::{Leg, Proof};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::stamp::Stamp;

use crate::generate::{any_twins, cases};
use crate::support::{Case, at, json, moment, snapshot};

/// What a restore records where its write gate was closed.
const BLOCKED: &str = r#"{"blocked_reason":"write_gate_blocked"}"#;

/// A proven restore whose run is closed.
fn closed() -> Case {
    let mut case = Case::proven();
    case.run.status = "completed".to_owned();
    case.run.outcome = "succeeded".to_owned();
    case
}

fn with(change: impl FnOnce(&mut Case)) -> Facts {
    let mut case = closed();
    change(&mut case);
    case.facts_with_any_restore()
}

fn seen(facts: &Facts) -> SeenRestore<'_> {
    SeenRestore {
        at: At {
            as_of: facts.as_of,
            policy: &facts.policy,
        },
        restore: facts.restore.as_ref().unwrap(),
        run: Some(&facts.run),
        evidence: Some(&facts.evidence),
    }
}

fn result(change: impl FnOnce(&mut Case)) -> RestoreResult {
    RestoreResult::of(&seen(&with(change)))
}

fn cause(change: impl FnOnce(&mut Case)) -> Cause {
    attention(&seen(&with(change)))
}

fn status(word: &str) -> impl FnOnce(&mut Case) {
    move |case| word.clone_into(&mut case.restore.status)
}

fn outcome(word: &str) -> impl FnOnce(&mut Case) {
    move |case| word.clone_into(&mut case.run.outcome)
}

/// Each trigger of the contract, and what the first screen says. A restore of which nothing was applied is marked
/// with a dash behind its status, and one of which something was applied with a plus where something was not, and with a
/// question mark where nobody knows of the other.
const STATES: &str = "
    restore               run        outcome    evidence          | situation                  next_action          proof       evidence
    preview               completed  succeeded  active@11:35      | not_executed               review_preview       unavailable unavailable
    draft                 completed  succeeded  active@11:35      | not_executed               continue_preparation unavailable unavailable
    scoped                completed  succeeded  active@11:35      | not_executed               continue_preparation unavailable unavailable
    checked               completed  succeeded  active@11:35      | not_executed               continue_preparation unavailable unavailable
    previewed             completed  succeeded  active@11:35      | not_executed               continue_preparation unavailable unavailable
    pending               running    pending    active@11:35      | not_executed               continue_preparation unavailable unavailable
    queued                completed  succeeded  active@11:35      | in_progress                view_progress        in_progress unavailable
    running               completed  failed     active@11:35      | in_progress                view_progress        in_progress unavailable
    completed             queued     pending    active@11:35      | run_open                   view_progress        in_progress unavailable
    failed                running    failed     active@11:35      | run_open                   view_progress        in_progress unavailable
    completed             odd        succeeded  active@11:35      | run_open                   view_progress        in_progress unavailable
    failed                completed  succeeded  active@11:35      | failed                     review_failure       available   available
    failed                completed  blocked    none@11:35        | failed                     review_failure       available   unavailable
    aborted               completed  succeeded  active@11:35      | failed                     review_failure       available   available
    completed             completed  failed     active@11:35      | failed                     review_failure       available   available
    cancelled             completed  failed     active@11:35      | failed                     review_failure       available   available
    cancelled-            completed  succeeded  active@11:35      | stopped                    review_blocker       available   unavailable
    cancelled             completed  succeeded  active@11:35      | stopped_after_writes       review_blocker       available   unavailable
    cancelled+            completed  succeeded  active@11:35      | stopped_halfway            review_blocker       available   unavailable
    cancelled?            completed  succeeded  active@11:35      | stopped_halfway            review_blocker       available   unavailable
    completed             completed  blocked    active@11:35      | blocker_recorded           review_blocker       available   unavailable
    completed-            completed  blocked    active@11:35      | stopped                    review_blocker       available   unavailable
    partial+              completed  blocked    active@11:35      | blocker_recorded           review_blocker       available   unavailable
    partial               completed  succeeded  active@11:35      | needs_review               review_items         available   available
    completed_with_errors completed  succeeded  generating@11:35  | needs_review               review_items         available   in_progress
    completed             completed  succeeded  active@11:35      | completed_with_evidence    open_evidence        available   available
    completed             completed  odd        active@11:35      | completed_with_evidence    open_evidence        available   available
    completed             completed  succeeded  none@11:35        | completed_proof_incomplete open_operation_proof available   unavailable
    completed             completed  succeeded  generating@11:35  | completed_proof_incomplete open_operation_proof available   in_progress
    completed             completed  succeeded  queued@11:35      | completed_proof_incomplete open_operation_proof available   in_progress
    completed             completed  succeeded  superseded@11:35  | completed_proof_incomplete open_operation_proof available   unavailable
    completed             completed  succeeded  active@11:10      | completed_proof_incomplete open_operation_proof available   unavailable
    completed             completed  succeeded  active@12:30      | completed_proof_incomplete open_operation_proof available   unavailable
    Completed             completed  succeeded  active@11:35      | status_unknown             review_diagnostics   available   available
";

fn row(restore: &str, run: &str, outcome: &str, evidence: &str) -> RestoreResult {
    result(|case| {
        if restore == "preview" {
            case.restore.is_dry_run = Some(true);
        } else {
            restore
                .trim_end_matches(['-', '+', '?'])
                .clone_into(&mut case.restore.status);
        }
        if restore.ends_with('-') {
            case.nothing_applied();
        }
        if restore.ends_with(['+', '?']) {
            let other = if restore.ends_with('+') {
                "failed"
            } else {
                "odd"
            };
            case.items(&format!(
                r#"{{"101":{{"status":"applied"}},"102":{{"status":"{other}"}}}}"#
            ));
            case.restore.metadata = Column::Null;
        }
        run.clone_into(&mut case.run.status);
        outcome.clone_into(&mut case.run.outcome);
        let (status, clock) = evidence.split_once('@').unwrap();
        case.snapshots = vec![snapshot(501, status, &format!("{clock}:00"))];
    })
}

/// How it is spelled where machines read it.
fn spelled(value: impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn every_trigger_leads_to_its_state() {
    let mut met = BTreeSet::new();
    for line in STATES.lines().filter(|line| !line.is_empty()).skip(1) {
        let (given, expected) = line.split_once('|').unwrap();
        let given: Vec<&str> = given.split_whitespace().collect();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        let read = row(given[0], given[1], given[2], given[3]);
        let found = [
            spelled(read.situation),
            spelled(read.next_action),
            spelled(read.operation_proof),
            spelled(read.evidence),
        ];
        assert_eq!(found.to_vec(), expected, "{line}");
        met.insert(spelled(read.situation));
    }
    assert_eq!(met.len(), Situation::ALL.len(), "every situation has a row");
}

/// What a viewer may not see, or what belongs to somebody else, is not there.
#[test]
fn what_is_not_in_sight_is_unavailable() {
    let facts = with(|_| ());
    let all = seen(&facts);
    let unseen = SeenRestore {
        evidence: None,
        ..all
    };
    let read = RestoreResult::of(&unseen);
    assert_eq!(read.state(), ResultState::CompletedProofIncomplete);
    assert_eq!(read.evidence, Availability::Unavailable);
    let imported = SeenRestore { run: None, ..all };
    let read = RestoreResult::of(&imported);
    assert_eq!(read.next_action, NextAction::ReviewProofGap);
    assert_eq!(
        (read.operation_proof, read.evidence, read.claim),
        (Availability::Unavailable, Availability::Unavailable, None)
    );
    let foreign: [fn(&mut RunFacts); 3] = [
        |run| run.workspace_id = WorkspaceId(99),
        |run| run.environment_id = Some(EnvironmentId(99)),
        |run| run.environment_id = None,
    ];
    for change in foreign {
        let mut run = facts.run.clone();
        change(&mut run);
        let beside = SeenRestore {
            run: Some(&run),
            ..all
        };
        assert_eq!(RestoreResult::of(&beside), RestoreResult::of(&imported));
        assert_eq!(attention(&beside), attention(&imported));
    }
}

/// The latest active snapshot decides; one that is on its way is said to be.
#[test]
fn a_snapshot_on_its_way_stands_beside_the_one_that_decides() {
    let read = result(|case| {
        case.snapshots.push(snapshot(501, "generating", "11:50:00"));
    });
    assert_eq!(read.state(), ResultState::CompletedWithEvidence);
    assert!(read.further_evidence_in_progress);
    assert!(!result(|_| ()).further_evidence_in_progress);
    let first = result(|case| case.snapshots = vec![snapshot(501, "generating", "11:50:00")]);
    assert!(!first.further_evidence_in_progress);
}

/// No zeros that nobody counted, and counters without rows are said to be that.
#[test]
fn only_what_was_counted_is_shown() {
    let counters = r#"{"total":5,"failed":2}"#;
    let read = result(|case| {
        case.restore.metadata = json(counters);
        case.restore.results = Column::Null;
    });
    let Summary::MetadataOnly(counts) = read.summary else {
        panic!("{:?}", read.summary)
    };
    let named: Vec<_> = counts.named().collect();
    assert_eq!(named, [("total", 5), ("failed", 2)]);
    let read = result(|case| case.restore.metadata = json(counters));
    assert!(matches!(read.summary, Summary::Counted(_)));
    let uncounted = |word: &str, metadata: &str| {
        result(|case| {
            status(word)(case);
            case.restore.metadata = json(metadata);
        })
        .summary
    };
    for (word, said) in [
        ("completed", "Result summary unavailable"),
        ("running", "In progress"),
        ("failed", "Failure details required"),
        ("cancelled", "Unavailable"),
    ] {
        for metadata in ["[]", "{}", r#"{"total":"two"}"#, "7", "{"] {
            let Summary::Uncounted(gap) = uncounted(word, metadata) else {
                panic!("{word} {metadata}")
            };
            assert_eq!(gap.label(), said, "{word} {metadata}");
        }
    }
}

#[test]
fn claims_are_those_of_the_state_and_no_more() {
    for (word, claim) in [
        ("draft", None),
        ("previewed", Some(Claim::PreviewExists)),
        ("running", Some(Claim::InProgress)),
        ("failed", Some(Claim::ExecutionFailed)),
        ("partial", Some(Claim::FollowUpRequired)),
        ("completed", Some(Claim::EvidenceSnapshot)),
        ("whatever", None),
    ] {
        assert_eq!(result(status(word)).claim, claim, "{word}");
    }
    let unproven = result(|case| case.snapshots.clear());
    assert_eq!(unproven.claim, Some(Claim::ExecutionProof));
    assert_eq!(unproven.claim_boundary(), CLAIM_BOUNDARY);
}

/// Each cause, one by one.
#[test]
fn every_cause_of_attention_is_found() {
    let items = |items: &str| cause(|case| case.one_item(items));
    let metadata = |text: &str| cause(|case| case.restore.metadata = json(text));
    let stopped = |case: &mut Case| {
        status("cancelled")(case);
        case.nothing_applied();
    };
    let more_requested = |case: &mut Case| case.restore.requested_items = json("[101,102,103]");
    let without_request = |case: &mut Case| case.restore.requested_items = json("7");
    let without_results = |case: &mut Case| case.restore.results = Column::Null;
    let open = |outcome: &'static str, ended: &'static str| {
        move |case: &mut Case| {
            "running".clone_into(&mut case.run.status);
            outcome.clone_into(&mut case.run.outcome);
            case.restore.completed_at = at(ended);
        }
    };
    let on_run = |summary: &str| cause(|case| case.run.failure_summary = json(summary));
    let recorded_while_open = |case: &mut Case| {
        open("pending", "11:55:00")(case);
        case.run.failure_summary = json(r#"[{"code":"graph.throttled"}]"#);
    };
    let blocked_and_unchanged = |case: &mut Case| {
        case.nothing_applied();
        case.restore.metadata = json(BLOCKED);
    };
    let found = [
        (Cause::Preview, cause(|case| case.restore.is_dry_run = None)),
        (Cause::NotEnded, cause(status("running"))),
        (Cause::ExecutionFailed, cause(status("failed"))),
        (Cause::ExecutionFailed, cause(outcome("failed"))),
        (Cause::ExecutionFailed, items(r#"{"status":"failed"}"#)),
        (Cause::Stopped, cause(stopped)),
        (Cause::StoppedAfterWrites, cause(status("aborted"))),
        (Cause::StatusUnknown, cause(status("done"))),
        (Cause::ItemsFailed, cause(status("partial"))),
        (Cause::ItemsFailed, items(r#"{"status":"partial"}"#)),
        (Cause::ItemsFailed, metadata(r#"{"failed":1}"#)),
        (Cause::ItemsLeftOut, items(r#"{"status":"skipped"}"#)),
        (
            Cause::ItemsLeftOut,
            metadata(r#"{"foundations_skipped":1}"#),
        ),
        (Cause::ItemsUnclear, items(r#"{"status":"fine"}"#)),
        (Cause::ItemsUnclear, cause(more_requested)),
        (Cause::ItemsUnclear, metadata(r#"{"total":-1}"#)),
        (Cause::ItemsUnclear, cause(without_results)),
        (Cause::ItemsUnclear, metadata(r#"{"succeeded":9}"#)),
        (Cause::ItemsUnclear, cause(without_request)),
        (Cause::FailureRecorded, metadata(r#"{"status":"failed"}"#)),
        (
            Cause::FailureRecorded,
            on_run(r#"[{"code":"graph.throttled"}]"#),
        ),
        (Cause::FailureRecorded, cause(recorded_while_open)),
        (
            Cause::BlockerRecorded,
            on_run(r#"[{"reason_code":"missing_capability"}]"#),
        ),
        (Cause::BlockerRecorded, metadata(BLOCKED)),
        (Cause::Stopped, cause(blocked_and_unchanged)),
        (Cause::RecordUnreadable, on_run("7")),
        (
            Cause::ItemsUnclear,
            cause(|case| case.restore.metadata = json("[")),
        ),
        (Cause::NotProven, cause(outcome("partially_succeeded"))),
        (Cause::NotProven, cause(outcome("SUCCEEDED"))),
        (Cause::NotJudged, cause(open("pending", "11:55:00"))),
        (Cause::NotJudged, cause(open("succeeded", "11:55:00"))),
        (Cause::StillOpen, cause(open("pending", "11:49:00"))),
        (Cause::FailureRecorded, cause(open("blocked", "11:55:00"))),
        (Cause::ExecutionFailed, cause(open("failed", "11:55:00"))),
        (Cause::NoVerdict, cause(|_| ())),
        (Cause::NoRun, cause(|case| case.run.environment_id = None)),
    ];
    for (expected, found) in found {
        assert_eq!(expected, found);
    }
    let all: BTreeSet<_> = found.iter().map(|(cause, _)| cause.summary()).collect();
    // Two causes are about records, and no restore leads to them.
    assert_eq!(all.len(), Cause::ALL.len() - 2, "every cause has a row");
}

/// An operation that is open says nothing against its restore while proof may still come, and something afterwards.
#[test]
fn an_open_operation_weakens_once_its_time_has_passed() {
    let read = |minutes: i64, generating: bool, sees_evidence: bool| {
        let facts = with(|case| {
            "running".clone_into(&mut case.run.status);
            "pending".clone_into(&mut case.run.outcome);
            case.restore.completed_at =
                Stamp::At(moment("12:00:00") - SignedDuration::from_mins(minutes));
            let generating = generating.then(|| snapshot(501, "generating", "11:55:00"));
            case.snapshots = generating.into_iter().collect();
        });
        let seen = seen(&facts);
        let evidence = seen.evidence.filter(|_| sees_evidence);
        let cause = attention(&SeenRestore { evidence, ..seen });
        EnvironmentPosture::of(Some((RestoreId(7), cause)))
    };
    for (minutes, generating, sees_evidence, awaits) in [
        (0, false, true, true),
        (9, false, true, true),
        (10, false, true, false),
        (59, true, true, true),
        (60, true, true, false),
        // Whoever may not see that evidence is being generated cannot tell.
        (59, true, false, false),
    ] {
        let read = read(minutes, generating, sees_evidence);
        let is_waiting = read.cause == Some(Cause::NotJudged);
        assert_eq!(is_waiting, awaits, "{minutes} {generating}");
        let (posture, tone) = if awaits {
            (Posture::NoRecentIssuesVisible, Tone::Neutral)
        } else {
            (Posture::Weakened, Tone::Warning)
        };
        assert_eq!((read.posture(), read.tone()), (posture, tone));
        assert_eq!(read.summary().contains("not judged yet"), awaits);
    }
}

#[test]
fn the_latest_executed_restore_decides_the_posture() {
    use PostureReason as Reason;
    let latest = RestoreId(7);
    for (state, reason) in [
        (None, Reason::NoHistory),
        (Some(Cause::NotEnded), Reason::NoHistory),
        (Some(Cause::Stopped), Reason::Failed),
        (Some(Cause::StoppedAfterWrites), Reason::Partial),
        (Some(Cause::NotProven), Reason::CompletedWithFollowUp),
        (Some(Cause::NoReliableVerdict), Reason::NoReliableVerdict),
        (Some(Cause::NoVerdict), Reason::NoRecentIssuesVisible),
        (Some(Cause::NoRun), Reason::NoRecentIssuesVisible),
        (Some(Cause::Nothing), Reason::NoRecentIssuesVisible),
    ] {
        let read = EnvironmentPosture::of(state.map(|cause| (latest, cause)));
        assert_eq!(read.tone() == Tone::Calm, state == Some(Cause::Nothing));
        let decides = reason != Reason::NoHistory;
        assert_eq!(
            (read.reason, read.latest),
            (reason, decides.then_some(latest))
        );
    }
    let counts: WorkspacePosture = [
        Posture::Weakened,
        Posture::Unvalidated,
        Posture::Weakened,
        Posture::NoRecentIssuesVisible,
    ]
    .into_iter()
    .collect();
    assert_eq!((counts.weakened, counts.unvalidated), (2, 1));
    assert_eq!(counts.no_recent_issues_visible, 1);
}

/// An open run's moments at noon, and what they say.
const FRESHNESS: &str = "
    status  created    started    freshness
    queued  11:45:01   absent     FreshActive
    queued  11:45:00   absent     LikelyStale
    queued  12:30:00   absent     FreshActive
    queued  unreadable 11:59:00   Unknown
    running 09:00:00   11:00:01   FreshActive
    running 09:00:00   11:00:00   LikelyStale
    running 11:30:00   unreadable Unknown
    gone    11:30:00   11:30:00   Unknown
";

#[test]
fn freshness_is_measured_from_moments_that_can_be_read() {
    let read = |reconciled, change: fn(&mut Case)| {
        let facts = with(change);
        Freshness::of(
            &facts.run,
            reconciled,
            moment("12:00:00"),
            &FreshnessThresholds::default(),
        )
    };
    assert_eq!(read(true, |_| ()), Freshness::TerminalNormal);
    let failed = |case: &mut Case| "failed".clone_into(&mut case.run.outcome);
    assert_eq!(read(true, failed), Freshness::ReconciledFailed);
    assert_eq!(read(false, failed), Freshness::TerminalNormal);
    let healed = |code: &str, outcome: &str| {
        let context = format!(r#"{{"reconciliation": {{"reason_code": "{code}"}}}}"#);
        let facts = with(|case| {
            case.run.context = Column::Bytes(context.clone().into_bytes());
            outcome.clone_into(&mut case.run.outcome);
        });
        Freshness::of(
            &facts.run,
            false,
            moment("12:00:00"),
            &FreshnessThresholds::default(),
        )
    };
    for closer in Closer::ALL {
        let expected = match closer.code() {
            Some(_) => Freshness::ReconciledFailed,
            None => Freshness::TerminalNormal,
        };
        let code = closer.code().unwrap_or("restore.adapter");
        assert_eq!(healed(code, "failed"), expected, "{code}");
        assert_eq!(healed(code, "succeeded"), Freshness::TerminalNormal);
    }
    let stamp = |text: &str| match text {
        "absent" => Stamp::Absent,
        "unreadable" => Stamp::Unreadable,
        clock => at(clock),
    };
    let rows = FRESHNESS.lines().filter(|line| !line.is_empty()).skip(1);
    for line in rows {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let mut case = closed();
        cells[0].clone_into(&mut case.run.status);
        (case.run.created_at, case.run.started_at) = (stamp(cells[1]), stamp(cells[2]));
        let facts = case.facts();
        let limits = FreshnessThresholds::default();
        let found = Freshness::of(&facts.run, false, facts.as_of, &limits);
        assert_eq!(format!("{found:?}"), cells[3], "{line}");
    }
    assert!(FreshnessThresholds::default().queued < SignedDuration::from_hours(1));
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Whatever the columns hold: the same rows read the same, evidence is never shown where there is none, and
    /// nothing calm is said of a restore that anything speaks against.
    #[test]
    fn any_rows_are_read_alike_and_without_overclaim(twins in any_twins()) {
        let facts = twins.case.facts_with_any_restore();
        let view = seen(&facts);
        let read = RestoreResult::of(&view);
        prop_assert_eq!(read, RestoreResult::of(&view));
        let found = attention(&view);
        if read.evidence == Availability::Available {
            prop_assert!(facts.evidence.active.is_some());
        }
        if found.state() == AttentionState::Completed {
            let proof = Proof::evaluate(&facts);
            prop_assert_eq!(proof.gaps_of(Leg::Items), &[]);
            // Of a run elsewhere nothing may be told.
            let scope = (view.restore.workspace_id, Some(view.restore.environment_id));
            if (facts.run.workspace_id, facts.run.environment_id) == scope {
                prop_assert_eq!(proof.gaps_of(Leg::Clearance), &[]);
            }
            prop_assert!(!matches!(
                read.state(),
                ResultState::Failed
                    | ResultState::BlockedOrCancelled
                    | ResultState::NeedsReview
                    | ResultState::NotExecuted
            ), "{:?}", read);
        }
        if let Summary::Counted(counts) | Summary::MetadataOnly(counts) = read.summary {
            prop_assert!(counts.named().count() > 0);
        }
    }
}
