//! What another policy would have said of a verdict: a row per setting, and the law that an answer is never a guess.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reconciler_jobs::restore_execute::facts::Policy;
use reconciler_jobs::restore_execute::review::{Doubt, Name, Recorded, review};
use reconciler_jobs::restore_execute::simulate::{PolicyAnswer, Unanswered, answer, simulate};
use reconciler_jobs::restore_execute::words::ItemWords;
use reconciler_jobs::restore_execute::{FIRST_RULESET, RULESET, decide};
use reconciler_jobs::stamp::Stamp;

use crate::generate::{any_twins, cases};
use crate::review::FIRST;
use crate::support::{Case, Kept, at, audit, json, line, moment, snapshot};

const PAUSED: &str = "blocked operational_control.paused";

type Change<'a> = &'a dyn Fn(&mut Case);
type Other<'a> = &'a dyn Fn(&mut Policy);

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// `outcome reason`, or what is not recorded.
fn said(case: &Case, other: Other<'_>) -> String {
    let mut policy = case.policy.clone();
    other(&mut policy);
    match answer(&case.facts(), &policy) {
        Err(why) => format!("{why:?}"),
        Ok(PolicyAnswer { outcome, reason }) => {
            format!(
                "{} {}",
                outcome.map_or("open", |it| it.name()),
                reason.code()
            )
        }
    }
}

const PROVEN: &str = "succeeded restore.proof_complete";

type Row<'a> = (&'a str, Change<'a>, Other<'a>, &'a str);

fn check(rows: &[Row<'_>]) {
    for (about, change, other, expected) in rows {
        let mut case = Case::proven();
        change(&mut case);
        let decided = line(&case.decide());
        assert_eq!(said(&case, other), *expected, "{about}; {decided}");
    }
}

#[test]
fn a_time_is_answered_unless_somebody_may_have_looked_earlier() {
    let proven: Change<'_> = &|_| ();
    let unproven: Change<'_> = &|case| case.snapshots.clear();
    let late: Change<'_> = &|case| {
        case.snapshots = vec![snapshot(500, "active", "11:50:00")];
        case.as_of = moment("11:55:00");
    };
    let older: Change<'_> = &|case| case.snapshots = vec![snapshot(500, "active", "11:29:30")];
    let delayed: Change<'_> = &|case| {
        case.run.created_at = at("10:00:00");
        case.restore.created_at = at("10:00:00");
    };
    let in_time: Change<'_> = &|case| {
        case.run.created_at = at("10:30:00");
        case.restore.created_at = at("10:30:00");
    };
    let undated: Change<'_> = &|case| {
        case.run.created_at = Stamp::Absent;
        case.restore.created_at = Stamp::Absent;
    };
    let settles = |count| move |policy: &mut Policy| policy.settle_window = minutes(count);
    let blocks = |count| move |policy: &mut Policy| policy.blocked_after = minutes(count);
    let skewed: Other<'_> = &|policy| policy.evidence_skew_max = minutes(1);
    check(&[
        ("nothing else", proven, &|_| (), PROVEN),
        ("longer", unproven, &settles(31), "open restore.settling"),
        ("longer, and all is there", proven, &settles(31), PROVEN),
        ("shorter, and all came before", proven, &settles(6), PROVEN),
        (
            "shorter, and evidence came later",
            proven,
            &settles(2),
            "EarlierLook",
        ),
        (
            "shorter, and evidence never came",
            unproven,
            &settles(2),
            "partially_succeeded restore.evidence_missing",
        ),
        ("evidence came after both", late, &settles(2), "EarlierLook"),
        ("an older snapshot counts", older, skewed, PROVEN),
        (
            "blocked sooner, and it started late",
            delayed,
            &blocks(30),
            "EarlierLook",
        ),
        (
            "blocked sooner, and it started at once",
            proven,
            &blocks(30),
            PROVEN,
        ),
        ("blocked when it started", in_time, &blocks(30), PROVEN),
        ("blocked as before", undated, &settles(31), PROVEN),
    ]);
}

