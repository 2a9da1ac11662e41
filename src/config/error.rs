//! What can be wrong with the configuration or the environment, each with what to do about it.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::database_url::DatabaseUrlError;

/// The largest configuration file that is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

fn list(mistakes: &[ConfigError]) -> String {
    let lines = mistakes.iter().map(|mistake| format!("  - {mistake}"));
    lines.collect::<Vec<_>>().join("\n")
}

impl ConfigError {
    /// Each mistake in its own text.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Several(mistakes) => mistakes.iter().map(Self::to_string).collect(),
            one => vec![one.to_string()],
        }
    }
}

/// Why the configuration or the environment could not be used. Texts never hold a secret.
#[derive(Debug, Error)]
#[expect(
    missing_docs,
    reason = "what a field without words holds, the sentence above it says"
)]
pub enum ConfigError {
    /// The file is missing, a directory, or not ours to read.
    #[error("cannot read the configuration file {file}, which {given_by} names")]
    Unreadable {
        file: String,
        given_by: &'static str,
        #[source]
        source: io::Error,
    },
    /// The file cannot be a configuration.
    #[error("{file} is larger than {FILE_BYTES_MAX} bytes, so it is no configuration file")]
    TooLong { file: String },
    /// The file is not UTF-8.
    #[error("{file} is not UTF-8 text; save it as UTF-8")]
    NotText { file: String },
    /// The file is not TOML. The line itself is not shown, because it may hold a secret.
    #[error("{place}: not valid TOML: {problem}")]
    Syntax { place: String, problem: String },
    /// An outcome word in two classes.
    #[error(
        "{file}: rules.{first} and rules.{second} share a word, and a word means one thing; take it out of one of them"
    )]
    WordTwice {
        file: String,
        first: &'static str,
        second: &'static str,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`; {advice}")]
    UnknownKey {
        place: String,
        key: String,
        advice: String,
    },
    /// A secret in a file.
    #[error(
        "{place}: `{key}` does not belong in a file: the database URL is a secret and is \
         read from the environment variable {variable}; remove the key, and change the password if \
         others can read the file"
    )]
    Secret {
        place: String,
        key: String,
        variable: &'static str,
    },
    /// A value where a section is meant.
    #[error("{place}: `{key}` is a section; write it as `[{key}]` with its keys below")]
    NotASection { place: String, key: String },
    /// A value that is not allowed.
    #[error(
        "{place}: `{key}` is {value}: {problem}; change it, or remove it to use the default, \
         {default}"
    )]
    Value {
        place: String,
        key: String,
        /// The value as it stands in the file, shortened.
        value: String,
        problem: String,
        default: String,
    },
    /// Two durations that contradict each other.
    #[error(
        "{file}: `{shorter}` is {shorter_value}, {fault} `{longer}`, which is {longer_value}; \
         lower the first or raise the second"
    )]
    Order {
        file: String,
        /// The setting that may not be longer.
        shorter: &'static str,
        /// The value of the setting that must not be the longer one.
        shorter_value: String,
        /// How the two stand to each other.
        fault: &'static str,
        /// The setting that may not be shorter.
        longer: &'static str,
        /// The value of the setting that it must not exceed.
        longer_value: String,
    },
    /// A console that everybody could read.
    #[error(
        "{file}: `console.listen` is \"{listen}\", which others can reach, and there is no \
         `[[console.tokens]]` entry to tell them apart; add one that `restore-reconciler token` makes, \
         or listen on 127.0.0.1"
    )]
    OpenToOthers { file: String, listen: SocketAddr },
    /// Several mistakes in the file and the environment.
    #[error("{} mistakes:\n{}", .0.len(), list(.0))]
    Several(Vec<Self>),
    /// A setting from the environment that is not allowed.
    #[error(
        "the environment variable {name} cannot be used: {problem}; without it, what the file says holds, or the default, {default}"
    )]
    Variable {
        name: String,
        problem: String,
        default: String,
    },
    /// A variable that looks like a setting, and is none.
    #[error("the environment variable {name} is no setting; {advice}")]
    UnknownVariable { name: String, advice: String },
    /// A variable that is set to nothing, which a failed injection of a secret looks like.
    #[error("the environment variable {name} is empty; give it a value, or unset it")]
    EmptyVariable { name: &'static str },
    /// A file with a secret that cannot be read.
    #[error("cannot read {file}, which {given_by} names")]
    SecretFile {
        file: String,
        given_by: &'static str,
        #[source]
        source: io::Error,
    },
    /// A secret that is given twice.
    #[error("the environment variables {name} and {file_name} are both set; unset one of them")]
    GivenTwice {
        name: &'static str,
        file_name: &'static str,
    },
    /// A file of passwords that others may read.
    #[error(
        "others may read {file}, which holds passwords; run `chmod 600 {file}`, or name another file in PGPASSFILE"
    )]
    PassFileOpen { file: String },
    /// A URL of the database cannot be used.
    #[error("the environment variable {name} cannot be used: {problem}")]
    DatabaseUrl {
        name: &'static str,
        problem: DatabaseUrlError,
    },
}
