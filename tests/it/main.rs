//! Everything that needs more than one module: real databases, the real binary, the source tree itself.
//!
//! One binary, so that all of it is linked once and shares one throw-away PostgreSQL cluster. Modules carry
//! `#[cfg(test)]`, without which the lints would judge a shared test function as if it were part of the program.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod chaos;
mod claims;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod config;
#[cfg(test)]
mod console;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod health;
#[cfg(test)]
mod history;
#[cfg(test)]
mod laravel;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod pooling;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod ranking;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod support;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod work;
