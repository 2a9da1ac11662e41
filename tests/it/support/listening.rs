//! Events of this thread, for a test that reads them.

use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Subscriber};

/// What listens, for as long as it lives.
pub(crate) type Listening = (DefaultGuard, Dispatch);

/// Has the events of this thread go to `subscriber`.
///
/// Where it is the only one in the process, whether a place speaks is asked of the thread that comes by first, whose answer
/// counts for all: another test would silence it. So another one lives beside it.
pub(crate) fn listen(subscriber: impl Subscriber + Send + Sync) -> Listening {
    let beside = Dispatch::new(tracing_subscriber::registry());
    (set_default(subscriber), beside)
}
