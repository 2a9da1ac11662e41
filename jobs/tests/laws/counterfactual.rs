//! What a verdict lacks, and what a success hangs on: named rows, the whole abstract space, and generated rows.
//!
//! Every answer is checked by deciding again, and in the space against what the cell itself says.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::restore_execute::counterfactual::{
    ProofFact, Question, ask, hangs_on, lacks, lost, mended,
};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::rows::SetItems;
use reconciler_jobs::restore_execute::{Outcome, Ruleset, decide};
use reconciler_jobs::stamp::Stamp;

use crate::generate::{any_twins, cases};
use crate::space::{
    Audit, Blocker, Cell, Evidence, Failure, Items, Link, Parts, Settle, Status, look_at_cells,
    proven_cells,
};
use crate::support::{Case, RUN, at, audit, candidate, json, snapshot};

/// What is wrong with the answers about these facts by the rules in force.
pub(crate) fn wrongly_answered(facts: &Facts) -> Option<String> {
    wrongly_answered_by(Ruleset::in_force(), facts)
}

/// What is wrong with the answers about these facts by the rules of any time.
pub(crate) fn wrongly_answered_by(rules: &Ruleset, facts: &Facts) -> Option<String> {
    let succeeds = |facts: &Facts| rules.decide(facts).outcome() == Some(Outcome::Succeeded);
    let outcome = rules.decide(facts).outcome();
    let found = lacks(rules, facts);
    let Some(set) = &found else {
        let said = ask(rules, facts).is_some_and(|(question, _)| question == Question::WhyNot);
        let excused = outcome.is_none() || nothing_could(facts);
        return (said || !excused).then(|| format!("no set for {outcome:?}"));
    };
    if outcome.is_none()
        || set.is_empty() != succeeds(facts)
        || !succeeds(&mended(rules, facts, set))
    {
        return Some(format!("{outcome:?} with {set:?}"));
    }
    for fact in set {
        let without = |all: &[ProofFact]| {
            let others = all.iter().copied().filter(|each| each != fact);
            succeeds(&mended(rules, facts, &others.collect::<Vec<_>>()))
        };
        // Not enough without it, whatever else is mended: every set that is enough holds it, so none is smaller.
        if without(set) || without(&ProofFact::ALL) {
            return Some(format!("{fact:?} of {set:?} is not needed"));
        }
    }
    let hung = hangs_on(rules, facts);
    let rightly = |fact: &ProofFact| {
        hung.contains(fact) == (succeeds(facts) && !succeeds(&lost(rules, facts, *fact)))
    };
    let wrong = ProofFact::ALL.into_iter().find(|fact| !rightly(fact));
    let (_, named) = ask(rules, facts)?;
    let is_said = |text: &str| text.trim() == text && !text.contains("()") && text.len() > 10;
    let unsaid = named.iter().find(|fact| !is_said(&fact.text));
    wrong
        .map(|fact| format!("hangs on {fact:?}, or not"))
        .or(unsaid.map(|fact| format!("{fact:?}")))
}

/// A clock that reads 1970, and allowances below nothing: then no record succeeds.
fn nothing_could(facts: &Facts) -> bool {
    facts.policy.evidence_skew_max < SignedDuration::ZERO
        || facts.policy.clock_skew_max < SignedDuration::ZERO
        || facts.as_of <= Timestamp::UNIX_EPOCH
}

