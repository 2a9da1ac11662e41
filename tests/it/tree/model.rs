//! Ten thousand tampers with a ledger in memory, against the verifier without its database.
//!
//! The model joins its tables as the statement does; `tampers` shows on a real database that they are joined so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use restore_reconciler::internals::ledger::{TreeCheck, make_leaves, note, read_notes};
use restore_reconciler::internals::storage::reader::LedgerRow;
use restore_reconciler::internals::storage::{
    CheckpointRow, LeafPart, LedgerPlace, RecordedVerdict,
};
use restore_reconciler::internals::tree::Edge;

use crate::chaos::dice::Dice;

const ORIGIN: &str = "restore-reconciler/model";
const ROWS: usize = 18;
const TAMPERS: usize = 10_000;

/// An entry of the ledger, and the salt of its facts.
#[derive(Debug, Clone)]
struct Entry {
    row: LedgerRow,
    salt: Option<String>,
}

/// A row of each table by its position: which verdict stands there, and where in its workspace; the leaf and its seal.
#[derive(Debug, Clone, Default)]
struct Tables {
    entries: BTreeMap<String, Entry>,
    positions: BTreeMap<i64, (String, i64, i64)>,
    leaves: BTreeMap<i64, (String, Option<String>)>,
    checkpoints: BTreeMap<i64, CheckpointRow>,
}

fn at(number: usize) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + i64::try_from(number).unwrap()).unwrap()
}

fn entry(number: usize, workspace: i64) -> Entry {
    let decision_id = format!("{number:032x}");
    let text = |what: &str| format!("{what} {}", number % 3);
    Entry {
        row: LedgerRow {
            verdict: RecordedVerdict {
                run: RunId(i64::try_from(number).unwrap()),
                decision_id,
                outcome: text("outcome"),
                reason_code: text("reason"),
                ruleset: text("ruleset"),
                facts: None,
                facts_digest: format!("{number:064x}"),
                decision: text("decision"),
                worker: text("worker"),
                decided_at: at(number),
                revision: 1,
                first_decision_id: None,
            },
            workspace: WorkspaceId(workspace),
            environment: Some(EnvironmentId(workspace * 10)),
            run_created_at: Some(at(number)),
            source: text("source"),
            position: None,
        },
        salt: Some(format!("{number:032x}")),
    }
}

impl Tables {
    /// So many verdicts of two workspaces, with leaves and a checkpoint of each six.
    fn honest() -> Self {
        let mut tables = Self::default();
        for number in 1..=ROWS {
            let workspace = if number % 3 == 0 { 2 } else { 1 };
            tables.add(entry(number, workspace));
        }
        tables.seal();
        tables
    }

    /// Puts an entry at the end.
    fn add(&mut self, entry: Entry) {
        let workspace = entry.row.workspace.0;
        let of_workspace = self
            .positions
            .values()
            .filter(|(_, id, _)| *id == workspace);
        let last = of_workspace.map(|(.., number)| *number).max().unwrap_or(0);
        let position = self.positions.keys().max().unwrap_or(&0) + 1;
        let id = entry.row.verdict.decision_id.clone();
        self.positions
            .insert(position, (id.clone(), workspace, last + 1));
        self.entries.insert(id, entry);
    }

    /// What is at a position, as the database joins it.
    fn place(&self, position: i64) -> LedgerPlace {
        let placed = self.positions.get(&position);
        let entry = placed.and_then(|(id, workspace, _)| {
            let entry = self.entries.get(id)?;
            (entry.row.workspace.0 == *workspace).then_some(entry)
        });
        let (leaf, facts_seal) = self.leaves.get(&position).cloned().unzip();
        let before = placed.and_then(|(_, workspace, number)| {
            let mut positions = self.positions.iter();
            positions.find(|(_, (_, other, before))| other == workspace && *before == number - 1)
        });
        let previous_leaf = before.and_then(|(position, _)| self.leaves.get(position));
        let mut row = self::entry(0, 0).row;
        if let Some(entry) = entry {
            row = entry.row.clone();
        } else if let Some((id, workspace, _)) = placed {
            row.verdict.decision_id.clone_from(id);
            row.workspace = WorkspaceId(*workspace);
        }
        row.position = Some(position);
        LedgerPlace {
            row,
            has_position: placed.is_some(),
            is_there: entry.is_some(),
            workspace_position: placed.map_or(0, |(.., number)| *number),
            previous_leaf: previous_leaf.map(|(leaf, _)| leaf.clone()),
            salt: entry.and_then(|entry| entry.salt.clone()),
            leaf,
            facts_seal: facts_seal.flatten(),
            erased_at: None,
        }
    }