#[test]
fn a_word_is_answered_where_all_that_it_could_be_is_recorded() {
    let proven: Change<'_> = &|_| ();
    let unknown: Change<'_> =
        &|case| case.items(r#"{"101":{"status":"merged"},"102":{"status":"applied"}}"#);
    let beside: Change<'_> = &|case| {
        case.items(r#"{"101":{"status":"merged","decision":"failed"},"102":{"status":"applied"}}"#);
    };
    let founded: Change<'_> = &|case| {
        case.nothing_applied();
        case.restore.results =
            json(r#"{"foundations":[{"decision":"merged"}],"items":{"101":{"status":"skipped"}}}"#);
        case.restore.status = "cancelled".to_owned();
    };
    let assigned: Change<'_> = &|case| {
        case.one_item(r#"{"status":"applied","assignment_outcomes":[{"status":"merged"}]}"#);
    };
    let known: Change<'_> = &|case| case.policy.item_words.applied = owned(&["merged"]);
    let merged: Other<'_> = &|policy| policy.item_words.applied = owned(&["merged"]);
    let fails: Other<'_> = &|policy| policy.item_words.failed = owned(&["merged"]);
    let none: Other<'_> = &|policy| policy.item_words = ItemWords::default();
    check(&[
        ("known now", unknown, merged, PROVEN),
        (
            "of a foundation",
            founded,
            merged,
            "partially_succeeded restore.cancelled_after_writes",
        ),
        (
            "of a foundation that failed",
            founded,
            fails,
            "blocked restore.cancelled",
        ),
        (
            "no other words",
            assigned,
            &|it| it.settle_window = minutes(20),
            "partially_succeeded restore.items_unrecognised",
        ),
        (
            "a failure now",
            unknown,
            fails,
            "partially_succeeded restore.items_mixed",
        ),
        ("beside another", beside, merged, "ItemWords"),
        ("known no more", known, none, "ItemWords"),
        ("no row has it", proven, merged, PROVEN),
        (
            "the status of the results may be it",
            proven,
            fails,
            "ItemWords",
        ),
    ]);
}

#[test]
fn names_and_codes_are_answered_where_they_change_nothing() {
    let proven: Change<'_> = &|_| ();
    let failed: Change<'_> = &|case| "failed".clone_into(&mut case.restore.status);
    let added: Change<'_> = &|case| {
        case.policy.audit_actions.push("restore.ended".to_owned());
        case.audits = vec![audit(900, "restore.ended", "11:31:00")];
    };
    let unaudited: Change<'_> = &|case| {
        case.policy.audit_actions.push("restore.ended".to_owned());
        case.audits.clear();
    };
    let restored: Change<'_> = &|case| {
        case.policy.blocker_codes = owned(&["licence.gone"]);
        case.restore.failure_reason = Some("licence.gone".to_owned());
    };
    let unblocked: Change<'_> = &|case| case.policy.blocker_codes = owned(&["licence.gone"]);
    let code: Change<'_> = &|case| case.run.failure_summary = json(r#"[{"code":"licence.gone"}]"#);
    let blocker: Change<'_> = &|case| {
        case.policy.blocker_codes = owned(&["licence.gone"]);
        case.run.failure_summary = json(r#"[{"code":"licence.gone"}]"#);
    };
    let paused: Change<'_> = &|case| {
        case.nothing_applied();
        case.restore.failure_reason = Some("operational_control.paused".to_owned());
    };
    let late: Change<'_> = &|case| {
        paused(case);
        case.run.created_at = at("09:30:00");
        case.restore.created_at = at("09:30:00");
    };
    let more: Other<'_> = &|policy| policy.audit_actions.push("restore.ended".to_owned());
    let fewer: Other<'_> = &|policy| policy.audit_actions = Policy::default().audit_actions;
    let codes: Other<'_> = &|policy| policy.blocker_codes = owned(&["licence.gone"]);
    let no_codes: Other<'_> = &|policy| policy.blocker_codes.clear();
    check(&[
        ("more actions", proven, more, "AuditEntries"),
        (
            "it failed anyway",
            failed,
            more,
            "failed restore.execution_failed",
        ),
        ("fewer actions", added, fewer, "AuditEntries"),
        (
            "fewer actions, and no entry",
            unaudited,
            fewer,
            "partially_succeeded restore.audit_missing",
        ),
        ("more codes", code, codes, "BlockerCodes"),
        ("more codes, and paused", paused, codes, PAUSED),
        (
            "more codes, and paused till late",
            late,
            codes,
            "EarlierLook",
        ),
        ("fewer codes", blocker, no_codes, "BlockerCodes"),
        ("of the restore", restored, no_codes, "BlockerCodes"),
        (
            "fewer codes, and none recorded",
            unblocked,
            no_codes,
            PROVEN,
        ),
    ]);
}

