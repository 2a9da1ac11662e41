//! Spans as a collector gets them, from the real binary, built with the feature `otlp`.
//!
//! One binary of its own, so that the large one is not linked a second time for it.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod protobuf;
#[cfg(test)]
mod spans;
