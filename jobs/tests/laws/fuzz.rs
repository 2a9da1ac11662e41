//! Documents that nobody thought of: the platform's own, bent here and there, in every column at once, with odd rows and
//! moments beside them, and all of it in reverse order as well.
//!
//! A plain run judges the corpus and a fixed number of bent copies of it. `RECONCILER_FUZZ_SECONDS=3600` goes on for an
//! hour, from a seed that is printed, and `RECONCILER_FUZZ_SEED` begins there again. What fails is printed as a line to
//! be added to `corpus/columns.jsonl`, where every later run judges it again.

use std::time::{Duration, Instant};

use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::json::{Column, Json, TEXT_BYTES_MAX};
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::canonical::{canonicalise, read_back};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::review::{Recorded, review};
use reconciler_jobs::restore_execute::rows::SetItems;
use reconciler_jobs::stamp::Stamp;

use crate::counterfactual::wrongly_answered;
use crate::laws::{assert_nothing_lost, plainly_unproven};
use crate::support::{Case, RUN, at, audit, candidate, json, snapshot};

/// Per line the columns `context`, `failure_summary`, `summary_counts`, `requested_items`, `results`, `metadata` and
/// `failure_reason`, and perhaps the number that rows are varied by.
const CORPUS: &str = include_str!("corpus/columns.jsonl");

/// The columns, and the number that rows are varied by.
type Columns = [Vec<u8>; 8];

/// How many of these are columns.
const DOCUMENTS: usize = 7;

/// How many copies a plain run judges.
const COPIES: u64 = 2_000;

/// Pieces of documents that the rules look at.
const PIECES: &str = r#"null true false 0 -0 1 1.5 1e2 9007199254740993 9223372036854775808 [] {} "" " " [ ] { } , :
    "status" "decision" "outcome" "error" "errors" "success" "items" "foundations" "assignments" "mappings"
    "assignment_outcomes" "assignment_summary" "backup_item_id" "code" "reason_code" "blocked_reason" "total"
    "succeeded" "failed" "restore_run_id" "target_scope" "workspace_id" "tenant_id" "execution_legitimacy"
    "reconciliation" "applied" "created" "mapped_existing" "partial" "skipped" "done" "write_gate_blocked"
    "operational_control.paused" "101" "102" 101 102 7 "\u0000" "\ud800" "\\u0000" é"#;

fn corpus() -> Vec<Columns> {
    CORPUS
        .lines()
        .map(|line| {
            let mut texts: Vec<String> = serde_json::from_str(line).unwrap();
            texts.resize(DOCUMENTS + 1, "0".to_owned());
            let texts: [String; 8] = texts.try_into().unwrap();
            texts.map(String::into_bytes)
        })
        .collect()
}

fn case_of(columns: &Columns) -> Case {
    let [
        context,
        summary,
        counts,
        requested,
        results,
        metadata,
        reason,
        rows,
    ] = columns.clone();
    let mut case = Case::proven();
    case.run.context = Column::Bytes(context);
    case.run.failure_summary = Column::Bytes(summary);
    case.run.summary_counts = Column::Bytes(counts);
    case.restore.requested_items = Column::Bytes(requested);
    case.restore.results = Column::Bytes(results);
    case.restore.metadata = Column::Bytes(metadata);
    case.restore.failure_reason = Some(String::from_utf8_lossy(&reason).into_owned());
    match String::from_utf8_lossy(&rows).parse() {
        Ok(0) | Err(_) => {}
        Ok(seed) => Chance(seed).vary(&mut case),
    }
    case
}

/// Rows in reverse order, with the keys of every map reversed too: what is decided from them must not differ.
fn reversed(case: &Case) -> Case {
    let mut case = case.clone();
    case.candidates.reverse();
    case.audits.reverse();
    case.snapshots.reverse();
    if let SetItems::Ids(ids) = &mut case.restore.backup_items {
        ids.reverse();
    }
    for column in [
        &mut case.run.context,
        &mut case.run.failure_summary,
        &mut case.restore.requested_items,
        &mut case.restore.results,
        &mut case.restore.metadata,
    ] {
        let text = column.parse().map(|document| with_keys_reversed(&document));
        if let Ok(text) = text {
            *column = json(&text);
        }
    }
    case
}

