//! The runbook page: every reason code, with what it means and what to do next.
//!
//! What a code says is written from the registry, so that the page can say neither more nor less than the product
//! does; `notes` says how it is misread and where to look.

mod notes;

use std::fmt::Write as _;

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use notes::notes;

/// What a reason code is about; one chapter of the page each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chapter {
    Run,
    Link,
    Intent,
    Execution,
    Items,
    Audit,
    Evidence,
    Clearance,
    Blocker,
    Proof,
}

impl Chapter {
    const ALL: [Self; 10] = [
        Self::Run,
        Self::Link,
        Self::Intent,
        Self::Execution,
        Self::Items,
        Self::Audit,
        Self::Evidence,
        Self::Clearance,
        Self::Blocker,
        Self::Proof,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Run => "The run itself",
            Self::Link => "Which restore belongs to the run",
            Self::Intent => "Whether anything was meant to change",
            Self::Execution => "How the restore ended",
            Self::Items => "Items and counters",
            Self::Audit => "Audit entries",
            Self::Evidence => "Evidence after the run",
            Self::Clearance => "Records of blockers",
            Self::Blocker => "Blockers recorded by the platform",
            Self::Proof => "Nothing is missing",
        }
    }
}

/// Exhaustive on purpose: a new code does not compile until somebody says where it belongs.
const fn chapter(reason: ReasonCode) -> Chapter {
    use ReasonCode as R;
    match reason {
        R::UnsupportedType
        | R::AlreadyTerminal
        | R::RunStatusUnknown
        | R::ContextMalformed
        | R::SettleFailed => Chapter::Run,
        R::ProofUnavailable => Chapter::Link,
        R::PreviewOnly | R::NotExecuted => Chapter::Intent,
        R::InProgress
        | R::StatusUnknown
        | R::Settling
        | R::Cancelled
        | R::CancelledAfterWrites
        | R::Aborted
        | R::AbortedAfterWrites
        | R::ExecutionFailed => Chapter::Execution,
        R::ItemsMissing
        | R::ItemsUnrecognised
        | R::ItemsMixed
        | R::ItemsUnexpected
        | R::CountsConflict
        | R::AllItemsFailed => Chapter::Items,
        R::AuditMissing | R::AuditContradicts => Chapter::Audit,
        R::EvidenceMissing
        | R::EvidenceInProgress
        | R::EvidenceIncomplete
        | R::EvidenceExpired
        | R::EvidencePredatesRestore
        | R::EvidenceNotCurrent => Chapter::Evidence,
        R::ClearanceUnreadable | R::BlockedAfterWrites => Chapter::Clearance,
        R::WorkspaceMismatch
        | R::TenantNotEntitled
        | R::MissingCapability
        | R::TenantNotOperable
        | R::TenantMissing
        | R::InitiatorMissing
        | R::InitiatorNotEntitled
        | R::ProviderConnectionInvalid
        | R::WriteGateBlocked
        | R::ExecutionPrerequisiteInvalid
        | R::RbacNotConfigured
        | R::RbacUnhealthy
        | R::RbacStale
        | R::OperationalControlPaused => Chapter::Blocker,
        R::ProofComplete => Chapter::Proof,
    }
}

/// The page, in Markdown. [`ReasonCode::anchor`] is the fragment that opens a code's entry.
///
/// Anchors are written out, because what a renderer makes of a heading differs: GitHub drops the dot
/// of `restore.settling` and keeps the underscores of other codes.
#[must_use]
pub fn runbook() -> String {
    let mut page = format!(
        "# Reason codes\n\n\
         Every decision about a `restore.execute` run carries one primary reason and every gap that\n\
         was found, as codes. This page says for each code what was found, what that means and what\n\
         it does not mean, what to look at, and what to do. `restore-reconciler explain RUN` shows\n\
         which of them hold for one run.\n\n\
         {CLAIM_BOUNDARY}\n\n\
         This page is generated from the registry of codes; a test fails where the two differ.\n"
    );
    for part in Chapter::ALL {
        push(&mut page, format_args!("\n## {}\n", part.title()));
        for reason in ReasonCode::ALL
            .iter()
            .filter(|&&reason| chapter(reason) == part)
        {
            push_entry(&mut page, *reason);
        }
    }
    page
}

fn push_entry(page: &mut String, reason: ReasonCode) {
    let explanation = reason.explanation();
    let notes = notes(reason);
    push(
        page,
        format_args!(
            "\n<a id=\"{}\"></a>\n\n### `{reason}`\n\n{}\n\n- **What it means:** {}\n\
             - **What it does not mean:** {}\n- **What to look at:** {}\n- **What to do:** {}\n",
            reason.anchor(),
            explanation.sentence,
            explanation.impact,
            notes.does_not_mean,
            notes.look_at,
            explanation.next_action,
        ),
    );
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_page_is_the_generated_one() {
        let generated = runbook();
        assert!(
            include_str!("../../config/runbooks/reasons.md") == generated,
            "config/runbooks/reasons.md is out of date; it must hold:\n{generated}"
        );
    }

    #[test]
    fn every_code_has_one_entry_with_its_anchor_and_all_it_has_to_say() {
        let page = runbook();
        for reason in ReasonCode::ALL {
            let anchor = format!("<a id=\"{}\"></a>\n\n### `{reason}`\n", reason.anchor());
            assert_eq!(page.matches(&anchor).count(), 1, "{reason}");
            let said = reason.explanation();
            let more = notes(*reason);
            let said = [
                said.sentence,
                said.impact,
                said.next_action,
                more.does_not_mean,
                more.look_at,
            ];
            for text in said {
                assert!(page.contains(text), "{reason}: {text}");
            }
        }
        assert_eq!(page.matches("\n### ").count(), ReasonCode::ALL.len());
    }

    /// As GitHub does: lower case, punctuation dropped, spaces to hyphens.
    fn slug(heading: &str) -> String {
        heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    }

    #[test]
    fn no_heading_takes_the_anchor_of_another_code() {
        let page = runbook();
        let headings = page.lines().filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        });
        for heading in headings {
            let taken = ReasonCode::ALL
                .iter()
                .find(|reason| reason.anchor() == slug(heading));
            assert!(
                taken.is_none_or(|reason| heading == format!("`{reason}`")),
                "{heading}"
            );
        }
    }

    #[test]
    fn every_chapter_has_entries_and_blockers_are_those_of_the_registry() {
        for part in Chapter::ALL {
            assert!(
                ReasonCode::ALL
                    .iter()
                    .any(|reason| chapter(*reason) == part),
                "{part:?}"
            );
        }
        for reason in ReasonCode::ALL {
            let is_blocker = ReasonCode::BLOCKERS.contains(reason);
            assert_eq!(chapter(*reason) == Chapter::Blocker, is_blocker, "{reason}");
        }
    }
}
