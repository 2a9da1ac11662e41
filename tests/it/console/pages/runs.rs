//! The pages of one run.

use std::collections::HashMap;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::now::Change;
use reconciler_jobs::restore_execute::context::Closer;
use reconciler_jobs::restore_execute::counterfactual::{NamedFact, Question};
use reconciler_jobs::restore_execute::facts::{
    CloserFacts, EvidenceFacts, Facts, RestoreFacts, RestoreStatus, RunOutcome, RunStatus,
};
use reconciler_jobs::restore_execute::opinion::Stance;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::results::{
    Counters, ItemException, ItemFacts, ItemFinding, MetadataCount, Part, Requested,
};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode, decide};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::pages::{EvidencePage, ExplainPage, RunPage};
use restore_reconciler::internals::storage::reader::{
    NextLook, RefusalSeen, RunInFull, VerdictSeen,
};
use restore_reconciler::internals::storage::{OpinionOnRecord, RecordedVerdict};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::explain::Explanation;
use restore_reconciler::internals::views::run::RunDetail;
use restore_reconciler::internals::views::runs::RunLine;
use restore_reconciler::internals::views::state::RunState;

use super::scene::{at, decided, moment, open, paused, proven, with_restore};
use super::{shell, text};

const SEES_ALL: Visibility = Visibility { evidence: true };
const SEES_RUNS: Visibility = Visibility { evidence: false };

fn detail(found: &RunInFull, visibility: Visibility) -> RunDetail {
    RunDetail::new(&listed(found), visibility, &FreshnessThresholds::default())
}

/// As the reader finds it, which judges the record for lists as well.
fn listed(found: &RunInFull) -> RunInFull {
    let mut found = found.clone();
    found.seen.record.verdict = found.verdict.as_ref().map(VerdictSeen::from);
    found
}

fn page(found: &RunInFull, visibility: Visibility) -> String {
    let answer = detail(found, visibility);
    text(&RunPage {
        shell: &shell("Run"),
        answer: &answer,
    })
}

/// Closed with the verdict that follows from what there is.
fn closed(facts: Facts) -> RunInFull {
    decided(&facts.clone(), facts)
}

/// Of items alone: a foundation's number is no item's.
#[test]
fn types_stand_beside_items() {
    let exception = |part, id: &str| ItemException {
        part,
        id: id.to_owned(),
        finding: ItemFinding::Failed,
    };
    let facts = with_restore(|it| {
        it.items.exceptions = vec![
            exception(Part::Item, "503"),
            exception(Part::Foundation, "503"),
            exception(Part::Assignment, "7"),
        ];
    });
    let detail = detail(&closed(facts), SEES_ALL);
    assert_eq!(detail.troubled_items(), [503, 7]);
    let types = HashMap::from([(503, "<b>script".to_owned())]);
    let html = text(&RunPage {
        shell: &shell("Run"),
        answer: &detail.typed(&types),
    });
    for line in [
        "item &#60;b&#62;script 503 failed",
        "foundation – 503 failed",
        "assignment – 7 failed",
    ] {
        assert!(html.contains(line), "{line}: {html}");
    }
}

fn without_evidence() -> Facts {
    let mut facts = proven();
    facts.evidence = EvidenceFacts::default();
    facts
}

