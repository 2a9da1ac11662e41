//! What a rehearsal came to: a few due runs, settled for real and undone.

use reconciler_jobs::quantity;
use std::collections::BTreeMap;

use super::check::Check;
use crate::storage::{Settled, Settlement, StoreError, Tally};

/// How many due runs are rehearsed.
pub const REHEARSED_MAX: u64 = 20;

/// How many refusals are listed; the others are counted.
const REFUSALS_MAX: usize = 5;

/// What its checks are about.
pub const REHEARSAL: &str = "rehearsal";

/// Whether the database would take the verdicts of these runs.
#[must_use]
pub fn judge_rehearsal(settled: &[Settled]) -> Vec<Check> {
    let mut tally = Tally::default();
    let mut refused: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for settled in settled {
        tally.add(&settled.result);
        if let Settlement::Refused { error, .. } = &settled.result {
            refused.entry(error).or_default().push(settled.run.0);
        }
    }
    if refused.is_empty() {
        return vec![taken(&tally)];
    }
    let kinds = refused.len();
    let listed = refused.iter().take(REFUSALS_MAX);
    let mut checks: Vec<Check> = listed.map(|(error, runs)| refusal(error, runs)).collect();
    if kinds > REFUSALS_MAX {
        let more = kinds - REFUSALS_MAX;
        checks.push(Check::problem(
            REHEARSAL,
            format!("Kinds of refusals that are not listed: {more}."),
            "Repair those that are, then run `restore-reconciler doctor --rehearse` again.",
        ));
    }
    checks
}

/// What kept the rehearsal from coming to its end.
#[must_use]
pub fn judge_no_rehearsal(error: &StoreError) -> Check {
    let action = error.advice().unwrap_or(
        "A worker would meet the same. Repair what the database names, then run \
         `restore-reconciler doctor --rehearse` again.",
    );
    Check::problem(
        REHEARSAL,
        format!("No run can be settled: {error}."),
        action,
    )
}

/// That nothing was rehearsed, because our schema is another release's.
#[must_use]
pub fn judge_other_schema() -> Check {
    Check::advice(
        REHEARSAL,
        "Nothing was rehearsed: our schema is not the one that this program knows.",
        "See what is said of schema reconciler, then run `restore-reconciler doctor --rehearse` again.",
    )
}

fn taken(tally: &Tally) -> Check {
    let (verdicts, open) = (tally.verdicts(), tally.deferred + tally.passed_over);
    let finding = if verdicts + open == 0 {
        "No run is due, so nothing could be rehearsed.".to_owned()
    } else {
        format!(
            "Due runs were settled and undone: the database would take {}, and {} would stay open.",
            quantity(verdicts, "verdict"),
            quantity(open, "run")
        )
    };
    Check::good(REHEARSAL, finding)
}

fn refusal(error: &str, runs: &[i64]) -> Check {
    let named: Vec<String> = runs.iter().take(3).map(i64::to_string).collect();
    let named = named.join(", ");
    let which = match runs.len() {
        1..=3 => format!("run {named}"),
        many => format!("{many} runs, such as {named}"),
    };
    Check::problem(
        REHEARSAL,
        format!("The database would refuse a verdict for {which}: {error}."),
        "Let the platform's owner repair what it names; config/runbooks/verdicts-refused.md says where to look.",
    )
}

#[cfg(test)]
mod tests {
    use reconciler_jobs::ids::RunId;

    use super::*;
    use crate::doctor::Level;

    fn refused(run: i64, error: &str) -> Settled {
        let result = Settlement::Refused {
            watch: None,
            error: error.to_owned(),
        };
        Settled {
            run: RunId(run),
            result,
        }
    }

    #[test]
    fn refusals_alike_are_one_problem() {
        let settled: Vec<Settled> = (1..=5)
            .map(|run| refused(run, "no"))
            .chain([refused(9, "never")])
            .collect();
        let checks = judge_rehearsal(&settled);
        assert!(checks.iter().all(|check| check.level == Level::Problem));
        let findings: Vec<&str> = checks.iter().map(|check| check.finding.as_str()).collect();
        let expected = [
            "The database would refuse a verdict for run 9: never.",
            "The database would refuse a verdict for 5 runs, such as 1, 2, 3: no.",
        ];
        assert_eq!(findings, expected);
        let kinds: Vec<Settled> = (1..=7).map(|run| refused(run, &run.to_string())).collect();
        assert_eq!(judge_rehearsal(&kinds).len(), REFUSALS_MAX + 1);
    }

    #[test]
    fn nothing_that_is_due_says_nothing_of_the_database() {
        let checks = judge_rehearsal(&[]);
        assert_eq!(checks.len(), 1);
        assert!(checks[0].finding.starts_with("No run is due"), "{checks:?}");
    }
}
