//! The console over real sockets: who gets in, how they are kept in bounds, and what abuse comes to.

mod access;
mod find;
mod frame;
mod hostile;
mod metrics;
mod pages;
mod platform;
mod program;
mod replaced;
mod restores;
mod role;
pub(crate) mod server;
mod standby;
mod status;
mod weight;

pub(crate) use program::{Serving, Settings, assert_shows};
pub(crate) use role::grants_in_the_manual;
pub(crate) use server::Ask;
