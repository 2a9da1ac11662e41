//! A recorded verdict judged again: an honest one passes, and each way to touch it is told apart.

use reconciler_jobs::restore_execute::RULESET;
use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use reconciler_jobs::restore_execute::record::LedgerEntry;
use reconciler_jobs::restore_execute::review::{Doubt, Name, Recorded, Standing, review};

use crate::support::{Case, Kept};

fn proven() -> LedgerEntry {
    Case::proven().record().unwrap().ledger
}

fn failed() -> LedgerEntry {
    let mut case = Case::proven();
    case.restore.status = "failed".to_owned();
    case.record().unwrap().ledger
}

/// What is wrong with the entry; empty where it passes.
fn doubt(entry: &LedgerEntry) -> String {
    let Err(doubt) = review(&Recorded::from(entry)) else {
        return String::new();
    };
    let kind = match &doubt {
        Doubt::FactsAltered { .. } => "altered",
        Doubt::OtherRuleset(_) => "ruleset",
        Doubt::FactsUnreadable(_) => "unreadable",
        Doubt::Overclaim { .. } => "overclaim",
        Doubt::WrongVerdict { .. } => "wrong",
        Doubt::OtherName { .. } => "name",
    };
    format!("{kind}: {doubt}")
}

/// As somebody would who knows about the digest.
fn rewrite(entry: &mut LedgerEntry, from: &str, to: &str) {
    assert!(entry.facts.contains(from), "{}", entry.facts);
    entry.facts = entry.facts.replace(from, to);
    entry.facts_digest = digest_of(&entry.facts);
}

#[test]
fn what_was_recorded_is_decided_again() {
    for entry in [proven(), failed()] {
        let reviewed = review(&Recorded::from(&entry)).unwrap();
        assert_eq!(reviewed.facts.as_of, entry.decided_at);
        assert_eq!(reviewed.decision.name(), entry.outcome);
    }
}

#[test]
fn facts_that_were_altered_prove_nothing() {
    let mut entry = failed();
    entry.facts = proven().facts;
    let found = doubt(&entry);
    assert!(found.starts_with("altered: "), "{found}");
    assert!(found.contains(&proven().facts_digest), "{found}");
    assert!(found.contains(&failed().facts_digest), "{found}");
}

#[test]
fn a_success_that_the_facts_do_not_give_is_an_overclaim() {
    let mut entry = failed();
    let claim = proven();
    (entry.outcome, entry.reason_code, entry.decision) =
        (claim.outcome, claim.reason_code, claim.decision);
    assert_eq!(
        doubt(&entry),
        "overclaim: succeeded restore.proof_complete is on record; the facts give failed restore.execution_failed"
    );

    let mut entry = proven();
    rewrite(
        &mut entry,
        r#""status":"completed""#,
        r#""status":"queued""#,
    );
    assert_eq!(
        doubt(&entry),
        "overclaim: succeeded restore.proof_complete is on record; the facts give no verdict: restore.in_progress"
    );
}

#[test]
fn a_deferral_is_no_verdict_even_where_the_facts_give_one() {
    let mut case = Case::proven();
    case.restore.status = "running".to_owned();
    let decision = case.decide();
    let facts = canonicalise(&case.facts()).unwrap();
    let entry = LedgerEntry {
        outcome: decision.name(),
        reason_code: decision.reason.code(),
        facts: facts.text,
        facts_digest: facts.digest,
        decision: canonicalise(&decision).unwrap().text,
        ..proven()
    };
    assert_eq!(
        doubt(&entry),
        "wrong: deferred restore.in_progress is on record; the facts give no verdict: restore.in_progress"
    );
}

