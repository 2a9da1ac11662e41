//! Lists of runs and of restores for spreadsheets.

use std::borrow::Cow;

use crate::storage::reader::{is_invisible, is_joiner};
use crate::views::restores::ListedRestore;
use crate::views::runs::RunLine;
use crate::views::{Moment, stored_word};

const COLUMNS: [&str; 18] = [
    "run",
    "workspace_id",
    "workspace",
    "environment_id",
    "environment",
    "status",
    "outcome",
    "freshness",
    "created_at",
    "restore",
    "result",
    "verdict",
    "reason_code",
    "decided_at",
    "refusal",
    "closed_by",
    "opinion",
    "state",
];

const COLUMNS_OF_RESTORES: [&str; 16] = [
    "restore",
    "kind",
    "workspace_id",
    "workspace",
    "environment_id",
    "environment",
    "status",
    "is_dry_run",
    "result",
    "attention",
    "cause",
    "claim_boundary",
    "run",
    "run_state",
    "executed_at",
    "created_at",
];

/// A table with one row per run.
pub(super) fn runs(runs: &[RunLine]) -> Result<Vec<u8>, csv::Error> {
    table(COLUMNS, runs.iter().map(row))
}

/// A table with one row per restore.
pub(super) fn restores(restores: &[ListedRestore]) -> Result<Vec<u8>, csv::Error> {
    table(COLUMNS_OF_RESTORES, restores.iter().map(row_of_restore))
}

fn table<const N: usize>(
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns)?;
    for row in rows {
        table.write_record(row.iter().map(|cell| inert(cell).into_owned()))?;
    }
    table
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

fn row(run: &RunLine) -> [String; 18] {
    let text = |value: Option<String>| value.unwrap_or_default();
    let environment = run.place.environment.as_ref();
    let verdict = run.verdict.as_ref();
    [
        run.run.to_string(),
        run.place.workspace.id.to_string(),
        run.place.workspace.name.clone(),
        text(environment.map(|it| it.id.to_string())),
        text(environment.map(|it| it.name.clone())),
        stored_word(&run.status),
        stored_word(&run.outcome),
        stored_word(&run.freshness.state),
        text(run.created_at.map(|at| at.rfc3339())),
        text(run.restore.map(|id| id.to_string())),
        text(run.result.map(|result| stored_word(&result.state))),
        text(
            verdict
                .and_then(|it| it.outcome)
                .map(|it| it.name().to_owned()),
        ),
        text(run.state.reason_code.clone()),
        text(verdict.map(|it| it.decided_at.rfc3339())),
        text(run.refusal.as_ref().and_then(|it| it.said.clone())),
        text(
            run.closed_by
                .map(|it| it.code.unwrap_or("platform").to_owned()),
        ),
        text(
            run.opinion
                .as_ref()
                .and_then(|it| it.opinion)
                .map(|it| it.word().to_owned()),
        ),
        stored_word(&run.state.state),
    ]
}

fn row_of_restore(restore: &ListedRestore) -> [String; 16] {
    let moment = |at: Option<Moment>| at.map_or_else(String::new, |at| at.rfc3339());
    let environment = restore.place.environment.as_ref();
    let state = restore.run_state.as_ref();
    [
        restore.restore.to_string(),
        stored_word(&restore.kind.state),
        restore.place.workspace.id.to_string(),
        restore.place.workspace.name.clone(),
        environment.map_or_else(String::new, |it| it.id.to_string()),
        environment.map_or_else(String::new, |it| it.name.clone()),
        stored_word(&restore.status),
        restore.is_dry_run.to_string(),
        stored_word(&restore.result.state),
        stored_word(&restore.attention.state),
        stored_word(&restore.attention.primary_cause_family),
        restore.attention.recovery_claim_boundary_id.to_owned(),
        restore.run.map_or_else(String::new, |run| run.to_string()),
        state.map_or_else(String::new, |it| stored_word(&it.state)),
        moment(restore.executed_at),
        moment(restore.created_at),
    ]
}

/// What makes a spreadsheet read a cell as a formula, or as a call to another program, in each width.
const BEGINS_FORMULA: [char; 18] = [
    '=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠', '｜', '％', '﹢', '﹣', '﹦', '﹫', '−',
    '﹪',
];

/// A cell that no spreadsheet takes for a formula. Names are whatever somebody typed, and some programs pass over
/// what cannot be seen before they look.
fn inert(cell: &str) -> Cow<'_, str> {
    let is_control = cell
        .chars()
        .take_while(|c| is_unseen(*c))
        .any(char::is_control);
    let begins_formula = cell
        .trim_start_matches(is_unseen)
        .starts_with(BEGINS_FORMULA);
    if is_control || begins_formula {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Blanks, and what takes no place at all.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_invisible(c) || is_joiner(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula() {
        let formulas = [
            "=1+1", "+1", "-1", "@sum", "|cmd", "%0A=1", "＝1", "＋1", "－1", "＠sum", "﹦1", "−1",
        ];
        let before = [
            "",
            " ",
            "   ",
            "\t",
            "\r",
            "\n",
            "\0",
            "\u{b}",
            "\u{85}",
            "\u{a0}",
            "\u{ad}",
            "\u{2003}",
            "\u{3000}",
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{200e}",
            "\u{202e}",
            "\u{2060}",
            "\u{2066}",
            "\u{feff}",
            " \u{200b} ",
            "\u{feff}\t ",
        ];
        for formula in formulas {
            for before in before {
                let cell = format!("{before}{formula}");
                assert_eq!(inert(&cell), format!("'{cell}"), "{cell:?}");
            }
        }
        for cell in ["\tname", " \rname", "\n"] {
            assert!(inert(cell).starts_with('\''), "{cell:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_stays_as_it_is() {
        for cell in [
            "",
            " ",
            "Contoso = Fabrikam",
            " Contoso",
            "100 %",
            "Nord-Süd",
            "5",
            "\u{fffd}=1",
        ] {
            assert_eq!(inert(cell), cell);
        }
    }
}
