//! placeholder
pub mod clock;
pub mod config;
pub mod runbook;
pub mod telemetry;
