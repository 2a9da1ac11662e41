//! Checking an export without the database that it is of.
//!
//! **Invariants:**
//! - Nothing of a file is believed: entries are looked for by their names, and nothing is unpacked to the disk. What a file may
//!   hold is bounded before it is read.
//! - It finds what `config/auditor/verify.py` finds, which shares no code with it: the same findings about the same lines.
//!
//! **Limits:** verdicts left out after the last one of an export, or before the first one of an export that begins later than
//! its workspace, cannot be seen from the file. Without a trusted key nothing shows who made it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read, Seek};

use reconciler_jobs::restore_execute::RULESETS;
use reconciler_jobs::restore_execute::canonical::{Digester, canonicalise, digest_of};
use reconciler_jobs::restore_execute::review::{Doubt, Recorded, review};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, check_tree, record_hash};

use super::archive::{Archive, Refused};
use super::checkpoint::{PinnedKey, ReadCheckpoint, SignatureState, read_exact_notes};
use super::exported::{
    CHECKPOINTS, CONSISTENCY, ExportEntry, FORMAT, MANIFEST, Manifest, REPORT, TEXT_BYTES_MAX,
    VERDICTS, read_exactly, table_name,
};
use super::proofs::root_by;

/// Without these nothing is checked.
const NEEDED: [&str; 4] = [CHECKPOINTS, CONSISTENCY, REPORT, VERDICTS];

/// After how many findings nothing more is read.
const FINDINGS_MAX: usize = 10_000;

/// The part of an export that a finding is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ExportPart {
    /// The file cannot be read, or is packed as no export is.
    Archive,
    /// The manifest cannot be read, or counts other verdicts than there are.
    Manifest,
    /// An entry is missing, or is not the one whose digest the manifest has.
    Entries,
    /// A decision table is missing, or is not the one that this program knows.
    Rules,
    /// A checkpoint cannot be read, is of another ledger, or does not go on from the one before it.
    Checkpoint,
    /// A checkpoint is not signed by whom it names, or by none of the keys that were named.
    Signature,
    /// A line of `verdicts.jsonl` cannot be read.
    Line,
    /// A verdict's leaf is not in the tree of the last checkpoint.
    Proof,
    /// A verdict does not follow on the one before it in its workspace.
    Chain,
    /// The text of a decision is not the one of the leaf.
    Decision,
    /// The text of facts is not the one of the leaf, or cannot be read.
    Facts,
    /// Another verdict follows from the facts.
    Verdict,
    /// The facts are of another run, workspace, environment or moment than the leaf says.
    Owner,
}

/// One thing in an export that disagrees with another, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportFinding {
    /// The part of the export.
    pub about: ExportPart,
    /// The line of `verdicts.jsonl`, counted from 1; null where it is about no single verdict.
    pub line: Option<u64>,
    /// What disagrees, in one sentence.
    pub finding: String,
}

/// What was read in an export, and what disagrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportChecked {
    /// Whether the last checkpoint is signed by a key that was named.
    pub signature: SignatureState,
    /// The keys that signed it, where the signature is verified; otherwise the keys that its signatures name.
    pub signed_by: Vec<String>,
    /// The installation that the export names as its own. Null where the manifest cannot be read.
    pub origin: Option<String>,
    /// The workspace that the export names. Null where the manifest cannot be read.
    pub workspace: Option<String>,
    /// The moment from which on the export says it begins; null where it begins with the workspace's first verdict. Nobody signs this,
    /// and earlier verdicts are not in it.
    pub since: Option<String>,
    /// How many leaves the last checkpoint covers, as the manifest says.
    pub size: u64,
    /// How many verdicts were read, one a line.
    pub verdicts: u64,
    /// How many of these have no facts any more.
    pub erased: u64,
    /// How many of these were gone before their leaf was made.
    pub absent: u64,
    /// Everything that disagrees. Empty says that the export fits together; whether it is genuine, only a verified signature says.
    pub findings: Vec<ExportFinding>,
}

/// Checks an export. `pinned` are the keys that are trusted.
pub fn check_export(file: impl Read + Seek, pinned: &[PinnedKey]) -> ExportChecked {
    let mut check = ExportCheck {
        pinned,
        tables: BTreeSet::new(),
        expected: None,
        line: None,
        found: ExportChecked {
            signature: SignatureState::Unsigned,
            signed_by: Vec::new(),
            origin: None,
            workspace: None,
            since: None,
            size: 0,
            verdicts: 0,
            erased: 0,
            absent: 0,
            findings: Vec::new(),
        },
    };
    if let Err(refused) = check.check_archive(file) {
        check.line = None;
        check.say(ExportPart::Archive, refused);
    }
    check.found
}

