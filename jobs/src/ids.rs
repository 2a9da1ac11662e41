//! One type per kind of id, so that a restore's id can never be bound where a run's belongs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A row of `operation_runs`: what operators see.
    RunId,
    /// A row of `restore_runs`: what the restore really did.
    RestoreId,
    /// A row of `workspaces`: the tenant boundary.
    WorkspaceId,
    /// A row of `managed_environments`: one Intune tenant inside a workspace.
    EnvironmentId,
    /// A row of `audit_logs`.
    AuditId,
    /// A row of `evidence_snapshots`.
    SnapshotId,
    /// A row of `backup_sets`.
    BackupSetId,
}
