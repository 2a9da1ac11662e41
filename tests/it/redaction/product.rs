//! The real binary, and everything that it says: to the last line, however much that is.

use std::path::PathBuf;
use std::process::Command;

use super::said::{Said, Surface};
use crate::console::server::{Answer, Ask, ask};
use crate::support::process::{Process, program};

/// How the binary is called.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) url: String,
    pub(super) config: PathBuf,
}

impl Call {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.url, arguments);
        command.env("RECONCILER_CONFIG", &self.config);
        command
    }

    /// What a verb says on both outputs, whatever came of it.
    pub(super) fn verb(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output();
        let output = output.expect("the binary was built");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let surface = match arguments[0] {
            "queue" => Surface::QueueCommand,
            _ => Surface::Command,
        };
        Said::new(surface, arguments.join(" "), text)
    }

    /// Starts a verb that goes on, and waits until it listens.
    pub(super) async fn start(&self, arguments: &[&str]) -> Running {
        let process = Process::spawn(&self.command(arguments), usize::MAX).await;
        Running {
            by: arguments.join(" "),
            process: process.unwrap_or_else(|why| panic!("{why}")),
        }
    }
}

/// A verb that goes on.
pub(super) struct Running {
    by: String,
    process: Process,
}

impl Running {
    /// The whole answer, headers included, which is no failure.
    pub(super) fn ask(&self, surface: Surface, request: &Ask) -> Said {
        let answer = ask(self.process.address(), request);
        assert!(answer.status < 500, "{}: {answer:?}", request.target);
        Self::said(surface, request, &answer)
    }

    /// What is said of its state, be it well or not: on a busy machine it may rightly not be ready.
    pub(super) fn probe(&self, request: &Ask) -> Said {
        let answer = ask(self.process.address(), request);
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        Self::said(Surface::Metrics, request, &answer)
    }

    fn said(surface: Surface, request: &Ask, answer: &Answer) -> Said {
        let by = format!("{} {}", request.method, request.target);
        let text = format!("{:?}\n{}", answer.headers, answer.body);
        Said::new(surface, by, text)
    }

    /// Lines so far.
    pub(super) fn log(&self) -> String {
        self.process.said()
    }

    /// Ends it in peace: everything it said.
    pub(super) async fn end(self) -> Said {
        let (code, said) = self.process.terminate().await;
        assert_eq!(code, Some(0), "{}", self.by);
        Said::new(Surface::Log, &self.by, said)
    }
}
