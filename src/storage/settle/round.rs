//! What one transaction came to, for whoever reports it.

use std::collections::HashMap;
use std::iter;
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use tracing::Span;

use crate::clock::Stopwatch;
use crate::metrics::TransactionStage;
use crate::storage::model::Settled;

/// What one transaction came to.
pub(in crate::storage) struct Round {
    /// Runs that were dealt with.
    pub(in crate::storage) settled: Vec<Settled>,
    /// The ids of the verdicts among them.
    pub(in crate::storage) decisions: HashMap<RunId, String>,
    /// Open runs of which unfinished settlements are remembered.
    pub(super) suspects: Vec<RunId>,
    /// How long each stage took, the commit included.
    pub(in crate::storage) stages: Laps,
    /// What its verdicts are logged under until they are committed.
    pub(super) commit: Span,
}

/// How long each stage of a transaction took, in the order in which they ended.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Laps {
    since_start: Stopwatch,
    ended: Vec<(TransactionStage, Duration)>,
}

impl Laps {
    pub(super) fn begin() -> Self {
        Self {
            since_start: Stopwatch::start(),
            ended: Vec::with_capacity(TransactionStage::ALL.len()),
        }
    }

    pub(super) fn end(&mut self, stage: TransactionStage) {
        self.ended.push((stage, self.since_start.elapsed()));
    }

    /// How long it took from the beginning to the end of the last stage.
    pub(in crate::storage) fn whole(&self) -> Duration {
        self.ended.last().map_or(Duration::ZERO, |(_, at)| *at)
    }

    /// How long it took from the end of the first stage, when the transaction had begun.
    pub(in crate::storage) fn since_begun(&self) -> Duration {
        let begun = self.ended.first().map_or(Duration::ZERO, |(_, at)| *at);
        self.whole().saturating_sub(begun)
    }

    /// How long each stage took by itself.
    pub(in crate::storage) fn each(
        &self,
    ) -> impl Iterator<Item = (TransactionStage, Duration)> + '_ {
        let begun = iter::once(Duration::ZERO).chain(self.ended.iter().map(|(_, at)| *at));
        let ended = self.ended.iter();
        ended
            .zip(begun)
            .map(|((stage, at), before)| (*stage, at.saturating_sub(before)))
    }
}

/// Both halves of what failed together, the first of them last, as they are put back on a stack.
pub(in crate::storage) fn halves<T>(batch: &[T]) -> [&[T]; 2] {
    let (left, right) = batch.split_at(batch.len() / 2);
    [right, left]
}
