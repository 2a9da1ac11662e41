//! The tree over the ledger: one leaf for each verdict with a position, in their order, hashed as RFC 6962 says.
//!
//! ```text
//! verdict, workspace's previous leaf, salted facts ──▶ text ──▶ leaf 1 2 3 4 5 6 … n ──▶ root of the first n ──▶ checkpoint
//! ```
//!
//! A leaf names all columns of a verdict, where it stands among all and among those of its workspace, and the leaf before it
//! there. So a row that is changed, moved, left out or put in between is found by whoever has a root from before.
//!
//! **Invariants:**
//! - A leaf alone says nothing to whoever guesses at what it is made of: what stands for the facts in it is made with a random
//!   salt. The salt is erased with the facts; what was made with it is kept beside the leaf, so that the leaf can be made again.
//! - A tree only grows: what the root of the first `n` leaves is never changes.

use reconciler_jobs::restore_execute::canonical::{CanonicalError, canonicalise, digest_of};
use serde::Serialize;
use tlog_tiles::{Hash, node_hash, record_hash};

/// What a leaf is made of. Each value is text, or nothing, so that whoever reads it needs no rule about numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "they are what stands in the text that is hashed"
)]
pub struct Leaf<'a> {
    /// Where it stands among all, from 1 on.
    pub position: String,
    /// The workspace.
    pub workspace: String,
    /// Where it stands among those of its workspace, from 1 on.
    pub workspace_position: String,
    /// The leaf before it there, in hexadecimal digits.
    pub previous_leaf: Option<String>,
    /// The verdict; none where there was none any more when the leaf was made.
    pub verdict: Option<LeafVerdict<'a>>,
}

/// A verdict as a leaf has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeafVerdict<'a> {
    pub decision_id: &'a str,
    pub run: String,
    pub environment: Option<String>,
    pub run_created_at: Option<String>,
    pub revision: String,
    pub first_decision_id: Option<&'a str>,
    pub outcome: &'a str,
    pub reason_code: &'a str,
    pub ruleset: &'a str,
    /// SHA-256 of the facts' text.
    pub facts_digest: &'a str,
    /// SHA-256 of the decision's text.
    pub decision_digest: String,
    pub decided_at: String,
    pub source: &'a str,
    pub worker: &'a str,
    /// What [`facts_seal`] makes of the facts' salt and digest. None where the facts were erased before the leaf was made.
    pub facts_seal: Option<String>,
}

/// The right edge of a tree: what is needed of its first `size` leaves to add the next, and to know its root.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edge {
    size: u64,
    /// Roots of the full subtrees that the tree is made of, the largest first: one for each bit of `size`.
    subtrees: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, from what [`Edge::to_bytes`] wrote. None where that is none of such a tree.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && hashes.len() == size.count_ones() as usize;
        fits.then(|| Self {
            size,
            subtrees: hashes.iter().copied().map(Hash).collect(),
        })
    }

    /// The subtrees' roots, one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(|hash| hash.0).collect()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut hash = Hash(leaf);
        // Each bit that is set is a full subtree as large as the one that is being made.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree; none of a tree without leaves.
    pub fn root(&self) -> Option<[u8; 32]> {
        let subtrees = self.subtrees.iter().copied().rev();
        let root = subtrees.reduce(|right, left| node_hash(left, right));
        root.map(|root| root.0)
    }
}

impl Leaf<'_> {
    /// The leaf itself.
    ///
    /// # Errors
    /// None that a row of the ledger leads to: all its values are text.
    pub fn hash(&self) -> Result<[u8; 32], CanonicalError> {
        Ok(record_hash(canonicalise(self)?.text.as_bytes()).0)
    }
}

/// What stands for facts in a leaf: SHA-256 of their salt and their digest, one after the other, both in hexadecimal digits.
pub fn facts_seal(salt: &str, facts_digest: &str) -> String {
    digest_of(&format!("{salt}{facts_digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves and roots of the tests of other implementations of RFC 6962.
    const KNOWN: [(&str, &str); 8] = [
        (
            "",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            "00",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            "10",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            "2021",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
        (
            "3031",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ),
        (
            "40414243",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        ),
        (
            "5051525354555657",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            "606162636465666768696a6b6c6d6e6f",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];

    #[test]
    fn roots_are_those_of_other_implementations() {
        let mut edge = Edge::default();
        assert_eq!(edge.root(), None);
        for (data, root) in KNOWN {
            let data = hex::decode(data).expect("digits");
            edge.push(record_hash(&data).0);
            assert_eq!(edge.root().map(hex::encode).as_deref(), Some(root));
            let kept = Edge::from_bytes(edge.size(), &edge.to_bytes());
            assert_eq!(kept.as_ref(), Some(&edge), "it goes on from what was kept");
        }
    }

    #[test]
    fn an_edge_that_is_none_of_its_size_is_refused() {
        for (size, bytes) in [(0, 32), (1, 0), (3, 32), (3, 63), (3, 96), (4, 64)] {
            assert_eq!(
                Edge::from_bytes(size, &vec![7; bytes]),
                None,
                "{size} {bytes}"
            );
        }
        assert_eq!(Edge::from_bytes(0, &[]), Some(Edge::default()));
    }
}
