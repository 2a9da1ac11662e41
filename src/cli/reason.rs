//! `explain --reason CODE`: what the runbook says of one reason code.
//!
//! All of it is written from the registry, so that the runbook can say neither more nor less than the product does.

use reconciler_jobs::restore_execute::ReasonCode;

use super::exit::Exit;
use super::screen::Screen;
use super::words::OneOf;

/// A code, on the command line.
pub(super) const CODES: OneOf<ReasonCode> = OneOf {
    words: || ReasonCode::ALL.map(|code| code.code().to_owned()).to_vec(),
    read: ReasonCode::parse,
    listed: Some("config/runbooks/reasons.md"),
};

/// Prints the entry, in Markdown. It is the same with `--output json`.
pub(super) fn run(screen: &mut Screen, reason: ReasonCode) -> anyhow::Result<Exit> {
    screen.prose(&entry(reason))?;
    Ok(Exit::Done)
}

fn entry(reason: ReasonCode) -> String {
    let head = format!("### `{reason}`\n\n{}\n\n", reason.sentence());
    let points = reason.explained();
    let points = points.map(|(heading, text)| format!("- **{heading}:** {text}\n"));
    head + &points.concat()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, Chapter};

    use super::*;

    /// `config/runbooks/reasons.md`, whose entries are found by [`ReasonCode::anchor`].
    ///
    /// Anchors are written out, because what a renderer makes of a heading differs: GitHub drops the dot
    /// of `restore.settling` and keeps the underscores of other codes.
    fn page() -> String {
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
            write!(page, "\n## {}\n", chapter.title()).unwrap();
            let is_in = |reason: &ReasonCode| reason.chapter() == chapter;
            for reason in ReasonCode::ALL.into_iter().filter(is_in) {
                let anchor = reason.anchor();
                write!(page, "\n<a id=\"{anchor}\"></a>\n\n{}", entry(reason)).unwrap();
            }
        }
        page
    }

    #[test]
    fn the_checked_in_page_is_the_generated_one() {
        let generated = page();
        assert!(
            include_str!("../../config/runbooks/reasons.md") == generated,
            "config/runbooks/reasons.md is out of date; it must hold:\n{generated}"
        );
    }

    #[test]
    fn every_code_has_one_entry_with_its_anchor() {
        let page = page();
        for reason in ReasonCode::ALL {
            let anchor = format!("<a id=\"{}\"></a>\n\n### `{reason}`\n", reason.anchor());
            assert_eq!(page.matches(&anchor).count(), 1, "{reason}");
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
        let page = page();
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
