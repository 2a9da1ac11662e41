//! What the program says to the world, as it said it when this was written: a document and an exit code per verb,
//! the text of each verb for people, every answer and page of the console over the demonstration, and the names of all
//! metrics.
//!
//! Everything goes through the real binary, so that nothing here changes when code moves. What differs from one run to
//! the next is [masked](mask). Answers of the console are many, so most are kept as digests: where one differs, the
//! masked text is in `target/tmp/contracts`, to be compared with the one of an earlier checkout.

mod console;
mod mask;
mod verbs;

use std::path::Path;

use crate::support::process::program;
use mask::mask;

/// What a run of the binary left behind.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary in `directory` with nothing in its environment but the database named `platform.sqlite` there.
fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = program("sqlite://platform.sqlite", arguments);
    let output = command.current_dir(directory).output();
    let output = output.expect("the binary was built");
    let here = directory.display().to_string();
    let text = |bytes| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.replace(&here, "DIRECTORY")
    };
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
