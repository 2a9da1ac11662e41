//! The whole ledger, passed part by part: checked, or asked what another policy would have said.
//!
//! ```text
//! part of the ledger ─▶ judge each entry ─▶ what it came to ─▶ the next part
//!      (one reads)      (all cores, two parts at once)
//! ```
//!
//! | Module | Story |
//! |---|---|
//! | `parts` | parts of the ledger, each judged while the next is read |
//! | [`checkpoint`] | roots of the tree over it as notes, written and read |
//! | [`verify`] | each entry against its facts, the rules of its time, and what else was written with it |
//! | [`leaves`] | each entry against its leaf of the tree, and the leaves against checkpoints |
//! | [`exported`] | an export: the verdicts of a workspace in a file that needs no database |
//! | `report` | the same for people |
//! | [`export`] | writing one |
//! | `archive` | the file of one, as strictly read as it is written |
//! | [`proofs`] | that a leaf is in the tree |
//! | [`offline`] | an export, checked without its database |
//! | [`simulate`] | what another policy would have said of each entry |

mod archive;
pub mod checkpoint;
pub mod export;
pub mod exported;
pub mod leaves;
pub mod offline;
mod parts;
pub mod proofs;
mod report;
pub mod simulate;
pub mod verify;
