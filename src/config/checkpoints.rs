//! When the root of the tree over the ledger is put on record, by whom it is signed, and where a copy goes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::fields::SectionValue;
use super::section::section;

section! {
    /// Roots of the tree over the ledger, so that whoever keeps one can tell later that no verdict before it was changed. On
    /// PostgreSQL only.
    pub struct Checkpoints {
        /// How old the latest may become where there are new verdicts. "1s" to "24h".
        every: Duration = Duration::from_mins(10), "1s" to "24h";
        /// After how many new verdicts the next is made before that.
        verdicts: u32 = 10_000, whole 1 to 1_000_000;
        /// Files with private keys that sign them, as `ledger key` makes one. Without any they are unsigned. The group may read them,
        /// and nobody else.
        key_files: Vec<String> = Vec::new(), by paths;
        /// Files that each is added to, so that a copy lives elsewhere.
        files: Vec<String> = Vec::new(), by paths;
        /// A program, by its full path, and its arguments: it gets each on its standard input. Empty: none.
        command: Vec<String> = Vec::new(), by command;
    }
}

impl Checkpoints {
    /// The files with private keys that others may read, or the group change, each with its mode. One that is not there is not
    /// among them.
    pub fn exposed_keys(&self) -> impl Iterator<Item = (&str, String)> {
        self.key_files.iter().filter_map(|file| {
            let mode = fs::metadata(file).ok()?.mode() & 0o777;
            (mode & 0o027 != 0).then(|| (file.as_str(), format!("{mode:03o}")))
        })
    }
}

fn words(found: SectionValue<'_>) -> Option<Vec<String>> {
    let text = |word: &toml::Value| word.as_str().map(str::to_owned);
    let words: Option<Vec<String>> = found?.as_array()?.iter().map(text).collect();
    words.filter(|words| !words.iter().any(|word| word.contains('\0')))
}

fn paths(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    let paths = words(found).filter(|paths| !paths.iter().any(String::is_empty));
    paths.ok_or_else(|| "it must be a list of paths of files".to_owned())
}

fn command(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    let is_program = |program: &String| program.starts_with('/');
    let words = words(found).filter(|words| words.first().is_none_or(is_program));
    words.ok_or_else(|| {
        "it must be a list of texts, of which the first is the full path of a program".to_owned()
    })
}
