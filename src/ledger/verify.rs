//! Checking the ledger: each verdict on record against its facts, the rules of its time, and what else was written with it.
//!
//! **Invariant:** an entry counts as agreeing only if its facts have their digest and the rules of its time give what is on record, letter
//! by letter. One whose facts were erased is counted apart, and so is one that disagrees.
//!
//! **Limits:** all of it is one database's word against its own: who rewrites an entry, its facts, its run and its audit entry
//! alike is not found out here, and neither is who deletes all of them and is the last in the feed. That is for the tree
//! ([`super::leaves`]).

use std::collections::BTreeMap;
use std::ops::{AddAssign, ControlFlow};
use std::pin::pin;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::canonical::first_difference;
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::record::traces;
use reconciler_jobs::restore_execute::review::{Doubt, Reviewed, Standing, review_as};
use reconciler_jobs::restore_execute::rules::RULESET;
use reconciler_jobs::stamp::Stamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::parts::judge_parts;
use crate::storage::StoreError;
use crate::storage::reader::{
    LedgerFilter, LedgerPart, LedgerParts, LedgerRow, PassedEntry, PositionSeen, Reader,
};
use crate::views::moment::Moment;

/// How much of two texts is shown from where they begin to differ, in characters.
const SHOWN_CHARS: usize = 32;

/// How entries and positions were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCounts {
    /// Entries that were read: those that agree, those whose facts were erased, and those that disagree.
    pub entries: u64,
    /// They follow from their facts by the rules of their time, and agree with whatever else they were compared with.
    pub agree: u64,
    /// Their facts were erased, so that nobody can judge them again. What is left agrees.
    pub erased: u64,
    /// Something disagrees.
    pub disagree: u64,
    /// Entries whose run is gone, or has its id from another one, so that neither run nor audit log was compared.
    pub without_run: u64,
    /// Entries to whose run a later verdict was given, so that neither run nor audit log was compared.
    pub superseded: u64,
    /// Entries whose run was opened again on the platform, and is judged anew.
    pub opened_again: u64,
    /// Entries without a position in the feed, because they are older than it or wait for theirs; on SQLite, all.
    pub unplaced: u64,
    /// Positions of the feed that were read; none where only a part of the ledger was.
    pub positions: u64,
    /// Positions that lead nowhere, and places where some are missing.
    pub feed_disagrees: u64,
    /// Leaves of the tree that were read; none where only a part of the ledger was.
    pub leaves: u64,
    /// Positions that have no leaf yet.
    pub unsealed: u64,
    /// Checkpoints that were read, on record and from elsewhere.
    pub checkpoints: u64,
    /// Those of them that are unsigned.
    pub unsigned: u64,
    /// Those of them that are signed by other keys than those that were named.
    pub other_key: u64,
    /// Leaves that do not follow from their verdicts, leaves that are missing, and checkpoints that are in doubt or of other leaves.
    pub tree_disagrees: u64,
}

impl AddAssign for LedgerCounts {
    fn add_assign(&mut self, more: Self) {
        self.entries += more.entries;
        self.agree += more.agree;
        self.erased += more.erased;
        self.disagree += more.disagree;
        self.without_run += more.without_run;
        self.superseded += more.superseded;
        self.opened_again += more.opened_again;
        self.unplaced += more.unplaced;
        self.positions += more.positions;
        self.feed_disagrees += more.feed_disagrees;
        self.leaves += more.leaves;
        self.unsealed += more.unsealed;
        self.checkpoints += more.checkpoints;
        self.unsigned += more.unsigned;
        self.other_key += more.other_key;
        self.tree_disagrees += more.tree_disagrees;
    }
}

/// What two records disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The facts and their digest, or that they are there.
    Facts,
    /// What is on record and what the facts give by the rules of their time.
    Verdict,
    /// Whose verdict it is.
    Owner,
    /// The row of the run.
    Run,
    /// The audit log.
    Audit,
    /// The feed.
    Feed,
    /// The tree: a leaf, or a checkpoint.
    Tree,
}

/// Of a verdict whose facts are gone without `forget`.
pub const FACTS_LOST: &str =
    "the facts are not there, and it is not on record that they were erased";

