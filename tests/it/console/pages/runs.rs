//! The pages of one run.

use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::now::Change;
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, Facts, RestoreStatus, RunStatus};
use reconciler_jobs::restore_execute::results::{
    Counters, ItemException, ItemFacts, ItemFinding, Part, PartTally,
};
use reconciler_jobs::restore_execute::{ReasonCode, decide};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::pages::{EvidencePage, ExplainPage, RunPage};
use restore_reconciler::internals::storage::reader::RunInFull;
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::explain::Explanation;
use restore_reconciler::internals::views::run::RunDetail;
use restore_reconciler::internals::views::runs::RunLine;

use super::scene::{at, decided, open, proven, with_restore};
use super::{shell, text};

const SEES_ALL: Visibility = Visibility { evidence: true };
const SEES_RUNS: Visibility = Visibility { evidence: false };

fn page(found: &RunInFull, visibility: Visibility) -> String {
    let answer = RunDetail::new(found, visibility, &FreshnessThresholds::default());
    text(&RunPage {
        shell: &shell("Run"),
        answer: &answer,
    })
}

/// Closed with the verdict that follows from what there is.
fn closed(facts: Facts) -> RunInFull {
    decided(&facts.clone(), facts)
}

#[test]
fn a_run_in_every_state() {
    let without_evidence = || Facts {
        evidence: EvidenceFacts::default(),
        ..proven()
    };
    let unlinked = || Facts {
        restore: None,
        candidates: Vec::new(),
        ..proven()
    };
    let cases = vec![
        ("proven", closed(proven())),
        ("evidence_missing", closed(without_evidence())),
        (
            "settling",
            open({
                let mut facts = without_evidence();
                let restore = facts.restore.as_mut().unwrap();
                restore.completed_at = at("2026-11-21T11:59:00Z");
                facts.audits.clear();
                facts
            }),
        ),
        (
            "running",
            open(with_restore(|restore| {
                restore.status = RestoreStatus::Running;
                restore.completed_at = Stamp::Absent;
            })),
        ),
        (
            "preview",
            open(with_restore(|restore| restore.is_dry_run = true)),
        ),
        (
            "failed",
            closed(with_restore(|restore| {
                restore.status = RestoreStatus::Failed;
                restore.counters = Counters::default();
                restore.items = ItemFacts::default();
            })),
        ),
        (
            "blocked",
            closed(with_restore(|restore| {
                restore.status = RestoreStatus::Cancelled;
                restore.items = ItemFacts::default();
                restore.counters = Counters::default();
                restore.blockers = vec![ReasonCode::WriteGateBlocked];
            })),
        ),
        (
            "stopped_after_writes",
            closed(with_restore(|restore| {
                restore.status = RestoreStatus::Cancelled;
            })),
        ),
        (
            "items_mixed",
            closed(with_restore(|restore| {
                restore.status = RestoreStatus::Partial;
                restore.items.items = PartTally {
                    applied: 2,
                    failed: 1,
                    ..PartTally::default()
                };
                restore.items.exceptions = vec![ItemException {
                    part: Part::Item,
                    id: "<i>503".to_owned(),
                    finding: ItemFinding::Failed,
                }];
                restore.items.exceptions_omitted = 4;
            })),
        ),
        (
            "metadata_only",
            closed(with_restore(|restore| {
                restore.items = ItemFacts::default();
            })),
        ),
        (
            "status_unknown",
            open(with_restore(|restore| {
                restore.status = RestoreStatus::Unknown;
            })),
        ),
        ("no_restore_open", open(unlinked())),
        ("no_restore_closed", {
            let mut facts = unlinked();
            facts.run.status = RunStatus::Completed;
            open(facts)
        }),
    ];
    for (name, found) in cases {
        insta::assert_snapshot!(format!("run_{name}"), page(&found, SEES_ALL));
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

#[test]
fn an_altered_ledger_is_told_before_anything_else() {
    let mut found = closed(proven());
    found.verdict.as_mut().unwrap().facts.push(' ');
    insta::assert_snapshot!("run_ledger_altered", page(&found, SEES_ALL));
}

/// A success that is written over what the recorded facts say, in a column of the ledger.
fn written_over() -> RunInFull {
    let mut found = closed(Facts {
        evidence: EvidenceFacts::default(),
        ..proven()
    });
    let verdict = found.verdict.as_mut().unwrap();
    "succeeded".clone_into(&mut verdict.outcome);
    "restore.proof_complete".clone_into(&mut verdict.reason_code);
    found.seen.assessment.facts.evidence = proven().evidence;
    found.seen.assessment.decision = decide(&found.seen.assessment.facts);
    found
}

#[test]
fn columns_that_contradict_the_recorded_facts_prove_nothing() {
    let found = written_over();
    insta::assert_snapshot!("run_record_contradicted", page(&found, SEES_ALL));
    let answer = RunDetail::new(&found, SEES_ALL, &FreshnessThresholds::default());
    assert_eq!(answer.card.tone, Tone::Danger);
    assert_eq!(answer.verdict_reason, None);
    let explained = Explanation::new(&found);
    assert_eq!(explained.change, Change::RecordContradicted);
    assert_eq!(explained.recorded, None);
    let shown = text(&ExplainPage {
        shell: &shell("Now"),
        answer: &explained,
    });
    insta::assert_snapshot!("explain_record_contradicted", shown);
}

#[test]
fn a_verdict_of_other_rules_is_shown_and_not_called_proven() {
    let mut found = closed(proven());
    "restore.execute/0".clone_into(&mut found.verdict.as_mut().unwrap().ruleset);
    let answer = RunDetail::new(&found, SEES_ALL, &FreshnessThresholds::default());
    assert_eq!(answer.card.tone, Tone::Warning);
    let shown = page(&found, SEES_ALL);
    assert!(shown.contains("cannot judge the verdict again."), "{shown}");
    assert!(!shown.contains("altered"), "{shown}");
}

#[test]
fn the_evidence_of_a_run() {
    let show = |facts: Facts| {
        let answer = RunDetail::new(&closed(facts), SEES_ALL, &FreshnessThresholds::default());
        text(&EvidencePage {
            shell: &shell("Evidence"),
            answer: &answer,
        })
    };
    insta::assert_snapshot!("evidence_that_counts", show(proven()));
    let mut expired = proven();
    expired.evidence.in_progress = true;
    expired.evidence.active.as_mut().unwrap().expires_at = at("2026-11-21T10:00:00Z");
    insta::assert_snapshot!("evidence_expired", show(expired));
}

#[test]
fn what_the_rules_say_now_stands_beside_what_was_recorded() {
    let show = |found: &RunInFull| {
        text(&ExplainPage {
            shell: &shell("Now"),
            answer: &Explanation::new(found),
        })
    };
    let mut early = proven();
    early.evidence = EvidenceFacts::default();
    insta::assert_snapshot!("explain_evidence_late", show(&decided(&early, proven())));
    insta::assert_snapshot!("explain_weaker", show(&decided(&proven(), early)));
    insta::assert_snapshot!("explain_same", show(&closed(proven())));
    insta::assert_snapshot!("explain_open", show(&open(proven())));
    let mut altered = closed(proven());
    altered.verdict.as_mut().unwrap().facts.push(' ');
    insta::assert_snapshot!("explain_ledger_altered", show(&altered));
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
