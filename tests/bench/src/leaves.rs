//! What the tree over the ledger costs beside many leaves: adding to it, a checkpoint, the proof of one leaf, and checking all of
//! it.
//!
//! The verdicts are copies of one that a settlement reached, of all workspaces in turn: each has a row of the ledger and a
//! position of its own, and all have the same facts.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::ledger::{
    LeafProofs, LedgerCounts, TreeCheck, check_tree, note, origin_of, root_by,
};
use restore_reconciler::internals::storage::{CheckpointDue, Sealed, Settled, hash_of};

use crate::bench::{Bench, LIKE, Record, Subject, milliseconds};
use crate::report::Unit;
use crate::work;
use crate::workbench::Workbench;

/// How many leaves a worker makes at once.
const TOGETHER: u32 = 1_000;

/// How many are made at once where nobody measures it.
const UNMEASURED_TOGETHER: u32 = 10_000;

/// How many of the first, and of the last, are measured at most.
const MEASURED_MAX: u64 = 100_000;

/// How many verdicts are planted in one transaction.
const CHUNK: u64 = 100_000;

/// So many proofs are checked for one figure: one takes too little time.
const PROOFS: u32 = 1_000;

const NEVER: CheckpointDue = CheckpointDue {
    every: Duration::from_hours(24 * 365),
    verdicts: u32::MAX,
};

const NOW: CheckpointDue = CheckpointDue {
    every: Duration::ZERO,
    verdicts: 1,
};

