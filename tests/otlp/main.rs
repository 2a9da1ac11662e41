//! Spans as a collector gets them, from the real binary, built with the feature `otlp`.
//!
//! One binary of its own, so that the large one is not linked a second time for it.

#[cfg(test)]
#[expect(dead_code, reason = "the other tests need more of it")]
#[path = "../it/support/case.rs"]
mod case;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod protobuf;
#[cfg(test)]
mod spans;
