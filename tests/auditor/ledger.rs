//! Exports of made-up ledgers, whose verdicts follow from their facts.

use std::io::Cursor;

use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use reconciler_jobs::restore_execute::review::{Doubt, Recorded, review};
use restore_reconciler::internals::ledger::LeafProofs;
use restore_reconciler::internals::ledger::{CheckpointSigner, NewKey, note};
use restore_reconciler::internals::ledger::{ExportEntry, ExportLeaf, ExportVerdict};
use restore_reconciler::internals::ledger::{ExportWriter, ExportedCheckpoints};
use restore_reconciler::internals::tree::{Edge, facts_seal};
use serde_json::{Value, json};

/// Verdicts on record of both rulesets.
pub(crate) const CORPORA: [&str; 2] = [
    include_str!("../../jobs/tests/laws/corpus/ruleset_1.jsonl"),
    include_str!("../../jobs/tests/laws/corpus/ruleset_2.jsonl"),
];

pub(crate) const ORIGIN: &str = "restore-reconciler/0f6c";
pub(crate) const WORKSPACE: &str = "5";

/// Of how many leaves the checkpoints are that are tampered with.
const SIZES: [u64; 3] = [3, 8, 12];

/// A verdict that follows from its facts.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    facts: String,
    decision: String,
    verdict: ExportVerdict,
}

/// A ledger of several workspaces, of which one is exported.
pub(crate) struct Ledger {
    pub(crate) entries: Vec<ExportEntry>,
    pub(crate) checkpoints: ExportedCheckpoints,
    pub(crate) since: Option<String>,
    pub(crate) is_signed: bool,
    /// Keys that the verifier is told to trust.
    pub(crate) trusted: Vec<String>,
}

/// Numbers that look like chance, from a seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// All verdicts of both corpora, as if they were of one workspace.
pub(crate) fn pool() -> Vec<Pooled> {
    let kept = CORPORA.iter().flat_map(|corpus| corpus.lines());
    kept.filter_map(|line| pooled(&serde_json::from_str(line).unwrap()))
        .collect()
}

fn pooled(kept: &Value) -> Option<Pooled> {
    let mut facts: Value = serde_json::from_str(kept["facts"].as_str()?).unwrap();
    let workspace: i64 = WORKSPACE.parse().unwrap();
    facts["run"]["workspace_id"] = json!(workspace);
    if facts["restore"].is_object() {
        facts["restore"]["workspace_id"] = json!(workspace);
    }
    let canonical = canonicalise(&facts).unwrap();
    let mut recorded = Recorded {
        outcome: "",
        reason_code: "",
        ruleset: kept["ruleset"].as_str()?,
        facts: &canonical.text,
        facts_digest: &canonical.digest,
        decision: "",
    };
    let words = follows(&recorded);
    (recorded.outcome, recorded.reason_code) = words.split_once(' ')?;
    if recorded.outcome == "no" {
        return None;
    }
    let decision = follows(&recorded);
    let id = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let run = &facts["run"];
    let environment = (!run["environment_id"].is_null()).then(|| id(&run["environment_id"]));
    let verdict = ExportVerdict {
        decision_id: canonical.digest[..32].to_owned(),
        run: id(&run["id"]),
        environment,
        run_created_at: run["created_at"]["at"].as_str().map(str::to_owned),
        revision: "1".to_owned(),
        first_decision_id: None,
        outcome: recorded.outcome.to_owned(),
        reason_code: recorded.reason_code.to_owned(),
        ruleset: recorded.ruleset.to_owned(),
        facts_digest: canonical.digest.clone(),
        decision_digest: digest_of(&decision),
        decided_at: facts["as_of"].as_str()?.to_owned(),
        source: "sweep".to_owned(),
        worker: "worker-1".to_owned(),
        facts_seal: None,
    };
    Some(Pooled {
        facts: canonical.text.clone(),
        decision,
        verdict,
    })
}

/// What follows where the record says something else.
fn follows(recorded: &Recorded<'_>) -> String {
    match review(recorded) {
        Err(Doubt::WrongVerdict { follows, .. } | Doubt::Overclaim { follows, .. }) => follows,
        other => panic!("{other:?}"),
    }
}

