//! The list of runs for spreadsheets.

use std::borrow::Cow;

use crate::console::answers::runs::RunLine;
use crate::console::answers::said::stored_word;

const COLUMNS: [&str; 14] = [
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
];

/// A table with one row per run.
pub(super) fn csv(runs: &[RunLine]) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for run in runs {
        table.write_record(row(run).iter().map(|cell| inert(cell).into_owned()))?;
    }
    table
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

fn row(run: &RunLine) -> [String; 14] {
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
        text(run.reason_code().map(str::to_owned)),
        text(verdict.map(|it| it.decided_at.rfc3339())),
    ]
}

/// A cell that no spreadsheet takes for a formula. Names are whatever somebody typed.
fn inert(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"] {
            assert!(inert(formula).starts_with('\''), "{formula}");
        }
        assert_eq!(inert("Contoso = Fabrikam"), "Contoso = Fabrikam");
        assert_eq!(inert(""), "");
    }
}
