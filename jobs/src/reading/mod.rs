//! What operators are shown of restores: derived from facts each time, stored nowhere.
//!
//! | Module | Question |
//! |---|---|
//! | [`result_state`] | what is the first thing to say about one restore? |
//! | [`unlinked`] | and of a run that no restore can be tied to? |
//! | [`summary`] | what was counted, by whom, and may it be shown? |
//! | [`attention`] | does the result of one restore need somebody? |
//! | [`posture`] | what does the restore history of an environment, or of a workspace, say? |
//! | [`backup_health`] | what could be restored, and from how old and how whole a backup? |
//! | [`backup_items`] | what was captured of each item of that backup? |
//! | [`gates`] | what still stands between a preparation and its execution? |
//! | [`preparation`] | what does a restore record before it is executed? |
//! | [`now`] | what would the rules say now, beside what was recorded? |
//! | [`freshness`] | does an operation still move? |
//!
//! **Invariant:** every model is total and deterministic, and every sentence is a constant of this module's
//! tables: no surface can say more than these do. What a viewer may not see is not handed in, and what belongs
//! to another workspace or environment counts as absent even where somebody hands it in.
//!
//! # Design notes
//!
//! A verdict says what was proven when a run was closed. A reading says what can be seen now: evidence may have
//! come late, or expired. The two are shown beside each other and never mixed, so none of these functions is
//! given a verdict to repeat.

pub mod attention;
pub mod backup_health;
pub mod backup_items;
pub mod freshness;
pub mod gates;
pub mod metadata_keys;
pub mod now;
pub mod posture;
pub mod preparation;
pub mod result_state;
mod seen;
pub mod summary;
pub mod unlinked;

pub use seen::{Availability, SeenRestore};
