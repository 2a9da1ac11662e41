//! Looks at a database the way an operator would before trusting it.
//!
//! An examination expects nothing: the database may be half migrated, of another product, read-only,
//! or closed to this role. Facts are read from the catalogue, which every role may read, and judged
//! by pure functions.
//!
//! **Invariants:** an examination writes nothing. Whatever is missing is a [`Check`]; only a lost
//! connection is an error.

mod check;
mod hidden_rows;
mod indexes;
mod metadata_keys;
mod moments;
pub mod needs;
mod postgres;
mod purpose;
mod rehearsal;
mod rights;
mod sqlite;

use crate::storage::{Driver, Judge, Pause, Store, StoreError};
use reconciler_jobs::quantity;

pub use check::{Check, Level};
pub use metadata_keys::examine_metadata;
pub use purpose::{Examination, Purpose};
pub use rehearsal::{
    REHEARSAL, REHEARSED_MAX, judge_no_rehearsal, judge_other_schema, judge_rehearsal,
};
pub use rights::{Grant, Rights, examine_request, find_lacks, find_lacks_of_migrator, list_rights};

/// Examines the database behind a store, for the role that it connects as. What the role is for is what it may do,
/// unless `purpose` says so.
pub async fn examine(store: &Store, purpose: Option<Purpose>) -> Result<Examination, StoreError> {
    let Examination {
        purpose,
        mut checks,
    } = match store.driver() {
        Driver::Postgres(pool) => postgres::examine(store, pool, purpose).await,
        Driver::Sqlite(pool) => sqlite::examine(store, pool).await,
    }?;
    if purpose == Some(Purpose::Platform) {
        return Ok(Examination { purpose, checks });
    }
    // Whoever writes no verdict proves nothing.
    if let Driver::Postgres(pool) = store.driver()
        && matches!(purpose, Some(Purpose::Worker | Purpose::Observer))
    {
        checks.extend(hidden_rows::examine(pool, store.trust()).await?);
        checks.push(moments::examine_zones(pool).await?);
    }
    checks.extend(moments::examine(store).await);
    // Where the table is not there, or not to be read, other checks say so.
    checks.extend(store.list_judges().await.ok().and_then(|mut judges| {
        judges.retain(Judge::settles);
        judge_rules(&judges)
    }));
    checks.extend(look_at_pauses(store).await);
    let foreign = store.count_foreign_verdicts().await;
    checks.extend(foreign.ok().map(judge_ledger));
    Ok(Examination { purpose, checks })
}

/// What is paused, each with what ends it. Nothing where that cannot be read: others say why.
async fn look_at_pauses(store: &Store) -> Vec<Check> {
    let pauses = store.load_pauses().await.unwrap_or_default();
    let check = |pause: &Pause| {
        let finding = format!("{}. Nothing of it is settled.", pause.sentence());
        Check::advice("pause", finding, pause.ends_with())
    };
    pauses.iter().map(check).collect()
}

/// Whether the verdicts on record are about the runs that are there.
fn judge_ledger(foreign: u64) -> Check {
    let subject = "ledger";
    if foreign == 0 {
        return Check::good(
            subject,
            "The verdicts on record are about the runs that are there.",
        );
    }
    Check::problem(
        subject,
        format!(
            "The ledger is another platform's: {} about runs that had the ids of runs that are there.",
            quantity(foreign, "verdict")
        ),
        "They are shown for no run and keep none from its verdict. Where a platform was built afresh or restored from \
         a dump, keep the ledger as its history; give a second platform a database of its own.",
    )
}

/// Whether the workers that are alive would judge every run alike. Nothing where there is no worker.
fn judge_rules(judges: &[Judge]) -> Option<Check> {
    let subject = "rules";
    let [first, others @ ..] = judges else {
        return None;
    };
    if let Some(other) = others.iter().find(|other| !other.agrees_with(first)) {
        let said = |judge: &Judge| {
            let Judge {
                worker,
                ruleset,
                policy_digest,
                ..
            } = judge;
            format!("{worker} judges by ruleset {ruleset} with the settings {policy_digest}")
        };
        let finding = format!("{}, and {}.", said(first), said(other));
        let action = if first.ruleset > other.ruleset {
            "Upgrade restore-reconciler where the lower ruleset runs; until then that worker settles nothing."
        } else {
            "Give both workers the same [rules] and restart them; until then chance decides by which a run is judged."
        };
        return Some(Check::problem(subject, finding, action));
    }
    let finding = format!(
        "All workers that are alive ({}) judge by ruleset {} with the settings {}.",
        judges.len(),
        first.ruleset,
        first.policy_digest
    );
    Some(Check::good(subject, finding))
}