#[test]
fn a_run_in_every_state() {
    let show = |name: &str, found: RunInFull| {
        insta::assert_snapshot!(format!("run_{name}"), page(&found, SEES_ALL));
    };
    show("proven", closed(proven()));
    show("evidence_missing", closed(without_evidence()));
    let mut settling = without_evidence();
    settling.restore.as_mut().unwrap().completed_at = at("2026-11-21T11:59:00Z");
    settling.audits.clear();
    show("settling", open(settling));

    let running = with_restore(|it| {
        it.status = RestoreStatus::Running;
        it.completed_at = Stamp::Absent;
    });
    show("running", open(running));
    show("preview", open(with_restore(|it| it.is_dry_run = true)));
    let in_status = |status| with_restore(|it| it.status = status);
    show("status_unknown", open(in_status(RestoreStatus::Unknown)));
    let cancelled = in_status(RestoreStatus::Cancelled);
    show("stopped_after_writes", closed(cancelled));
    let metadata_only = with_restore(|it| it.items = ItemFacts::default());
    show("metadata_only", closed(metadata_only));

    let without_items = |it: &mut RestoreFacts| {
        it.items = ItemFacts::default();
        it.counters = Counters::default();
    };
    let failed = with_restore(|it| {
        it.status = RestoreStatus::Failed;
        without_items(it);
    });
    show("failed", closed(failed));
    let blocked = with_restore(|it| {
        it.status = RestoreStatus::Cancelled;
        without_items(it);
        it.blockers = vec![ReasonCode::WriteGateBlocked];
    });
    show("blocked", closed(blocked));
    let mixed = with_restore(|it| {
        it.status = RestoreStatus::Partial;
        it.items.items.applied = 2;
        it.items.items.failed = 1;
        it.items.exceptions = vec![ItemException {
            part: Part::Item,
            id: "<i>503".to_owned(),
            finding: ItemFinding::Failed,
        }];
        it.items.exceptions_omitted = 4;
    });
    show("items_mixed", closed(mixed));

    let mut unlinked = proven();
    unlinked.restore = None;
    unlinked.candidates.clear();
    show("no_restore_open", open(unlinked.clone()));
    unlinked.run.status = RunStatus::Completed;
    show("no_restore_closed", open(unlinked));
}

/// When somebody looks again stands on an open run alone, and a dead letter says that nobody does.
#[test]
fn an_open_run_says_when_it_is_looked_at_again() {
    let at = Some(moment("2026-11-21T12:09:00Z"));
    let with = |mut found: RunInFull, at, tries| {
        found.next_look = Some(NextLook { at, tries });
        page(&found, SEES_ALL)
    };
    let shown = with(open(without_evidence()), at, 4);
    assert!(
        shown.contains("Next look in 9 min by itself; looked at 4 times so far."),
        "{shown}"
    );
    let shown = with(open(without_evidence()), None, 3);
    assert!(
        shown.contains("A dead letter after 3 tries: nobody looks at it"),
        "{shown}"
    );
    let shown = with(closed(proven()), at, 1);
    assert!(!shown.contains("Next look"), "{shown}");
    assert!(shown.contains(", took 59 min"), "{shown}");
}

/// No count of nothing stands beside counters that say something, and one item is no items.
#[test]
fn what_was_requested_is_told_as_it_is() {
    for (requested, missing, unexpected, said) in [
        (1, 0, 0, "1 item requested; each has a result."),
        (7, 2, 0, "7 items requested; no result for 2 of them."),
        (
            7,
            7,
            1,
            "7 items requested; no result for 7 of them; 1 result that nobody requested.",
        ),
        (
            0,
            0,
            2,
            "The request lists no item; 2 results that nobody requested.",
        ),
        (0, 0, 0, "The request lists no item."),
    ] {
        let facts = with_restore(|it| {
            it.counters.total = MetadataCount::Count(7);
            it.items.requested = Requested::Listed(requested);
            (it.items.missing, it.items.unexpected) = (missing, unexpected);
        });
        let shown = page(&open(facts), SEES_ALL);
        assert!(shown.contains(&format!("\n{said}\n")), "{said}: {shown}");
    }
    let not_itemised = with_restore(|it| it.items.requested = Requested::NotItemised);
    assert!(!page(&open(not_itemised), SEES_ALL).contains(" requested;"));
}

/// A run that somebody else closed as a success, of which the rules said this.
fn closed_elsewhere(facts: Facts, stance: Stance, found: Outcome) -> RunInFull {
    let mut facts = facts;
    facts.run.status = RunStatus::Completed;
    facts.run.outcome = RunOutcome::Succeeded;
    let opinion = OpinionOnRecord {
        run_id: facts.run.id,
        workspace_id: facts.run.workspace_id,
        environment_id: facts.run.environment_id,
        claimed: "succeeded".to_owned(),
        stance: stance.word().to_owned(),
        reason_code: decide(&facts.reopened()).reason.code().to_owned(),
        found: Some(found.name().to_owned()),
        closed_at: facts.run.completed_at.moment(),
        formed_at: facts.as_of,
    };
    let mut found = open(facts);
    found.seen.record.opinion = Some(opinion);
    found
}