/// Facts keep one snapshot of each status, so that where there are others than an active one, an earlier look at the same
/// record may have found another.
#[test]
fn evidence_that_is_no_longer_active_may_have_counted() {
    let beside = |status: &'static str| {
        move |case: &mut Case| case.snapshots = vec![snapshot(499, status, "11:31:00")]
    };
    let late = |case: &mut Case| {
        beside("generating")(case);
        case.as_of = moment("12:40:00");
    };
    let at_the_close = |case: &mut Case| {
        beside("failed")(case);
        case.as_of = moment("11:39:00");
    };
    let sooner: Other<'_> = &|policy| {
        policy.settle_window = minutes(9);
        policy.settle_window_in_progress = minutes(30);
    };
    check(&[
        ("retired", &beside("failed"), sooner, "EarlierLook"),
        (
            "of no known status",
            &beside("shelved"),
            sooner,
            "EarlierLook",
        ),
        ("in progress", &late, sooner, "EarlierLook"),
        (
            "no earlier than the verdict",
            &at_the_close,
            sooner,
            "partially_succeeded restore.evidence_not_current",
        ),
    ]);
}

/// What was recorded before the verdict would have had the run closed otherwise, by whoever looked then.
#[test]
fn an_earlier_end_is_no_answer() {
    let sooner = |policy: &mut Policy| policy.settle_window = minutes(2);
    let merged: Change<'_> =
        &|case| case.items(r#"{"101":{"status":"merged"},"102":{"status":"applied"}}"#);
    let amended: Change<'_> = &|case| {
        case.restore.updated_at = at("11:50:00");
        case.snapshots = vec![snapshot(500, "active", "11:31:00")];
    };
    let replaced: Change<'_> = &|case| {
        let mut earlier = snapshot(499, "superseded", "11:29:30");
        earlier.updated_at = at("11:40:00");
        let mut now = snapshot(500, "active", "11:40:00");
        now.completeness = Some("partial".to_owned());
        case.snapshots = vec![earlier, now];
    };
    let cancelled: Change<'_> = &|case| {
        case.nothing_applied();
        case.restore.results = json("null");
        case.run.created_at = at("10:00:00");
        case.restore.created_at = at("10:00:00");
        case.restore.started_at = Stamp::Absent;
        case.restore.completed_at = at("10:50:00");
        "cancelled".clone_into(&mut case.restore.status);
    };
    let contradicted: Change<'_> = &|case| {
        case.snapshots.clear();
        case.audits = vec![
            audit(900, "restore.completed", "11:31:00"),
            audit(901, "restore.failed", "11:34:00"),
            audit(902, "restore.completed", "11:38:00"),
        ];
    };
    check(&[
        // The recorded policy would have closed it at once: nobody looked before.
        (
            "a word and a window",
            merged,
            &|policy| {
                sooner(policy);
                policy.item_words.applied = owned(&["merged"]);
            },
            PROVEN,
        ),
        // Whatever its row said then kept it open under both, or closed it under both.
        ("the row was written again", amended, &sooner, PROVEN),
        (
            "an older snapshot counted once",
            replaced,
            &|policy| policy.evidence_skew_max = minutes(1),
            "EarlierLook",
        ),
        (
            "blocked before it was cancelled",
            cancelled,
            &|policy| policy.blocked_after = minutes(30),
            "EarlierLook",
        ),
        (
            "contradicted for a while",
            contradicted,
            &sooner,
            "EarlierLook",
        ),
    ]);
}