#[test]
fn any_other_difference_is_a_wrong_verdict() {
    let mut modest = proven();
    modest.outcome = "blocked";
    let mut reason = failed();
    reason.reason_code = "restore.aborted";
    let mut decision = failed();
    decision.decision = decision.decision.replace(r#""rule":17"#, r#""rule":16"#);
    for entry in [modest, reason, decision] {
        let found = doubt(&entry);
        assert!(found.starts_with("wrong: "), "{found}");
    }
}

#[test]
fn facts_that_this_version_could_not_have_written_are_not_guessed_at() {
    let (dry, noon) = (r#""is_dry_run":false,"#, "T12:00:00Z");
    for (from, to) in [
        (dry, ""),
        (dry, r#""is_dry_run":"no","#),
        (dry, r#""is_dry_run":false,"is_drill":true,"#),
        (dry, r#""is_dry_run": false,"#),
        (noon, "T12:00:00.0Z"),
    ] {
        let mut entry = proven();
        rewrite(&mut entry, from, to);
        let found = doubt(&entry);
        assert!(found.starts_with("unreadable: "), "{to}: {found}");
    }
}

#[test]
fn a_verdict_of_other_rules_is_left_to_those_who_hold_them() {
    let mut entry = proven();
    entry.ruleset = "restore.execute/0";
    assert!(doubt(&entry).starts_with("ruleset: "));
}

/// One way to touch an entry.
type Touch = fn(&mut LedgerEntry);

#[test]
fn no_column_can_be_touched_without_a_word() {
    let contradictions: [Touch; 8] = [
        |it| it.outcome = "succeeded",
        |it| it.outcome = "Failed",
        |it| it.reason_code = "restore.aborted",
        |it| it.decision = proven().decision,
        |it| it.operation_run_id.0 += 1,
        |it| it.decision_id.truncate(31),
        |it| it.decided_at += jiff::SignedDuration::from_micros(1),
        |it| (it.ruleset, it.outcome) = ("restore.execute/0", "succeeded"),
    ];
    let others: [(Standing, Touch); 4] = [
        (Standing::Stands, |_| ()),
        (Standing::FactsAltered, |it| it.facts.push(' ')),
        (Standing::FactsUnreadable, |it| {
            rewrite(it, r#""is_dry_run":false,"#, "");
        }),
        (Standing::OtherRules, |it| it.ruleset = "restore.execute/0"),
    ];
    let contradictions = contradictions.map(|touch| (Standing::Contradicted, touch));
    for (expected, touch) in contradictions.into_iter().chain(others) {
        let mut entry = failed();
        touch(&mut entry);
        let found = Standing::of(&Recorded::from(&entry), &Name::from(&entry));
        assert_eq!(found, expected, "{entry:?}");
        let words = (entry.outcome, found.is_readable());
        assert_ne!(words, ("succeeded", true), "{entry:?}");
    }
    let alike = Standing::ALL
        .iter()
        .filter(|standing| standing.is_readable());
    assert_eq!(alike.count(), 3);
}

#[test]
fn a_verdict_without_its_facts_is_read_and_proves_nothing() {
    let erased = |touch: Touch| {
        let mut entry = failed();
        entry.facts.clear();
        touch(&mut entry);
        Standing::without_facts(&Recorded::from(&entry), &Name::from(&entry))
    };
    assert_eq!(erased(|_| ()), Standing::FactsErased);
    let touches: [Touch; 4] = [
        |it| it.outcome = "succeeded",
        |it| it.reason_code = "restore.aborted",
        |it| it.decision = proven().decision,
        |it| it.decision_id.truncate(31),
    ];
    for touch in touches {
        assert_eq!(erased(touch), Standing::Contradicted);
    }
}

/// Verdicts that a program of the first ruleset recorded: its demonstration's, and some on generated rows, of every
/// rule and reason that could decide. The program of commit 456dd84, the last of that ruleset, answers each line of these and
/// of `differences.jsonl` that is a verdict byte for byte: its own `review` gives these facts, this digest and this decision.
pub(crate) const FIRST: &str = include_str!("corpus/ruleset_1.jsonl");

/// Verdicts of this ruleset as its first programs recorded them, so that each field of the facts, each word in them and
/// each row that decides occurs. Nothing here is ever written anew: where facts need more, the ruleset is another one.
pub(crate) const SECOND: &str = include_str!("corpus/ruleset_2.jsonl");

fn kept(corpus: &str) -> impl Iterator<Item = Kept> {
    corpus
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

#[test]
fn verdicts_of_the_first_ruleset_stand_by_the_rules_of_their_time() {
    let mut rules = std::collections::BTreeSet::new();
    for verdict in kept(FIRST) {
        assert_eq!(verdict.ruleset, "restore.execute/1");
        let reviewed = review(&verdict.recorded()).unwrap_or_else(|doubt| {
            panic!("{doubt}: {}", verdict.facts);
        });
        rules.insert(reviewed.decision.rule);
        // Under any other ruleset's name it does not stand.
        let renamed = Recorded {
            ruleset: RULESET,
            ..verdict.recorded()
        };
        assert!(review(&renamed).is_err(), "{}", verdict.facts);
    }
    let verdicts: Vec<u8> = rules.into_iter().collect();
    assert_eq!(
        verdicts,
        [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22]
    );
}

#[test]
fn verdicts_of_this_ruleset_are_read_and_decided_as_they_were_recorded() {
    let mut rules = std::collections::BTreeSet::new();
    for verdict in kept(SECOND) {
        assert_eq!(verdict.ruleset, RULESET);
        let reviewed = review(&verdict.recorded()).unwrap_or_else(|doubt| {
            panic!("{doubt}: {}", verdict.facts);
        });
        rules.insert(reviewed.decision.rule);
    }
    let deciding: Vec<u8> = rules.into_iter().collect();
    let expected = [7, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26];
    assert_eq!(deciding, expected);
}

/// Both rulesets are still told from what a forger would have made of them.
#[test]
fn a_verdict_on_file_that_was_touched_falls() {
    let corpora = kept(FIRST).chain(kept(SECOND));
    for verdict in corpora.filter(|verdict| verdict.outcome != "succeeded") {
        let claim = Recorded {
            outcome: "succeeded",
            reason_code: "restore.proof_complete",
            ..verdict.recorded()
        };
        assert!(matches!(review(&claim), Err(Doubt::Overclaim { .. })));
    }
}
