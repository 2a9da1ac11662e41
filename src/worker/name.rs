//! Names that no other worker has, had or will have.
//!
//! A queue gives a worker's jobs to others once the worker has not been heard of for a while. A name used
//! again, after a crash or a restart, would be heard of, and its predecessor's jobs would wait for ever.

use crate::clock;

/// Longest part of the host's name that is kept, in characters.
const HOST_CHARS_MAX: usize = 48;

/// The name of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessName(String);

impl ProcessName {
    /// From the host's name, the process's number, and the moment.
    pub(super) fn of_this_process() -> Self {
        let host = gethostname::gethostname();
        Self::new(
            &host.to_string_lossy(),
            std::process::id(),
            clock::wall().as_microsecond(),
        )
    }

    fn new(host: &str, process: u32, micros: i64) -> Self {
        let host: String = host
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
            .take(HOST_CHARS_MAX)
            .collect();
        Self(format!("{host}-{process}-{micros}"))
    }

    /// The process, as verdicts name it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What the names of all workers begin with that this process has for a queue, before a slash.
    pub(super) fn workers(&self, queue: &str) -> String {
        format!("{}/{queue}", self.0)
    }

    /// One worker of this process, after so many restarts.
    pub(super) fn worker(&self, queue: &str, restarts: u64) -> String {
        format!("{}/{restarts}", self.workers(queue))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn hosts_boots_queues_and_restarts_are_told_apart() {
        let mut names = BTreeSet::new();
        for host in ["a", "b"] {
            for (process, micros) in [(1, 10), (1, 11), (2, 10)] {
                let name = ProcessName::new(host, process, micros);
                for queue in ["restore.execute", "restore.sweep"] {
                    for restarts in 0..3 {
                        names.insert(name.worker(queue, restarts));
                    }
                }
            }
        }
        assert_eq!(names.len(), 2 * 3 * 2 * 3);
    }

    #[test]
    fn a_hosts_name_cannot_break_out_of_a_line_or_a_column() {
        let name = ProcessName::new(&"x\n\u{1b}'".repeat(200), 1, 2);
        assert_eq!(name.as_str(), format!("{}-1-2", "x".repeat(HOST_CHARS_MAX)));
    }
}
