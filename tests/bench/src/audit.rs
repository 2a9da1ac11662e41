//! What the trigger on the platform's audit log costs whoever writes to it.

use restore_reconciler::internals::clock::Stopwatch;

use crate::bench::{Bench, Record, Subject, milliseconds};
use crate::report::{Unit, percentile};

/// How many entries about something else are written at once.
const OTHERS: i64 = 20_000;

/// How many restores' own entries are written, one a transaction: so many with the trigger, and so many without.
const OWN: usize = 250;

impl Bench<'_> {
    /// All figures of audit entries: with the trigger and without in turns, on one database.
    pub(crate) async fn audit(&self, record: &mut Record) -> anyhow::Result<()> {
        let on = self.copy(2).await?;
        let mut producer = on.producer().await?;
        producer.note_others(OTHERS).await?; // the first ones wait for the table to grow
        let runs: Vec<_> = self.runs().collect();
        let mut own = runs.chunks(OWN.min(runs.len() / 2).max(1)).cycle();
        for round in 0..self.options.rounds {
            let is_reversed = round % 2 == 1;
            for is_there in [is_reversed, !is_reversed] {
                let trigger = if is_there { "with" } else { "without" };
                on.store.set_platform_triggers(is_there).await?;
                let working = Stopwatch::start();
                producer.note_others(OTHERS).await?;
                let others = milliseconds(working.elapsed());
                let mut times = Vec::new();
                for run in own.next().unwrap_or_default() {
                    let working = Stopwatch::start();
                    producer.note_end(*run).await?;
                    times.push(milliseconds(working.elapsed()));
                }
                let own = percentile(&times, 50).unwrap_or_default();
                let mut add = |what: &str, value| {
                    let variant = format!("{what}, {trigger} the trigger");
                    let measured = &mut record.measured;
                    measured.add(Subject::Audit, &variant, Unit::Milliseconds, value);
                };
                add(&format!("{OTHERS} about something else"), others);
                add("the end of a restore, p50", own);
            }
            self.after(record, "writing audit entries", round);
        }
        drop(producer);
        on.close().await
    }
}
