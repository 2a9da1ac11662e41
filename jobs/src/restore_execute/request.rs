//! What a job of this queue says: look at this run.
//!
//! A job is a hint. It carries no facts, so it can be lost, repeated or late without harm.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::ids::RunId;
use crate::trace::TraceContext;

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
    /// The caller's W3C trace context, if it gave one. Whatever the caller gave: see [`Request::trace`].
    #[serde(default)]
    pub traceparent: Option<String>,
    /// When, in microseconds since 1970 by the database's clock. Says how long the run waited, and nothing else:
    /// what cannot be read is as good as absent.
    #[serde(default, deserialize_with = "integer_or_none")]
    pub asked_at: Option<i64>,
}

impl Request {
    /// When the run was asked for, where that is a moment.
    #[must_use]
    pub fn asked_at(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.asked_at?).ok()
    }

    /// The trace that the job belongs to, where the caller's context is well-formed.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::parse(self.traceparent.as_deref()?)
    }
}

fn integer_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}
