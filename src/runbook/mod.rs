//! The runbook page: every reason code, with what it means and what to do next.
//!
//! All of it is written from the registry, so that the page can say neither more nor less than the product does.

use std::fmt::Write as _;

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, Chapter};

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
    for chapter in Chapter::ALL {
        push(&mut page, format_args!("\n## {}\n", chapter.title()));
        let is_in = |reason: &ReasonCode| reason.chapter() == chapter;
        for reason in ReasonCode::ALL.into_iter().filter(is_in) {
            push_entry(&mut page, reason);
        }
    }
    page
}

fn push_entry(page: &mut String, reason: ReasonCode) {
    push(
        page,
        format_args!(
            "\n<a id=\"{}\"></a>\n\n### `{reason}`\n\n{}\n\n- **What it means:** {}\n\
             - **What it does not mean:** {}\n- **What to look at:** {}\n- **What to do:** {}\n",
            reason.anchor(),
            reason.sentence(),
            reason.impact(),
            reason.does_not_mean(),
            reason.look_at(),
            reason.next_action(),
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
            let said = [
                reason.sentence(),
                reason.impact(),
                reason.next_action(),
                reason.does_not_mean(),
                reason.look_at(),
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
                .into_iter()
                .find(|reason| reason.anchor() == slug(heading));
            assert!(
                taken.is_none_or(|reason| heading == format!("`{reason}`")),
                "{heading}"
            );
        }
    }
}
