//! Settling a backlog: swept in batches, row by row, and by set-based statements with a ready-made verdict, which
//! is the most that the database could do: one statement a page.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reconciler_jobs::ids::RunId;

use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::ledger::{LedgerCounts, OtherPolicy, simulate, verify};
use restore_reconciler::internals::storage::reader::LedgerFilter;
use restore_reconciler::internals::storage::{Settled, Settlement, Store};
use restore_reconciler::internals::sweep::{Scope, sweep};

use crate::bench::{Bench, LIKE, Record, Subject, all, milliseconds};
use crate::report::Unit;
use crate::work;

const BIG_ITEMS: u32 = 10_000;

/// The first big run, and how far the next one is: all have complete proof.
const BIG_FIRST: i64 = 50_000_000;
const BIG_EVERY: i64 = 50;

pub(crate) const PAGES_AT_A_TIME: [u32; 3] = [1, 2, 4];

/// How many transactions of one run each are under way at once.
pub(crate) const ROWS_AT_A_TIME: u32 = 16;

impl Bench<'_> {
    /// Verdicts a second by a sweep that settles so many pages at once.
    pub(crate) async fn sweep(&self, lanes: u32) -> anyhow::Result<f64> {
        let on = self.copy(lanes + 1).await?;
        let scope = Scope {
            lanes: NonZeroU32::new(lanes).unwrap_or(NonZeroU32::MIN),
            ..Scope::default()
        };
        let working = Stopwatch::start();
        let go_on = |_: &[Settled]| ControlFlow::Continue(());
        let pass = sweep(&on.store, scope, &self.settling, go_on).await?;
        let rate = self.rate(pass.tally.verdicts(), working);
        on.close().await?;
        rate
    }

    /// Verdicts a second by a check of the ledger and by a simulation, once a sweep has written it, with the indexes that
    /// `doctor` advises.
    pub(crate) async fn ledger(&self) -> anyhow::Result<[f64; 2]> {
        let on = self.copy(2).await?;
        let go_on = |_: &[Settled]| ControlFlow::Continue(());
        sweep(&on.store, Scope::default(), &self.settling, go_on).await?;
        on.standin.set_advised_indexes(true).await?;
        on.vacuum().await?;
        let (mut counts, all) = (LedgerCounts::default(), RunId(i64::MAX));
        let working = Stopwatch::start();
        verify(&on.store.reader(), LedgerFilter::default(), all, |part| {
            counts += part.counts;
            ControlFlow::Continue(())
        })
        .await?;
        // The ready-made verdict is there, too.
        let checked = self.rate(counts.agree.saturating_sub(1), working)?;
        // Times and words, so that alternatives and earlier moments are judged as well.
        let mut policy = self.settling.policy.clone();
        policy.settle_window /= 2;
        policy.item_words.applied.push("merged".to_owned());
        let question = OtherPolicy {
            policy,
            ruleset: None,
        };
        let mut asked: u64 = 0;
        let working = Stopwatch::start();
        simulate(
            &on.store.reader(),
            LedgerFilter::default(),
            question,
            |_, part| {
                asked += part.entries - part.unsound;
                ControlFlow::Continue(())
            },
        )
        .await?;
        let simulated = self.rate(asked.saturating_sub(1), working)?;
        on.close().await?;
        Ok([checked, simulated])
    }

    /// Verdicts a second by the same store, which is given one run at a time, by so many at once.
    pub(crate) async fn row_at_a_time(&self) -> anyhow::Result<f64> {
        let on = self.copy(ROWS_AT_A_TIME).await?;
        let runs: Vec<RunId> = self.runs().collect();
        let working = Stopwatch::start();
        let verdicts = stream::iter(runs)
            .map(|run| settle_one(&on.store, self, run))
            .buffer_unordered(ROWS_AT_A_TIME as usize)
            .try_fold(0, |sum, verdicts| async move { Ok(sum + verdicts) })
            .await?;
        let rate = self.rate(verdicts, working);
        on.close().await?;
        rate
    }

    /// Verdicts a second if nothing had to be decided, by so many statements at once.
    pub(crate) async fn ceiling(&self, connections: u32) -> anyhow::Result<f64> {
        let on = self.copy(connections).await?;
        let runs: Vec<RunId> = self.runs().collect();
        let working = Stopwatch::start();
        let closed = stream::iter(runs.chunks(self.settling.batch_runs_max as usize))
            .map(|page| on.close_like(page, LIKE, &self.settling))
            .buffer_unordered(connections as usize)
            .try_fold(0, |sum, closed| async move { Ok(sum + closed) })
            .await?;
        let rate = self.rate(closed, working);
        on.close().await?;
        rate
    }

    /// Milliseconds for one run with many items, alone.
    pub(crate) async fn big_run(&self, record: &mut Record) -> anyhow::Result<()> {
        let variant = format!("{BIG_ITEMS} items");
        let on = self.copy(1).await?;
        let now = on.store.now().await?;
        for round in 0..i64::from(self.options.rounds) {
            let run = RunId(BIG_FIRST + round * BIG_EVERY);
            let big = work::runs(std::iter::once(run.0), BIG_ITEMS, now);
            on.plant(&big).await?;
            let working = Stopwatch::start();
            let verdicts = settle_one(&on.store, self, run).await?;
            let took = milliseconds(working.elapsed());
            let measured = &mut record.measured;
            measured.add(Subject::BigRun, &variant, Unit::Milliseconds, took);
            all(verdicts, 1)?;
        }
        on.close().await
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    pub(crate) fn rate(&self, verdicts: u64, working: Stopwatch) -> anyhow::Result<f64> {
        let seconds = working.elapsed().as_secs_f64();
        all(verdicts, u64::from(self.options.runs))?;
        Ok(verdicts as f64 / seconds)
    }
}

pub(crate) async fn settle_one(
    store: &Store,
    bench: &Bench<'_>,
    run: RunId,
) -> anyhow::Result<u64> {
    let mut settled = Vec::with_capacity(1);
    store.settle(&[run], &bench.settling, &mut settled).await?;
    let verdict = |settled: &&Settled| matches!(settled.result, Settlement::Committed(_));
    Ok(settled.iter().filter(verdict).count() as u64)
}
