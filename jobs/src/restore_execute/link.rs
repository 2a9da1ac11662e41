//! Which restore proves a run.
//!
//! 1. The run's context names a restore: that one, if it is a live row of the run's own workspace
//!    and environment which points at this run or at none.
//! 2. The context names none: the live restore of the same scope with the highest id that points at
//!    this run.
//! 3. The context names one that fails those conditions, or another live restore of the same scope
//!    points at this run as well: no restore is safe to use. There is no falling back from 1 to 2. A dry run, and a
//!    restore that never left its preparation, contest nothing.
//!
//! Source: the platform's reconciliation specification (same-scope proof; soft-deleted and foreign
//! rows never prove).

use thiserror::Error;

use super::context::{ContextFacts, NamedRestore};
use super::facts::{Candidate, RunFacts};
use crate::ids::RestoreId;

/// Why no restore can be tied to a run. For debug logs only: to everybody else all of these are the
/// one code `restore.proof_unavailable`, so that nothing is learnt about foreign or deleted rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkGap {
    /// The context cannot be read.
    #[error("the context cannot be read")]
    ContextMalformed,
    /// The context names something that no row can have as its id.
    #[error("the context names something that no row can have as its id")]
    NamedImpossible,
    /// The named restore is missing, deleted, foreign, or points at another run.
    #[error("the named restore is missing, deleted, foreign, or points at another run")]
    NamedUnavailable,
    /// The context names one restore and another one points at the run.
    #[error("the context names one restore and another one points at the run")]
    Contested,
    /// The context names none and no restore points at the run.
    #[error("the context names none and no restore points at the run")]
    NoneFound,
}

/// Chooses the restore that belongs to `run` among live restores of the run's own scope.
pub fn resolve(run: &RunFacts, candidates: &[Candidate]) -> Result<RestoreId, LinkGap> {
    let points_here = |candidate: &&Candidate| candidate.points_at == Some(run.id);
    match run.context {
        ContextFacts::Malformed => Err(LinkGap::ContextMalformed),
        ContextFacts::Map {
            restore: NamedRestore::Impossible,
            ..
        } => Err(LinkGap::NamedImpossible),
        ContextFacts::Map {
            restore: NamedRestore::Unnamed,
            ..
        } => candidates
            .iter()
            .filter(points_here)
            .map(|candidate| candidate.restore_id)
            .max()
            .ok_or(LinkGap::NoneFound),
        ContextFacts::Map {
            restore: NamedRestore::Id(named),
            ..
        } => {
            let is_named = |candidate: &Candidate| candidate.restore_id == named;
            let usable = candidates.iter().any(|candidate| {
                is_named(candidate) && candidate.points_at.is_none_or(|run_id| run_id == run.id)
            });
            if !usable {
                return Err(LinkGap::NamedUnavailable);
            }
            if candidates
                .iter()
                .filter(points_here)
                .any(|candidate| candidate.contests && !is_named(candidate))
            {
                return Err(LinkGap::Contested);
            }
            Ok(named)
        }
    }
}
