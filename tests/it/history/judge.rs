//! What is wrong with the rows about one run.

use reconciler_jobs::{json, restore_execute::review::Doubt};
use serde_json::Value;

use super::expected::{Expected, differences, expected};
use super::rows::{Entry, RunRow, Said, Watch};
use super::{Finding, Kind, System};

pub(super) fn judge(said: &Said, system: System) -> Vec<Finding> {
    let mut judge = Judge {
        run: said.run,
        findings: Vec::new(),
    };
    let context = said.row.as_ref().map(Context::of).unwrap_or_default();
    judge.count(Kind::TwoVerdicts, "ledger row", said.entries.len());
    judge.count(Kind::TwoAudits, "audit entry", said.audits.len());
    judge.count(Kind::TwoDecisions, "decision in the context", context.count);
    let entries = said.entries.iter();
    let entries = entries.map(|entry| (entry, judge.verdict(entry)));
    let entries: Vec<(&Entry, Expected)> = entries.collect();
    // Of two verdicts, the one that the run names is the one that the rest is held to.
    let named = entries.iter().find(|(entry, _)| {
        context.decision_id().is_some() && context.decision_id() == Some(entry.text("decision_id"))
    });
    match (&said.row, named.or(entries.first())) {
        (row, None) => judge.without_verdict(said, row.as_ref(), &context, system),
        (None, Some((entry, expected))) => {
            judge.find(Kind::RunMissing, "a closed run", "none");
            judge.audits(said, entry, expected);
        }
        (Some(row), Some((entry, expected))) => {
            judge.audits(said, entry, expected);
            judge.run(row, &context, expected);
        }
    }
    judge.findings
}

/// Our words in a run's context.
#[derive(Default)]
struct Context {
    reconciliation: Option<Value>,
    count: usize,
}

impl Context {
    /// Another reconciler may have left its own words there; only ours name a decision.
    fn of(row: &RunRow) -> Self {
        let text = row.context.as_deref().unwrap_or_default();
        let context: Value = serde_json::from_str(text).unwrap_or_default();
        let reconciliation = &context["reconciliation"];
        if !reconciliation["decision_id"].is_string() {
            return Self::default();
        }
        // A map keeps the last of equal keys; the product's own reader keeps them all. It is asked only where
        // there may be two.
        let twice = ["\"reconciliation\"", "\"decision_id\""]
            .iter()
            .any(|key| text.matches(key).count() > 1);
        let count = if twice { decisions(text) } else { 1 };
        Self {
            reconciliation: Some(reconciliation.clone()),
            count,
        }
    }

    fn decision_id(&self) -> Option<&str> {
        self.reconciliation.as_ref()?["decision_id"].as_str()
    }
}

/// How many decisions a context holds.
fn decisions(context: &str) -> usize {
    json::parse(context.as_bytes()).map_or(1, |context| {
        let all = |key: &str, document: &json::Json| {
            let entries = document.entries().iter();
            entries.filter(|(name, _)| name == key).count()
        };
        let inside = all("decision_id", context.get("reconciliation"));
        all("reconciliation", &context).max(inside)
    })
}

struct Judge {
    run: i64,
    findings: Vec<Finding>,
}

impl Judge {
    fn find(&mut self, kind: Kind, expected: impl Into<String>, found: impl Into<String>) {
        self.findings.push(Finding {
            kind,
            run: self.run,
            expected: expected.into(),
            found: found.into(),
        });
    }

    fn count(&mut self, kind: Kind, what: &str, count: usize) {
        if count > 1 {
            self.find(kind, format!("one {what}"), count.to_string());
        }
    }

    fn compare(&mut self, kind: Kind, expected: &Value, found: &Value) {
        if let Some((expected, found)) = differences(expected, found) {
            self.find(kind, expected, found);
        }
    }

    /// Whether the verdict stands by itself. Returns what it must have written elsewhere.
    fn verdict(&mut self, entry: &Entry) -> Expected {
        let (expected, doubt) = expected(entry);
        if let Some(doubt) = doubt {
            let kind = match &doubt {
                Doubt::FactsAltered { .. } => Kind::FactsAltered,
                Doubt::FactsUnreadable(_) => Kind::FactsUnreadable,
                Doubt::Overclaim { .. } => Kind::Overclaim,
                Doubt::WrongVerdict { .. } | Doubt::OtherRuleset(_) | Doubt::OtherName { .. } => {
                    Kind::WrongVerdict
                }
            };
            let expected = "a verdict that follows from its facts";
            self.find(kind, expected, doubt.to_string());
        }
        self.compare(Kind::LedgerDiffers, &expected.ledger, &entry.columns);
        if entry.text("worker").trim().is_empty() {
            self.find(Kind::LedgerDiffers, "the name of a worker", "none");
        }
        expected
    }