#[test]
fn who_closed_a_run_and_what_the_rules_say_of_it() {
    let unproven = closed_elsewhere(
        without_evidence(),
        Stance::ClaimsMore,
        Outcome::PartiallySucceeded,
    );
    insta::assert_snapshot!("run_unproven_success", page(&unproven, SEES_ALL));
    for visibility in [SEES_ALL, SEES_RUNS] {
        let shown = detail(&unproven, visibility);
        assert_eq!(
            (shown.state.tone, shown.card.tone),
            (Tone::Danger, Tone::Danger)
        );
        assert_eq!((shown.state.label, shown.claim), ("Unproven success", None));
        let limits = FreshnessThresholds::default();
        let line = RunLine::new(&unproven.seen, visibility, &limits);
        assert_eq!(line.state.tone, Tone::Danger);
        assert_eq!(
            line.state.reason_code.as_deref(),
            Some("restore.evidence_missing")
        );
    }
    let failed = with_restore(|it| it.status = RestoreStatus::Failed);
    let failed = detail(
        &closed_elsewhere(failed, Stance::ClaimsMore, Outcome::Failed),
        SEES_ALL,
    );
    let reason = ReasonCode::parse(&failed.opinion.as_ref().unwrap().reason).unwrap();
    assert_eq!(
        failed.state.impact,
        reason.impact(),
        "more than proof is missing"
    );
    let agreed = closed_elsewhere(proven(), Stance::Agrees, Outcome::Succeeded);
    let shown = page(&agreed, SEES_ALL);
    assert!(
        shown.contains("The rules come to the same outcome."),
        "{shown}"
    );
    assert!(!shown.contains("Unproven"), "{shown}");

    for closer in Closer::ALL {
        let mut facts = proven();
        facts.run.status = RunStatus::Completed;
        facts.run.outcome = RunOutcome::Failed;
        facts.run.closer = Some(CloserFacts {
            closer,
            failures: 0,
            blockers: Vec::new(),
        });
        let shown = page(&open(facts), SEES_ALL);
        assert!(shown.contains(closer.sentence()), "{shown}");
        assert!(
            shown.contains(closer.code().unwrap_or("platform")),
            "{shown}"
        );
        let healed = shown.contains("Closed as failed by a later check");
        assert_eq!(healed, closer.is_healer(), "{shown}");
        assert!(shown.contains("was not judged"), "{shown}");
    }
}

#[test]
fn whoever_may_not_see_evidence_reads_that_there_is_none() {
    let found = closed(proven());
    insta::assert_snapshot!("run_without_evidence_view", page(&found, SEES_RUNS));
    // Nothing of the page depends on evidence: with the snapshot gone, the very same text is shown.
    for found in [found, open(proven())] {
        let mut gone = found.clone();
        let assessment = &mut gone.seen.assessment;
        assessment.facts.evidence = EvidenceFacts::default();
        assessment.decision = decide(&assessment.facts);
        assert_eq!(page(&found, SEES_RUNS), page(&gone, SEES_RUNS));
        assert_ne!(page(&found, SEES_ALL), page(&gone, SEES_ALL));
        let line = |found: &RunInFull, visibility| {
            RunLine::new(&found.seen, visibility, &FreshnessThresholds::default())
        };
        assert_eq!(line(&found, SEES_RUNS), line(&gone, SEES_RUNS));
    }
}

/// An open run whose proof is complete, and whose verdict the database refuses.
fn refused() -> RunInFull {
    let mut found = open(proven());
    found.seen.record.refusal = Some(RefusalSeen {
        since: moment("2026-11-21T09:20:00Z"),
        tried_at: moment("2026-11-21T11:50:00Z"),
        again_at: moment("2026-11-21T12:20:00Z"),
        tries: 7,
        said: Some("cannot close runs: <b>no</b> (SQLSTATE 23514)".to_owned()),
    });
    found
}

#[test]
fn a_run_that_nobody_settles_says_so_as_long_as_it_is_open() {
    let mut found = open(proven());
    found.pause = Some(paused(None));
    let said = "Everything is paused since 2026-11-21T11:30:00Z by ops: a";
    let shown = page(&found, SEES_ALL);
    assert!(shown.contains(said), "{shown}");
    assert!(shown.contains("settled once that is resumed"), "{shown}");
    let closed = RunInFull {
        pause: found.pause,
        ..decided(&proven(), proven())
    };
    let shown = page(&closed, SEES_ALL);
    assert!(!shown.contains("paused"), "{shown}");
}