impl Ledger {
    /// The one with this number.
    pub(crate) fn made(number: u64, pool: &[Pooled]) -> Self {
        let chance = &mut Chance::of(number);
        let size = 1 + chance.below(40);
        let mut leaves = Vec::new();
        let mut entries: Vec<ExportEntry> = Vec::new();
        let mut previous = None;
        for position in 1..=size {
            if position > 1 && chance.below(3) == 0 {
                leaves.push(hash_of_digits(&digest_of(&format!("{number} {position}"))));
                continue;
            }
            let pooled = &pool[usize::try_from(chance.below(pool.len() as u64)).unwrap()];
            let place = entries.len() + 1;
            let state = chance.below(8);
            let entry = entry(pooled, (position, place), previous.take(), state);
            let leaf = leaf_of(&entry.leaf);
            previous = Some(hex::encode(leaf));
            leaves.push(leaf);
            entries.push(entry);
        }
        let since = (entries.len() > 2 && chance.below(4) == 0).then(|| {
            entries.remove(0);
            "2026-01-01T00:00:00Z".to_owned()
        });
        let is_signed = chance.below(2) == 0;
        let (signers, trusted) = if is_signed {
            keys(chance)
        } else {
            Default::default()
        };
        let mut sizes: Vec<u64> = (1..size).filter(|_| chance.below(10) == 0).collect();
        sizes.push(size);
        let mut ledger = Self {
            entries,
            checkpoints: checkpoints_of(&leaves, &sizes, &signers),
            since,
            is_signed,
            trusted,
        };
        ledger.prove(&leaves);
        ledger
    }

    /// Five verdicts of both rulesets among twelve leaves, of which the third has no facts any more.
    pub(crate) fn fixed(pool: &[Pooled], key: Option<&str>) -> Self {
        let of = |ruleset: &str, outcome: &str| {
            let is = |pooled: &&Pooled| {
                let verdict = &pooled.verdict;
                let known = verdict.environment.is_some() && verdict.decided_at.starts_with("2026");
                known && verdict.ruleset.ends_with(ruleset) && verdict.outcome == outcome
            };
            pool.iter().find(is).unwrap()
        };
        let chosen = [
            (1, of("2", "succeeded"), 3),
            (3, of("1", "failed"), 3),
            (4, of("2", "blocked"), 1),
            (7, of("2", "partially_succeeded"), 3),
            (11, of("1", "succeeded"), 3),
        ];
        let entries = (1..).zip(chosen);
        let mut ledger = Self {
            entries: entries
                .map(|(place, (position, pooled, state))| {
                    entry(pooled, (position, place), None, state)
                })
                .collect(),
            checkpoints: ExportedCheckpoints {
                notes: String::new(),
                size: 12,
                consistency: Vec::new(),
            },
            since: None,
            is_signed: key.is_some(),
            trusted: Vec::new(),
        };
        let signer = key.map(|key| CheckpointSigner::read(key).unwrap());
        ledger.link();
        ledger.checkpoints = checkpoints_of(&ledger.leaves(), &SIZES, signer.as_slice());
        ledger
    }

    /// The export of that one with its three checkpoints signed by these, each by its own.
    pub(crate) fn signed(pool: &[Pooled], by: [&[&NewKey]; 3]) -> Vec<u8> {
        let mut ledger = Self::fixed(pool, None);
        let leaves = ledger.leaves();
        let notes = SIZES.iter().zip(by).map(|(size, keys)| {
            let signers = keys
                .iter()
                .map(|key| CheckpointSigner::read(&key.private).unwrap());
            note_of(&leaves, *size, &signers.collect::<Vec<_>>())
        });
        ledger.checkpoints.notes = notes.collect();
        ledger.export()
    }

    pub(crate) fn key() -> NewKey {
        NewKey::make(ORIGIN)
    }

    /// Makes leaves, proofs and an unsigned checkpoint for what the entries say now.
    pub(crate) fn make_anew(&mut self) {
        self.link();
        self.checkpoints = checkpoints_of(&self.leaves(), &SIZES, &[]);
    }

    /// Makes each entry follow on the one before it, and proves it.
    fn link(&mut self) {
        let mut previous = None;
        for (place, entry) in (1..).zip(&mut self.entries) {
            entry.leaf.workspace_position = format!("{place}");
            entry.leaf.previous_leaf = previous.take();
            previous = Some(hex::encode(leaf_of(&entry.leaf)));
        }
        let leaves = self.leaves();
        self.prove(&leaves);
    }

    /// Those of the entries, and others in between.
    fn leaves(&self) -> Vec<[u8; 32]> {
        let at = |position: u64| {
            let is_there = |entry: &&ExportEntry| entry.leaf.position == position.to_string();
            let entry = self.entries.iter().find(is_there);
            let other = || hash_of_digits(&digest_of(&format!("other {position}")));
            entry.map_or_else(other, |entry| leaf_of(&entry.leaf))
        };
        (1..=self.checkpoints.size).map(at).collect()
    }

