//! The long-running process at work: what it does when it is asked, when it is time, and when something is
//! wrong with a job or with a run.

mod dropped;
mod in_time;
mod latency;
mod lifecycle;
mod patience;
mod poison;
mod sqlite;
mod ticks;
mod trace;
