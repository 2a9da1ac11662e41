//! Ten thousand verdicts of both rulesets, each decided again from its facts, byte for byte as it was, and asked why, or why not.
//!
//! Twenty-five megabytes of facts are not on file. They are made from those that are, of the same ruleset: a number says
//! which parts of one verdict's facts are put in the place of the same parts of another's. On file, in `corpus/golden.txt`,
//! is a line a verdict: the first twelve digits of the digest of its outcome, its reason, the digest of its facts, and its
//! decision. Nothing there is ever written anew: where a line would be another one, the ruleset is another one. The lines of
//! a ruleset that is added come from this test, which writes what it has made where it fails.

use std::collections::BTreeSet;
use std::path::Path;

use reconciler_jobs::restore_execute::Ruleset;
use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use reconciler_jobs::restore_execute::review::{Doubt, Recorded, review};
use serde_json::Value;

use crate::counterfactual::wrongly_answered_by;
use crate::fuzz::Chance;
use crate::review::{FIRST, SECOND};
use crate::support::Kept;

const GOLDEN: &str = include_str!("corpus/golden.txt");

/// How many verdicts of each ruleset there are.
const OF_EACH: usize = 5_000;

/// How many verdicts one takes parts of.
const DONORS: usize = 3;

/// Spreads small numbers over all bits, and makes none of them zero.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Puts some parts of `donor` in the place of the same parts of `facts`.
fn cross(facts: &mut Value, donor: &Value, chance: &mut Chance) {
    let (Value::Object(facts), Value::Object(donor)) = (facts, donor) else {
        return;
    };
    for (key, part) in facts {
        let Some(other) = donor.get(key) else {
            continue;
        };
        match chance.below(6) {
            0 => part.clone_from(other),
            1 | 2 => cross(part, other, chance),
            _ => {}
        }
    }
}

fn facts_of(number: u64, corpus: &[Value]) -> String {
    let mut chance = Chance(number.wrapping_mul(SPREAD) | 1);
    let mut facts = corpus[chance.below(corpus.len())].clone();
    for _ in 0..DONORS {
        let donor = &corpus[chance.below(corpus.len())];
        cross(&mut facts, donor, &mut chance);
    }
    canonicalise(&facts).unwrap().text
}

/// What follows where `recorded` says something else.
fn follows(recorded: &Recorded<'_>) -> String {
    match review(recorded) {
        Err(Doubt::WrongVerdict { follows, .. } | Doubt::Overclaim { follows, .. }) => follows,
        other => panic!("{other:?}: {}", recorded.facts),
    }
}

/// The line of a verdict, with its outcome and the row that decided it; none where no verdict follows from the facts.
fn line(ruleset: &str, facts: &str) -> Option<(String, String, u8)> {
    let facts_digest = digest_of(facts);
    let blank = Recorded {
        outcome: "",
        reason_code: "",
        ruleset,
        facts,
        facts_digest: &facts_digest,
        decision: "",
    };
    let words = follows(&blank);
    let (outcome, reason_code) = words.split_once(' ')?;
    if outcome == "no" {
        return None;
    }
    let worded = Recorded {
        outcome,
        reason_code,
        ..blank
    };
    let decision = follows(&worded);
    let recorded = Recorded {
        decision: &decision,
        ..worded
    };
    let reviewed = review(&recorded).unwrap_or_else(|doubt| panic!("{doubt}: {facts}"));
    let rules = Ruleset::named(ruleset).unwrap();
    let wrong = wrongly_answered_by(rules, &reviewed.facts);
    assert_eq!(wrong, None, "{ruleset}: {facts}");
    let whole = digest_of(&format!("{words} {facts_digest} {decision}"));
    Some((
        whole[..12].to_owned(),
        outcome.to_owned(),
        reviewed.decision.rule,
    ))
}

/// The lines of a ruleset. Each outcome and most of the rows that decide are among them.
fn lines(corpus: &str) -> String {
    let kept: Vec<Kept> = corpus
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let facts: Vec<Value> = kept
        .iter()
        .map(|kept| serde_json::from_str(&kept.facts).unwrap())
        .collect();
    let (mut outcomes, mut rules) = (BTreeSet::new(), BTreeSet::new());
    let mut known = BTreeSet::new();
    let verdicts = (1..).filter_map(|number| line(&kept[0].ruleset, &facts_of(number, &facts)));
    let verdicts = verdicts.filter(|(line, ..)| known.insert(line.clone()));
    let lines = verdicts.take(OF_EACH).map(|(line, outcome, rule)| {
        outcomes.insert(outcome);
        rules.insert(rule);
        line + "\n"
    });
    let lines = lines.collect();
    assert!(outcomes.len() == 4 && rules.len() > 10, "{rules:?}");
    lines
}

#[test]
fn ten_thousand_verdicts_of_both_rulesets_are_decided_again_byte_for_byte() {
    let made = [FIRST, SECOND].map(lines).concat();
    if made == GOLDEN {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden.txt");
    std::fs::write(&path, &made).unwrap();
    let mut both = made.lines().zip(GOLDEN.lines());
    let differs = both.position(|(made, golden)| made != golden);
    panic!(
        "verdict {differs:?} of {} and {} is another one: see {}",
        made.lines().count(),
        GOLDEN.lines().count(),
        path.display()
    );
}
