//! Proofs that a leaf is in the tree, and that a tree goes on from a smaller one, as RFC 6962 has them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use tlog_tiles::{Error, Hash, HashReader, node_hash, prove_tree, stored_hash_index};

/// Proofs of some leaves of one tree, and between it and smaller ones, made while all its leaves are passed once.
#[derive(Debug, Default)]
pub struct LeafProofs {
    /// The sizes of trees of which each next one goes on from the one before; the last is that of all leaves.
    sizes: Vec<u64>,
    between: Subtrees,
    /// By level and place: nodes beside one that leads to a leaf that is wanted, each once for all of these.
    beside: HashMap<(usize, u64), [u8; 32]>,
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
    /// For each tree but the first, the proof that it goes on from the one before.
    pub between: Vec<Vec<[u8; 32]>>,
    beside: HashMap<(usize, u64), [u8; 32]>,
    wanted: Vec<u64>,
    levels: usize,
}

impl MadeProofs {
    /// For each leaf that is wanted, in their order, the proof that it is in the tree, put together as it is asked for.
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = Vec<[u8; 32]>> {
        let beside =
            |level: usize, place: u64| self.beside.get(&(level, (place >> level) ^ 1)).copied();
        self.wanted.iter().map(move |place| {
            let nodes = (0..self.levels).filter_map(|level| beside(level, *place));
            nodes.collect()
        })
    }
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
            let left =
                left.filter_map(|(level, node)| Some(((level, (place >> level) ^ 1), (*node)?)));
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
        Some(MadeProofs {
            root: root?,
            between,
            beside: self.beside,
            wanted: self.wanted,
            levels: level,
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
            let next = self.wanted.get(from);
            if next.is_some_and(|wanted| wanted >> level == place ^ 1) {
                self.beside.insert((level, place), node);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Edge;

    #[test]
    fn each_proof_leads_to_the_root_and_each_node_is_kept_once() {
        for size in 1..=70_u8 {
            let (mut proofs, mut edge) = (LeafProofs::default(), Edge::default());
            let leaf = |place: u8| [place; 32];
            for place in 0..size {
                proofs.push(leaf(place), size % 3 > 0 || place % 5 == 1);
                edge.push(leaf(place));
            }
            let made = proofs.finish().unwrap();
            assert_eq!(Some(made.root), edge.root());
            assert!(
                made.beside.len() < 2 * usize::from(size),
                "{}",
                made.beside.len()
            );
            for (place, proof) in made.wanted.iter().zip(made.leaves()) {
                let leaf = leaf(u8::try_from(*place).unwrap());
                let root = root_by(leaf, *place, size.into(), &proof);
                assert_eq!(root, Some(made.root), "{place} of {size}");
            }
        }
    }
}
