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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn after(tries: u32, try_again_at: i64) -> Attempts {
        Attempts {
            tries,
            try_again_at: at(try_again_at),
            dead: false,
        }
    }

    #[test]
    fn each_try_is_counted_before_it_begins_and_waits_longer() {
        let mut seen = after(0, 0);
        let mut waits = Vec::new();
        let mut now = at(0);
        while let Trial::Begin(next) = seen.next(now, 4, &Schedule::default()) {
            waits.push(next.try_again_at.duration_since(now).as_secs());
            seen = next;
            now = seen.try_again_at;
        }
        assert_eq!(waits, [30, 60, 120, 240]);
        assert_eq!(seen.tries, 4);
    }

    #[test]
    fn the_last_try_is_followed_by_a_dead_letter_and_that_by_nothing() {
        let schedule = Schedule::default();
        let Trial::GiveUp(dead) = after(4, 10).next(at(10), 4, &schedule) else {
            panic!("a fifth try");
        };
        assert_eq!((dead.tries, dead.dead), (4, true));
        assert_eq!(dead.next(at(1_000_000), 4, &schedule), Trial::Dead);
        assert_eq!(
            dead.next(at(1_000_000), 9, &schedule),
            Trial::Dead,
            "a raised limit revives nobody: that is an operator's decision"
        );
    }

    #[test]
    fn nothing_begins_before_its_time() {
        let waiting = after(1, 60);
        let schedule = Schedule::default();
        assert_eq!(waiting.next(at(59), 4, &schedule), Trial::Wait(at(60)));
        assert!(matches!(
            waiting.next(at(60), 4, &schedule),
            Trial::Begin(_)
        ));
    }
}
