//! Parts of the ledger, each judged while the next is read.
//!
//! **Invariant:** as many parts are in memory as are judged at once, and one more, however long the ledger is.

use futures_util::{Stream, TryFutureExt as _, TryStreamExt as _};
use reconciler_jobs::ids::RunId;

use crate::storage::StoreError;
use crate::storage::reader::{LedgerFilter, LedgerPart, LedgerParts, Reader};

/// How many parts are judged at once.
const JUDGED_AT_ONCE: usize = 2;

/// What each part of the ledger below `below` comes to, in their order.
///
/// Fails where the database does.
pub(super) fn judge_parts<T: Send + 'static>(
    reader: &Reader,
    filter: LedgerFilter,
    below: RunId,
    parts: LedgerParts,
    judge: impl Fn(&LedgerPart) -> T + Clone + Send + 'static,
) -> impl Stream<Item = Result<T, StoreError>> {
    let parts = reader.walk_ledger(filter, below, parts);
    let judged = parts.map_ok(move |part| {
        let judge = judge.clone();
        // It begins here, while the next part is read.
        let judging = tokio::task::spawn_blocking(move || judge(&part));
        judging.map_err(|error| StoreError::fatal("judge the ledger again", error))
    });
    judged.try_buffered(JUDGED_AT_ONCE)
}