    fn audits(&mut self, said: &Said, entry: &Entry, expected: &Expected) {
        if said.audits.is_empty() {
            let decision = entry.text("decision_id");
            let entry = format!("an audit entry about decision {decision}");
            self.find(Kind::AuditMissing, entry, "none");
        }
        for audit in &said.audits {
            self.compare(Kind::AuditDiffers, &expected.audit, audit);
        }
    }

    /// The row of a run that has its verdict.
    fn run(&mut self, row: &RunRow, context: &Context, expected: &Expected) {
        if row.status != "completed" {
            self.find(Kind::RunOpen, "completed", row.status.as_str());
            return;
        }
        let changed = differences(&expected.run, &row.columns);
        let Some(reconciliation) = &context.reconciliation else {
            // Our words are missing. If the rest of the row is not ours either, it never was.
            match changed {
                None => self.find(Kind::ContextMissing, "a reconciliation", "none of ours"),
                Some((expected, found)) => self.find(Kind::ClosedByAnother, expected, found),
            }
            return;
        };
        let outcome = |row: &Value| serde_json::json!({ "outcome": row["outcome"] });
        let outcomes = [&expected.run, &row.columns].map(outcome);
        self.compare(Kind::OutcomeDiffers, &outcomes[0], &outcomes[1]);
        let mut rest = expected.run.clone();
        rest.as_object_mut().map(|rest| rest.remove("outcome"));
        self.compare(Kind::ChangedAfterwards, &rest, &row.columns);
        let expected = &expected.reconciliation;
        let decisions = [expected, reconciliation].map(|it| &it["decision_id"]);
        if decisions[0] == decisions[1] {
            self.compare(Kind::ContextDiffers, expected, reconciliation);
        } else {
            let [decision, named] = decisions.map(|id| format!("decision {id}"));
            self.find(Kind::UnknownDecision, decision, named);
        }
    }

    /// What there may be about a run that has no verdict: nothing of ours, and, in a quiet system, a reason to wait.
    fn without_verdict(
        &mut self,
        said: &Said,
        row: Option<&RunRow>,
        context: &Context,
        system: System,
    ) {
        let closed = row.is_some_and(|row| row.status == "completed");
        let audits = format!("{} audit entries", said.audits.len());
        if let Some(decision) = context.decision_id() {
            let found = format!("none, {audits}, and decision {decision} in the context");
            self.find(Kind::UnknownDecision, "a ledger row", found);
        } else if !said.audits.is_empty() && closed {
            let found = format!("{audits}, and no ledger row");
            self.find(Kind::ClosedByAnother, "nothing about it", found);
        } else if !said.audits.is_empty() {
            self.find(Kind::AuditWithoutVerdict, "a ledger row", audits);
        }
        if let Some(row) = row {
            self.open(row, system);
        }
    }

    fn open(&mut self, row: &RunRow, system: System) {
        let open = ["queued", "running"].contains(&row.status.as_str());
        if !open || row.columns["type"] != "restore.execute" {
            return;
        }
        let watch = &row.watch;
        if watch.dead_at.is_some() {
            let tries = watch.tries.unwrap_or_default();
            let state = watch.dropped_at.map_or("dead", |_| "dropped");
            let found = format!("{state} after {tries} tries");
            self.find(Kind::DeadLetter, "a verdict, or a time to try again", found);
        } else if let (Some(found), System::Quiet { overdue }) = (watch.due(), system)
            && found.since.is_none_or(|since| {
                watch.now - since >= i64::try_from(overdue.as_micros()).unwrap_or(i64::MAX)
            })
        {
            let found = format!("{}, {}", row.status, found.text);
            self.find(Kind::Lost, "a verdict, or a time to look again", found);
        }
    }
}

/// That a run is due.
struct Due {
    /// Since when, where anybody noted that.
    since: Option<i64>,
    text: String,
}

impl Watch {
    /// Whether nothing stands between this open run and a look at it. Whichever time comes last decides.
    fn due(&self) -> Option<Due> {
        let since = self.look_again_at.max(self.try_again_at);
        let Some(since) = since else {
            let text = "watched by nobody".to_owned();
            return Some(Due { since: None, text });
        };
        let seconds = (self.now - since) / 1_000_000;
        (since <= self.now).then(|| Due {
            since: Some(since),
            text: format!("due for {seconds} s"),
        })
    }
}
