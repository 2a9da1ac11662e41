//! The W3C trace context of whoever asks: which trace a job belongs to.
//!
//! It joins what is said here to what the caller says, and decides nothing: one that is malformed is as good
//! as none.

use std::fmt;

/// Names a trace. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

/// Names one span of a trace. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub u64);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A `traceparent` of version 00. Displays as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    parent: SpanId,
    flags: u8,
}

impl TraceContext {
    /// Reads `00-<32 digits>-<16 digits>-<2 digits>`, hexadecimal in lower case, neither id zero; nothing for
    /// everything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let parsed = Self {
            trace: {
                parts.next().filter(|version| *version == "00")?;
                TraceId(u128::from_str_radix(digits(parts.next()?, 32)?, 16).ok()?)
            },
            parent: SpanId(u64::from_str_radix(digits(parts.next()?, 16)?, 16).ok()?),
            flags: u8::from_str_radix(digits(parts.next()?, 2)?, 16).ok()?,
        };
        let is_whole = parts.next().is_none() && parsed.trace.0 != 0 && parsed.parent.0 != 0;
        is_whole.then_some(parsed)
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// The caller's span in it.
    #[must_use]
    pub fn parent_id(&self) -> SpanId {
        self.parent
    }

    /// Whether the caller records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.parent, self.flags)
    }
}

/// `text`, if it is so many digits. The reader of numbers alone would take signs and capitals, too.
fn digits(text: &str, count: usize) -> Option<&str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == count && text.bytes().all(is_digit)).then_some(text)
}
