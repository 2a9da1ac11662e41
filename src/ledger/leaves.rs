//! Checking the tree: each verdict against its leaf, and the leaves against checkpoints, of which some were kept elsewhere.
//!
//! ```text
//! row ─▶ leaf made again ─▶ the same as on record? ─▶ leaves so far ─▶ their root ─▶ that of each checkpoint of so many?
//! ```
//!
//! **Invariants:**
//! - What a checkpoint kept elsewhere is of, was not changed since, if its root is that of the leaves, and each of them follows
//!   from its row. Whatever was is named: the row, where its leaf is still there, else between which checkpoints.
//! - A checkpoint in doubt, or one that is not of this installation, shows nothing.
//!
//! **Limit:** checkpoints on record are the database's own word: who rewrites all of it is found by a copy kept elsewhere alone.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::pin::pin;
use std::slice;

use futures_util::TryStreamExt as _;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::canonical::digest_of;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::{PinnedKey, ReadCheckpoint, SignatureState};
use super::parts::judge_parts;
use super::verify::{CheckedPart, Compared, Disagreement, LedgerCounts};
use crate::storage::reader::Reader;
use crate::storage::{CheckpointRow, KnownPart, LeafPart, LedgerPlace, StoreError, hash_of};
use crate::tree::Edge;
use crate::views::moment::Moment;

/// What checkpoints that were kept elsewhere showed about the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptElsewhere {
    /// How many checkpoints there are in the file.
    pub checkpoints: u64,
    /// The size of the largest checkpoint that agrees with the tree: the first so many leaves are those of then. 0 where none agrees.
    pub covers: u64,
    /// Whether that checkpoint is signed by a key that was named. Null where none agrees.
    pub signature: Option<SignatureState>,
    /// The keys that signed that checkpoint, where the signature is verified; otherwise the keys that its signatures name.
    pub signed_by: Vec<String>,
}

/// A tree that is checked, part after part.
#[derive(Debug)]
pub struct TreeCheck {
    origin: String,
    pinned: Vec<PinnedKey>,
    /// Checkpoints kept elsewhere that are of more leaves than were passed yet, in the order of their sizes.
    kept: VecDeque<ReadCheckpoint>,
    on_record: Streak,
    elsewhere: Streak,
    /// How the latest checkpoint on record is signed, so far.
    latest_on_record: Option<Signing>,
    /// What the copy has shown so far.
    shown: KeptElsewhere,
    edge: Edge,
    /// Whether the edge is that of all leaves so far: none was missing.
    is_whole: bool,
    /// The last position that was passed.
    passed: i64,
    /// How many positions without a leaf were passed since the last that has one.
    waiting: i64,
    counts: LedgerCounts,
    found: Vec<Disagreement>,
}

/// How a checkpoint is signed; in the order of their sizes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Signing {
    size: u64,
    is_well: bool,
    /// Why it shows nothing where a key is named.
    doubt: Option<String>,
}

/// Checkpoints of one place, compared one after the other.
#[derive(Debug, Default)]
struct Streak {
    /// The size of the last one that agreed.
    agreed: u64,
    /// Whether the last one did not.
    is_broken: bool,
}

/// Checks the tree to its end. Of leaves up to the position `after` an earlier check has found that they follow from their verdicts,
/// so that only their roots are compared. `heard` is told of each part, in their order, and may end it.
///
/// Fails where the database does.
pub async fn check_tree(
    reader: &Reader,
    check: &mut TreeCheck,
    after: i64,
    mut heard: impl FnMut(CheckedPart) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut known = pin!(reader.walk_known_leaves(after));
    while let Some(part) = known.try_next().await? {
        check.pass_known(&part);
        if heard(check.take()).is_break() {
            return Ok(());
        }
    }
    check.demand_known(after);
    let with_leaves = |part: LeafPart| {
        let made = make_leaves(&part);
        (part, made)
    };
    let mut made = pin!(judge_parts(reader.walk_leaves(after), with_leaves));
    while let Some((part, made)) = made.try_next().await? {
        check.pass(&part, &made);
        if heard(check.take()).is_break() {
            return Ok(());
        }
    }
    check.end();
    let _ = heard(check.take());
    Ok(())
}

