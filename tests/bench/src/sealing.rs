//! What the tree over the ledger costs those who do not wait for it: the same work with a worker that makes leaves and
//! checkpoints, and with one that may not, because somebody else holds its turn.
//!
//! **Invariant:** both of a pair follow on each other, and which comes first changes from round to round.

use jiff::Timestamp;

use crate::bench::{Bench, Record, Subject};
use crate::process::{EVERY_SECOND, OwnProcess, Verdicts};
use crate::report::Unit;

/// At which rate runs are asked for.
const RATE: u32 = 50;

/// What the figures are called that are held to a target.
pub(crate) const COST_TO_SWEEP: &str = "what the tree costs a sweep";
pub(crate) const COST_TO_REQUEST: &str = "what the tree costs a request, p50";

/// Whether the worker makes leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Made,
    Withheld,
}

impl Leaves {
    const fn name(self) -> &'static str {
        match self {
            Self::Made => "with leaves",
            Self::Withheld => "without",
        }
    }
}

impl Bench<'_> {
    /// All figures of settlements with and without the tree.
    pub(crate) async fn beside_the_tree(&self, record: &mut Record) -> anyhow::Result<()> {
        for round in 0..self.options.rounds {
            let mut turns = [Leaves::Withheld, Leaves::Made];
            if round % 2 == 1 {
                turns.reverse();
            }
            self.sweep_pair(turns, record).await?;
            self.request_pair(turns, record).await?;
            self.after(record, "settling beside the tree", round);
        }
        Ok(())
    }

    async fn sweep_pair(&self, turns: [Leaves; 2], record: &mut Record) -> anyhow::Result<()> {
        let (mut with, mut without) = (0.0, 0.0);
        for leaves in turns {
            let (rate, made, waited) = self.sweep_by_worker(leaves).await?;
            let variant = format!("a worker sweeps, {}", leaves.name());
            let measured = &mut record.measured;
            measured.add(Subject::Tree, &variant, Unit::VerdictsPerSecond, rate);
            match leaves {
                Leaves::Made => {
                    with = rate;
                    let variant = "leaves made while it sweeps";
                    measured.add(Subject::Tree, variant, Unit::Rows, made);
                    let variant = "the longest wait for a leaf while it sweeps";
                    measured.add(Subject::Tree, variant, Unit::Milliseconds, waited);
                }
                Leaves::Withheld => without = rate,
            }
        }
        let more = (without / with - 1.0) * 100.0;
        let measured = &mut record.measured;
        measured.add(Subject::Tree, COST_TO_SWEEP, Unit::Percent, more);
        Ok(())
    }

    async fn request_pair(&self, turns: [Leaves; 2], record: &mut Record) -> anyhow::Result<()> {
        let (mut with, mut without) = ([0.0; 3], [0.0; 3]);
        let names = ["p50", "p95", "p99"];
        for leaves in turns {
            let (latencies, _) = self.latency(RATE, leaves).await?;
            for (name, latency) in names.into_iter().zip(latencies) {
                let variant = format!("{name} at {RATE}/s, {}", leaves.name());
                let measured = &mut record.measured;
                measured.add(Subject::Tree, &variant, Unit::Milliseconds, latency);
            }
            match leaves {
                Leaves::Made => with = latencies,
                Leaves::Withheld => without = latencies,
            }
        }
        for ((name, with), without) in names.into_iter().zip(with).zip(without) {
            let variant = format!("what the tree costs a request, {name}");
            let more = (with / without - 1.0) * 100.0;
            let measured = &mut record.measured;
            measured.add(Subject::Tree, &variant, Unit::Percent, more);
        }
        Ok(())
    }

    /// Verdicts a second of a worker that sweeps the backlog, between its first and its last, how many leaves there were by
    /// then, and the milliseconds that a position had waited for its leaf at most.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    async fn sweep_by_worker(&self, leaves: Leaves) -> anyhow::Result<(f64, f64, f64)> {
        let on = self.copy(1).await?;
        let turn = on.withhold(leaves).await?;
        let verdicts = Verdicts::new();
        let worker = OwnProcess::worker(&on.url, EVERY_SECOND, &verdicts).await?;
        let sweeping = verdicts.until(u64::from(self.options.runs));
        let (found, waited) = on.longest_wait(sweeping).await?;
        let made = on.count_leaves().await?;
        worker.stop().await?;
        drop(turn);
        on.close().await?;
        let moments = || found.values().copied();
        let (first, last) = (moments().min(), moments().max());
        let took = |(first, last): (Timestamp, Timestamp)| last.duration_since(first).as_secs_f64();
        let took = first.zip(last).map_or(f64::NAN, took);
        Ok((found.len() as f64 / took, made as f64, waited))
    }
}