struct ExportCheck<'a> {
    pinned: &'a [PinnedKey],
    /// The rulesets whose tables the export has.
    tables: BTreeSet<&'static str>,
    /// Where the next verdict stands in its workspace, and the leaf before it; none where nobody can say.
    expected: Option<(u64, Option<String>)>,
    /// The line that is being checked.
    line: Option<u64>,
    found: ExportChecked,
}

impl ExportCheck<'_> {
    fn say(&mut self, about: ExportPart, finding: impl Into<String>) {
        self.found.findings.push(ExportFinding {
            about,
            line: self.line,
            finding: finding.into(),
        });
    }

    fn check_archive(&mut self, file: impl Read + Seek) -> Result<(), Refused> {
        let mut archive = Archive::open(file)?;
        let manifest: Option<Manifest> = read_exactly(&archive.whole(MANIFEST)?);
        let Some(manifest) = manifest.filter(|it| it.format == FORMAT && is_readable(it)) else {
            self.say(
                ExportPart::Manifest,
                "it cannot be read, or is of another format",
            );
            return Ok(());
        };
        self.found.origin = Some(manifest.origin.clone());
        self.found.workspace = Some(manifest.workspace.clone());
        self.found.since.clone_from(&manifest.since);
        self.found.size = manifest.size;
        self.check_entries(&mut archive, &manifest)?;
        if !NEEDED.iter().all(|name| archive.has(name)) {
            return Ok(());
        }
        self.check_tables(&mut archive);
        let notes = String::from_utf8(archive.whole(CHECKPOINTS)?);
        let notes = notes.ok().and_then(|text| read_exact_notes(&text));
        let notes = notes.unwrap_or_default();
        let Some(root) = self.check_checkpoints(&notes, &manifest) else {
            return Ok(());
        };
        self.check_consistency(&notes, read_exactly(&archive.whole(CONSISTENCY)?));
        self.expected = manifest.since.is_none().then_some((1, None));
        let mut lines = BufReader::new(archive.entry(VERDICTS)?);
        loop {
            let mut line = Vec::new();
            let read = lines
                .by_ref()
                .take(TEXT_BYTES_MAX + 1)
                .read_until(b'\n', &mut line);
            match read.map_err(|error| error.to_string())? as u64 {
                0 => break,
                _ if self.found.findings.len() >= FINDINGS_MAX => {
                    return Err("too much disagrees to go on".to_owned());
                }
                1..=TEXT_BYTES_MAX => self.check_line(&line, &manifest, root),
                _ => return Err("a line of verdicts.jsonl is too long".to_owned()),
            }
        }
        self.line = None;
        let counted = (self.found.verdicts, self.found.erased);
        // Without a verdict nothing would say that the workspace is the one that is named.
        if self.found.verdicts == 0 || (manifest.verdicts, manifest.erased) != counted {
            let finding = "it counts other verdicts than there are, or there is none";
            self.say(ExportPart::Manifest, finding);
        }
        Ok(())
    }

    fn check_entries<R: Read + Seek>(
        &mut self,
        archive: &mut Archive<R>,
        manifest: &Manifest,
    ) -> Result<(), Refused> {
        let needed = NEEDED.map(str::to_owned);
        let all = archive
            .names()
            .chain(manifest.entries.keys())
            .chain(&needed);
        let all: BTreeSet<_> = all.filter(|name| *name != MANIFEST).cloned().collect();
        for name in &all {
            let Some(listed) = manifest.entries.get(name).filter(|_| archive.has(name)) else {
                let finding = format!("{name} is not in the export, or not in its manifest");
                self.say(ExportPart::Entries, finding);
                continue;
            };
            if digest_of_entry(archive, name)? != *listed {
                let finding = format!("{name} is another one than the manifest says");
                self.say(ExportPart::Entries, finding);
            }
        }
        Ok(())
    }

    fn check_tables<R: Read + Seek>(&mut self, archive: &mut Archive<R>) {
        for table in RULESETS.iter().map(|it| it.table) {
            let name = table_name(table.ruleset, "json");
            if !archive.has(&name) {
                continue;
            }
            let written = table.to_json().unwrap_or_default();
            let found = archive.whole(&name);
            if found.is_ok_and(|found| found == written.as_bytes()) {
                self.tables.insert(table.ruleset);
            } else {
                let finding = format!("{name} is not the decision table of {}", table.ruleset);
                self.say(ExportPart::Rules, finding);
            }
        }
    }

    /// The root that proofs lead to, and of how many leaves it is.
    fn check_checkpoints(
        &mut self,
        notes: &[ReadCheckpoint],
        manifest: &Manifest,
    ) -> Option<([u8; 32], u64)> {
        let Some(last) = notes.last() else {
            self.say(ExportPart::Checkpoint, "the checkpoints cannot be read");
            return None;
        };
        let is_in_order = notes.is_sorted_by(|one, next| one.size < next.size);
        let is_of_this = notes.iter().all(|note| note.origin == manifest.origin);
        if !is_in_order || !is_of_this || last.size != manifest.size {
            let finding =
                "the checkpoints are not of this ledger, not in order, or not as large as is said";
            self.say(ExportPart::Checkpoint, finding);
        }
        for note in notes {
            let (state, by) = note.signature(self.pinned);
            if state == SignatureState::Forged {
                let finding = format!(
                    "the checkpoint of {} leaves is not signed by whom it names",
                    note.size
                );
                self.say(ExportPart::Signature, finding);
            }
            (self.found.signature, self.found.signed_by) = (state, by);
        }
        if !self.pinned.is_empty() && self.found.signature != SignatureState::Verified {
            let finding = "the last checkpoint is signed by none of the keys that are trusted";
            self.say(ExportPart::Signature, finding);
        }
        Some((last.root, last.size))
    }

    /// Whether the tree of each checkpoint goes on from that of the one before.
    fn check_consistency(&mut self, notes: &[ReadCheckpoint], proofs: Option<Vec<Vec<String>>>) {
        let read = |proof: &Vec<String>| {
            let hashes = proof.iter().map(|node| lower_hash(node).map(Hash));
            hashes.collect::<Option<Vec<Hash>>>()
        };
        let Some(proofs) = proofs.filter(|it| it.len() + 1 == notes.len()) else {
            self.say(
                ExportPart::Checkpoint,
                "the proofs that each checkpoint goes on from the one before cannot be read",
            );
            return;
        };
        for ([before, after], proof) in notes.array_windows().zip(&proofs) {
            let (old, new) = (Hash(before.root), Hash(after.root));
            let goes_on = read(proof)
                .is_some_and(|proof| check_tree(&proof, after.size, new, before.size, old).is_ok());
            if before.size >= after.size || !goes_on {
                let finding = format!(
                    "the checkpoint of {} leaves does not go on from that of {}: of the first {}, one was changed, added, removed \
                     or moved",
                    after.size, before.size, before.size
                );
                self.say(ExportPart::Checkpoint, finding);
            }
        }
    }

    fn check_line(&mut self, line: &[u8], manifest: &Manifest, (root, size): ([u8; 32], u64)) {
        self.found.verdicts += 1;
        self.line = Some(self.found.verdicts);
        let read = ExportEntry::read(line).and_then(|entry| Some((Places::of(&entry)?, entry)));
        let Some((places, entry)) = read else {
            self.say(ExportPart::Line, "it is no line of an export");
            self.expected = None;
            return;
        };
        let leaf = canonicalise(&entry.leaf).map(|leaf| record_hash(leaf.text.as_bytes()).0);
        let leaf = leaf.unwrap_or_default();
        if root_by(leaf, places.position - 1, size, &places.proof) != Some(root) {
            self.say(ExportPart::Proof, "the checkpoint has another leaf there");
        }
        let stated = (places.in_workspace, entry.leaf.previous_leaf.clone());
        let follows = self
            .expected
            .as_ref()
            .is_none_or(|expected| *expected == stated);
        if !follows || entry.leaf.workspace != manifest.workspace {
            let finding = "it does not follow on the one before: one is missing, or moved";
            self.say(ExportPart::Chain, finding);
        }
        self.expected = Some((places.in_workspace + 1, Some(hex::encode(leaf))));
        self.check_verdict(&entry);
    }

    fn check_verdict(&mut self, entry: &ExportEntry) {
        let Some(verdict) = &entry.leaf.verdict else {
            self.found.absent += 1;
            if entry.facts.is_some() || entry.salt.is_some() || entry.decision.is_some() {
                let finding = "there is a verdict where the leaf has none";
                self.say(ExportPart::Decision, finding);
            }
            return;
        };
        let decision = entry.decision.as_deref().unwrap_or_default();
        if entry.decision.is_none() || digest_of(decision) != verdict.decision_digest {
            self.say(ExportPart::Decision, "the decision is not that of the leaf");
        }
        if entry.is_erased() {
            self.found.erased += 1;
            if !verdict.says(decision) {
                let finding = "outcome and reason are not those of the decision";
                self.say(ExportPart::Verdict, finding);
            }
            return;
        }
        let facts = entry.facts.as_deref().unwrap_or_default();
        let facts_digest = digest_of(facts);
        let salt = entry.salt.as_deref().unwrap_or_default();
        let seal = digest_of(&format!("{salt}{facts_digest}"));
        if facts_digest != verdict.facts_digest || Some(seal) != verdict.facts_seal {
            self.say(ExportPart::Facts, "the facts are not those of the leaf");
        }
        if !self.tables.contains(verdict.ruleset.as_str()) {
            let ruleset = &verdict.ruleset;
            let finding =
                format!("the export has no decision table of {ruleset} that this program knows");
            self.say(ExportPart::Rules, finding);
            return;
        }
        let reviewed = review(&Recorded {
            outcome: &verdict.outcome,
            reason_code: &verdict.reason_code,
            ruleset: &verdict.ruleset,
            facts,
            facts_digest: &facts_digest,
            decision,
        });
        match reviewed {
            Ok(reviewed)
                if entry.leaf.is_about(&reviewed.facts)
                    && facts_digest.get(..32) == Some(verdict.decision_id.as_str()) => {}
            Ok(_) => {
                let finding = "the facts are of another run, workspace, environment or moment than the leaf says";
                self.say(ExportPart::Owner, finding);
            }
            Err(doubt @ Doubt::FactsUnreadable(_)) => {
                self.say(ExportPart::Facts, doubt.to_string());
            }
            Err(doubt) => self.say(ExportPart::Verdict, doubt.to_string()),
        }
    }
}