/// A document that reads the same but for the order of keys.
fn with_keys_reversed(document: &Json) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    match document {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Integer(number) => number.to_string(),
        Json::Inexact => "1.5".to_owned(),
        Json::Text(text) => quoted(text),
        Json::LongText => quoted(&"e".repeat(TEXT_BYTES_MAX + 1)),
        Json::List(values) => {
            let values: Vec<_> = values.iter().map(with_keys_reversed).collect();
            format!("[{}]", values.join(","))
        }
        Json::Map(entries) => {
            let entries = entries.iter().rev();
            let entries: Vec<_> = entries
                .map(|(key, value)| format!("{}:{}", quoted(key), with_keys_reversed(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// From rows to facts, decision, record, merge and replay: nothing panics, nothing is overclaimed, nothing is lost, and
/// no order matters.
fn judge(columns: &Columns) {
    let mut case = case_of(columns);
    let facts = case.facts();
    let decision = case.decide();
    if decision.outcome() == Some(Outcome::Succeeded) {
        assert_eq!(plainly_unproven(&case), None);
    }
    assert_eq!(wrongly_answered(&facts), None);
    let canonical = canonicalise(&facts).unwrap();
    let again: Facts = read_back(&canonical.text).unwrap();
    assert_eq!(canonicalise(&again).unwrap(), canonical);
    assert_eq!(again, facts);
    let turned = reversed(&case);
    assert_eq!(canonicalise(&turned.facts()).unwrap(), canonical);
    assert_eq!(turned.decide(), decision);
    let Some(record) = case.record() else {
        assert_eq!(decision.outcome(), None);
        return;
    };
    let reviewed = review(&Recorded::from(&record.ledger)).unwrap();
    assert_eq!(reviewed.decision, decision);
    assert_nothing_lost(&case.run, &record.run);
    case.run.status = "completed".to_owned();
    case.run.context = json(record.run.context.get());
    assert!(case.record().is_none(), "a second pass writes");
}

/// A generator of numbers that is the same for the same seed (xorshift).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).unwrap()
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = (start + self.below(12)).min(length);
        start..end
    }

    /// One document with a piece cut out, doubled, moved, or put in the place of another.
    fn bend(&mut self, document: &mut Vec<u8>, pieces: &[&str], other: &[u8]) {
        let cut = self.range(document.len());
        let piece = pieces[self.below(pieces.len())].as_bytes().to_vec();
        let put = match self.below(5) {
            0 => Vec::new(),
            1 => [&document[cut.clone()], &document[cut.clone()]].concat(),
            2 => other[self.range(other.len())].to_vec(),
            3 => vec![u8::try_from(self.below(256)).unwrap()],
            _ => piece,
        };
        document.splice(cut, put);
    }

    fn copy(&mut self, corpus: &[Columns], pieces: &[&str]) -> Columns {
        let mut columns = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let other = corpus[self.below(corpus.len())].clone();
            let column = self.below(DOCUMENTS);
            let donor = self.below(DOCUMENTS);
            self.bend(&mut columns[column], pieces, &other[donor]);
        }
        // The rows of every second copy are those of the proven case.
        let seed = self.below(2) * self.below(1 << 32);
        columns[DOCUMENTS] = seed.to_string().into_bytes();
        columns
    }

    fn word<'w>(&mut self, words: &'w str) -> &'w str {
        let words: Vec<&str> = words.split(' ').collect();
        words[self.below(words.len())]
    }

    fn stamp(&mut self) -> Stamp {
        let clocks =
            "10:59:00 11:00:00 11:00:00.9 11:30:00 11:30:00.7 11:35:00 12:00:00 12:04:00 12:30:00";
        match self.below(12) {
            0 => Stamp::Absent,
            1 => Stamp::Far,
            2 => Stamp::Unreadable,
            3 => Stamp::parse(Some(0), true),
            _ => at(self.word(clocks)),
        }
    }

    /// Adds rows to a case, and changes words and moments of those that are there.
    fn vary(&mut self, case: &mut Case) {
        let audits = "executed completed partial failed cancelled requested";
        let snapshots = "active active queued generating superseded expired failed archived";
        for id in 901..=902 + i64::try_from(self.below(4)).unwrap() {
            match self.below(7) {
                0 => {
                    let action = format!("restore.{}", self.word(audits));
                    let mut row = audit(id, &action, "11:31:00");
                    row.status = Some(self.word("success info ok failed").to_owned());
                    row.outcome = Some(self.word("success info ok failed").to_owned());
                    row.recorded_at = self.stamp();
                    case.audits.push(row);
                }
                1 => {
                    let mut row = snapshot(id, self.word(snapshots), "11:35:00");
                    row.completeness = Some(self.word("complete complete partial").to_owned());
                    row.generated_at = self.stamp();
                    row.expires_at = self.stamp();
                    case.snapshots.push(row);
                }
                2 => {
                    let points_at = [None, Some(RUN), Some(RunId(71))][self.below(3)];
                    let mut row = candidate(RestoreId(id), points_at);
                    row.contests = self.below(2) == 0;
                    case.candidates.push(row);
                }
                3 => {
                    let words = "completed partial failed cancelled aborted queued draft done";
                    self.word(words).clone_into(&mut case.restore.status);
                }
                4 => {
                    let words = "pending succeeded failed blocked odd";
                    self.word(words).clone_into(&mut case.run.outcome);
                }
                5 => {
                    let sets = [vec![], vec![101, 102], vec![103, 101, 102]];
                    case.restore.backup_items = SetItems::Ids(sets[self.below(3)].clone());
                }
                _ => {
                    let (restore, run) = (&mut case.restore, &mut case.run);
                    let stamps = [
                        &mut restore.started_at,
                        &mut restore.completed_at,
                        &mut restore.created_at,
                        &mut restore.updated_at,
                        &mut run.created_at,
                        &mut run.started_at,
                    ];
                    let at = self.below(stamps.len());
                    *stamps.into_iter().nth(at).unwrap() = self.stamp();
                }
            }
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long it goes on is asked for in seconds"
)]
fn bent_documents_are_judged_and_nothing_is_lost() {
    let corpus = corpus();
    corpus.iter().for_each(judge);
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds: Option<u64> = number("RECONCILER_FUZZ_SECONDS");
    let by_chance = || seconds.map(|_| std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let seed = number("RECONCILER_FUZZ_SEED")
        .or_else(|| by_chance().map(|since| u64::from(since.subsec_nanos()) * 2 + 1))
        .unwrap_or(0x9e37_79b9_7f4a_7c15);
    let pieces: Vec<&str> = PIECES.split_whitespace().collect();
    let mut chance = Chance(seed);
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut copies = 0_u64;
    while until.map_or(copies < COPIES, |until| Instant::now() < until) {
        let columns = chance.copy(&corpus, &pieces);
        if std::panic::catch_unwind(|| judge(&columns)).is_err() {
            let texts = columns.map(|column| String::from_utf8_lossy(&column).into_owned());
            panic!(
                "seed {seed}, copy {copies}: {}",
                serde_json::to_string(&texts).unwrap()
            );
        }
        copies += 1;
    }
    eprintln!("{copies} copies of {} cases from seed {seed}", corpus.len());
}
