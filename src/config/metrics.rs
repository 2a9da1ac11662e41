//! What is exported for dashboards, and how often the database is counted for it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{duration, friendly, yes_or_no};
use super::{MINUTE_MS, SECOND_MS};

/// What is exported for dashboards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// How often what is true of the whole database is counted, by one worker at a time. "1s" to "10m".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, { 10 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub census_every: Duration,
    /// Whether postures are exported per workspace too. Their ids become visible to whoever reads metrics, and each
    /// workspace costs three series.
    #[serde(deserialize_with = "yes_or_no")]
    pub by_workspace: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            census_every: Duration::from_secs(15),
            by_workspace: false,
        }
    }
}
