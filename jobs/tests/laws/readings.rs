//! What single columns and sets of rows are read as, where a decision hardly shows the difference.

use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::restore_execute::canonical::digest_of;
use reconciler_jobs::restore_execute::facts::is_known;
use reconciler_jobs::restore_execute::facts::{
    AuditFacts, EvidenceFacts, RestoreFacts, Retirement, Voice,
};
use reconciler_jobs::restore_execute::proof::{Leg, Proof};
use reconciler_jobs::restore_execute::results::{Part, UNKNOWN_WORDS_MAX, UnknownWord};
use reconciler_jobs::restore_execute::rows::{AuditRow, SnapshotRow};
use reconciler_jobs::restore_execute::words::WordClass;
use reconciler_jobs::restore_execute::{Outcome, Policy, ReasonCode};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, at, audit, snapshot};

/// An entry as the facts of a case hold it.
fn read(entry: AuditRow) -> AuditFacts {
    let mut case = Case::proven();
    case.audits = vec![entry];
    case.facts().audits[0]
}

#[test]
fn each_audit_action_says_how_the_restore_ended() {
    for (action, voice) in [
        ("restore.completed", Voice::Completed),
        ("restore.partial", Voice::Partial),
        ("restore.failed", Voice::Failed),
        ("restore.cancelled", Voice::Stopped),
        ("restore.executed", Voice::Silent),
    ] {
        let read = read(audit(1, action, "11:31:00"));
        assert_eq!(read.action, voice, "{action}");
    }
}

/// All words that an audit entry may say, and what each says.
const VOICES: [(Voice, &[&str]); 6] = [
    (Voice::Silent, &["", "info"]),
    (
        Voice::Completed,
        &["completed", "success", "succeeded", "executed"],
    ),
    (
        Voice::Partial,
        &["partial", "completed_with_errors", "partially_succeeded"],
    ),
    (Voice::Failed, &["failed", "failure", "error"]),
    (Voice::Stopped, &["cancelled", "aborted", "blocked"]),
    (Voice::Unclear, &[]),
];

/// All words that an item may say, and the class of each.
const CLASSES: [(WordClass, &str); 4] = [
    (
        WordClass::Applied,
        "applied succeeded success created updated mapped_existing created_copy",
    ),
    (WordClass::Partial, "partial"),
    (WordClass::Failed, "failed error"),
    (
        WordClass::NotApplied,
        "skipped preview_only dry_run manual_required not_applied ignored",
    ),
];

#[test]
fn both_vocabularies_hold_these_words_and_no_others() {
    assert_eq!(Voice::ALL.map(|voice| (voice, voice.words())), VOICES);
    let known = WordClass::ALL.map(|class| (class, class.known().join(" ")));
    assert_eq!(
        known,
        CLASSES.map(|(class, words)| (class, words.to_owned()))
    );
}

#[test]
fn each_audit_word_is_read_alike_in_both_columns() {
    let listed = VOICES
        .iter()
        .flat_map(|(voice, words)| words.iter().map(move |word| (Some(*word), *voice)));
    let others = [
        (None, Voice::Silent),
        (Some("done and dusted"), Voice::Unclear),
        (Some("Success"), Voice::Unclear),
        (Some(" success"), Voice::Unclear),
        (Some("ok"), Voice::Unclear),
    ];
    for (word, voice) in listed.chain(others) {
        let mut row = audit(1, "restore.executed", "11:31:00");
        row.status = word.map(str::to_owned);
        row.outcome = row.status.clone();
        let read = read(row);
        assert_eq!([read.status, read.outcome], [voice, voice], "{word:?}");
    }
}

#[test]
fn words_of_each_vocabulary_cannot_be_added_to_a_class() {
    let items = CLASSES.iter().flat_map(|(_, words)| words.split(' '));
    let audits = VOICES.iter().flat_map(|(_, words)| words.iter().copied());
    let others = "aborted cancelled completed_with_errors draft previewed queued running pending";
    let codes = ReasonCode::ALL.into_iter().map(ReasonCode::code);
    for word in items.chain(audits).chain(others.split(' ')).chain(codes) {
        assert!(is_known(word), "{word}");
    }
    for word in ["patched", "throttled", "unknown", "Failed", "done"] {
        assert!(!is_known(word), "{word}");
    }
}

fn gathered(rows: &[SnapshotRow]) -> (Option<i64>, Vec<(Retirement, i64)>) {
    let read = EvidenceFacts::gather(rows.iter());
    let retired = read.retired.iter();
    let retired = retired.map(|it| (it.status, it.snapshot.id.0)).collect();
    (read.active.map(|active| active.id.0), retired)
}

#[test]
fn of_snapshots_in_one_state_the_highest_id_counts_whatever_their_order() {
    let mut rows = vec![
        snapshot(501, "active", "11:35:00"),
        snapshot(503, "active", "11:35:00"),
        snapshot(502, "active", "11:35:00"),
        snapshot(401, "superseded", "11:35:00"),
        snapshot(403, "superseded", "11:35:00"),
        snapshot(402, "superseded", "11:35:00"),
        snapshot(601, "expired", "11:35:00"),
    ];
    let expected = (
        Some(503),
        vec![(Retirement::Superseded, 403), (Retirement::Expired, 601)],
    );
    for _ in 0..rows.len() {
        assert_eq!(gathered(&rows), expected);
        rows.rotate_left(1);
    }
    rows.reverse();
    assert_eq!(gathered(&rows), expected);
}

