//! No surface draws a run more calmly than its verdict, whatever else is seen of it.

use std::collections::BTreeSet;

use askama::Template as _;
use jiff::SignedDuration;
use reconciler_jobs::reading::SeenRestore;
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::result_state::{NextAction, RestoreResult, ResultState};
use reconciler_jobs::restore_execute::facts::{
    EvidenceFacts, Facts, RestoreFacts, RestoreStatus, RunOutcome, RunStatus,
};
use reconciler_jobs::restore_execute::reason::Chapter;
use reconciler_jobs::restore_execute::results::{Counters, ItemFacts};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode, decide};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::RunQuery;
use restore_reconciler::internals::console::pages::{Form, RunsPage};
use restore_reconciler::internals::storage::reader::{
    RestoreInList, RestoreListing, RestoreSeen, RunInFull, RunListing, RunOnRecord, RunParts,
};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::environment::PostureShown;
use restore_reconciler::internals::views::restore::Preparation;
use restore_reconciler::internals::views::restores::RestoreList;
use restore_reconciler::internals::views::run::RunDetail;
use restore_reconciler::internals::views::runs::RunList;
use restore_reconciler::internals::views::state::RunState;

use super::restores::ready;
use super::scene::{ENVIRONMENT, at, decided, now, open, proven};
use super::{judging, shell};

type Change = fn(&mut Facts);

/// What may be so of a restore, its run and its proof, one of each line.
const CHANGES: [&[Change]; 6] = [
    &[
        |_| (),
        |it| restore(it, |restore| restore.items.items.failed = 1),
        |it| restore(it, |restore| restore.items.items.skipped = 3),
        |it| {
            restore(it, |restore| {
                restore.items.items.failed = std::mem::take(&mut restore.items.items.applied);
            });
        },
        |it| {
            restore(it, |restore| {
                (restore.items, restore.counters) = (ItemFacts::default(), Counters::default());
            });
        },
    ],
    &[
        |_| (),
        |it| it.evidence = EvidenceFacts::default(),
        |it| it.evidence.in_progress = true,
        |it| it.evidence.active.as_mut().unwrap().expires_at = at("2026-11-21T10:00:00Z"),
        |it| it.evidence.active.as_mut().unwrap().complete = false,
    ],
    &[|_| (), |_| (), |it| it.audits.clear()],
    &[
        |_| (),
        |_| (),
        |_| (),
        |it| {
            restore(it, |restore| {
                restore.blockers = vec![ReasonCode::WriteGateBlocked];
            });
        },
    ],
    &[|_| (), |_| (), |_| (), |it| it.run.failures = 1],
    &[
        |_| (),
        |_| (),
        |_| (),
        |it| restore(it, |restore| restore.started_at = Stamp::Absent),
    ],
];

fn restore(facts: &mut Facts, change: impl FnOnce(&mut RestoreFacts)) {
    change(facts.restore.as_mut().unwrap());
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    /// One of several, each as likely as another.
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let place = (mixed ^ (mixed >> 31)) % of.len() as u64;
        of[usize::try_from(place).unwrap()]
    }

    fn facts(&mut self) -> Facts {
        let mut facts = proven();
        let any = self.pick(&RestoreStatus::ALL);
        let status = self.pick(&[RestoreStatus::Completed, any]);
        restore(&mut facts, |restore| restore.status = status);
        for changes in CHANGES {
            self.pick(changes)(&mut facts);
        }
        facts
    }

    /// A run that was closed with the verdict that follows from what was, looks otherwise now, and whose own outcome
    /// somebody may have written over. None where no verdict follows.
    fn decided(&mut self) -> Option<RunInFull> {
        let (then, other) = (self.facts(), self.facts());
        let now = if self.pick(&[true, false]) {
            &then
        } else {
            &other
        };
        decide(&then).outcome()?;
        let mut found = decided(&then, now.clone());
        let outcome = self.pick(&RunOutcome::ALL);
        let own = found.seen.assessment.facts.run.outcome;
        found.seen.assessment.facts.run.outcome = self.pick(&[own, own, outcome]);
        Some(found)
    }
}

