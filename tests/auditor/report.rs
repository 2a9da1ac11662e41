//! The page for people in an export.

use std::io::{Cursor, Read as _};

use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use restore_reconciler::internals::ledger::ExportVerdict;
use zip::ZipArchive;

use crate::ledger::{Ledger, pool};

/// What is said of the fixed ledger: what was restored, the verdict, why, and how what is not proven begins.
const ROWS: [[&str; 4]; 5] = [
    [
        "restore 7: 2 of 2 items applied",
        "succeeded",
        "The proof bundle is complete. Completion and evidence do not prove environment recovery.",
        "",
    ],
    [
        "",
        "blocked",
        "Its facts are not there: it cannot be judged again.",
        "",
    ],
    [
        "restore 7: 1 of 7 items applied",
        "partially succeeded",
        "Results do not cover everything that was requested.",
        "Results do not cover everything that was requested. Results cannot be read, ",
    ],
    [
        "restore 10920: 3 of 3 items applied",
        "succeeded",
        "The proof bundle is complete. Completion and evidence do not prove environment recovery.",
        "",
    ],
    [
        "restore 10181: 3 of 3 items applied",
        "failed",
        "The restore failed.",
        "The restore failed. No audit entry records the end of this restore.",
    ],
];

/// Whoever could write it into a column would have it in a page.
const HOSTILE: &str = r#"<script src="http://x.example">"' onload='x' &lt;"#;

/// All that may stand in a tag.
const TAGS: &[&str] = &[
    "!doctype html",
    r#"html lang="en""#,
    r#"meta charset="utf-8""#,
    r#"table class="page""#,
    "head",
    "title",
    "style",
    "body",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "th",
    "h1",
    "h2",
    "p",
    "footer",
    "html",
];

fn page_of(ledger: &Ledger) -> String {
    let mut archive = ZipArchive::new(Cursor::new(ledger.export())).unwrap();
    let mut page = String::new();
    let mut report = archive.by_name("report.html").unwrap();
    report.read_to_string(&mut page).unwrap();
    page
}

/// The rows of the tables, each as its cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("<tr><td>"));
    let cells = rows.map(|row| {
        row.trim_end_matches("</td></tr>")
            .split("</td><td>")
            .collect()
    });
    cells.collect()
}

fn verdict_of(ledger: &mut Ledger, line: usize) -> &mut ExportVerdict {
    ledger.entries[line].leaf.verdict.as_mut().unwrap()
}

#[test]
fn a_report_says_of_each_verdict_what_follows_from_its_facts() {
    let page = page_of(&Ledger::fixed(&pool(), None));
    let found = rows(&page);
    assert_eq!(found.len(), ROWS.len(), "{page}");
    for (cells, said) in found.iter().zip(ROWS) {
        assert_eq!(cells[2..5], said[..3]);
        assert!(cells[5].starts_with(said[3]), "{cells:?}");
        assert_eq!(cells[5].is_empty(), said[3].is_empty(), "{cells:?}");
    }
}

/// Which line, what is changed in its verdict, and what is said of it.
type Change = (usize, fn(&mut ExportVerdict), &'static str);

/// What somebody wrote into a column before it was sealed has a leaf that fits.
#[test]
fn a_verdict_that_does_not_follow_is_not_told() {
    let changes: [Change; 5] = [
        (
            1,
            |it| it.outcome = "succeeded".to_owned(),
            "It does not stand: succeeded",
        ),
        (
            1,
            |it| it.reason_code = "restore.aborted".to_owned(),
            "It does not stand: ",
        ),
        (
            1,
            |it| it.run = "999".to_owned(),
            "its facts are of another run",
        ),
        (
            1,
            |it| it.ruleset = "restore.execute/9".to_owned(),
            "It cannot be judged again: decided by ruleset restore.execute/9",
        ),
        (
            2,
            |it| it.outcome = "succeeded".to_owned(),
            "Outcome and reason are not those of its decision.",
        ),
    ];
    for (line, change, said) in changes {
        let mut ledger = Ledger::fixed(&pool(), None);
        change(verdict_of(&mut ledger, line));
        ledger.make_anew();
        let page = page_of(&ledger);
        let all = rows(&page);
        let row = all
            .iter()
            .find(|cells| cells[4].contains(said))
            .unwrap_or_else(|| panic!("{said}: {page}"));
        let is_told = said.starts_with("It cannot be judged");
        assert_eq!(row[3] == "record altered", !is_told, "{row:?}");
        assert_eq!(page.contains("1 record altered"), !is_told, "{page}");
    }
}

#[test]
fn a_report_has_a_row_a_verdict_one_claim_boundary_and_nothing_that_runs() {
    let mut ledger = Ledger::fixed(&pool(), None);
    let mut verdict = verdict_of(&mut ledger, 0).clone();
    for field in [
        &mut verdict.worker,
        &mut verdict.run,
        &mut verdict.outcome,
        &mut verdict.reason_code,
        &mut verdict.decided_at,
    ] {
        HOSTILE.clone_into(field);
    }
    verdict.environment = Some(HOSTILE.to_owned());
    *verdict_of(&mut ledger, 0) = verdict;
    ledger.since = Some(HOSTILE.to_owned());
    ledger.make_anew();
    let page = page_of(&ledger);
    assert_eq!(rows(&page).len(), ledger.entries.len());
    let foot = format!("<footer>{CLAIM_BOUNDARY}</footer>");
    assert_eq!(page.matches(&foot).count(), 1, "{page}");
    let style = page
        .split_once("<style>")
        .unwrap()
        .1
        .split_once("</style>")
        .unwrap()
        .0;
    assert!(style.contains("footer{position:fixed;bottom:0"), "{style}");
    assert!(
        !style.contains("url(") && !style.contains("@import"),
        "{style}"
    );
    assert!(page.contains("&lt;script"), "it is there as text: {page}");
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        assert!(TAGS.contains(&tag.trim_start_matches('/')), "{tag}");
    }
}
