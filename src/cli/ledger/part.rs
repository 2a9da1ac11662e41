//! The part of the ledger that is asked for.

use jiff::Timestamp;
use reconciler_jobs::ids::WorkspaceId;

use crate::cli::since::Since;
use crate::storage::reader::LedgerFilter;

/// A part of the ledger; all of it, unless something is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct PartAsked {
    /// Only entries of this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    pub(super) workspace: Option<i64>,
    /// Only entries decided since then: a moment such as `2026-11-01T00:00:00Z`, or an age such as `36h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only entries decided before then.
    #[arg(long, value_name = "WHEN")]
    until: Option<Since>,
}

impl PartAsked {
    /// As the reader takes it, where it is `now`.
    pub(super) fn filter(&self, now: Timestamp) -> LedgerFilter {
        let moment = |when: Option<Since>| when.map(|when| when.before(now));
        LedgerFilter {
            workspace: self.workspace.map(WorkspaceId),
            since: moment(self.since),
            until: moment(self.until),
            ..LedgerFilter::default()
        }
    }
}