/// The leaf that follows from each place of a part.
pub fn make_leaves(part: &LeafPart) -> Vec<Option<[u8; 32]>> {
    part.places.iter().map(leaf_again).collect()
}

/// The leaf that follows from a place, made as the one on record was.
pub fn leaf_again(place: &LedgerPlace) -> Option<[u8; 32]> {
    let made = place.make_leaf(place.previous_leaf.clone(), place.facts_seal.clone());
    made.ok()
}

impl TreeCheck {
    /// Begins to check the tree of this origin. `kept` are checkpoints from elsewhere, as far as they could be read, and `pinned` the keys
    /// whose signatures count.
    pub fn new(origin: String, kept: Vec<Option<ReadCheckpoint>>, pinned: Vec<PinnedKey>) -> Self {
        let shown = KeptElsewhere {
            checkpoints: kept.len() as u64,
            ..KeptElsewhere::default()
        };
        let mut check = Self {
            origin,
            pinned,
            kept: VecDeque::new(),
            on_record: Streak::default(),
            elsewhere: Streak::default(),
            latest_on_record: None,
            shown,
            edge: Edge::default(),
            is_whole: true,
            passed: 0,
            waiting: 0,
            counts: LedgerCounts::default(),
            found: Vec::new(),
        };
        let mut latest = None;
        for (number, kept) in (1..).zip(kept) {
            match kept {
                None => check.say(format!(
                    "number {number} of the checkpoints kept elsewhere cannot be read"
                )),
                Some(kept) => {
                    check.counts.checkpoints += 1;
                    latest = latest.max(check.signing(&kept));
                    if check.may_count(&kept, "kept elsewhere", true) {
                        check.kept.push_back(kept);
                    }
                }
            }
        }
        check.kept.make_contiguous().sort_by_key(|kept| kept.size);
        check.demand_key(latest, "kept elsewhere");
        check
    }

    /// Passes the next part, with what [`make_leaves`] made of it. What it came to is taken with [`Self::take`].
    pub fn pass(&mut self, part: &LeafPart, made: &[Option<[u8; 32]>]) {
        let mut on_record = part.checkpoints.iter().peekable();
        for (place, made) in part.places.iter().zip(made) {
            self.pass_place(place, *made);
            self.compare_passed(&mut on_record);
        }
        for row in on_record {
            self.compare_on_record(row);
        }
    }

    /// Passes leaves of which an earlier check has found that they follow from their verdicts.
    pub fn pass_known(&mut self, part: &KnownPart) {
        let mut on_record = part.checkpoints.iter().peekable();
        for leaf in &part.leaves {
            self.arrive(leaf.position, true);
            self.grow(&leaf.leaf);
            self.compare_passed(&mut on_record);
        }
    }

    /// Says where the leaves end before the position to which an earlier check had come.
    pub fn demand_known(&mut self, after: i64) {
        if self.passed < after {
            let last = self.passed;
            self.say(format!(
                "the earlier check had come to position {after}, and the leaves end at position {last}: some were removed, or an \
                 older state was restored"
            ));
            self.is_whole = false;
            self.passed = after;
        }
    }

    /// Compares the checkpoints of as many leaves as were passed.
    fn compare_passed(&mut self, on_record: &mut Peekable<slice::Iter<'_, CheckpointRow>>) {
        while let Some(row) = on_record.next_if(|row| row.size <= self.passed) {
            self.compare_on_record(row);
        }
        self.compare_kept(self.edge.size());
    }

    /// After the last part: what is of more leaves than there are.
    pub fn end(&mut self) {
        self.counts.unsealed += self.waiting.unsigned_abs();
        self.compare_kept(u64::MAX);
        let latest = self.latest_on_record.take();
        if latest.is_none() && !self.pinned.is_empty() && self.shown.signed_by.is_empty() {
            self.say(
                "there is no checkpoint that a key which is named could have signed".to_owned(),
            );
        }
        self.demand_key(latest, "on record");
    }

    /// What was counted and found since it was taken last.
    pub fn take(&mut self) -> CheckedPart {
        let mut part = CheckedPart {
            counts: std::mem::take(&mut self.counts),
            disagreements: std::mem::take(&mut self.found),
            leaves_through: Some(self.passed - self.waiting),
            ..CheckedPart::default()
        };
        part.counts.tree_disagrees = part.disagreements.len() as u64;
        part
    }

