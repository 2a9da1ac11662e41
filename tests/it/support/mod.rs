//! What several subjects share.

pub(crate) mod case;
pub(crate) mod cluster;
pub(crate) mod store;
