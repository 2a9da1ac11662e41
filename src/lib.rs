//! Placeholder.

pub mod report;
pub mod storage;
pub mod sweep;