    /// What the copy has shown so far.
    pub fn shown(&self) -> &KeptElsewhere {
        &self.shown
    }

    fn say(&mut self, finding: String) {
        self.found.push(Disagreement {
            about: Compared::Tree,
            run: None,
            workspace: None,
            decision_id: None,
            finding,
            changed_after: None,
        });
    }

    fn pass_place(&mut self, place: &LedgerPlace, made: Option<[u8; 32]>) {
        self.arrive(place.row.position.unwrap_or_default(), place.leaf.is_some());
        if let Some(leaf) = &place.leaf {
            self.counts.leaves += 1;
            self.found.extend(disagreement_of(place, made));
            self.grow(leaf);
        }
    }

    /// Goes on to the next position that is there, and says what is missing before it.
    fn arrive(&mut self, position: i64, has_leaf: bool) {
        let gone = position - self.passed - 1;
        // Where nothing is sealed yet, the feed is all that lacks them.
        if gone > 0 && has_leaf {
            let gone = quantity(gone.unsigned_abs(), "position");
            self.say(format!(
                "nothing is left of {gone} before position {position}"
            ));
            self.is_whole = false;
        }
        self.passed = position;
        if !has_leaf {
            self.waiting += 1;
        } else if self.waiting > 0 {
            let gone = quantity(self.waiting.unsigned_abs(), "position");
            self.say(format!(
                "the leaves of {gone} before position {position} are gone"
            ));
            self.is_whole = false;
            self.waiting = 0;
        }
    }

    fn grow(&mut self, leaf: &str) {
        match hash_of(leaf) {
            Some(leaf) if self.is_whole => self.edge.push(leaf),
            _ => self.is_whole = false,
        }
    }

    fn compare_on_record(&mut self, row: &CheckpointRow) {
        self.counts.checkpoints += 1;
        let read = ReadCheckpoint::read(&row.note);
        let is_same = |read: &ReadCheckpoint| {
            i64::try_from(read.size) == Ok(row.size) && hash_of(&row.root) == Some(read.root)
        };
        match read.filter(is_same) {
            None => {
                let size = row.size;
                self.say(format!(
                    "the checkpoint of {size} verdicts on record is not what its own columns say"
                ));
            }
            Some(read) => {
                self.latest_on_record = self.signing(&read);
                if self.may_count(&read, "on record", false) {
                    self.compare(&read, false);
                }
            }
        }
    }

    /// Compares the checkpoints kept elsewhere that are of at most so many leaves.
    fn compare_kept(&mut self, size: u64) {
        while let Some(kept) = self.kept.pop_front_if(|kept| kept.size <= size) {
            if self.compare(&kept, true) {
                self.shown.covers = kept.size;
                let (signature, keys) = kept.signature(&self.pinned);
                self.shown.signature = Some(signature);
                self.shown.signed_by = keys;
            }
        }
    }

    /// Whether the leaves have the root of a checkpoint. Of several that do not, the first is told of.
    fn compare(&mut self, checkpoint: &ReadCheckpoint, is_kept: bool) -> bool {
        let size = checkpoint.size;
        let is_of_all = self.is_whole && self.edge.size() == size;
        let agrees = is_of_all && self.edge.root() == Some(checkpoint.root);
        let (streak, place) = if is_kept {
            (&mut self.elsewhere, "kept elsewhere")
        } else {
            (&mut self.on_record, "on record")
        };
        let was_broken = std::mem::replace(&mut streak.is_broken, !agrees);
        let first = streak.agreed + 1;
        if agrees {
            streak.agreed = size;
        } else if !was_broken && self.is_whole && self.edge.size() < size {
            let leaves = self.edge.size();
            self.say(format!(
                "the checkpoint {place} is of {size} verdicts; there are leaves of {leaves}: between positions {first} and {size} \
                 some were removed, or an older state was restored"
            ));
        } else if !was_broken {
            self.say(format!(
                "the first {size} verdicts are not those of the checkpoint {place}: between positions {first} and {size} one was \
                 changed, added, removed or moved"
            ));
        }
        agrees
    }