/// The first ruleset is asked again under other times, unless by those somebody may have closed the run before.
#[test]
fn a_verdict_of_the_first_ruleset_is_answered_by_its_own_rules() {
    let kept: Kept = serde_json::from_str(FIRST.lines().next().unwrap()).unwrap();
    let recorded = kept.recorded();
    let facts = review(&recorded).unwrap().facts;
    let name = Name {
        run: facts.run.id,
        decision_id: &recorded.facts_digest[..32],
        decided_at: facts.as_of,
    };
    let rows: [(Other<'_>, _); 6] = [
        (&|_| (), Ok("restore.execution_failed")),
        (
            &|it| it.settle_window -= minutes(1),
            Err(Unanswered::EarlierLook),
        ),
        (
            &|it| it.settle_window_in_progress -= minutes(1),
            Err(Unanswered::EarlierLook),
        ),
        (
            &|it| it.clock_skew_max -= minutes(1),
            Err(Unanswered::EarlierLook),
        ),
        (
            &|it| it.evidence_skew_max += minutes(1),
            Err(Unanswered::EarlierLook),
        ),
        (
            &|it| it.audit_actions.clear(),
            Err(Unanswered::AuditEntries),
        ),
    ];
    for (at, (other, expected)) in rows.into_iter().enumerate() {
        let mut policy = facts.policy.clone();
        other(&mut policy);
        let said = simulate(&recorded, &name, None, &policy).unwrap();
        assert_eq!(said.map(|it| it.reason.code()), expected, "row {at}");
    }
}

/// Each time that the first ruleset knew is what is asked under, and what is told of its facts.
#[test]
fn the_first_rulesets_own_times_count_and_are_told() {
    let year = minutes(60 * 24 * 365);
    let rows: [(&str, Other<'_>, &str); 4] = [
        (
            "restore.evidence_missing",
            &|it| it.settle_window = year,
            "restore.settling",
        ),
        (
            "restore.evidence_in_progress",
            &|it| it.settle_window_in_progress = year,
            "restore.settling",
        ),
        (
            "restore.evidence_predates_restore",
            &|it| it.clock_skew_max = year,
            "restore.settling",
        ),
        (
            "restore.proof_complete",
            &|it| it.evidence_skew_max = -minutes(60),
            "restore.evidence_predates_restore",
        ),
    ];
    let mut answered = [0; 4];
    for line in FIRST.lines() {
        let kept: Kept = serde_json::from_str(line).unwrap();
        let recorded = kept.recorded();
        let facts = review(&recorded).unwrap().facts;
        let told = serde_json::to_value(&facts.policy).unwrap();
        let written: serde_json::Value = serde_json::from_str(recorded.facts).unwrap();
        for (setting, value) in written["policy"].as_object().unwrap() {
            assert_eq!(&told[setting], value, "{setting} of {line}");
        }
        let name = Name {
            run: facts.run.id,
            decision_id: &recorded.facts_digest[..32],
            decided_at: facts.as_of,
        };
        for ((reason, other, expected), count) in rows.iter().zip(&mut answered) {
            let mut policy = facts.policy.clone();
            other(&mut policy);
            let said = simulate(&recorded, &name, None, &policy).unwrap();
            let is_row =
                kept.reason_code == *reason && said.is_ok_and(|it| it.reason.code() == *expected);
            *count += u32::from(is_row);
        }
    }
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
}

#[test]
fn a_record_is_asked_only_where_it_stands() {
    let record = Case::proven().record().unwrap();
    let (recorded, name) = (Recorded::from(&record.ledger), Name::from(&record.ledger));
    let policy = Policy::default();
    let asked = |ruleset| simulate(&recorded, &name, ruleset, &policy).ok();
    let said = asked(None).and_then(Result::ok).map(|it| it.reason.code());
    assert_eq!(said, Some("restore.proof_complete"));
    assert_eq!(asked(Some(RULESET)), asked(None));
    assert_eq!(asked(Some(FIRST_RULESET)), Some(Err(Unanswered::Ruleset)));
    let altered = Recorded {
        facts: "{}",
        ..recorded
    };
    let doubt = simulate(&altered, &name, None, &policy);
    assert!(
        matches!(doubt, Err(Doubt::FactsAltered { .. })),
        "{doubt:?}"
    );
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let some = |words: &'static [&'static str]| {
        prop::sample::subsequence(words, 0..=words.len()).prop_map(|words| owned(&words))
    };
    let window = || prop::sample::select(vec![0_i64, 2, 10, 10, 10, 45, 600]).prop_map(minutes);
    (
        (window(), window(), window(), window(), window()),
        (
            some(&["restore.ended", "restore.gone"]),
            some(&["hold.placed"]),
        ),
        (
            some(&["merged"]),
            some(&["half"]),
            some(&["broken"]),
            some(&["later"]),
        ),
    )
        .prop_map(
            |(times, (actions, codes), (applied, partial, failed, not_applied))| {
                let mut policy = Policy {
                    settle_window: times.0,
                    settle_window_in_progress: times.1,
                    clock_skew_max: times.2,
                    evidence_skew_max: times.3,
                    blocked_after: times.4,
                    ..Policy::default()
                };
                policy.audit_actions.extend(actions);
                policy.blocker_codes = codes;
                policy.item_words = ItemWords {
                    applied,
                    partial,
                    failed,
                    not_applied,
                };
                policy
            },
        )
}

/// Words that only some policies know, where a case may have them.
fn sprinkle(case: &mut Case, places: u8) {
    let has = |bit: u8| places & (1 << bit) != 0;
    if has(0) {
        case.items(r#"{"101":{"status":"merged"},"102":{"status":"half"}}"#);
    }
    if has(1) {
        case.items(r#"{"101":{"status":"broken","decision":"failed"},"102":{"status":"later"}}"#);
    }
    if has(2) {
        case.audits.push(audit(950, "restore.ended", "11:32:00"));
    }
    if has(3) {
        case.restore.failure_reason = Some("hold.placed".to_owned());
    }
    if has(4) {
        case.run.failure_summary = json(r#"[{"code":"hold.placed"}]"#);
    }
    if has(5) {
        case.restore.results = json(
            r#"{"status":"broken","items":{"101":{"status":"applied"},"102":{"status":"merged","assignment_outcomes":[{"status":"half"}]}}}"#,
        );
    }
}

/// What is answered is what the rows themselves give under the other policy, and many are answered.
#[test]
fn any_answer_is_what_the_rows_would_have_given() {
    const CASES: u32 = 8_000;
    let answered = AtomicU32::new(0);
    let asked = (any_twins(), any::<(bool, u8)>(), any_policy(), any_policy());
    let looked_at =
        TestRunner::new(cases(CASES)).run(&asked, |(twins, chance, recorded, other)| {
            let (is_proven, places) = chance;
            let mut case = if is_proven {
                Case::proven()
            } else {
                twins.case
            };
            sprinkle(&mut case, places);
            case.policy = recorded;
            let facts = case.facts();
            case.policy = other;
            if let Ok(said) = answer(&facts, &case.policy) {
                answered.fetch_add(1, Ordering::Relaxed);
                prop_assert_eq!(said, PolicyAnswer::from(&decide(&case.facts())));
            }
            Ok(())
        });
    assert!(looked_at.is_ok(), "{looked_at:?}");
    let answered = answered.into_inner();
    assert!(answered > CASES / 10, "{answered} of {CASES} were answered");
}