/// What a verdict on this cell lacks, said from the cell.
fn lacking(cell: Cell) -> Vec<ProofFact> {
    use ProofFact::{
        Applied, AsRequested, AuditEntry, Counts, End, NoBlocker, NoFailure, ReadableResults,
        ReadableRun, Recognised, Request, Results, Snapshot, StatusCompleted,
    };
    let mut lacking = Vec::new();
    lacking.extend((cell.status != Status::Completed).then_some(StatusCompleted));
    lacking.extend_from_slice(match cell.items {
        Items::Applied | Items::Decided | Items::WholeSet => &[],
        Items::AppliedFailed
        | Items::AppliedNotAssigned
        | Items::AppliedBeside
        | Items::AllFailed
        | Items::FailedButFounded
        | Items::AllSkipped => &[Applied][..],
        Items::AppliedUnknown
        | Items::AppliedDenied
        | Items::AppliedContradicted
        | Items::AllUnknown => &[Recognised],
        Items::AppliedMissing | Items::SetLarger | Items::NoRows | Items::CountersOnly => {
            &[Results]
        }
        Items::FailedMissing => &[Results, Applied],
        Items::AppliedUnexpected => &[AsRequested],
        Items::AppliedConflict => &[Counts],
        Items::SetAbsent => &[Request],
        Items::Unreadable => &[ReadableResults, Results],
    });
    let has_entry = matches!(cell.audit, Audit::Agrees | Audit::UnknownBesideKnown);
    lacking.extend((!has_entry).then_some(AuditEntry));
    let has_end = !matches!(cell.settle, Settle::NoEnd | Settle::ZeroDate);
    lacking.extend((!has_end).then_some(End));
    lacking.extend(match cell.evidence {
        Evidence::Qualifies | Evidence::ExpiresFar | Evidence::QualifiesBesideNewer => None,
        // Evidence from before an end that nobody recorded may still be from after the end that was.
        Evidence::Predates if !has_end => None,
        _ => Some(Snapshot),
    });
    let is_read = !matches!(cell.blocker, Blocker::Unreadable | Blocker::Misshapen);
    let is_blocked = is_read && cell.blocker != Blocker::None;
    lacking.extend(is_blocked.then_some(NoBlocker));
    lacking.extend((cell.failure != Failure::None).then_some(NoFailure));
    lacking.extend((!is_read).then_some(ReadableRun));
    lacking
}

#[test]
fn every_verdict_of_the_space_lacks_exactly_what_its_cell_says() {
    let in_force = Ruleset::in_force();
    let verdicts = AtomicUsize::new(0);
    look_at_cells(|parts, at| {
        let facts = parts.facts(at);
        let cell = Cell::at(at);
        if let Some(wrong) = wrongly_answered(&facts) {
            return Err(format!("{cell:?}\n  {wrong}"));
        }
        let Some(found) = lacks(in_force, &facts) else {
            let outcome = decide(&facts).outcome();
            return outcome.map_or(Ok(()), |_| Err(format!("{cell:?}: no answer")));
        };
        verdicts.fetch_add(1, Ordering::Relaxed);
        let expected = lacking(cell);
        (found == expected)
            .then_some(())
            .ok_or_else(|| format!("{cell:?}\n  {found:?}, not {expected:?}"))
    });
    assert!(verdicts.into_inner() > 5_000, "few verdicts");
}

