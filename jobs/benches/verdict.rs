//! How long a verdict takes, step by step, from the rows of one proven restore of twenty items.
//!
//! ```text
//! cargo bench -p reconciler-jobs              measures
//! cargo bench -p reconciler-jobs -- --test    runs each once
//! ```

// Marked as test code for the same reason as in `tests/laws`, with which the benches share a bundle.
#[cfg(test)]
#[path = "../tests/laws/bundle.rs"]
mod bundle;
#[cfg(test)]
#[expect(dead_code, reason = "most of it is for tests")]
#[path = "../tests/laws/support.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use reconciler_jobs::restore_execute::canonical::canonicalise;
use reconciler_jobs::restore_execute::decide;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::record::record;

fn verdict(criterion: &mut Criterion) {
    let case = bundle::bundle();
    let (facts, by) = (case.facts(), support::attribution());
    let decision = decide(&facts);
    criterion.bench_function("parse", |bench| {
        bench.iter(|| {
            (
                RunFacts::parse(&case.run, &case.policy),
                RestoreFacts::parse(&case.restore, &case.policy),
            )
        });
    });
    criterion.bench_function("decide", |bench| bench.iter(|| decide(&facts)));
    criterion.bench_function("canonicalise_and_digest", |bench| {
        bench.iter(|| canonicalise(&facts));
    });
    criterion.bench_function("record", |bench| {
        bench.iter(|| record(&case.run, &facts, &decision, &by));
    });
}

criterion_group!(benches, verdict);
criterion_main!(benches);