/// How urgent a verdict is.
fn urgency(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Succeeded => 0,
        Outcome::PartiallySucceeded => Tone::Warning.urgency(),
        Outcome::Blocked | Outcome::Failed => Tone::Danger.urgency(),
    }
}

/// The urgency of each chip in a list of that one run, and the text of the list.
fn chips(found: &RunInFull, visibility: Visibility) -> (Vec<u8>, String) {
    let listing = RunListing {
        as_of: now(),
        rows: vec![found.seen.clone()],
        below: None,
    };
    let answer = RunList::new(
        &listing,
        visibility,
        &FreshnessThresholds::default(),
        (None, None),
    );
    let too_long = SignedDuration::from_hours(1);
    let html = RunsPage {
        shell: &shell("Runs"),
        answer: &answer,
        form: &Form::new(&RunQuery::default(), &RunParts::default(), too_long),
        csv: String::new(),
        json: String::new(),
    }
    .render()
    .unwrap();
    let (_, body) = html.split_once("<tbody>").unwrap();
    let chips = body.split("class=\"badge ").skip(1).map(|chip| {
        let tones = [("calm", 0), ("neutral", 1), ("warning", 2), ("danger", 3)];
        tones
            .into_iter()
            .find(|(class, _)| chip.starts_with(class))
            .expect("a tone")
            .1
    });
    (chips.collect(), body.to_owned())
}

