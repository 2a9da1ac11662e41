//! What a job of this queue says: look at this run.
//!
//! A job is a hint. It carries no facts, so it can be lost, repeated or late without harm.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;

/// The name of the queue, which is the type of the runs that are asked for.
pub const QUEUE: &str = "restore.execute";

/// The longest cause, in characters. SQL that queues jobs cuts longer ones.
pub const CAUSE_CHARS_MAX: usize = 64;

/// Asks for one run to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// Who asked: `platform`, `restore`, `evidence`, `command`, or a word of the caller's.
    #[serde(default)]
    pub cause: Option<String>,
    /// The caller's W3C trace context, if it gave one.
    #[serde(default)]
    pub traceparent: Option<String>,
}