    fn prove(&mut self, leaves: &[[u8; 32]]) {
        let is_ours = |position: u64| {
            let position = position.to_string();
            self.entries
                .iter()
                .any(|entry| entry.leaf.position == position)
        };
        let mut proofs = LeafProofs::default();
        for (position, leaf) in (1..).zip(leaves) {
            proofs.push(*leaf, is_ours(position));
        }
        let made = proofs.finish().unwrap();
        assert_eq!(Some(made.root), edge_of(leaves).root());
        for (entry, proof) in self.entries.iter_mut().zip(made.leaves()) {
            entry.proof = proof.iter().map(hex::encode).collect();
        }
    }

    pub(crate) fn export(&self) -> Vec<u8> {
        let of = (ORIGIN.to_owned(), WORKSPACE.to_owned());
        let (file, since) = (Cursor::new(Vec::new()), self.since.clone());
        let mut writer = ExportWriter::begin(file, of, since, self.checkpoints.clone()).unwrap();
        for entry in &self.entries {
            writer.add(entry, true).unwrap();
        }
        writer.finish().unwrap().0.into_inner()
    }

    /// Verdicts, those that were erased, and those that were gone before their leaf.
    pub(crate) fn counts(&self) -> [u64; 3] {
        let count =
            |is: fn(&ExportEntry) -> bool| self.entries.iter().filter(|it| is(it)).count() as u64;
        let is_gone = |entry: &ExportEntry| entry.leaf.verdict.is_none();
        [
            count(|_| true),
            count(ExportEntry::is_erased),
            count(is_gone),
        ]
    }
}

/// An entry at its place. Of the states 0 is that it was gone before its leaf, 1 and 2 that its facts were erased after and
/// before it.
fn entry(
    pooled: &Pooled,
    (position, place): (u64, usize),
    previous_leaf: Option<String>,
    state: u64,
) -> ExportEntry {
    let salt = digest_of(&format!("salt {position}"))[..32].to_owned();
    let verdict = ExportVerdict {
        facts_seal: (state != 2).then(|| facts_seal(&salt, &pooled.verdict.facts_digest)),
        ..pooled.verdict.clone()
    };
    let is_gone = state == 0;
    let has_facts = state > 2;
    ExportEntry {
        leaf: ExportLeaf {
            position: position.to_string(),
            workspace: WORKSPACE.to_owned(),
            workspace_position: place.to_string(),
            previous_leaf,
            verdict: (!is_gone).then_some(verdict),
        },
        facts: has_facts.then(|| pooled.facts.clone()),
        salt: has_facts.then_some(salt),
        decision: (!is_gone).then(|| pooled.decision.clone()),
        proof: Vec::new(),
    }
}

/// Keys that sign, and those of them that are trusted, in the order of their making: one, or both in a rotation.
fn keys(chance: &mut Chance) -> (Vec<CheckpointSigner>, Vec<String>) {
    let keys: Vec<_> = (0..=chance.below(2))
        .map(|_| NewKey::make(ORIGIN))
        .collect();
    let signers = keys
        .iter()
        .map(|key| CheckpointSigner::read(&key.private).unwrap());
    let trusted = keys.iter().filter(|_| chance.below(3) > 0);
    let trusted = trusted.map(|key| key.public.clone()).collect();
    (signers.collect(), trusted)
}

/// Checkpoints of the first so many leaves each.
pub(crate) fn checkpoints_of(
    leaves: &[[u8; 32]],
    sizes: &[u64],
    signers: &[CheckpointSigner],
) -> ExportedCheckpoints {
    let mut proofs = LeafProofs::between(sizes.to_vec());
    for leaf in leaves {
        proofs.push(*leaf, false);
    }
    let notes = sizes.iter().map(|size| note_of(leaves, *size, signers));
    ExportedCheckpoints {
        notes: notes.collect(),
        size: leaves.len() as u64,
        consistency: proofs.finish().unwrap().between,
    }
}

/// The checkpoint of the first so many leaves, with an empty line after it.
fn note_of(leaves: &[[u8; 32]], size: u64, signers: &[CheckpointSigner]) -> String {
    let first = &leaves[..usize::try_from(size).unwrap()];
    note(ORIGIN, &edge_of(first), signers).unwrap() + "\n"
}

fn edge_of(leaves: &[[u8; 32]]) -> Edge {
    let mut edge = Edge::default();
    for leaf in leaves {
        edge.push(*leaf);
    }
    edge
}

pub(crate) fn leaf_of(leaf: &ExportLeaf) -> [u8; 32] {
    let text = canonicalise(leaf).unwrap().text;
    hash_of_digits(&digest_of(&format!("\0{text}")))
}

fn hash_of_digits(digits: &str) -> [u8; 32] {
    hex::decode(digits).unwrap().try_into().unwrap()
}