impl Bench<'_> {
    /// All figures of a tree with as many leaves as were asked for.
    pub(crate) async fn leaves(&self, record: &mut Record) -> anyhow::Result<()> {
        self.scratch.remove().await?;
        let url = self.scratch.create().await?;
        let on = self.furnish(&url).await?;
        let now = on.store.now().await?;
        on.plant(&work::runs(
            std::iter::once(LIKE.0),
            self.options.items,
            now,
        ))
        .await?;
        let mut settled: Vec<Settled> = Vec::new();
        on.store
            .settle(&[LIKE], &self.settling, &mut settled)
            .await?;
        on.store.place_verdicts(1).await?;
        // The first checkpoint, from which the next goes on.
        on.append(1, NOW).await?;

        let all = self.options.leaves;
        let measured = (all / 10).clamp(1, MEASURED_MAX);
        on.add_verdicts(1, all, record).await?;
        self.append(&on, measured, "the first", record).await?;
        let rest = all - 1 - 2 * measured;
        let mut made = 0;
        while made < rest {
            let together = u64::from(UNMEASURED_TOGETHER).min(rest - made);
            made += on.append(u32::try_from(together)?, NEVER).await?.leaves as u64;
            record.progress.show("making leaves", made, rest);
        }
        self.append(&on, measured, "the last", record).await?;
        self.checkpoints(&on, record).await?;
        self.prove(&on, record).await?;
        self.check(&on, record).await?;
        on.close().await
    }

    /// Leaves a second, of so many.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    async fn append(
        &self,
        on: &Workbench,
        leaves: u64,
        which: &str,
        record: &mut Record,
    ) -> anyhow::Result<()> {
        let working = Stopwatch::start();
        let mut made = 0;
        while made < leaves {
            let together = u64::from(TOGETHER).min(leaves - made);
            let sealed = on.append(u32::try_from(together)?, NEVER).await?;
            ensure!(sealed.leaves > 0, "no leaves are left to be made");
            made += sealed.leaves as u64;
        }
        let rate = made as f64 / working.elapsed().as_secs_f64();
        let variant = format!("{which} {leaves} of {} made", self.options.leaves);
        let measured = &mut record.measured;
        measured.add(Subject::Leaves, &variant, Unit::LeavesPerSecond, rate);
        Ok(())
    }

    /// Milliseconds of a checkpoint of all leaves since the first, and of one of as many as are made at once.
    async fn checkpoints(&self, on: &Workbench, record: &mut Record) -> anyhow::Result<()> {
        let mut all = self.options.leaves;
        let measured = &mut record.measured;
        for round in 0..=self.options.rounds {
            let since = if round == 0 { all - 1 } else { TOGETHER.into() };
            let working = Stopwatch::start();
            let sealed = on.append(0, NOW).await?;
            let took = milliseconds(working.elapsed());
            ensure!(sealed.checkpoint.is_some(), "no checkpoint was made");
            let variant = format!("a checkpoint {since} leaves after the one before");
            measured.add(Subject::Leaves, &variant, Unit::Milliseconds, took);
            if round < self.options.rounds {
                on.plant_verdicts(LIKE, all + 1, all + u64::from(TOGETHER))
                    .await?;
                on.append(TOGETHER, NEVER).await?;
                all += u64::from(TOGETHER);
            }
        }
        Ok(())
    }

    /// Milliseconds to make the proof of a leaf in the middle, as an export does, and to check it.
    async fn prove(&self, on: &Workbench, record: &mut Record) -> anyhow::Result<()> {
        let middle = self.options.leaves / 2;
        let reader = on.store.reader();
        let working = Stopwatch::start();
        let (mut proofs, mut proven, mut place, mut size) =
            (LeafProofs::default(), [0; 32], 0, 0_u64);
        loop {
            let leaves = reader.load_leaves(i64::try_from(size)?, i64::MAX).await?;
            if leaves.is_empty() {
                break;
            }
            for row in leaves {
                let leaf = hash_of(&row.leaf).context("a leaf is none")?;
                if size == middle {
                    (proven, place) = (leaf, size);
                }
                proofs.push(leaf, size == middle);
                size += 1;
            }
        }
        let made = proofs.finish().context("there are no leaves")?;
        let took = milliseconds(working.elapsed());
        let measured = &mut record.measured;
        let variant = format!("the proof of one of {}", self.options.leaves);
        measured.add(Subject::Leaves, &variant, Unit::Milliseconds, took);

        let proof = made.leaves().next().context("there is no proof")?;
        let variant = format!("{PROOFS} such proofs checked");
        for _ in 0..self.options.rounds {
            let working = Stopwatch::start();
            for _ in 0..PROOFS {
                let leads_to = root_by(std::hint::black_box(proven), place, size, &proof);
                ensure!(
                    leads_to == Some(made.root),
                    "the proof leads to another root"
                );
            }
            let took = milliseconds(working.elapsed());
            measured.add(Subject::Leaves, &variant, Unit::Milliseconds, took);
        }
        Ok(())
    }

    /// Leaves a second of a check of the whole tree.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    async fn check(&self, on: &Workbench, record: &mut Record) -> anyhow::Result<()> {
        let reader = on.store.reader();
        let install_id = reader.install_id().await?.unwrap_or_default();
        let mut check = TreeCheck::new(origin_of(&install_id), Vec::new(), Vec::new());
        let mut counts = LedgerCounts::default();
        let working = Stopwatch::start();
        check_tree(&reader, &mut check, 0, |part| {
            counts += part.counts;
            ControlFlow::Continue(())
        })
        .await?;
        let rate = counts.leaves as f64 / working.elapsed().as_secs_f64();
        ensure!(
            counts.tree_disagrees == 0 && counts.leaves >= self.options.leaves,
            "the tree is not what was planted: {counts:?}"
        );
        let variant = format!(
            "{} checked against verdicts and checkpoints",
            self.options.leaves
        );
        let measured = &mut record.measured;
        measured.add(Subject::Leaves, &variant, Unit::LeavesPerSecond, rate);
        Ok(())
    }
}

impl Workbench {
    /// Makes at most so many leaves, and a checkpoint where it is due.
    async fn append(&self, leaves_max: u32, due: CheckpointDue) -> anyhow::Result<Sealed> {
        let sealing = self.store.seal(leaves_max, due, |state, edge| {
            note(&origin_of(&state.install_id), edge, &[])
        });
        Ok(sealing.await?)
    }

    /// Plants verdicts with positions after `from` of them, up to `to`.
    async fn add_verdicts(&self, from: u64, to: u64, record: &mut Record) -> anyhow::Result<()> {
        let mut planted = from;
        while planted < to {
            let end = to.min(planted + CHUNK);
            self.plant_verdicts(LIKE, planted + 1, end).await?;
            planted = end;
            record.progress.show("planting verdicts", planted, to);
        }
        self.analyse().await
    }
}
