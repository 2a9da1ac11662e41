//! placeholder
pub mod clock;
pub mod telemetry;
