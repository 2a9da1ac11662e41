//! What the exit code of a command says.

use std::process::ExitCode;

use crate::storage::Tally;

/// How a command ended. Scripts may rely on these numbers; they never change their meaning.
///
/// | Code | Meaning |
/// |---|---|
/// | 0 | done; every run asked for is proven to have succeeded, or there was nothing to do |
/// | 1 | could not run, or a run does not exist |
/// | 2 | the command line cannot be understood |
/// | 3 | `doctor` found a problem |
/// | 10 | at least one verdict is below succeeded |
/// | 11 | at least one run is undecided, and no verdict is below succeeded |
///
/// A run that is closed without a verdict of ours counts as undecided: nothing was proven.
///
/// `enqueue` and `queue` decide nothing: their 0 says that what was asked for was done. Where a run is closed
/// instead, their code is the one that `reconcile` would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, and nothing speaks against it.
    Done = 0,
    /// The command could not do its work.
    CouldNotRun = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// `doctor` found a problem.
    ProblemFound = 3,
    /// At least one verdict is below succeeded.
    BelowSucceeded = 10,
    /// At least one run is undecided.
    Undecided = 11,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::CouldNotRun,
        Self::Usage,
        Self::ProblemFound,
        Self::BelowSucceeded,
        Self::Undecided,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What the number means, as `--help` says it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => {
                "done; every run asked for is proven to have succeeded, or there was nothing to do"
            }
            Self::CouldNotRun => "could not run, or a run does not exist",
            Self::Usage => "the command line cannot be understood",
            Self::ProblemFound => "`doctor` found a problem",
            Self::BelowSucceeded => "at least one verdict is below succeeded",
            Self::Undecided => "at least one run is undecided, and no verdict is below succeeded",
        }
    }

    /// The code for several runs: what could not be done first, then what is worst.
    #[must_use]
    pub fn of_all(each: impl IntoIterator<Item = Self>) -> Self {
        let weight = |exit: &Self| match exit {
            Self::Done => 0,
            Self::Undecided => 1,
            Self::BelowSucceeded => 2,
            Self::ProblemFound | Self::Usage => 3,
            Self::CouldNotRun => 4,
        };
        each.into_iter().max_by_key(weight).unwrap_or(Self::Done)
    }
}

impl From<&Tally> for Exit {
    /// The code of a pass.
    fn from(tally: &Tally) -> Self {
        if tally.partially_succeeded + tally.blocked + tally.failed > 0 {
            Self::BelowSucceeded
        } else if tally.deferred + tally.refused + tally.passed_over > 0 {
            Self::Undecided
        } else {
            Self::Done
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_above_says_what_the_help_says() {
        let source = include_str!("exit.rs");
        for exit in Exit::ALL {
            let row = format!("/// | {} | {} |", exit.code(), exit.meaning());
            assert!(source.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_worst_of_several_runs_decides() {
        use Exit::{BelowSucceeded, CouldNotRun, Done, Undecided};
        let cases: [(&[Exit], Exit); 5] = [
            (&[], Done),
            (&[Done, Done], Done),
            (&[Done, Undecided], Undecided),
            (&[Undecided, BelowSucceeded, Done], BelowSucceeded),
            (&[BelowSucceeded, CouldNotRun, Undecided], CouldNotRun),
        ];
        for (each, all) in cases {
            assert_eq!(Exit::of_all(each.iter().copied()), all, "{each:?}");
        }
    }
}
