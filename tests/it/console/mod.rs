//! The console over real sockets: who gets in, how they are kept in bounds, and what abuse comes to.

mod access;
mod hostile;
mod platform;
mod program;
mod replaced;
mod role;
mod server;
mod weight;

pub(crate) use role::grants_in_the_readme;
