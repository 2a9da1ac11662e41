//! The decision table, edge by edge. Every row starts from the complete proven case, changes what
//! its name says, and names the rule, the decision and the reason that must come out.

#[expect(clippy::too_many_lines, reason = "a table is as long as its rulebook")]
mod blockers;
#[expect(
    clippy::too_many_lines,
    clippy::large_stack_arrays,
    reason = "a table is as long as its rulebook"
)]
mod items;
#[expect(clippy::too_many_lines, reason = "a table is as long as its rulebook")]
mod proof;
mod runs;

use std::collections::BTreeSet;

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::sweep::{Schedule, Watch};

use crate::support::{Case, line, look_again_at, moment};

const RULES: u8 = 26;

struct Row {
    rule: u8,
    name: String,
    case: Case,
    expected: String,
    gaps: Option<&'static str>,
    again: Option<&'static str>,
}

impl Row {
    /// The whole list of gaps, as codes separated by spaces.
    fn gaps(mut self, gaps: &'static str) -> Self {
        self.gaps = Some(gaps);
        self
    }

    fn again(mut self, clock: &'static str) -> Self {
        self.again = Some(clock);
        self
    }

    fn check(&self) -> Result<(), String> {
        let decision = self.case.decide();
        let gaps: Vec<_> = decision.proof.gaps().iter().map(|gap| gap.code()).collect();
        let found = (
            decision.rule,
            line(&decision),
            self.gaps.map(|_| gaps.join(" ")),
            look_again_at(&decision),
        );
        let expected = (
            self.rule,
            self.expected.clone(),
            self.gaps.map(str::to_owned),
            self.again.map(moment),
        );
        let record = self.case.record();
        let writes = record.is_some();
        if found != expected {
            return Err(format!(
                "{}\n  expected {expected:?}\n  found    {found:?}\n  gaps     {gaps:?}",
                self.name
            ));
        }
        if writes != decision.outcome().is_some() {
            return Err(format!("{}\n  writes: {writes}", self.name));
        }
        // Rules 1 to 4 are about the run itself: what its proof lacks is not the answer, and time changes nothing.
        let is_in_the_way = decision.reason.is_never_due();
        let is_unjudged = is_in_the_way || decision.reason == ReasonCode::ContextMalformed;
        let told = if is_unjudged {
            vec![]
        } else {
            decision.proof.gaps()
        };
        let stays = !writes && !is_in_the_way;
        if (decision.missing(), decision.stays_open()) != (told, stays) {
            return Err(format!("{}\n  tells {:?}", self.name, decision.missing()));
        }
        Ok(())
    }
}

/// The rule that must match, and the decision with its reason that must come out.
#[derive(Clone, Copy)]
struct Expected<'a>(u8, &'a str);

const SUCCEEDED: Expected = Expected(26, "succeeded restore.proof_complete");

impl Expected<'_> {
    fn row(self, name: &str, change: impl FnOnce(&mut Case)) -> Row {
        let mut case = Case::proven();
        change(&mut case);
        Row {
            rule: self.0,
            name: name.to_owned(),
            case,
            expected: self.1.to_owned(),
            gaps: None,
            again: None,
        }
    }

    /// Rows that differ in the value of one change. The values are separated by white space; `␣` is a blank in one of
    /// them, and `∅` one without any text.
    fn each(self, name: &str, values: &str, change: impl Fn(&mut Case, &str)) -> Vec<Row> {
        let values = values.split_whitespace();
        values
            .map(|value| {
                let value = value.replace('␣', " ").replace('∅', "");
                let shown: String = value.chars().take(100).collect();
                self.row(&format!("{name}: {shown:?}"), |case| change(case, &value))
            })
            .collect()
    }
}

fn all_rows() -> Vec<Row> {
    [
        runs::run_rows(),
        runs::context_rows(),
        runs::link_rows(),
        runs::scope_rows(),
        runs::intent_and_execution_rows(),
        blockers::waiting_rows(),
        blockers::blocker_rows(),
        blockers::stopped_and_failed_rows(),
        items::item_rows(),
        items::assignment_and_foundation_rows(),
        items::request_rows(),
        items::counter_rows(),
        proof::clearance_rows(),
        proof::audit_rows(),
        proof::evidence_rows(),
        proof::settle_rows(),
        proof::succeeded_rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_row_decides_as_the_rulebook_says() {
    let rows = all_rows();
    let wrong: Vec<_> = rows.iter().filter_map(|row| row.check().err()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

#[test]
fn no_two_rows_have_one_name() {
    let mut names = BTreeSet::new();
    for row in all_rows() {
        assert!(
            names.insert((row.rule, row.name.clone())),
            "twice: {} {}",
            row.rule,
            row.name
        );
    }
}

#[test]
fn every_rule_is_matched() {
    let matched: BTreeSet<_> = all_rows()
        .iter()
        .map(|row| row.case.decide().rule)
        .collect();
    assert_eq!(matched, (1..=RULES).collect());
}

#[test]
fn every_reason_code_is_produced() {
    let mut produced = BTreeSet::new();
    for row in all_rows() {
        let decision = row.case.decide();
        produced.insert(decision.reason);
        produced.extend(decision.proof.gaps());
    }
    let as_of = moment("12:00:00");
    produced.insert(Watch::after_refusal(None, as_of, &Schedule::default()).reason);
    let unused: Vec<_> = ReasonCode::ALL
        .iter()
        .filter(|code| !produced.contains(code))
        .collect();
    assert!(unused.is_empty(), "never produced: {unused:?}");
}
