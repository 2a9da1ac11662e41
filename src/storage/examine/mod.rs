//! Looks at a database the way an operator would before trusting it.

pub(super) mod postgres;
pub(super) mod sqlite;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words.
    pub subject: String,
    /// How it was found.
    pub level: Level,
    /// What was found, in one sentence.
    pub finding: String,
    /// What to do, ready to be pasted where it is a statement.
    pub action: Option<String>,
}

/// How a check was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it must be.
    Good,
    /// It works, but could work better.
    Advice,
    /// It does not work until somebody changes something.
    Problem,
}
