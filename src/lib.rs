//! Placeholder.

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod report;
pub mod runbook;
pub mod storage;
pub mod sweep;
pub mod telemetry;
