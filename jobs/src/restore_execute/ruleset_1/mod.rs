//! The first ruleset, `restore.execute/1`, as it was when it decided.
//!
//! Nothing is decided by it any more. Verdicts that it reached stay in the ledger as they are, and whoever doubts one
//! has it judged again here, by the rules of its time, from the facts that were recorded with it.
//!
//! **Invariant:** never changed. What is shared with the ruleset in force (words, counts, moments) means the same in
//! both; a corpus of recorded verdicts fails the tests where it no longer does.

mod facts;
pub(super) mod proof;
mod rules;

pub(super) use facts::FirstFacts;
pub use rules::RULESET;
pub(super) use rules::{TABLE, decide};
