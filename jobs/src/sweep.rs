//! When runs are looked at: in passes over all that are due, and again if they stay open.
//!
//! A pass goes over the workspaces in turns, see [`turns`], and may be divided among hosts, see
//! [`shard`]. Which of the runs that it meets may be settled says [`admission`]. A run that stays open is watched. Each look that changes nothing doubles the wait, up to
//! a cap; a reason that changed starts over, because then something is happening.

pub mod admission;
pub mod shard;
pub mod turns;

use jiff::{SignedDuration, Timestamp};

use crate::restore_execute::{Decision, ReasonCode, Ruling};
use crate::stamp::shifted;

/// How long to wait between looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first look.
    pub wait_min: SignedDuration,
    /// The longest wait.
    pub wait_max: SignedDuration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            wait_min: SignedDuration::from_secs(30),
            wait_max: SignedDuration::from_mins(15),
        }
    }
}

/// What the watch list remembers of a run from earlier looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// The code of the reason it was deferred for. Text, because another version may have written it.
    pub reason_code: String,
    /// How many looks in a row found this reason.
    pub tries: u32,
}

/// What the watch list will remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// Why the run is still open.
    pub reason: ReasonCode,
    /// How many looks in a row found this reason, this one included.
    pub tries: u32,
    /// When the run is due again.
    pub look_again_at: Timestamp,
}

impl Watch {
    /// After a look that left the run open; none where it did not.
    #[must_use]
    pub fn after(
        decision: &Decision,
        seen: Option<&Watched>,
        as_of: Timestamp,
        schedule: &Schedule,
    ) -> Option<Self> {
        let Ruling::Deferred { look_again_at } = decision.ruling else {
            return None;
        };
        let again = || Self::again(decision.reason, look_again_at, seen, as_of, schedule);
        decision.stays_open().then(again)
    }

    /// After a look that the database refused to record.
    #[must_use]
    pub fn after_refusal(seen: Option<&Watched>, as_of: Timestamp, schedule: &Schedule) -> Self {
        Self::again(ReasonCode::SettleFailed, None, seen, as_of, schedule)
    }

    fn again(
        reason: ReasonCode,
        look_again_at: Option<Timestamp>,
        seen: Option<&Watched>,
        as_of: Timestamp,
        schedule: &Schedule,
    ) -> Self {
        let before = seen
            .filter(|seen| seen.reason_code == reason.code())
            .map_or(0, |seen| seen.tries);
        let backed_off = shifted(as_of, schedule.wait_after(before));
        let look_again_at = look_again_at.map_or(backed_off, |moment| moment.min(backed_off));
        Self {
            reason,
            tries: before.saturating_add(1),
            look_again_at,
        }
    }
}

impl Schedule {
    /// The wait after this many earlier looks: doubled each time, never above the cap.
    #[must_use]
    pub fn wait_after(&self, tries: u32) -> SignedDuration {
        let doubled = 2_i32
            .checked_pow(tries)
            .and_then(|factor| self.wait_min.checked_mul(factor));
        doubled.map_or(self.wait_max, |wait| wait.min(self.wait_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn seen(reason: ReasonCode, tries: u32) -> Watched {
        Watched {
            reason_code: reason.code().to_owned(),
            tries,
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let schedule = Schedule::default();
        let waits: Vec<_> = [0, 1, 2, 4, 5, 31, u32::MAX]
            .map(|tries| schedule.wait_after(tries).as_secs())
            .into_iter()
            .collect();
        assert_eq!(waits, [30, 60, 120, 480, 900, 900, 900]);
    }

    #[test]
    fn a_refusal_backs_off_and_a_new_reason_starts_over() {
        let schedule = Schedule::default();
        let third =
            Watch::after_refusal(Some(&seen(ReasonCode::SettleFailed, 2)), at(0), &schedule);
        assert_eq!((third.tries, third.look_again_at), (3, at(120)));
        let first = Watch::after_refusal(Some(&seen(ReasonCode::InProgress, 9)), at(0), &schedule);
        assert_eq!((first.tries, first.look_again_at), (1, at(30)));
    }

    #[test]
    fn a_known_moment_is_not_slept_through() {
        let soon = Watch::again(
            ReasonCode::Settling,
            Some(at(7)),
            None,
            at(0),
            &Schedule::default(),
        );
        assert_eq!(soon.look_again_at, at(7));
        let later = Watch::again(
            ReasonCode::Settling,
            Some(at(600)),
            None,
            at(0),
            &Schedule::default(),
        );
        assert_eq!(
            later.look_again_at,
            at(30),
            "evidence may arrive before the window closes"
        );
    }
}