#[test]
fn every_success_of_the_space_hangs_on_what_is_recorded_once() {
    use ProofFact::{NamesRestore, PointsAtRun, Start};
    let in_force = Ruleset::in_force();
    let parts = Parts::new();
    for at in proven_cells() {
        let facts = parts.facts(at);
        assert_eq!(wrongly_answered(&facts), None, "{:?}", Cell::at(at));
        assert_eq!(lacks(in_force, &facts), Some(Vec::new()));
        let hung = hangs_on(in_force, &facts);
        let expected: Vec<_> = ProofFact::ALL
            .into_iter()
            .filter(|fact| match (fact, Cell::at(at).link) {
                // The restore's creation will do for a start.
                (&Start, _) => false,
                (&NamesRestore, link) => link == Link::BesideDraft,
                (&PointsAtRun, link) => link == Link::Pointing,
                _ => true,
            })
            .collect();
        assert_eq!(hung, expected, "{:?}", Cell::at(at));
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn any_rows_are_answered_rightly(twins in any_twins()) {
        prop_assert_eq!(wrongly_answered(&twins.case.facts()), None);
        prop_assert_eq!(wrongly_answered(&twins.case.facts_with_any_restore()), None);
    }
}

/// The sentences of an answer.
fn said(change: impl FnOnce(&mut Case)) -> Vec<String> {
    let mut case = Case::proven();
    change(&mut case);
    let (_, named) = ask(Ruleset::in_force(), &case.facts()).unwrap();
    named.into_iter().map(|fact| fact.text).collect()
}

type Row = (&'static str, fn(&mut Case), &'static [&'static str]);

const ROWS: [Row; 33] = [
    (
        "no evidence, and an item without a result",
        |case| {
            case.snapshots.clear();
            case.restore.requested_items = json("[101,102,821]");
            case.restore.metadata = json("{}");
        },
        &[
            "a result for item 821",
            "an active evidence snapshot, complete and valid, generated at 2026-03-01 11:30:00 UTC or later",
        ],
    ),
    (
        "evidence that is too old, and has expired",
        |case| {
            case.snapshots[0].generated_at = at("11:29:59");
            case.snapshots[0].expires_at = at("11:59:00");
        },
        &[
            "an active evidence snapshot, complete and valid, generated at 2026-03-01 11:30:00 UTC or later (snapshot 500 had expired and is not shown to be newer)",
        ],
    ),
    (
        "evidence with an allowance",
        |case| {
            case.policy.evidence_skew_max = SignedDuration::from_mins(2);
            case.snapshots[0] = snapshot(500, "superseded", "11:35:00");
        },
        &[
            "an active evidence snapshot, complete and valid, generated at 2026-03-01 11:28:00 UTC or later",
        ],
    ),
    (
        "evidence in part",
        |case| case.snapshots[0].completeness = None,
        &[
            "an active evidence snapshot, complete and valid, generated at 2026-03-01 11:30:00 UTC or later (snapshot 500 is not complete)",
        ],
    ),
    (
        "no end",
        |case| case.restore.completed_at = Stamp::Absent,
        &["an end of the restore between 2026-03-01 11:00:00 UTC and 2026-03-01 11:35:00 UTC"],
    ),
    (
        "no end and no evidence",
        |case| {
            case.restore.completed_at = Stamp::Absent;
            case.snapshots.clear();
        },
        &[
            "an end of the restore between 2026-03-01 11:00:00 UTC and 2026-03-01 12:00:00 UTC",
            "an active evidence snapshot, complete and valid, generated no earlier than the start and end of the restore",
        ],
    ),
    (
        "a start that cannot be read",
        |case| case.restore.started_at = Stamp::Unreadable,
        &["a start of the restore, by 2026-03-01 11:30:00 UTC"],
    ),
    (
        "neither a start nor an end, but PHP's zero date",
        |case| {
            case.restore.started_at = Stamp::Unreadable;
            case.restore.completed_at = Stamp::At(Timestamp::UNIX_EPOCH);
        },
        &[
            "a start of the restore, by 2026-03-01 11:31:00 UTC",
            "an end of the restore, by 2026-03-01 11:35:00 UTC",
        ],
    ),
    (
        "no end, and evidence from before the start",
        |case| {
            case.restore.completed_at = Stamp::Absent;
            case.snapshots[0].generated_at = at("10:00:00");
        },
        &[
            "an end of the restore between 2026-03-01 11:00:00 UTC and 2026-03-01 12:00:00 UTC",
            "an active evidence snapshot, complete and valid, generated no earlier than the start and end of the restore",
        ],
    ),
    (
        "no audit entry",
        |case| case.audits.clear(),
        &[
            "an audit entry that the restore completed, recorded at 2026-03-01 11:00:00 UTC or later",
        ],
    ),
    (
        "an audit entry that says otherwise later",
        |case| case.audits.push(audit(901, "restore.failed", "11:32:00")),
        &["an audit entry that the restore completed, later than entry 901, which says otherwise"],
    ),
    (
        "an audit entry that says otherwise now",
        |case| case.audits.push(audit(902, "restore.failed", "12:00:00")),
        &["an audit entry that the restore completed, later than entry 902, which says otherwise"],
    ),
    (
        "an audit entry that said otherwise before the start",
        |case| case.audits = vec![audit(899, "restore.failed", "10:59:00")],
        &[
            "an audit entry that the restore completed, recorded at 2026-03-01 11:00:00 UTC or later",
        ],
    ),
    (
        "an audit entry that says otherwise, from the future",
        |case| case.audits.push(audit(902, "restore.failed", "12:00:01")),
        &["no later audit entry that says otherwise, as entry 902 does"],
    ),
    (
        "a cancelled restore",
        |case| {
            case.restore.status = "cancelled".to_owned();
            case.audits = vec![audit(900, "restore.cancelled", "11:31:00")];
        },
        &[
            "the status completed (it is cancelled)",
            "an audit entry that the restore completed, later than entry 900, which says otherwise",
        ],
    ),
    (
        "a blocker and failures",
        |case| {
            case.run.failure_summary =
                json(r#"[{"code":"write_gate_blocked"},{"code":"graph.throttled"}]"#);
            case.run.outcome = "failed".to_owned();
            case.restore.failure_reason = Some("HTTP 503".to_owned());
        },
        &[
            "a record without a blocker (`write_gate_blocked`)",
            "a record without a failure (`failure_reason`, `failure_summary` and the run's `outcome`)",
        ],
    ),
    (
        "a blocker that the restore names",
        |case| {
            case.restore.metadata =
                json(r#"{"total":2,"succeeded":2,"blocked_reason":"write_gate_blocked"}"#);
        },
        &["a record without a blocker (`write_gate_blocked`)"],
    ),
    (
        "a failure of the restore",
        |case| case.restore.failure_reason = Some("HTTP 503".to_owned()),
        &["a record without a failure (`failure_reason`)"],
    ),
    (
        "counts of assignments that contradict their outcomes",
        |case| {
            case.one_item(
                r#"{"status":"applied","assignment_outcomes":[{"status":"success"}],"assignment_summary":{"success":2,"failed":0,"skipped":0}}"#,
            );
        },
        &["counters that agree with the results"],
    ),
    (
        "columns that cannot be read",
        |case| {
            case.run.failure_summary = json("5");
            case.restore.metadata = json("5");
            case.restore.results = json("5");
            case.restore.requested_items = json("5");
        },
        &[
            "a request that can be read",
            "results that can be read",
            "a result for each requested item",
            "`failure_summary` and `execution_legitimacy` that can be read",
            "metadata of the restore that can be read",
        ],
    ),
    (
        "no backup set",
        |case| {
            case.restore.requested_items = json("null");
            case.restore.backup_items = SetItems::Absent;
        },
        &["a backup set that holds the requested items"],
    ),
    (
        "nothing requested",
        |case| {
            case.items("{}");
            case.restore.requested_items = json("[]");
        },
        &["a request that lists an item, and a result for it"],
    ),
    (
        "one item failed, and its count",
        |case| {
            case.items(r#"{"101":{"status":"applied"},"102":{"status":"failed"}}"#);
            case.restore.metadata = json(r#"{"succeeded":1,"failed":1}"#);
        },
        &["an applied outcome of item 102"],
    ),
    (
        "items, a foundation and an assignment",
        |case| {
            case.restore.results = json(
                r#"{"foundations":[{"decision":"failed"}],"items":{"101":{"status":"skipped"},"102":{"status":"failed","assignment_outcomes":[{"status":"failed"}]}}}"#,
            );
            case.restore.metadata = json("{}");
        },
        &["an applied outcome of 2 items (101 and 102), 1 foundation and 1 assignment"],
    ),
    (
        "a foundation that failed",
        |case| {
            case.restore.results = json(
                r#"{"foundations":[{"decision":"failed"}],"items":{"101":{"status":"applied"},"102":{"status":"applied"}}}"#,
            );
            case.restore.metadata = json("{}");
        },
        &["an applied outcome of 1 foundation"],
    ),
    (
        "an item that failed, and a word that nobody knows",
        |case| case.items(r#"{"101":{"status":"failed"},"102":{"status":"done"}}"#),
        &[
            "an applied outcome of item 101",
            "an outcome that the rules know of item 102",
        ],
    ),
    (
        "a word that nobody knows",
        |case| case.one_item(r#"{"status":"done"}"#),
        &["an outcome that the rules know of item 101"],
    ),
    (
        "seven items without results",
        |case| {
            case.restore.requested_items = json("[101,102,1,2,3,4,5,6,7]");
            case.restore.metadata = json("{}");
        },
        &["a result for 7 items (1, 2, 3, 4, 5 and 2 more)"],
    ),
    (
        "an id that is none",
        |case| {
            case.restore.requested_items = json(r#"[101,102,"Bearer x"]"#);
            case.restore.metadata = json("{}");
        },
        &["a result for 1 item"],
    ),
    (
        "a result nobody requested, and an id twice",
        |case| {
            case.restore.requested_items = json("[101,101]");
        },
        &["a request for item 102, of which there is a result and no id twice (item 101)"],
    ),
    (
        "a result nobody requested",
        |case| case.restore.requested_items = json("[101]"),
        &["a request for item 102, of which there is a result"],
    ),
    (
        "an id twice",
        |case| case.restore.requested_items = json("[101,102,102]"),
        &["no id twice (item 102)"],
    ),
    (
        "counters that disagree",
        |case| case.restore.metadata = json(r#"{"total":3}"#),
        &["counters that agree with the results"],
    ),
];

#[test]
fn what_is_lacking_is_said_with_ids_and_moments() {
    for (name, change, expected) in ROWS {
        assert_eq!(said(change), expected, "{name}");
    }
}

/// Nothing is mended that is not lacking, not even to the same success.
#[test]
fn what_is_so_already_stays_as_it_is() {
    let proven = Case::proven();
    let mut one_failed = Case::proven();
    one_failed.items(r#"{"101":{"status":"applied"},"102":{"status":"failed"}}"#);
    one_failed.restore.metadata = json(r#"{"total":"two"}"#);
    let of_the_items = [
        ProofFact::ReadableMetadata,
        ProofFact::Request,
        ProofFact::ReadableResults,
        ProofFact::Results,
    ];
    let mut one_missing = Case::proven();
    one_missing.restore.requested_items = json("[101,102,821]");
    for (case, held) in [
        (proven, &ProofFact::ALL[..]),
        (one_failed, &of_the_items),
        (one_missing, &[ProofFact::Request]),
    ] {
        let facts = case.facts();
        for fact in held {
            assert_eq!(
                mended(Ruleset::in_force(), &facts, &[*fact]),
                facts,
                "{fact:?}"
            );
        }
    }
}

/// An unknown word stays unknown where only what was not applied is mended, and the reverse.
#[test]
fn an_outcome_is_mended_by_its_own_fact_alone() {
    let mut case = Case::proven();
    case.items(r#"{"101":{"status":"failed"},"102":{"status":"done"}}"#);
    let tally = |these: &[ProofFact]| {
        let restore = mended(Ruleset::in_force(), &case.facts(), these).restore;
        let items = restore.expect("a restore").items.items;
        (items.applied, items.failed, items.unrecognised)
    };
    assert_eq!(tally(&[]), (0, 1, 1));
    assert_eq!(tally(&[ProofFact::Applied]), (1, 0, 1));
    assert_eq!(tally(&[ProofFact::Recognised]), (1, 1, 0));
    assert_eq!(
        tally(&[ProofFact::Applied, ProofFact::Recognised]),
        (2, 0, 0)
    );
}

/// Of what is counted, one is lost, where there is one.
#[test]
fn one_outcome_is_lost() {
    let mut nothing_applied = Case::proven();
    nothing_applied.nothing_applied();
    for (fact, of_two, of_none) in [
        (ProofFact::Results, (1, 0, 0, 1), (0, 0, 0, 0)),
        (ProofFact::Applied, (1, 1, 0, 0), (0, 0, 0, 0)),
        (ProofFact::Recognised, (1, 0, 1, 0), (0, 0, 0, 0)),
    ] {
        for (case, expected) in [(&Case::proven(), of_two), (&nothing_applied, of_none)] {
            let items = lost(Ruleset::in_force(), &case.facts(), fact)
                .restore
                .expect("a restore")
                .items;
            let rows = items.items;
            let found = (rows.applied, rows.failed, rows.unrecognised, items.missing);
            assert_eq!(found, expected, "{fact:?}");
        }
    }
}

/// What a success hangs on, as rows lose it.
#[test]
fn what_a_success_hangs_on_is_what_its_rows_hold_once() {
    let single = said(|case| {
        case.run.context = json("[]");
        case.restore.created_at = Stamp::Absent;
    });
    let twice = said(|case| {
        case.audits.push(audit(901, "restore.executed", "11:31:30"));
        case.candidates
            .push(candidate(RestoreId(6), Some(RunId(71))));
    });
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter()
            .filter(|text| !other.contains(text))
            .cloned()
            .collect()
    };
    assert_eq!(
        only(&single, &twice),
        [
            "a restore that points at the run (7)",
            "a start of the restore",
            "an audit entry that the restore completed (900)",
        ]
    );
    assert_eq!(only(&twice, &single), [""; 0]);
    let snapshot = "an active evidence snapshot (500)".to_owned();
    assert!(twice.contains(&snapshot), "{twice:?}");
    let legs: std::collections::BTreeSet<_> =
        ProofFact::ALL.iter().map(|fact| fact.leg()).collect();
    assert_eq!(
        legs.len(),
        Leg::ALL.len(),
        "no part of the proof is left out"
    );
}

#[test]
fn no_verdict_is_asked_nothing() {
    let mut settling = Case::proven();
    settling.audits.clear();
    settling.as_of = crate::support::moment("11:36:00");
    let mut stranger = Case::proven();
    stranger.candidates = vec![candidate(RestoreId(7), Some(RunId(RUN.0 + 1)))];
    let mut closed = Case::proven();
    closed.run.status = "completed".to_owned();
    for case in [settling, stranger, closed] {
        assert_eq!(
            (
                ask(Ruleset::in_force(), &case.facts()),
                lacks(Ruleset::in_force(), &case.facts())
            ),
            (None, None)
        );
        assert!(hangs_on(Ruleset::in_force(), &case.facts()).is_empty());
    }
}
