//! Looks whether what was written is there, and whether what cannot be locked is held by anybody.
//!
//! A trigger, a rule or a policy can have the database take a statement and do nothing, which is no error. A verdict
//! that is not there was refused like any other, and without this nobody would be told: its run would be passed over
//! for ever.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::record::RunUpdate;

use crate::storage::error::{Result, StoreError};
use crate::storage::model::{Settled, Settlement};
use crate::storage::transaction::DatabaseTransaction;

/// Something that the database was told to do, and did not do, without an error.
#[derive(Debug, thiserror::Error)]
enum Swallowed {
    #[error(
        "the database took the update of run {0} without an error, and the run does not read as it was closed; see what \
         triggers, rules and policies are on operation_runs"
    )]
    Update(RunId),
    #[error(
        "the database took the audit entry about run {0} without an error, and it is not there; see what triggers, rules \
         and policies are on audit_logs"
    )]
    Audit(RunId),
    #[error(
        "run {0} can be read and not be locked, although nobody holds it; see which policies on operation_runs are FOR \
         UPDATE"
    )]
    Lock(RunId),
}

/// What a step came to, in rows as the database counts them.
pub(super) struct Counted {
    pub(super) closed: u64,
    pub(super) audited: u64,
}

/// Fails unless these runs read as they were closed and each has its audit entry. Ordinary tables keep what they
/// counted, and are not looked into.
pub(super) async fn check_written(
    tx: &mut DatabaseTransaction,
    updates: &[&RunUpdate],
    counted: &Counted,
) -> Result<()> {
    let all = updates.len() as u64;
    if !tx.interference.may_swallow && counted.closed == all && counted.audited == all {
        return Ok(());
    }
    for written in tx.look_for_written(updates).await? {
        let run = written.run;
        if !written.is_closed {
            return Err(StoreError::refused("close runs", Swallowed::Update(run)));
        }
        if !written.is_audited {
            return Err(StoreError::refused(
                "write audit entries",
                Swallowed::Audit(run),
            ));
        }
    }
    Ok(())
}

/// Fails where one of the runs that seem to be in other hands is in nobody's: a policy keeps it from being locked.
pub(super) async fn check_held(tx: &mut DatabaseTransaction, settled: &[Settled]) -> Result<()> {
    let is_locked = |settled: &&Settled| settled.result == Settlement::Locked;
    let locked: Vec<RunId> = settled.iter().filter(is_locked).map(|it| it.run).collect();
    if locked.is_empty() || !tx.interference.may_hide {
        return Ok(());
    }
    let lockable = tx.find_lockable(&locked).await?;
    match locked.iter().find(|run| !lockable.contains(run)) {
        Some(run) => Err(StoreError::refused("lock runs", Swallowed::Lock(*run))),
        None => Ok(()),
    }
}
