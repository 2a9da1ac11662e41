//! The real binary, and everything that it says: to the last line, however much that is.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;

use super::said::{Said, Surface};
use crate::console::server::{Answer, Ask, send_to};
use crate::support::time::{eventually, in_time};

/// How the binary is called.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) url: String,
    pub(super) config: PathBuf,
}

impl Call {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restore-reconciler"));
        command
            .env_clear()
            .env("RECONCILER_DATABASE_URL", &self.url)
            .env("RECONCILER_CONFIG", &self.config)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// What a verb says on both outputs, whatever came of it.
    pub(super) fn verb(&self, arguments: &[&str]) -> Said {
        let output = self
            .command(arguments)
            .output()
            .expect("the binary was built");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let surface = if arguments[0] == "queue" {
            Surface::QueueCommand
        } else {
            Surface::Command
        };
        Said::new(surface, arguments.join(" "), text)
    }

    /// Starts a verb that goes on, and waits until it listens.
    pub(super) async fn start(&self, arguments: &[&str]) -> Running {
        let directory = TempDir::new().expect("a temporary directory");
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| directory.path().join(name));
        let file = |path: &Path| File::create(path).expect("a file");
        let mut command = self.command(arguments);
        command.stdout(file(&stdout)).stderr(file(&stderr));
        let child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary was built");
        let listening = async || {
            let said = read(&stdout);
            let line = said.lines().next().filter(|_| said.ends_with('\n'))?;
            let address = line.strip_prefix("listening on ")?;
            let address = address.strip_prefix("http://").unwrap_or(address);
            Some(address.parse().expect("an address"))
        };
        let address = eventually(listening, async || read(&stderr)).await;
        Running {
            by: arguments.join(" "),
            child,
            address,
            directory,
        }
    }
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A verb that goes on.
pub(super) struct Running {
    by: String,
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Running {
    /// The whole answer, headers included, which is no failure.
    pub(super) fn ask(&self, surface: Surface, request: &Ask) -> Said {
        let answer = self.answer(request);
        assert!(answer.status < 500, "{}: {answer:?}", request.target);
        Self::said(surface, request, &answer)
    }

    /// What is said of its state, be it well or not: on a busy machine it may rightly not be ready.
    pub(super) fn probe(&self, request: &Ask) -> Said {
        let answer = self.answer(request);
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        Self::said(Surface::Metrics, request, &answer)
    }

    fn answer(&self, request: &Ask) -> Answer {
        send_to(self.address, &request.bytes(self.address)).expect("an answer")
    }

    fn said(surface: Surface, request: &Ask, answer: &Answer) -> Said {
        let by = format!("{} {}", request.method, request.target);
        Said::new(
            surface,
            by,
            format!("{:?}\n{}", answer.headers, answer.body),
        )
    }

    /// Lines so far.
    pub(super) fn log(&self) -> String {
        read(&self.directory.path().join("stderr"))
    }

    /// Ends it in peace: everything it said.
    pub(super) async fn end(mut self) -> Said {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        kill_process(Pid::from_raw(pid).expect("not zero"), Signal::TERM).expect("it is ours");
        let ended = in_time("its end", self.child.wait()).await;
        assert_eq!(ended.expect("it is ours").code(), Some(0), "{}", self.by);
        let stdout = read(&self.directory.path().join("stdout"));
        Said::new(Surface::Log, &self.by, stdout + &self.log())
    }
}
