//! What is exported for dashboards, and how often the database is counted for it.

use std::time::Duration;

use super::fields::yes_or_no;
use super::section::section;

section! {
    /// What is exported for dashboards.
    pub struct Metrics {
        /// How often what is true of the whole database is counted, by one worker at a time. "1s" to "10m".
        census_every: Duration = Duration::from_secs(15), "1s" to "10m";
        /// Whether postures are exported per workspace too. Their ids become visible to whoever reads metrics, and each
        /// workspace costs three series.
        by_workspace: bool = false, by yes_or_no;
    }
}
