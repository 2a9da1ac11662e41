//! What a worker exports, held against its database.

mod sweeps;
mod truth;
