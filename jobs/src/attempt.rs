//! What becomes of a run whose settlement may have ended the process that tried it.
//!
//! Nobody can catch a killed process, so each try is written down before it begins. A try that is found
//! again was never finished. Such a run waits longer after each try, and after the last one it is a
//! dead letter: it stays open, nobody tries again by himself, and somebody is told.

use jiff::Timestamp;

use crate::stamp::shifted;
use crate::sweep::Schedule;

/// How often a run is tried unless configured otherwise.
pub const TRIES_MAX: u32 = 5;

/// What is remembered of tries that were begun and never finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How many there were. None where the run was merely in the hands of a process that ended.
    pub tries: u32,
    /// When the next one may begin.
    pub try_again_at: Timestamp,
    /// Whether the run is a dead letter.
    pub dead: bool,
}

/// What to do about such a run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Settle it, alone, once this has been written down.
    Begin(Attempts),
    /// Write down that it is a dead letter.
    GiveUp(Attempts),
    /// Leave it alone until this moment.
    Wait(Timestamp),
    /// Leave it alone.
    Dead,
}

impl Attempts {
    /// What to do at `as_of`, when `tries_max` tries are allowed.
    #[must_use]
    pub fn next(&self, as_of: Timestamp, tries_max: u32, schedule: &Schedule) -> Trial {
        if self.dead {
            return Trial::Dead;
        }
        if self.try_again_at > as_of {
            return Trial::Wait(self.try_again_at);
        }
        if self.tries >= tries_max {
            return Trial::GiveUp(Self {
                dead: true,
                ..*self
            });
        }
        Trial::Begin(Self {
            tries: self.tries + 1,
            try_again_at: shifted(as_of, schedule.wait_after(self.tries)),
            dead: false,
        })
    }
}