/// One thing that is on record in two ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// What it is about.
    pub about: Compared,
    /// The run; none where only the feed is left of an entry.
    pub run: Option<i64>,
    /// The workspace; none where a position is missing.
    pub workspace: Option<i64>,
    /// The verdict; none where a position is missing.
    pub decision_id: Option<String>,
    /// What differs.
    pub finding: String,
    /// What was written at this moment agreed when it was committed: it was changed later. None where that is not known.
    #[schemars(with = "Option<String>")]
    pub changed_after: Option<Moment>,
}

impl Disagreement {
    /// All of it in one sentence.
    pub fn sentence(&self) -> String {
        let run = self.run.map(|run| format!("run {run}"));
        let workspace = self.workspace.map(|id| format!("workspace {id}"));
        let decision = self.decision_id.as_ref().map(|id| format!("decision {id}"));
        let what: Vec<String> = [run, workspace, decision].into_iter().flatten().collect();
        let colon = if what.is_empty() { "" } else { ": " };
        let changed = self.changed_after.as_ref();
        let changed = changed.map_or_else(String::new, |at| format!("; changed after {at}"));
        format!("{}{colon}{}{changed}", what.join(", "), self.finding)
    }
}

/// What a part of the check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedPart {
    /// What was counted.
    pub counts: LedgerCounts,
    /// What disagrees.
    pub disagreements: Vec<Disagreement>,
    /// How many entries were passed, asked for or not.
    pub passed: usize,
    /// All entries of this run and of higher ones are checked; none where all are.
    pub below: Option<RunId>,
    /// Leaves are checked up to this position; none where this is no part of the tree.
    pub leaves_through: Option<i64>,
}

/// Checks what `filter` asks for of the runs below `below`, and the feed where that is everything. `heard` is told of each
/// part, in their order, and may end it.
///
/// Fails where the database does, or may hide rows.
pub async fn verify(
    reader: &Reader,
    filter: LedgerFilter,
    below: RunId,
    mut heard: impl FnMut(CheckedPart) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let parts = reader.walk_ledger(filter, below, LedgerParts::Compared);
    let mut checked = pin!(judge_parts(parts, |part| check_part(&part)));
    while let Some(part) = checked.try_next().await? {
        if heard(part).is_break() {
            return Ok(());
        }
    }
    if filter == LedgerFilter::default() {
        check_feed(reader, heard).await?;
    }
    Ok(())
}

async fn check_feed(
    reader: &Reader,
    mut heard: impl FnMut(CheckedPart) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let found = reader.walk_positions(after).await?;
        let Some(last) = found.last().map(|seen| seen.position) else {
            return Ok(());
        };
        let skipped: i64 = found.iter().map(|seen| seen.skipped).sum();
        let mut part = CheckedPart::default();
        part.counts.positions = (last - after - skipped).unsigned_abs();
        part.disagreements = found.iter().flat_map(of_position).collect();
        part.counts.feed_disagrees = part.disagreements.len() as u64;
        after = last;
        if heard(part).is_break() {
            return Ok(());
        }
    }
}

fn of_position(seen: &PositionSeen) -> impl Iterator<Item = Disagreement> {
    let position = seen.position;
    let lacking = Disagreement {
        about: Compared::Feed,
        run: None,
        workspace: None,
        decision_id: None,
        finding: format!(
            "the feed lacks {} before position {position}",
            quantity(seen.skipped.unsigned_abs(), "position")
        ),
        changed_after: None,
    };
    let leading_nowhere = Disagreement {
        workspace: Some(seen.workspace.0),
        decision_id: Some(seen.decision_id.clone()),
        finding: format!("position {position} of the feed leads to an entry that is not there"),
        changed_after: Some(Moment(seen.placed_at)),
        ..lacking.clone()
    };
    let lacks = (seen.skipped > 0).then_some(lacking);
    let leads = seen.leads_nowhere.then_some(leading_nowhere);
    lacks.into_iter().chain(leads)
}

fn check_part(part: &LedgerPart) -> CheckedPart {
    let mut checked = CheckedPart {
        passed: part.passed,
        below: part.below,
        ..CheckedPart::default()
    };
    for entry in &part.entries {
        let (counts, findings) = check(entry);
        checked.counts += counts;
        let verdict = &entry.row.verdict;
        let of_entry = |(about, finding)| Disagreement {
            about,
            run: Some(verdict.run.0),
            workspace: Some(entry.row.workspace.0),
            decision_id: Some(verdict.decision_id.clone()),
            finding,
            changed_after: Some(Moment(verdict.decided_at)),
        };
        let findings = findings.into_iter().map(of_entry);
        checked.disagreements.extend(findings);
    }
    checked
}

