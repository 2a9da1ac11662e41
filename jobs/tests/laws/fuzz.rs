//! Documents that nobody thought of: the platform's own, bent here and there, in every column at once.
//!
//! A plain run judges the corpus and a fixed number of bent copies of it. `RECONCILER_FUZZ_SECONDS=3600` goes on for an
//! hour, from a seed that is printed, and `RECONCILER_FUZZ_SEED` begins there again. What fails is printed as a line to
//! be added to `corpus/columns.jsonl`, where every later run judges it again.

use std::time::{Duration, Instant};

use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::Outcome;
use reconciler_jobs::restore_execute::canonical::{canonicalise, read_back};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::review::{Recorded, review};

use crate::laws::{assert_kept, plainly_unproven};
use crate::support::{Case, json};

/// Per line the columns `context`, `failure_summary`, `summary_counts`, `requested_items`, `results`, `metadata` and
/// `failure_reason`.
const CORPUS: &str = include_str!("corpus/columns.jsonl");

type Columns = [Vec<u8>; 7];

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
            let texts: [String; 7] = serde_json::from_str(line).unwrap();
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
    ] = columns.clone();
    let mut case = Case::proven();
    case.run.context = Column::Bytes(context);
    case.run.failure_summary = Column::Bytes(summary);
    case.run.summary_counts = Column::Bytes(counts);
    case.restore.requested_items = Column::Bytes(requested);
    case.restore.results = Column::Bytes(results);
    case.restore.metadata = Column::Bytes(metadata);
    case.restore.failure_reason = Some(String::from_utf8_lossy(&reason).into_owned());
    case
}

/// From rows to facts, decision, record, merge and replay: nothing panics, nothing is overclaimed, nothing is lost.
fn judge(columns: &Columns) {
    let mut case = case_of(columns);
    let facts = case.facts();
    let decision = case.decide();
    if decision.outcome() == Some(Outcome::Succeeded) {
        assert_eq!(plainly_unproven(&case), None);
    }
    let canonical = canonicalise(&facts).unwrap();
    let again: Facts = read_back(&canonical.text).unwrap();
    assert_eq!(canonicalise(&again).unwrap(), canonical);
    assert_eq!(again, facts);
    let Some(record) = case.record() else {
        assert_eq!(decision.outcome(), None);
        return;
    };
    let reviewed = review(&Recorded::from(&record.ledger)).unwrap();
    assert_eq!(reviewed.decision, decision);
    assert_kept(&case.run.context, &record.run.context, &["reconciliation"]);
    case.run.status = "completed".to_owned();
    case.run.context = json(record.run.context.get());
    assert!(case.record().is_none(), "a second pass writes");
}

/// A generator of numbers that is the same for the same seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
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
            let column = self.below(columns.len());
            let donor = self.below(other.len());
            self.bend(&mut columns[column], pieces, &other[donor]);
        }
        columns
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