/// Where an entry says its verdict stands, and the nodes beside its way.
struct Places {
    position: u64,
    in_workspace: u64,
    proof: Vec<[u8; 32]>,
}

impl Places {
    /// None where a number is none, or a hash.
    fn of(entry: &ExportEntry) -> Option<Self> {
        let ExportEntry { leaf, proof, .. } = entry;
        let mut hashes = leaf.previous_leaf.iter().collect::<Vec<_>>();
        if let Some(verdict) = &leaf.verdict {
            hashes.extend([&verdict.facts_digest, &verdict.decision_digest]);
            hashes.extend(&verdict.facts_seal);
        }
        let proof: Option<Vec<_>> = proof.iter().map(|node| lower_hash(node)).collect();
        let is_hash = |text: &&String| lower_hash(text).is_some();
        Some(Self {
            position: natural(&leaf.position)?,
            in_workspace: natural(&leaf.workspace_position)?,
            proof: proof.filter(|_| hashes.iter().all(is_hash))?,
        })
    }
}

/// A number from 1 on, as a leaf writes it.
fn natural(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    let is_one = number > 0 && text.len() <= 18 && number.to_string() == text;
    is_one.then_some(number)
}

/// 32 bytes in lowercase hexadecimal digits.
fn lower_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(hash)
}

fn is_readable(manifest: &Manifest) -> bool {
    let workspace = &manifest.workspace;
    let id = workspace.parse::<i64>().ok();
    if id.is_none_or(|id| id < 1 || id.to_string() != *workspace) {
        return false;
    }
    manifest
        .entries
        .values()
        .all(|digest| lower_hash(digest).is_some())
}

fn digest_of_entry<R: Read + Seek>(
    archive: &mut Archive<R>,
    name: &str,
) -> Result<String, Refused> {
    let mut digester = Digester::default();
    let read = std::io::copy(&mut archive.entry(name)?, &mut digester);
    read.map_err(|error| format!("{name}: {error}"))?;
    Ok(digester.finish())
}