/// What one entry counts as, and what disagrees.
fn check(entry: &PassedEntry) -> (LedgerCounts, Vec<(Compared, String)>) {
    let mut found = Vec::new();
    let verdict = &entry.row.verdict;
    let is_erased = verdict.facts.is_none() && entry.is_forgotten;
    let reviewed = review_as(&verdict.recorded(), &verdict.name());
    found.extend(check_verdict(entry, &reviewed));
    found.extend(check_owner(entry));
    found.extend(check_feed_of(entry));
    let is_open = |status: &String| matches!(status.as_str(), "queued" | "running");
    let has_run = entry.run_status.is_some();
    let is_opened_again = entry.is_current && entry.run_status.as_ref().is_some_and(is_open);
    if entry.is_current && has_run && !is_opened_again {
        found.extend(check_run(entry, reviewed.ok().as_ref()));
    }
    if entry.is_current && has_run {
        found.extend(check_audit(entry));
    }
    let agrees = found.is_empty();
    let counts = LedgerCounts {
        entries: 1,
        agree: (agrees && !is_erased).into(),
        erased: (agrees && is_erased).into(),
        disagree: (!agrees).into(),
        without_run: (entry.is_current && !has_run).into(),
        superseded: (!entry.is_current).into(),
        opened_again: is_opened_again.into(),
        unplaced: (entry.row.position.is_none() && entry.may_lack_position).into(),
        ..LedgerCounts::default()
    };
    (counts, found)
}

fn check_verdict(
    entry: &PassedEntry,
    reviewed: &Result<Reviewed, Doubt>,
) -> Option<(Compared, String)> {
    let verdict = &entry.row.verdict;
    if verdict.facts.is_none() {
        return if !entry.is_forgotten {
            Some((Compared::Facts, FACTS_LOST.to_owned()))
        } else if Standing::without_facts(&verdict.recorded(), &verdict.name())
            == Standing::Contradicted
        {
            let differs = "its columns contradict each other, and its facts were erased";
            Some((Compared::Verdict, differs.to_owned()))
        } else {
            None
        };
    }
    let doubt = match reviewed {
        Ok(reviewed) => return check_scope(entry, &reviewed.facts.run),
        Err(doubt) => doubt,
    };
    Some(match doubt {
        Doubt::FactsAltered { .. } => (Compared::Facts, doubt.to_string()),
        Doubt::FactsUnreadable(_) => {
            // The text has one line.
            let finding = doubt.to_string().replace(" at line 1 column ", " at byte ");
            (Compared::Facts, finding)
        }
        Doubt::OtherName { .. } => (Compared::Owner, doubt.to_string()),
        Doubt::Overclaim { recorded, follows } | Doubt::WrongVerdict { recorded, follows }
            if *recorded == verdict.decision =>
        {
            (Compared::Verdict, difference(recorded, follows))
        }
        _ => (Compared::Verdict, doubt.to_string()),
    })
}

/// From where on two texts differ.
fn difference(recorded: &str, follows: &str) -> String {
    let at = first_difference(recorded, follows);
    let from = |text: &str| {
        let shown = text.get(at..).unwrap_or_default().chars();
        shown.take(SHOWN_CHARS).collect::<String>()
    };
    format!(
        "the decision on record differs from what the facts give, from byte {at} on: `{}` is on record; `{}` follows",
        from(recorded),
        from(follows)
    )
}

/// Whose verdict the columns say it is, and whose the facts.
fn check_scope(entry: &PassedEntry, run: &RunFacts) -> Option<(Compared, String)> {
    let row = &entry.row;
    // One from before that was kept has no moment where another entry had its place.
    let created_at = row.run_created_at.and(run.created_at.moment());
    let is_same = row.workspace == run.workspace_id
        && row.environment == run.environment_id
        && row.run_created_at == created_at;
    (!is_same).then(|| {
        let finding =
            "its workspace, its environment or when its run was created are not those of the facts";
        (Compared::Owner, finding.to_owned())
    })
}

fn check_owner(entry: &PassedEntry) -> Option<(Compared, String)> {
    let filed = entry.facts_workspace?;
    (filed != entry.row.workspace).then(|| {
        let finding = format!("its facts are filed under workspace {filed}");
        (Compared::Owner, finding)
    })
}

