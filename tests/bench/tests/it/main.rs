//! The real binary, on a real server.

#[cfg(test)]
#[path = "../../../it/support/cluster.rs"]
mod cluster;
#[cfg(test)]
mod measurement;
