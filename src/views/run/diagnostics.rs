//! Words, counts and ids of a run for whoever has to look closer.

use reconciler_jobs::restore_execute::facts::RunStatus;
use schemars::JsonSchema;
use serde::Serialize;

use super::seen::reason_now;
use crate::storage::Assessment;
use crate::storage::reader::RunSeen;
use crate::views::Visibility;
use crate::views::timeline::spaced;
use crate::views::verdict::Verdict;

/// One line for whoever has to look closer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// What it is.
    pub name: &'static str,
    /// What was found: words, counts and ids.
    pub text: String,
    /// Where more of it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

pub(super) fn diagnostics(
    row: &RunSeen,
    verdict: Option<&Verdict>,
    visibility: Visibility,
) -> Vec<Diagnostic> {
    let assessment = &row.assessment;
    let Assessment { facts, decision } = assessment;
    let mut lines = vec![
        ("run status", spaced(&facts.run.status)),
        ("run outcome", spaced(&facts.run.outcome)),
    ];
    let is_closed = facts.run.status == RunStatus::Completed;
    if let Some(reason) = reason_now(row, visibility).filter(|_| !is_closed) {
        if row.record.refusal.is_none() {
            lines.push(("rule that matched now", decision.rule.to_string()));
        }
        lines.push(("reason now", reason.code().to_owned()));
    }
    if let Some(refusal) = &row.record.refusal {
        let said = refusal.said.as_deref().unwrap_or("not recorded");
        lines.push(("the database said", said.to_owned()));
    }
    if let Some(restore) = assessment.restore() {
        let blockers = restore.blockers.iter().chain(&facts.run.blockers);
        let codes: Vec<_> = blockers.map(|blocker| blocker.code()).collect();
        lines.push(("restore", restore.id.to_string()));
        lines.push(("restore status", spaced(&restore.status)));
        lines.push(("blockers recorded", listed(&codes)));
        lines.push(("audit entries read", facts.audits.len().to_string()));
    }
    if let Some(verdict) = verdict {
        let digest = match verdict.digest_matches {
            Some(true) => "as recorded",
            Some(false) => "NOT AS RECORDED",
            None => "erased",
        };
        lines.extend([
            ("verdict", verdict.decision_id.clone()),
            ("rules", verdict.ruleset.clone()),
            ("decided by", verdict.worker.clone()),
            ("digest of the facts", verdict.facts_digest.clone()),
            ("facts on record", digest.to_owned()),
            (
                "review of the record",
                verdict.standing.sentence().to_owned(),
            ),
        ]);
        lines.extend(verdict.revision.as_ref().map(|revision| {
            let (number, first) = (revision.number, &revision.first_decision_id);
            let why = "the run was rolled back with its platform";
            (
                "revision",
                format!("{number}, because {why}; the first was {first}"),
            )
        }));
    }
    let line = |(name, text): (&'static str, String)| Diagnostic {
        href: match name {
            "restore" => Some(format!("/restores/{text}")),
            "verdict" => Some("#verdict".to_owned()),
            "decided by" => Some("/queue#workers".to_owned()),
            _ => None,
        },
        name,
        text,
    };
    lines.into_iter().map(line).collect()
}

fn listed(codes: &[&str]) -> String {
    if codes.is_empty() {
        "none".to_owned()
    } else {
        codes.join(", ")
    }
}