/// What a verdict wrote into its run: when that ended, where it is known, and what is in its context. By the rules of today all
/// that follows from the facts; else what the columns of the ledger say.
fn written(row: &LedgerRow, reviewed: Option<&Reviewed>) -> (Option<Timestamp>, Value) {
    let verdict = &row.verdict;
    let of_today = reviewed.filter(|_| verdict.ruleset == RULESET);
    let traces = of_today.and_then(|Reviewed { facts, decision }| {
        traces(facts, decision, &verdict.facts_digest, &row.source)
    });
    let said = || {
        json!({
            "decision": verdict.outcome,
            "reason_code": verdict.reason_code,
            "ruleset": verdict.ruleset,
            "source": row.source,
            "decision_id": verdict.decision_id,
            "facts_digest": verdict.facts_digest,
        })
    };
    match traces {
        Some((completed_at, reconciliation)) => (Some(completed_at), reconciliation),
        None => (None, said()),
    }
}

/// A map whose values are read where they are asked for.
type WrittenKeys<'a> = BTreeMap<String, &'a RawValue>;

/// What is ours of a run's context.
#[derive(Deserialize)]
struct RunContext<'a> {
    #[serde(borrow)]
    reconciliation: WrittenKeys<'a>,
}

/// The first key of these under which something else is found, or nothing. Sentences are not compared: another version may
/// have worded them otherwise.
fn other_key<'e>(expected: &'e Value, found: &WrittenKeys<'_>) -> Option<&'e str> {
    let is_other = |key: &str, value: &Value| {
        let found = found.get(key).map(|raw| serde_json::from_str(raw.get()));
        found.and_then(Result::ok).as_ref() != Some(value)
    };
    let mut expected = expected.as_object()?.iter();
    let other = expected.find(|(key, value)| *key != "reason" && is_other(key, value));
    other.map(|(key, _)| key.as_str())
}

fn check_run(entry: &PassedEntry, reviewed: Option<&Reviewed>) -> Option<(Compared, String)> {
    let outcome = &entry.row.verdict.outcome;
    let status = entry.run_status.as_ref()?;
    let says = entry.run_outcome.as_deref().unwrap_or("nothing");
    let (ended, written) = written(&entry.row, reviewed);
    let finding = if status != "completed" {
        format!("the status of the run is {status}; {outcome} is on record")
    } else if says != outcome.as_str() {
        format!("the run says {says}; {outcome} is on record")
    } else if entry.names_decision == Some(false) {
        "the context of the run does not name this decision".to_owned()
    } else if ended.is_some_and(|ended| entry.run_completed_at != Stamp::At(ended)) {
        "the run says that it ended at another moment".to_owned()
    } else {
        let context = serde_json::from_slice(entry.run_context.as_ref()?);
        let Ok(RunContext { reconciliation }) = context else {
            let unread = "what the verdict wrote into the context of the run cannot be read";
            return Some((Compared::Run, unread.to_owned()));
        };
        let key = other_key(&written, &reconciliation)?;
        format!("the context of the run has another `{key}`")
    };
    Some((Compared::Run, finding))
}

fn check_audit(entry: &PassedEntry) -> Option<(Compared, String)> {
    let outcome = &entry.row.verdict.outcome;
    let expected = Outcome::parse(outcome).map(Outcome::audit_outcome);
    let finding = match &entry.audit_outcome {
        None => "the audit log has no entry about it".to_owned(),
        Some(said) if Some(said.as_str()) == expected => return None,
        // Of two verdicts of one second, nothing but their outcomes tells which entry is whose.
        Some(said) if entry.shares_second && said.split(',').any(|it| Some(it) == expected) => {
            return None;
        }
        Some(said) => format!("the audit log says {said}; {outcome} is on record"),
    };
    Some((Compared::Audit, finding))
}

fn check_feed_of(entry: &PassedEntry) -> Option<(Compared, String)> {
    let finding = match (entry.row.position, entry.position_workspace) {
        (None, _) if entry.may_lack_position => return None,
        (None, _) => "it has no position in the feed".to_owned(),
        (Some(_), Some(filed)) if filed == entry.row.workspace => return None,
        (Some(at), _) => format!("its position {at} of the feed is filed under another workspace"),
    };
    Some((Compared::Feed, finding))
}
