//! Parts of the ledger, each judged while the next is read.
//!
//! **Invariant:** as many parts are in memory as are judged at once, and one more, however long the ledger is.

use futures_util::{Stream, TryFutureExt as _, TryStreamExt as _};

use crate::storage::StoreError;

/// How many parts are judged at once.
const JUDGED_AT_ONCE: usize = 2;

/// What each of `parts` comes to, in their order.
///
/// Fails where the database does.
pub(super) fn judge_parts<P: Send + 'static, T: Send + 'static>(
    parts: impl Stream<Item = Result<P, StoreError>>,
    judge: impl Fn(P) -> T + Clone + Send + 'static,
) -> impl Stream<Item = Result<T, StoreError>> {
    let judged = parts.map_ok(move |part| {
        let judge = judge.clone();
        // It begins here, while the next part is read.
        let judging = tokio::task::spawn_blocking(move || judge(part));
        judging.map_err(|error| StoreError::fatal("judge the ledger again", error))
    });
    judged.try_buffered(JUDGED_AT_ONCE)
}
