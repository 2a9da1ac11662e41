//! What several subjects share.

pub(crate) mod cluster;
pub(crate) mod exposition;
pub(crate) mod hold;
pub(crate) mod listening;
pub(crate) mod pooler;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod role;
pub(crate) mod roles;
pub(crate) mod scene;
pub(crate) mod schema;
pub(crate) mod settled;
pub(crate) mod store;
pub(crate) mod time;
pub(crate) mod worker;

pub(crate) use reconciler_fixtures::proven as case;