    /// Whether a checkpoint is this installation's, and shows something: one kept elsewhere does where a key that is named has
    /// signed it, or none is named; one on record is the database's own word in any case.
    fn may_count(&mut self, checkpoint: &ReadCheckpoint, place: &str, is_kept: bool) -> bool {
        let (size, signers) = (checkpoint.size, checkpoint.signers());
        let (signature, _) = checkpoint.signature(&self.pinned);
        let doubt = match signature {
            _ if checkpoint.origin != self.origin => {
                format!("is of {}, and not of {}", checkpoint.origin, self.origin)
            }
            SignatureState::Verified | SignatureState::Unchecked => return true,
            SignatureState::Unsigned => {
                self.counts.unsigned += 1;
                return !is_kept || self.pinned.is_empty();
            }
            SignatureState::OtherKey => {
                self.counts.other_key += 1;
                return !is_kept;
            }
            SignatureState::Forged => format!(
                "has a signature that is none of its text by {signers}: it was forged or altered"
            ),
        };
        self.say(format!(
            "the checkpoint of {} {place} {doubt}",
            quantity(size, "verdict")
        ));
        false
    }

    /// How a checkpoint of this installation is signed.
    fn signing(&self, checkpoint: &ReadCheckpoint) -> Option<Signing> {
        let doubt = match checkpoint.signature(&self.pinned).0 {
            _ if checkpoint.origin != self.origin => return None,
            SignatureState::Unsigned if !self.pinned.is_empty() => {
                Some("is unsigned, and so shows nothing where a key is named".to_owned())
            }
            SignatureState::OtherKey => {
                let signers = checkpoint.signers();
                Some(format!("is signed by {signers}, which no --key names"))
            }
            _ => None,
        };
        Some(Signing {
            size: checkpoint.size,
            is_well: doubt.is_none(),
            doubt,
        })
    }

    /// The latest checkpoint must be signed by a key that is named, where one is. Earlier ones may be older than that key.
    fn demand_key(&mut self, latest: Option<Signing>, place: &str) {
        if let Some(Signing {
            size,
            doubt: Some(doubt),
            ..
        }) = latest
        {
            let verdicts = quantity(size, "verdict");
            self.say(format!("the checkpoint of {verdicts} {place} {doubt}"));
        }
    }
}

/// Why a leaf does not follow from its place.
fn doubt_of(place: &LedgerPlace, leaf: Option<[u8; 32]>, made: Option<[u8; 32]>) -> Option<String> {
    let position = place.row.position.unwrap_or_default();
    let seal = place.make_seal();
    let is_other_seal = place.facts_seal.is_some() && seal.is_some() && seal != place.facts_seal;
    let verdict = &place.row.verdict;
    let has_other_facts = verdict
        .facts
        .as_ref()
        .is_some_and(|facts| digest_of(facts) != verdict.facts_digest);
    let finding = if made.is_some() && made == leaf {
        if has_other_facts {
            "has other facts than its leaf was made of"
        } else if is_other_seal {
            "has another salt of its facts than its leaf was made of"
        } else {
            return None;
        }
    } else if !place.has_position {
        "is gone, with its position"
    } else if !place.is_there {
        "is gone, or was filed elsewhere"
    } else {
        "is not the one that its leaf was made of: a column or its place was changed, or the leaf"
    };
    Some(format!("the verdict at position {position} {finding}"))
}

/// That the leaf of a place does not follow from it, of which this one was made; none where it does.
pub fn disagreement_of(place: &LedgerPlace, made: Option<[u8; 32]>) -> Option<Disagreement> {
    let leaf = place.leaf.as_deref().and_then(hash_of);
    let (row, verdict) = (&place.row, &place.row.verdict);
    Some(Disagreement {
        about: Compared::Tree,
        run: place.is_there.then_some(verdict.run.0),
        workspace: place.has_position.then_some(row.workspace.0),
        decision_id: place.has_position.then(|| verdict.decision_id.clone()),
        finding: doubt_of(place, leaf, made)?,
        changed_after: place.is_there.then_some(Moment(verdict.decided_at)),
    })
}