#[test]
fn the_execution_leg_names_how_a_stopped_restore_was_left() {
    let gaps = |status: &str, is_idle: bool| {
        let mut case = Case::proven();
        status.clone_into(&mut case.restore.status);
        if is_idle {
            case.nothing_applied();
        }
        case.decide().proof.gaps_of(Leg::Execution).to_vec()
    };
    for (status, idle, written) in [
        (
            "cancelled",
            ReasonCode::Cancelled,
            ReasonCode::CancelledAfterWrites,
        ),
        (
            "aborted",
            ReasonCode::Aborted,
            ReasonCode::AbortedAfterWrites,
        ),
    ] {
        assert_eq!(gaps(status, true), [idle]);
        assert_eq!(gaps(status, false), [written]);
    }
}

/// What an item's list of assignments and its counts of them say together: applied, applied in part, failed.
#[test]
fn where_an_item_s_list_and_counts_disagree_what_either_shows_to_be_done_counts() {
    for (list, counts, expected) in [
        ("failed", r#"{"failed":1}"#, [0, 0, 1]),
        ("failed", r#"{"success":2}"#, [2, 0, 1]),
        ("failed", r#"{"partial":3}"#, [0, 3, 1]),
        ("success", r#"{"partial":3}"#, [1, 3, 0]),
        ("partial", r#"{"failed":3}"#, [0, 1, 0]),
    ] {
        let mut case = Case::proven();
        case.one_item(&format!(
            r#"{{"status":"applied","assignment_outcomes":[{{"status":"{list}"}}],"assignment_summary":{counts}}}"#
        ));
        let read = RestoreFacts::parse(&case.restore, &case.policy)
            .items
            .assignments;
        let found = [read.applied, read.partial, read.failed];
        assert_eq!(found, expected, "{list} {counts}");
    }
}

/// As many words as are named, and how many rows have others.
#[test]
fn unknown_words_are_named_by_their_digests_and_the_rest_are_counted() {
    let read = |words: usize| {
        let mut case = Case::proven();
        let items = (0..words).map(|word| format!(r#"{{"status":"word {word}"}}"#));
        let items: Vec<_> = items.collect();
        case.items(&format!("[{0},{0}]", items.join(",")));
        RestoreFacts::parse(&case.restore, &case.policy).items
    };
    let one = read(1);
    let word = UnknownWord {
        part: Part::Item,
        digest: digest_of("word 0"),
        rows: 2,
    };
    assert_eq!(
        (one.unknown_words, one.unknown_words_omitted),
        (vec![word], 0)
    );
    for (words, omitted) in [(UNKNOWN_WORDS_MAX, 0), (UNKNOWN_WORDS_MAX + 1, 2)] {
        let found = read(words);
        assert_eq!(found.unknown_words.len(), UNKNOWN_WORDS_MAX);
        assert_eq!(found.unknown_words_omitted, omitted, "{words}");
    }
}

#[test]
fn a_proof_is_complete_with_all_legs_and_with_no_less() {
    let complete = |change: fn(&mut Case)| {
        let mut case = Case::proven();
        change(&mut case);
        Proof::evaluate(&case.facts()).is_complete()
    };
    assert!(complete(|_| ()));
    assert!(!complete(|case| case.snapshots.clear()));
    assert!(!complete(|case| case.audits.clear()));
    assert!(!complete(|case| case.candidates.clear()));
}

/// A restore that a defect handed over is looked into only where workspace and environment are both the run's.
#[test]
fn no_leg_looks_into_a_restore_of_another_scope() {
    let linked = |change: fn(&mut Case)| {
        let mut case = Case::proven();
        change(&mut case);
        Proof::evaluate(&case.facts_with_any_restore()).holds(Leg::Execution)
    };
    assert!(linked(|_| ()));
    assert!(!linked(|case| case.restore.workspace_id = WorkspaceId(9)));
    assert!(!linked(
        |case| case.restore.environment_id = EnvironmentId(9)
    ));
}

#[test]
fn outcomes_are_written_and_read_back_by_the_platform_s_words() {
    for outcome in Outcome::ALL {
        assert_eq!(outcome.to_string(), outcome.name());
        assert_eq!(Outcome::parse(outcome.name()), Some(outcome));
        assert_eq!(format!("{outcome:>20}").len(), 20);
    }
    assert_eq!(Outcome::parse("Succeeded"), None);
}

/// A run with such a restore is neither fresh nor stale.
#[test]
fn a_restore_is_prepared_until_it_is_handed_over_or_has_started() {
    for (status, is_dry_run, started_at, expected) in [
        ("draft", false, Stamp::Absent, true),
        ("previewed", false, Stamp::Absent, true),
        ("draft", false, at("11:00:00"), false),
        ("pending", false, Stamp::Absent, false),
        ("queued", false, Stamp::Absent, false),
        ("completed", true, at("11:00:00"), true),
    ] {
        let mut restore = Case::proven().restore;
        status.clone_into(&mut restore.status);
        restore.is_dry_run = Some(is_dry_run);
        restore.started_at = started_at;
        let read = RestoreFacts::parse(&restore, &Policy::default());
        assert_eq!(read.is_prepared(), expected, "{status} {started_at:?}");
    }
}
