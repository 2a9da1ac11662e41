//! What the exit code of a command says.

use std::process::ExitCode;

use crate::storage::Tally;

reconciler_jobs::vocabulary! {
    /// How a command ended. Scripts may rely on these numbers; they never change their meaning.
    ///
    /// A run that is closed without a verdict of ours counts as undecided.
    ///
    /// `enqueue` and `queue` decide nothing: their 0 says that what was asked for was done. Where a run is closed
    /// instead, their code is the one that `reconcile` would have.
    #[derive(PartialOrd, Ord)]
    pub enum Exit {
        /// What the number means, as `--help` says it.
        meaning,
        /// The number.
        code: u8,
    }
    Done = "done; every run asked for is proven to have succeeded, or there was nothing to do" { code: 0 }
    CouldNotRun = "could not run, or a run does not exist" { code: 1 }
    Usage = "the command line cannot be understood" { code: 2 }
    ProblemFound = "`doctor` found a problem, or with `--survey` a leg of the proof that never held, or `grants` or `migrate --status` something that is not there yet, or `ledger verify` or `ledger export` records that disagree" { code: 3 }
    BelowSucceeded = "at least one verdict is below succeeded" { code: 10 }
    Undecided = "at least one run is undecided, and no verdict is below succeeded" { code: 11 }
}

impl Exit {
    /// The code for several runs: what could not be done first, then what is worst.
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