/// The legs say what was proven. That they would make a success is said nowhere, because nobody could record it.
#[test]
fn a_verdict_that_cannot_be_written_is_told_and_not_foretold() {
    let found = refused();
    let shown = page(&found, SEES_ALL);
    insta::assert_snapshot!("run_refused", shown);
    let explained = explain_page(&found);
    insta::assert_snapshot!("explain_refused", explained);
    let line = RunLine::new(&found.seen, SEES_RUNS, &FreshnessThresholds::default());
    assert_eq!(line.state.reason_code.as_deref(), Some("run.settle_failed"));
    assert_eq!(line.state.tone, Tone::Danger);
    let attention = detail(&found, SEES_RUNS).attention.expect("a restore");
    assert_eq!(attention.tone, Tone::Danger);
    let json = serde_json::to_string(&(
        detail(&found, SEES_ALL),
        Explanation::new(&found),
        RunLine::new(&found.seen, SEES_ALL, &FreshnessThresholds::default()),
    ))
    .unwrap();
    // One of them names the text among its diagnostics too.
    assert_eq!(json.matches("(SQLSTATE 23514)").count(), 4, "{json}");
    for text in [&shown, &explained, &json] {
        assert!(!text.contains("restore.proof_complete"), "{text}");
        assert!(!text.contains("You may say"), "{text}");
        assert!(!text.contains("rule 1"), "{text}");
    }
    assert!(!explained.contains("succeeded"), "{explained}");
}

/// With a ledger whose facts were changed.
fn altered() -> RunInFull {
    let mut found = closed(proven());
    let facts = &mut found.verdict.as_mut().unwrap().facts;
    facts.as_mut().unwrap().push(' ');
    found
}

/// The verdict is asked by its own facts, whatever the database holds now.
#[test]
fn what_a_verdict_lacks_or_hangs_on_is_read_from_its_record() {
    let mut then = without_evidence();
    then.restore.as_mut().unwrap().status = RestoreStatus::Partial;
    let said = |found: &RunInFull, visibility| detail(found, visibility).counterfactual;
    let late = decided(&then, proven());
    let shown = said(&late, SEES_ALL).expect("a verdict");
    assert_eq!(shown.question, Question::WhyNot);
    insta::assert_snapshot!("lacks_exactly", shown.sentence);
    assert!(page(&late, SEES_ALL).contains("This restore lacks exactly: the status completed"));
    let hidden = said(&late, SEES_RUNS).expect("a verdict").sentence;
    assert!(hidden.contains("post-run evidence that counts"), "{hidden}");
    assert!(!hidden.contains("snapshot"), "{hidden}");
    let proven = said(&closed(proven()), SEES_ALL).expect("a verdict");
    assert_eq!(proven.question, Question::Why);
    let hidden = said(&closed(self::proven()), SEES_RUNS).expect("a verdict");
    let told = |fact: &NamedFact| fact.leg != Leg::Evidence || !fact.text.contains("77");
    assert!(hidden.facts.iter().all(told), "{hidden:?}");

    let mut erased = late.clone();
    erased.verdict.as_mut().unwrap().facts = None;
    for unasked in [altered(), erased, open(then), refused()] {
        assert_eq!(said(&unasked, SEES_ALL), None);
    }
}

/// As the ledger of a program from before December 2026 has it.
#[test]
fn a_verdict_of_the_first_rules_is_asked_by_them() {
    const CORPUS: &str = include_str!("../../../../jobs/tests/laws/corpus/ruleset_1.jsonl");
    let line: serde_json::Value = serde_json::from_str(CORPUS.lines().next().unwrap()).unwrap();
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    let facts: serde_json::Value = serde_json::from_str(&text("facts")).unwrap();
    let mut found = closed(proven());
    let verdict = found.verdict.as_mut().unwrap();
    *verdict = RecordedVerdict {
        run: RunId(facts["run"]["id"].as_i64().unwrap()),
        decision_id: text("facts_digest").chars().take(32).collect(),
        outcome: text("outcome"),
        reason_code: text("reason_code"),
        ruleset: text("ruleset"),
        facts: Some(text("facts")),
        facts_digest: text("facts_digest"),
        decision: text("decision"),
        decided_at: moment(facts["as_of"].as_str().unwrap()),
        ..verdict.clone()
    };
    let shown = detail(&found, SEES_ALL).counterfactual.expect("a verdict");
    assert_eq!(shown.question, Question::WhyNot);
    insta::assert_snapshot!("lacked_by_the_first_rules", shown.sentence);
    assert!(page(&found, SEES_ALL).contains("This restore lacks exactly"));
}

