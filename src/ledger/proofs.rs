//! Proofs that a leaf is in the tree, and that a tree goes on from a smaller one, as RFC 6962 has them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tlog_tiles::{Error, Hash, HashReader, node_hash, prove_tree, stored_hash_index};

/// Proofs of some leaves of one tree, and between it and smaller ones, made while all its leaves are passed once.
#[derive(Debug, Default)]
pub struct LeafProofs {
    /// The sizes of trees of which each next one goes on from the one before; the last is that of all leaves.
    sizes: Vec<u64>,
    between: Subtrees,
    /// By place of a leaf, from 0 on, and by level: the node beside the one that leads to it.
    beside: BTreeMap<(u64, usize), [u8; 32]>,
    /// Places of the leaves that are wanted, in their order.
    wanted: Vec<u64>,
    /// By level: a left node that waits for its right one.
    waiting: Vec<Option<[u8; 32]>>,
    size: u64,
}

/// What was made of all leaves.
#[derive(Debug)]
pub struct MadeProofs {
    /// Their root.
    pub root: [u8; 32],
    /// For each leaf that is wanted, in their order, the proof that it is in the tree.
    pub leaves: Vec<Vec<[u8; 32]>>,
    /// For each tree but the first, the proof that it goes on from the one before.
    pub between: Vec<Vec<[u8; 32]>>,
}

/// The roots of full subtrees that proofs between trees are made of. One that is asked for before it was passed is kept later.
#[derive(Debug, Default)]
struct Subtrees(RefCell<BTreeMap<u64, Hash>>);

impl HashReader for Subtrees {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
        let mut kept = self.0.borrow_mut();
        Ok(places
            .iter()
            .map(|place| *kept.entry(*place).or_default())
            .collect())
    }
}

impl LeafProofs {
    /// Begins. Trees of these sizes, the largest of which has all leaves, are proven to go on from each other.
    pub fn between(sizes: Vec<u64>) -> Self {
        let proofs = Self {
            sizes,
            ..Self::default()
        };
        proofs.made_between(); // which asks for what is to be kept
        proofs
    }

    /// Passes the next leaf, whose proof is wanted or not.
    pub fn push(&mut self, leaf: [u8; 32], is_wanted: bool) {
        let place = self.size;
        self.size += 1;
        if is_wanted {
            self.wanted.push(place);
            // Each left node that waits will be beside one that leads to it.
            let left = (0..).zip(&self.waiting);
            let left = left.filter_map(|(level, node)| Some(((place, level), (*node)?)));
            self.beside.extend(left);
        }
        self.rise(leaf, place, 0);
    }

    /// What was made. None of no leaves, and of others than the sizes are of.
    pub fn finish(mut self) -> Option<MadeProofs> {
        if self.sizes.last().is_some_and(|size| *size != self.size) {
            return None;
        }
        let between = self.made_between()?;
        let mut root = None;
        let mut level = 0;
        // What waits on the right edge has no node beside it, and stands for itself one level higher.
        while let Some(slot) = self.waiting.get_mut(level) {
            let alone = slot.take();
            level += 1;
            if self.waiting.iter().skip(level).all(Option::is_none) {
                root = alone;
                break;
            }
            if let Some(node) = alone {
                self.rise(node, (self.size - 1) >> level, level);
            }
        }
        let proof_of = |place: &u64| {
            let beside = self.beside.range((*place, 0)..=(*place, usize::MAX));
            beside.map(|(_, node)| *node).collect()
        };
        Some(MadeProofs {
            root: root?,
            leaves: self.wanted.iter().map(proof_of).collect(),
            between,
        })
    }

    fn made_between(&self) -> Option<Vec<Vec<[u8; 32]>>> {
        let proofs = self.sizes.array_windows().map(|[before, after]| {
            let proof = prove_tree(*after, *before, &self.between).ok()?;
            Some(proof.into_iter().map(|hash| hash.0).collect())
        });
        proofs.collect()
    }

    /// Puts a node at its place, and its parent at that, as far as there are any.
    fn rise(&mut self, mut node: [u8; 32], mut place: u64, mut level: usize) {
        loop {
            let stored = u8::try_from(level).map(|level| stored_hash_index(level, place));
            if let Some(kept) = stored
                .ok()
                .and_then(|it| self.between.0.get_mut().get_mut(&it))
            {
                *kept = Hash(node);
            }
            if self.waiting.len() <= level {
                self.waiting.resize(level + 1, None);
            }
            let Some(slot) = self.waiting.get_mut(level) else {
                return;
            };
            let Some(left) = slot.take() else {
                *slot = Some(node);
                return;
            };
            // It is beside those below the left one.
            let first = (place ^ 1) << level;
            let from = self.wanted.partition_point(|wanted| *wanted < first);
            let below = self.wanted.iter().skip(from);
            let below = below.take_while(|wanted| **wanted >> level == place ^ 1);
            self.beside
                .extend(below.map(|wanted| ((*wanted, level), node)));
            node = node_hash(Hash(left), Hash(node)).0;
            place /= 2;
            level += 1;
        }
    }
}

/// The root of a tree of `size` leaves in which this one stands after `place` others, by its proof (RFC 9162, 2.1.3.2). None
/// where it is no proof of such a leaf.
pub fn root_by(leaf: [u8; 32], mut place: u64, size: u64, proof: &[[u8; 32]]) -> Option<[u8; 32]> {
    let mut last = size.checked_sub(1)?;
    let mut node = Hash(leaf);
    for beside in proof {
        if last == 0 || place > last {
            return None;
        }
        if place % 2 == 1 || place == last {
            node = node_hash(Hash(*beside), node);
            // Where it is the last of its level and a left one, it stands for itself until it is a right one.
            let levels = place.trailing_zeros();
            place >>= levels;
            last >>= levels;
        } else {
            node = node_hash(node, Hash(*beside));
        }
        place /= 2;
        last /= 2;
    }
    (last == 0 && place == 0).then_some(node.0)
}
