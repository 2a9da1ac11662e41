//! What a token may do in the console.

use std::fmt;
use std::str::FromStr;

use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

vocabulary! {
    /// What a viewer may do, within the workspaces that it sees.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    pub enum Capability {
        /// The capability as the configuration and answers spell it.
        name: &'static str,
    }
    /// See runs, verdicts, posture, queue and sweeps.
    #[serde(rename = "runs.view")]
    RunsView { name: "runs.view" }
    /// See evidence; without it, evidence reads as unavailable.
    #[serde(rename = "evidence.view")]
    EvidenceView { name: "evidence.view" }
    /// Ask for a run to be looked at.
    #[serde(rename = "runs.reconcile")]
    RunsReconcile { name: "runs.reconcile" }
    /// Let dead letters start over, and give them up.
    #[serde(rename = "queue.manage")]
    QueueManage { name: "queue.manage" }
    /// Read metrics.
    #[serde(rename = "metrics.view")]
    MetricsView { name: "metrics.view" }
}

/// A word that is no capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it must be one of {}", Capability::ALL.map(Capability::name).join(", "))]
pub struct UnknownCapability;

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let mut all = Self::ALL.into_iter();
        all.find(|capability| capability.name() == text)
            .ok_or(UnknownCapability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_name_wherever_it_is_written() {
        for capability in Capability::ALL {
            let name = capability.name();
            assert_eq!(name.parse(), Ok(capability));
            assert_eq!(serde_json::to_value(capability).unwrap(), name);
        }
        assert_eq!("runs.View".parse::<Capability>(), Err(UnknownCapability));
    }
}