#[test]
fn an_altered_ledger_is_told_before_anything_else() {
    insta::assert_snapshot!("run_ledger_altered", page(&altered(), SEES_ALL));
    let limits = FreshnessThresholds::default();
    let line = RunLine::new(&listed(&altered()).seen, SEES_RUNS, &limits);
    assert_eq!(
        line.state.state,
        RunState::RecordAltered,
        "in the list, too"
    );
}

#[test]
fn a_verdict_whose_facts_were_erased_is_shown_and_not_called_proven() {
    let mut found = closed(proven());
    found.verdict.as_mut().unwrap().facts = None;
    let page = page(&found, SEES_ALL);
    assert!(page.contains("The facts were erased"), "{page}");
    assert!(!page.contains("NOT AS RECORDED"), "{page}");
    assert_eq!(detail(&found, SEES_ALL).card.tone, Tone::Warning);
}

/// As a success that is written over what the recorded facts say, in a column of the ledger.
#[test]
fn columns_that_contradict_the_recorded_facts_prove_nothing() {
    let mut found = decided(&without_evidence(), proven());
    let verdict = found.verdict.as_mut().unwrap();
    "succeeded".clone_into(&mut verdict.outcome);
    "restore.proof_complete".clone_into(&mut verdict.reason_code);
    insta::assert_snapshot!("run_record_contradicted", page(&found, SEES_ALL));
    let answer = detail(&found, SEES_ALL);
    assert_eq!(answer.card.tone, Tone::Danger);
    assert_eq!(answer.verdict_reason, None);
    let explained = Explanation::new(&found);
    assert_eq!(explained.change, Change::RecordContradicted);
    assert_eq!(explained.recorded, None);
    insta::assert_snapshot!("explain_record_contradicted", explain_page(&found));
}

#[test]
fn a_verdict_of_other_rules_is_shown_and_not_called_proven() {
    let mut found = closed(proven());
    "restore.execute/0".clone_into(&mut found.verdict.as_mut().unwrap().ruleset);
    assert_eq!(detail(&found, SEES_ALL).card.tone, Tone::Warning);
    let shown = page(&found, SEES_ALL);
    assert!(shown.contains("cannot judge the verdict again."), "{shown}");
    assert!(!shown.contains("altered"), "{shown}");
}

#[test]
fn the_evidence_of_a_run() {
    let show = |facts: Facts| {
        text(&EvidencePage {
            shell: &shell("Evidence"),
            answer: &detail(&closed(facts), SEES_ALL),
        })
    };
    insta::assert_snapshot!("evidence_that_counts", show(proven()));
    let mut expired = proven();
    expired.evidence.in_progress = true;
    expired.evidence.active.as_mut().unwrap().expires_at = at("2026-11-21T10:00:00Z");
    insta::assert_snapshot!("evidence_expired", show(expired));
}

fn explain_page(found: &RunInFull) -> String {
    text(&ExplainPage {
        shell: &shell("Now"),
        answer: &Explanation::new(found),
    })
}

#[test]
fn what_the_rules_say_now_stands_beside_what_was_recorded() {
    let late = decided(&without_evidence(), proven());
    insta::assert_snapshot!("explain_evidence_late", explain_page(&late));
    let weaker = decided(&proven(), without_evidence());
    insta::assert_snapshot!("explain_weaker", explain_page(&weaker));
    insta::assert_snapshot!("explain_same", explain_page(&closed(proven())));
    insta::assert_snapshot!("explain_open", explain_page(&open(proven())));
    insta::assert_snapshot!("explain_ledger_altered", explain_page(&altered()));
}

#[test]
fn a_column_that_cannot_be_read_is_no_trouble() {
    // Columns become facts before they get here; this one is about as bad as they come.
    let facts = with_restore(|restore| {
        restore.items = ItemFacts::default();
        restore.metadata_readable = false;
        restore.completed_at = Stamp::Unreadable;
        restore.started_at = Stamp::Unreadable;
    });
    assert!(page(&open(facts), SEES_ALL).contains("restore.clearance_unreadable"));
}
