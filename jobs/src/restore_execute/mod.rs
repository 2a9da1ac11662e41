//! The one job: decide what became of a `restore.execute` run.
//!
//! ```text
//! rows ──parse──▶ facts ──decide──▶ decision ──record──▶ run, audit entry, ledger entry
//! ```
//!
//! | Module | Story |
//! |---|---|
//! | [`request`] | the job: which run to look at, and why |
//! | [`rows`] | what a store hands over |
//! | [`facts`] | the typed snapshot a decision is made from |
//! | [`context`] | which restore a run names, and whether it contradicts its own scope |
//! | `blockers` | recorded blockers, from wherever they may stand |
//! | [`words`] | what a platform calls what became of an item |
//! | [`results`] | item outcomes and counters, from untrusted JSON |
//! | [`link`] | which restore belongs to the run |
//! | [`proof`] | the eight legs |
//! | [`rules`] | the decision table |
//! | [`table`] | what such a table is, and how it is read |
//! | [`decision`] | what a decision says |
//! | [`counterfactual`] | which facts a verdict lacks for a success, or a success hangs on |
//! | [`opinion`] | a second opinion on a run that somebody else closed |
//! | [`past`] | what was known of a run at an earlier moment |
//! | [`reason`] | the closed registry of reason codes |
//! | [`survey`] | whether a platform speaks the words that the rules know |
//! | [`record`] | what a verdict writes |
//! | `merge` | rewriting a JSON column without losing what it held |
//! | [`canonical`] | the canonical form of facts, its digest, and the way back |
//! | `ruleset_1` | the rules that decided before those of today, for verdicts on record |
//! | [`rulesets`] | by which of both a verdict on record is read and judged |
//! | [`review`] | judging a recorded verdict again, from the ledger alone |
//! | [`simulate`] | what another policy would have said of it |
//!
//! **Invariant:** [`decide`] is total, clock-free and synchronous. Missing, late, contradictory or
//! unreadable proof is a gap, never an error.

mod blockers;
pub mod canonical;
pub mod context;
pub mod counterfactual;
pub mod decision;
pub mod facts;
pub mod link;
mod merge;
pub mod opinion;
pub mod outcome;
pub mod past;
pub mod proof;
pub mod reason;
pub mod record;
pub mod request;
pub mod results;
pub mod review;
pub mod rows;
pub mod rules;
mod ruleset_1;
pub mod rulesets;
pub mod simulate;
pub mod survey;
pub mod table;
pub mod words;

pub use decision::{Decision, Ruling};
pub use facts::{Facts, Policy};
pub use outcome::Outcome;
pub use reason::ReasonCode;
pub use rules::{RULESET, RULESET_NUMBER, decide};
pub use ruleset_1::RULESET as FIRST_RULESET;
pub use rulesets::{RULESETS, Ruleset};
