//! Documents of restores are parsed, the long ones where nobody waits for the thread.
//!
//! A restore of tens of thousands of items takes tens of milliseconds to parse, and a page may have many of them.

use std::panic::resume_unwind;

use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::rows::RestoreRow;
use tokio::task::{consume_budget, spawn_blocking};

use super::error::{Result, StoreError};
use super::records::RestoreRecord;

/// Documents that are no longer than this, in bytes, are parsed at once: that takes less than to pass them on.
const BYTES_AT_ONCE_MAX: usize = 16 * 1024;

/// Restores that are parsed as they arrive, and how many bytes they came to.
pub(super) struct Parsed<'a> {
    policy: &'a Policy,
    pub(super) restores: Vec<RestoreFacts>,
    pub(super) bytes: usize,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            restores: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) async fn add(&mut self, record: RestoreRecord) -> Result<()> {
        let bytes = record.document_bytes();
        let row = RestoreRow::from(record);
        let restore = if bytes <= BYTES_AT_ONCE_MAX {
            // Rows that have arrived together are read without a pause.
            consume_budget().await;
            RestoreFacts::parse(&row, self.policy)
        } else {
            let policy = self.policy.clone();
            let parse = move || RestoreFacts::parse(&row, &policy);
            away("read restores", parse).await?
        };
        self.bytes = self.bytes.saturating_add(bytes);
        self.restores.push(restore);
        Ok(())
    }
}

/// Does what takes long on a thread of its own. A panic goes on where it would have been.
pub(super) async fn away<T: Send + 'static>(
    step: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is on its way out.
            Err(ended) => Err(StoreError::fatal(step, ended)),
        },
    }
}
