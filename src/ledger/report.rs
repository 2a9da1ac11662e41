//! The report of an export: per environment, what was restored, what was proven of it, what was not, and why.
//!
//! **Invariant:** it says of each verdict what follows from its facts, and nothing of one that does not; of one that nobody
//! can judge again, what is on record. It has no script, and
//! the claim boundary stands on each page that is printed, below what is on it: the foot of a table around all keeps its place
//! free on each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::review::{Doubt, Recorded, Reviewed, review};

use super::exported::{ExportEntry, ExportVerdict, Manifest};

/// What is said instead of an outcome that does not follow, as lists of the ledger do.
const ALTERED: &str = "record altered";

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;table-layout:fixed;width:100%}td,th{box-sizing:border-box;border-bottom:1px solid #999;\
padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}thead{display:table-header-group}\
tr{break-inside:avoid}th{width:23%}th:nth-child(1){width:10%}th:nth-child(2){width:15%}th:nth-child(3){width:16%}\
th:nth-child(4){width:13%}.page,.page>*>tr>td{border:0;padding:0}.page>tbody>tr{break-inside:auto}.page>tfoot td{height:3rem}\
footer{position:fixed;bottom:0;left:0;right:0;background:#fff;color:#000;border-top:1px solid #999;padding:.3rem 1rem;\
text-align:center}@page{margin:14mm}@media print{body{font-size:12px;margin:0;padding:0;max-width:none}\
h2,h2+p,thead{break-after:avoid}}";

/// A report that is being made.
pub(super) struct ExportReport {
    workspace: String,
    /// By how many digits their ids have, and by their ids.
    environments: BTreeMap<(usize, String), ReportedEnvironment>,
    /// Leaves whose verdict was gone before they were made.
    gone: u64,
}

#[derive(Default)]
struct ReportedEnvironment {
    /// Verdicts by what follows from their facts, and by the word for that.
    counts: BTreeMap<(Option<Outcome>, &'static str), u64>,
    rows: String,
}

impl ExportReport {
    pub(super) fn new(workspace: &str) -> Self {
        Self {
            workspace: workspace.to_owned(),
            environments: BTreeMap::new(),
            gone: 0,
        }
    }

    /// Adds the next verdict, of which its leaf follows or does not.
    pub(super) fn add(&mut self, entry: &ExportEntry, follows: bool) {
        let Some(verdict) = &entry.leaf.verdict else {
            self.gone += 1;
            return;
        };
        let named = verdict.environment.clone().unwrap_or_default();
        let place = (named.len(), named);
        let environment = self.environments.entry(place).or_default();
        let told = told(entry, verdict, follows);
        *environment
            .counts
            .entry((told.outcome, told.word))
            .or_default() += 1;
        environment.rows += &row_of(verdict, &told);
    }

    /// The page.
    pub(super) fn write(&self, manifest: &Manifest) -> String {
        let workspace = escaped(&self.workspace);
        let since = manifest.since.as_deref().map(escaped);
        let since = since.map_or_else(String::new, |since| format!(" decided since {since}"));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Restores of workspace {workspace}</title>\
             <style>{STYLE}</style></head><body>\n<table class=\"page\">\
             <tfoot><tr><td></td></tr></tfoot><tbody><tr><td>\n<h1>Restores of workspace {workspace}</h1>\n\
             <p>{} on record{since}, {} of them without their facts, and {} gone before they had a leaf. The last checkpoint is of {} of {}.</p>\n\
             <p>What is proven is what the records of the platform proved when each verdict was reached. This page is written \
             from the verdicts beside it; what proves those is said by whoever checks the export.</p>\n",
            quantity(manifest.verdicts, "verdict"),
            manifest.erased,
            self.gone,
            quantity(manifest.size, "leaf").replace("leafs", "leaves"),
            escaped(&manifest.origin),
        );
        for ((_, id), environment) in &self.environments {
            page += &environment.section(id);
        }
        page + "</td></tr></tbody></table>\n<footer>"
            + CLAIM_BOUNDARY
            + "</footer>\n</body></html>\n"
    }
}

