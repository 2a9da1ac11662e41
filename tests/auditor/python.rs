//! The auditor's verifier, asked about many exports at once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Said;

pub(crate) struct Verifier {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    signature: String,
    counts: [u64; 3],
    findings: Vec<(String, Option<u64>)>,
}

impl Verifier {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/auditor/ask.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("python3, 3.10 or newer");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            input,
            output,
        }
    }

    /// What it decides from facts; null where they are none of this ruleset's.
    pub(crate) fn decided(&mut self, ruleset: &str, facts: &str) -> Value {
        let asked = json!({ "ruleset": ruleset, "facts": facts });
        writeln!(self.input.as_mut().unwrap(), "{asked}").unwrap();
        self.answer()
    }

    fn answer<T: DeserializeOwned>(&mut self) -> T {
        self.input.as_mut().unwrap().flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("an answer; its error is above")
    }

    pub(crate) fn said(&mut self, export: &[u8], keys: &[String]) -> Said {
        let asked = json!({ "bytes": export.len(), "keys": keys });
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{asked}").unwrap();
        input.write_all(export).unwrap();
        let answer: Answer = self.answer();
        (answer.signature, answer.counts, answer.findings)
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