/// How urgently each surface draws a run.
fn tones(
    found: &RunInFull,
    run: &RunDetail,
    restored: &Preparation,
    chip: u8,
) -> [(&'static str, u8); 11] {
    let facts = &found.seen.assessment.facts;
    let latest = (
        facts.restore.clone().unwrap(),
        Some(facts.run.clone()),
        facts.evidence.clone(),
        found.seen.record.clone(),
    );
    let posture = judging(|judging| PostureShown::new(ENVIRONMENT, Some(&latest), now(), judging));
    let listing = RestoreListing {
        as_of: now(),
        rows: vec![RestoreInList {
            found: latest,
            names_run: true,
            workspace_name: String::new(),
            environment_name: String::new(),
        }],
        below: None,
    };
    let listed = judging(|judging| RestoreList::new(&listing, None, judging, |_| String::new()));
    let listed = &listed.restores[0];
    let beside = listed.run_state.as_ref().unwrap();
    let attention = run.attention.map_or(Tone::Danger, |it| it.tone);
    let its_run = restored.run_state.as_ref().unwrap();
    [
        ("list", chip),
        ("run", run.state.tone.urgency()),
        ("result", run.card.tone.urgency()),
        ("attention", attention.urgency()),
        ("restore", restored.card.tone.urgency()),
        ("its run", its_run.tone.urgency()),
        ("its attention", restored.attention.tone.urgency()),
        ("posture", posture.tone.urgency()),
        ("list of restores", listed.tone.urgency()),
        ("a run in it", beside.tone.urgency()),
        ("attention in it", listed.attention.tone.urgency()),
    ]
}

#[test]
fn no_surface_is_calmer_than_the_verdict() {
    // How often the contract's own state would have been calmer, and have led to the evidence.
    let (mut calmer, mut astray, mut met) = (0, 0, BTreeSet::new());
    let mut dice = Dice(815);
    for round in 0..6_000 {
        let visibility = Visibility {
            evidence: dice.pick(&[true, false]),
        };
        let Some(found) = dice.decided() else {
            continue;
        };
        let record = found.verdict.as_ref().unwrap();
        let outcome = Outcome::parse(&record.outcome).unwrap();
        let reason = ReasonCode::parse(&record.reason_code).unwrap();
        let facts = &found.seen.assessment.facts;
        let is_contradicted = RunOutcome::parse(outcome.name()) != facts.run.outcome;
        let least = if is_contradicted {
            Tone::Danger.urgency()
        } else {
            urgency(outcome)
        };
        met.insert(reason.code());

        let (chips, list) = chips(&found, visibility);
        assert_eq!(chips.len(), 1);
        let run = RunDetail::new(&found, visibility, &FreshnessThresholds::default());
        let seen = RestoreSeen {
            restore: facts.restore.clone().unwrap(),
            run: Some(facts.run.clone()),
            evidence: facts.evidence.clone(),
            record: found.seen.record.clone(),
            ..ready()
        };
        let restored = judging(|judging| Preparation::new(&seen, judging));
        for (surface, tone) in tones(&found, &run, &restored, chips[0]) {
            assert!(
                tone >= least,
                "{round}: {surface}: {tone} of {outcome:?}, {reason:?}"
            );
        }
        assert_eq!(
            run.state.state == RunState::ClosedOtherwise,
            is_contradicted
        );
        let next = run.state.next_action;
        if is_contradicted {
            assert_eq!(run.claim, None);
        } else {
            assert_eq!(next, reason.next_action());
        }
        if is_contradicted || outcome != Outcome::Succeeded {
            for next in [run.card.next_action.label, restored.card.next_action.label] {
                assert_ne!(next, NextAction::OpenEvidence.label(), "{reason:?}");
            }
            if restored.is_executed {
                assert_eq!(restored.card.next_action.label, next);
            }
            assert!(!list.contains(ResultState::CompletedWithEvidence.label()));
            assert!(list.contains(reason.code()));
        }

        let contract = RestoreResult::of(&SeenRestore {
            at: facts.at(),
            restore: facts.restore.as_ref().unwrap(),
            run: Some(&facts.run),
            evidence: Some(&facts.evidence),
        });
        calmer += u32::from(contract.state().tone().urgency() < least);
        let leads_astray = contract.next_action == NextAction::OpenEvidence
            && outcome != Outcome::Succeeded
            && reason.chapter() != Chapter::Evidence;
        astray += u32::from(leads_astray);
    }
    assert!(met.len() > 15, "{met:?}");
    assert!(calmer > 100 && astray > 50, "{calmer} {astray}");
}

/// A run that nobody of ours judged is no calmer than its restore and its own outcome, and leads to no evidence below a
/// success.
#[test]
fn what_others_closed_is_no_calmer_than_its_restore() {
    use RestoreStatus::{Cancelled, Completed, Failed, Partial};
    for (status, outcome, tone, leads_to_evidence) in [
        (Completed, RunOutcome::Succeeded, Tone::Neutral, true),
        (
            Completed,
            RunOutcome::PartiallySucceeded,
            Tone::Warning,
            false,
        ),
        (Completed, RunOutcome::Pending, Tone::Warning, false),
        (Completed, RunOutcome::Failed, Tone::Danger, false),
        (Partial, RunOutcome::Succeeded, Tone::Warning, false),
        (Failed, RunOutcome::Succeeded, Tone::Danger, false),
        (Cancelled, RunOutcome::Succeeded, Tone::Danger, false),
    ] {
        let mut facts = proven();
        restore(&mut facts, |restore| restore.status = status);
        (facts.run.status, facts.run.outcome) = (RunStatus::Completed, outcome);
        let found = open(facts);
        let sees_all = Visibility { evidence: true };
        let run = RunDetail::new(&found, sees_all, &FreshnessThresholds::default());
        let (chips, _) = chips(&found, sees_all);
        let name = format!("{status:?} {outcome:?}");
        assert_eq!(run.state.state, RunState::ClosedByPlatform);
        assert_eq!((run.state.tone, chips[0]), (tone, tone.urgency()), "{name}");
        assert_ne!(run.attention.unwrap().tone, Tone::Calm, "{name}");
        let facts = found.seen.assessment.facts;
        for its_run in [None, Some(facts.run)] {
            let latest = (
                facts.restore.clone().unwrap(),
                its_run,
                facts.evidence.clone(),
                RunOnRecord::default(),
            );
            let posture =
                judging(|judging| PostureShown::new(ENVIRONMENT, Some(&latest), now(), judging));
            assert_ne!(posture.tone, Tone::Calm, "{name}: {posture:?}");
        }
        let leads = run.card.next_action.label == NextAction::OpenEvidence.label();
        assert_eq!(leads, leads_to_evidence, "{name}");
        if outcome == RunOutcome::Succeeded && tone != Tone::Neutral {
            assert_eq!(run.state.reason, run.card.reason, "{name}");
        }
    }
}