impl ReportedEnvironment {
    fn section(&self, id: &str) -> String {
        let name = if id.is_empty() {
            "Without an environment".to_owned()
        } else {
            format!("Environment {}", escaped(id))
        };
        let mut counts = String::new();
        for ((_, word), count) in self.counts.iter().rev() {
            let _ = write!(counts, "{count} {}, ", word.replace('_', " "));
        }
        let counts = counts.trim_end_matches(", ");
        format!(
            "<h2>{name}</h2>\n<p>{counts}.</p>\n<table><thead><tr><th>Run</th><th>Decided</th><th>Restored</th><th>Verdict</th>\
             <th>Why</th><th>Not proven</th></tr></thead><tbody>\n{}</tbody></table>\n",
            self.rows
        )
    }
}

/// What is told of a verdict.
struct Told {
    outcome: Option<Outcome>,
    /// The outcome, or why there is none.
    word: &'static str,
    /// What was restored, what the verdict is, why, and what is not proven.
    cells: [String; 4],
}

fn told(entry: &ExportEntry, verdict: &ExportVerdict, follows: bool) -> Told {
    let decision = entry.decision.as_deref().unwrap_or_default();
    let reviewed = entry.facts.as_deref().map(|facts| {
        review(&Recorded {
            outcome: &verdict.outcome,
            reason_code: &verdict.reason_code,
            ruleset: &verdict.ruleset,
            facts,
            facts_digest: &verdict.facts_digest,
            decision,
        })
    });
    let untold = |word, shown: &str, why: String| Told {
        outcome: None,
        word,
        cells: [String::new(), shown.to_owned(), why, String::new()],
    };
    let altered = |why: String| untold(ALTERED, ALTERED, why);
    let unjudged = |why| untold("not judged again", &verdict.outcome, why);
    match reviewed {
        _ if !follows => altered("It is not the one that its leaf was made of.".to_owned()),
        None | Some(Err(Doubt::OtherRuleset(_))) if !verdict.says(decision) => {
            altered("Outcome and reason are not those of its decision.".to_owned())
        }
        None => unjudged("Its facts are not there: it cannot be judged again.".to_owned()),
        Some(Err(doubt @ Doubt::OtherRuleset(_))) => {
            unjudged(format!("It cannot be judged again: {doubt}."))
        }
        Some(Err(doubt)) => altered(format!("It does not stand: {doubt}.")),
        Some(Ok(reviewed)) if !entry.leaf.is_about(&reviewed.facts) => altered(
            "It does not stand: its facts are of another run, workspace, environment or moment."
                .to_owned(),
        ),
        Some(Ok(reviewed)) => {
            let outcome = reviewed.decision.outcome();
            let [restored, why, missing] = cells_of(&reviewed);
            Told {
                outcome,
                word: outcome.map_or(ALTERED, Outcome::name),
                cells: [restored, verdict.outcome.clone(), why, missing],
            }
        }
    }
}

/// What was restored, why the verdict is what it is, and what is not proven.
fn cells_of(reviewed: &Reviewed) -> [String; 3] {
    let restored = reviewed.facts.restore.as_ref().map(|restore| {
        let items = &restore.items.items;
        let (applied, all) = (items.applied, quantity(items.total(), "item"));
        format!("restore {}: {applied} of {all} applied", restore.id)
    });
    let missing = reviewed.decision.missing();
    let missing: Vec<_> = missing.iter().map(|gap| gap.sentence()).collect();
    let reason = reviewed.decision.reason.sentence().to_owned();
    [restored.unwrap_or_default(), reason, missing.join(" ")]
}

fn row_of(verdict: &ExportVerdict, told: &Told) -> String {
    let [restored, outcome, why, missing] = &told.cells;
    let cells = [
        &verdict.run,
        &verdict.decided_at.replace('T', " ").replace('Z', " UTC"),
        restored,
        &outcome.replace('_', " "),
        why,
        missing,
    ];
    let cells: String = cells
        .map(|cell| format!("<td>{}</td>", escaped(cell)))
        .concat();
    format!("<tr>{cells}</tr>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