    /// Makes the leaves that are missing, and checkpoints of each six from the last on.
    fn seal(&mut self) {
        let positions: Vec<i64> = self.positions.keys().copied().collect();
        for position in positions {
            if self.leaves.contains_key(&position) {
                continue;
            }
            let place = self.place(position);
            let seal = place.make_seal();
            let leaf = place.make_leaf(place.previous_leaf.clone(), seal.clone());
            let leaf = hex::encode(leaf.unwrap());
            self.leaves.insert(position, (leaf, seal));
        }
        let mut edge = Edge::default();
        for (size, (leaf, _)) in (1..).zip(self.leaves.values()) {
            let mut hash = [0; 32];
            hex::decode_to_slice(leaf, &mut hash).unwrap();
            edge.push(hash);
            if size % 6 == 0 {
                let checkpoint = CheckpointRow {
                    size,
                    root: hex::encode(edge.root().unwrap()),
                    note: note(ORIGIN, &edge, &[]).unwrap(),
                    made_at: at(0),
                };
                self.checkpoints.entry(size).or_insert(checkpoint);
            }
        }
    }

    /// As if nothing had been sealed yet.
    fn unseal(&mut self) {
        self.leaves.clear();
        self.checkpoints.clear();
    }

    /// Moves everything from a position on by one place, and makes room or closes a gap.
    fn shift(&mut self, from: i64, by: i64) {
        let rest = self.positions.split_off(&from);
        let moved = rest.into_iter().map(|(position, it)| (position + by, it));
        self.positions.extend(moved);
    }

    /// Has each workspace count from 1 on, in the order of positions.
    fn count_anew(&mut self) {
        let mut counts = BTreeMap::new();
        for (_, workspace, number) in self.positions.values_mut() {
            let count = counts.entry(*workspace).or_insert(0);
            *count += 1;
            *number = *count;
        }
    }

    /// What the verifier says, with checkpoints that were kept elsewhere, in parts of so many places.
    fn findings(&self, kept: &str, together: usize) -> Vec<String> {
        let mut check = TreeCheck::new(ORIGIN.to_owned(), read_notes(kept), Vec::new());
        let positions = self.positions.keys().chain(self.leaves.keys()).copied();
        let positions: BTreeSet<i64> = positions.collect();
        let places: Vec<LedgerPlace> = positions.into_iter().map(|it| self.place(it)).collect();
        let mut checkpoints: Vec<_> = self.checkpoints.values().cloned().collect();
        let mut parts: Vec<&[LedgerPlace]> = places.chunks(together).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let mut said = Vec::new();
        let last = parts.len() - 1;
        for (number, places) in parts.into_iter().enumerate() {
            let through = places.last().and_then(|place| place.row.position);
            let later = match through {
                Some(through) if number < last => {
                    let is_later = |it: &CheckpointRow| it.size > through;
                    checkpoints.iter().position(is_later)
                }
                _ => None,
            };
            let rest = checkpoints.split_off(later.unwrap_or(checkpoints.len()));
            let part = LeafPart {
                places: places.to_vec(),
                checkpoints: std::mem::replace(&mut checkpoints, rest),
            };
            check.pass(&part, &make_leaves(&part));
            said.extend(check.take().disagreements);
        }
        check.end();
        said.extend(check.take().disagreements);
        said.into_iter().map(|it| it.finding).collect()
    }
}

/// Changes one thing of the verdict at this position that its leaf is made of.
fn edit(tables: &mut Tables, position: i64, dice: &mut Dice) {
    let (id, workspace, number) = tables.positions[&position].clone();
    let entry = tables.entries.get_mut(&id).unwrap();
    let verdict = &mut entry.row.verdict;
    let mut is_renamed = false;
    match dice.below(17) {
        0 => verdict.run.0 += 1000,
        1 => verdict.outcome += "x",
        2 => verdict.reason_code += "x",
        3 => verdict.ruleset += "x",
        4 => verdict.facts_digest = format!("{:064x}", 99),
        5 => verdict.decision += " ",
        6 => verdict.worker += "x",
        7 => verdict.decided_at += jiff::SignedDuration::from_micros(1),
        8 => verdict.revision += 1,
        9 => verdict.first_decision_id = Some("x".to_owned()),
        10 => entry.row.environment = None,
        11 => entry.row.run_created_at = None,
        12 => entry.row.source += "x",
        13 => entry.salt = Some("ff".to_owned()),
        14 => entry.row.workspace.0 += 7,
        15 => {
            tables.positions.get_mut(&position).unwrap().2 = number + 100;
        }
        _ => is_renamed = true,
    }
    if is_renamed {
        let mut renamed = tables.entries.remove(&id).unwrap();
        let id = format!("{:032x}", 999);
        renamed.row.verdict.decision_id.clone_from(&id);
        tables.entries.insert(id.clone(), renamed);
        tables.positions.insert(position, (id, workspace, number));
    }
}

