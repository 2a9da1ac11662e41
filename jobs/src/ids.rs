//! One type per kind of id, so that a restore's id can never be bound where a run's belongs.
//!
//! An id has all of its 64 bits: some platforms draw them from clocks. It is written as a number, and read back from a
//! number, or from text where a double would be another number: canonical facts hold it so.

use std::fmt;

use schemars::JsonSchema;
use serde::de::Unexpected;
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::INTEGER_MAX;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(Written::deserialize(deserializer)?.read()?))
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

/// An id as it may be written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

impl Written {
    fn read<E: serde::de::Error>(self) -> Result<i64, E> {
        match self {
            Self::Number(id) => Ok(id),
            Self::Text(text) => text
                .parse()
                .ok()
                .filter(|id: &i64| id.unsigned_abs() > INTEGER_MAX.unsigned_abs())
                .ok_or_else(|| E::invalid_value(Unexpected::Str(&text), &"an id beyond 2^53")),
        }
    }
}