/// Does something to what stands at `position`, and says what. Leaves stay as they are.
fn tamper(tables: &mut Tables, position: i64, dice: &mut Dice) -> &'static str {
    let id = tables.positions[&position].0.clone();
    match dice.below(8) {
        0 => {
            edit(tables, position, dice);
            "edited"
        }
        1 => {
            tables.entries.remove(&id);
            "deleted"
        }
        2 => {
            tables.entries.remove(&id);
            tables.positions.remove(&position);
            tables.shift(position, -1);
            tables.count_anew();
            "deleted, and the rest moved up"
        }
        3 => {
            tables.shift(position, 1);
            let forged = entry(777, 1);
            let id = forged.row.verdict.decision_id.clone();
            tables.positions.insert(position, (id.clone(), 1, 0));
            tables.entries.insert(id, forged);
            tables.count_anew();
            "inserted"
        }
        4 => {
            // One that is covered, too.
            let other = if position % 6 == 0 {
                position - 1
            } else {
                position + 1
            };
            let (one, two) = (
                tables.positions[&position].clone(),
                tables.positions[&other].clone(),
            );
            tables.positions.insert(position, two);
            tables.positions.insert(other, one);
            tables.count_anew();
            "reordered"
        }
        5 => {
            let (_, workspace, _) = tables.positions.get_mut(&position).unwrap();
            *workspace = 3 - *workspace;
            let swapped = WorkspaceId(*workspace);
            tables.entries.get_mut(&id).unwrap().row.workspace = swapped;
            tables.count_anew();
            "moved to the other workspace"
        }
        6 => {
            for gone in tables.positions.split_off(&position).into_values() {
                tables.entries.remove(&gone.0);
            }
            "cut off"
        }
        _ => {
            // An older dump, after which other verdicts were reached.
            for gone in tables.positions.split_off(&position).into_values() {
                tables.entries.remove(&gone.0);
            }
            for number in 0..ROWS {
                tables.add(entry(500 + number, 1));
            }
            "restored from an older dump"
        }
    }
}

/// From where on what is sealed is made anew, so that all of it fits again.
fn seal_anew(tables: &mut Tables, from: i64) {
    tables.leaves.split_off(&from);
    tables.checkpoints.split_off(&from);
    tables.seal();
}

#[test]
fn of_ten_thousand_tampers_each_is_found_and_located() {
    let honest = Tables::honest();
    let all_notes: Vec<&str> = honest.checkpoints.values().map(|it| &*it.note).collect();
    assert_eq!(
        honest.findings(&all_notes.join("\n"), 5),
        Vec::<String>::new()
    );
    let mut dice = Dice::from(20);
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for round in 0..TAMPERS {
        // What is covered by the last of the checkpoints kept elsewhere is what is looked at.
        let kept = 1 + dice.below(all_notes.len());
        let covered = 6 * kept;
        let position = i64::try_from(1 + dice.below(covered)).unwrap();
        let mut tables = honest.clone();
        let what = tamper(&mut tables, position, &mut dice);
        let how = match dice.below(4) {
            0 => "leaves as they were",
            1 => {
                tables
                    .leaves
                    .split_off(&(i64::try_from(tables.positions.len()).unwrap() + 1));
                "leaves as they were, none too many"
            }
            2 => {
                seal_anew(&mut tables, position - 1);
                "leaves and checkpoints from there on made anew"
            }
            _ => {
                tables.unseal();
                tables.seal();
                "all leaves and checkpoints made anew"
            }
        };
        let notes = all_notes[..kept].join("\n");
        let found = tables.findings(&notes, 1 + dice.below(ROWS));
        let told =
            format!("round {round}: position {position} of {covered} {what}, {how}: {found:#?}");
        assert!(!found.is_empty(), "{told}");
        assert!(is_located(&found, position), "{told}");
        if how.starts_with("leaves as they were") && tables.leaves.contains_key(&position) {
            let named = format!("position {position} ");
            assert!(found.iter().any(|it| it.contains(&named)), "{told}");
        }
        *kinds.entry((what, how)).or_default() += 1;
    }
    assert_eq!(kinds.len(), 8 * 4, "{kinds:?}");
    assert!(kinds.values().all(|many| *many > 100), "{kinds:?}");
}

/// Whether what is said leads to this position: by itself, or by a span that holds it.
fn is_located(found: &[String], position: i64) -> bool {
    found.iter().any(|finding| {
        let span = finding.split_once("between positions ").map(|(_, span)| {
            let words = span.split(|c: char| !c.is_ascii_digit());
            let numbers: Vec<i64> = words.filter_map(|word| word.parse().ok()).collect();
            numbers[0] <= position && position <= numbers[1]
        });
        span.unwrap_or(false) || finding.contains(&format!("position {position} "))
    })
}

/// Whoever changes everything alike, and nobody kept a checkpoint elsewhere.
#[test]
fn what_nobody_kept_elsewhere_is_not_found() {
    let mut tables = Tables::honest();
    edit(&mut tables, 4, &mut Dice::from(3));
    tables.unseal();
    tables.seal();
    assert_eq!(tables.findings("", 4), Vec::<String>::new());
}

/// Facts that are erased leave their leaf as it is, and whoever changes what is left is found.
#[test]
fn what_is_left_of_erased_facts_is_still_checked() {
    let mut tables = Tables::honest();
    let kept = tables.checkpoints[&18].note.clone();
    for entry in tables.entries.values_mut() {
        entry.salt = None;
    }
    assert_eq!(tables.findings(&kept, 7), Vec::<String>::new());
    let (id, ..) = tables.positions[&5].clone();
    tables
        .entries
        .get_mut(&id)
        .unwrap()
        .row
        .verdict
        .facts_digest = "0".repeat(64);
    let found = tables.findings(&kept, 7);
    assert!(found[0].contains("position 5 "), "{found:?}");
}
