//! How often somebody may ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::viewer::TokenId;

const MINUTE: Duration = Duration::from_mins(1);
/// How many are told apart. Beyond them, strangers share one allowance.
const KNOWN_MAX: usize = 10_000;

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::console) enum Asker {
    /// A token, from wherever it is used.
    Token(TokenId),
    /// An address without a token; of an IPv6 address the network, because a client has all of that.
    Address(IpAddr),
    /// Whoever comes while too many others are known.
    Stranger,
}

impl Asker {
    pub(in crate::console) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// An allowance per minute for each, which may be spent at once and grows back evenly.
pub(in crate::console) struct Rates {
    /// How long one request takes to grow back.
    interval: Duration,
    /// Until when each has spent its allowance.
    spent_until: Mutex<HashMap<Asker, Duration>>,
}

impl Rates {
    pub(in crate::console) fn per_minute(requests: u32) -> Self {
        Self {
            interval: MINUTE / requests.max(1),
            spent_until: Mutex::default(),
        }
    }

    /// Takes one request from somebody's allowance at `now`; where that is spent, says how long until the next.
    pub(in crate::console) fn take(&self, asker: Asker, now: Duration) -> Result<(), Duration> {
        let mut spent = self
            .spent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= KNOWN_MAX && !spent.contains_key(&asker) {
            spent.retain(|_, until| *until > now);
        }
        let asker = if spent.len() >= KNOWN_MAX && !spent.contains_key(&asker) {
            Asker::Stranger
        } else {
            asker
        };
        let until = spent.entry(asker).or_default();
        let next = (*until).max(now) + self.interval;
        match next.checked_sub(now + MINUTE) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *until = next;
                Ok(())
            }
        }
    }

    /// Gives back one request that was taken and shall not count.
    pub(in crate::console) fn give_back(&self, asker: Asker) {
        let mut spent = self
            .spent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = spent.contains_key(&asker);
        let asker = if known { asker } else { Asker::Stranger };
        if let Some(until) = spent.get_mut(&asker) {
            *until = until.saturating_sub(self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(text: &str) -> Asker {
        Asker::at(text.parse().unwrap())
    }

    #[test]
    fn an_allowance_is_spent_at_once_and_grows_back() {
        let rates = Rates::per_minute(6);
        let asker = Asker::Token(1);
        for _ in 0..6 {
            assert_eq!(rates.take(asker, seconds(5)), Ok(()));
        }
        assert_eq!(rates.take(asker, seconds(5)), Err(seconds(10)));
        assert_eq!(rates.take(asker, seconds(14)), Err(seconds(1)));
        assert_eq!(rates.take(asker, seconds(15)), Ok(()));
        assert_eq!(rates.take(asker, seconds(15)), Err(seconds(10)));
        for _ in 0..6 {
            assert_eq!(
                rates.take(asker, seconds(1_000)),
                Ok(()),
                "never more than a minute's"
            );
        }
        assert!(rates.take(asker, seconds(1_000)).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rates = Rates::per_minute(2);
        let asker = Asker::Token(1);
        for _ in 0..10 {
            assert_eq!(rates.take(asker, seconds(5)), Ok(()));
            rates.give_back(asker);
        }
        for _ in 0..5 {
            rates.give_back(asker);
        }
        let taken = [(); 3].map(|()| rates.take(asker, seconds(5)).is_ok());
        assert_eq!(taken, [true, true, false], "never more than a minute's");
    }

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let rates = Rates::per_minute(1);
        let askers = [
            Asker::Token(0),
            Asker::Token(1),
            at("192.0.2.1"),
            at("192.0.2.2"),
            at("2001:db8:0:1::1"),
            at("2001:db8:0:2::1"),
        ];
        for asker in askers {
            assert_eq!(rates.take(asker, seconds(0)), Ok(()), "{asker:?}");
            assert!(rates.take(asker, seconds(0)).is_err(), "{asker:?}");
        }
        for same in ["::ffff:192.0.2.1", "2001:db8:0:1:ffff::2"] {
            assert!(rates.take(at(same), seconds(0)).is_err(), "{same}");
        }
    }

    #[test]
    fn a_crowd_of_addresses_takes_no_more_memory_and_shares_what_is_left() {
        let rates = Rates::per_minute(1);
        let address = |n: u32| Asker::at(IpAddr::V4(n.into()));
        let known = u32::try_from(KNOWN_MAX).unwrap();
        for n in 0..known {
            assert_eq!(rates.take(address(n), seconds(0)), Ok(()));
        }
        assert_eq!(rates.take(address(known), seconds(0)), Ok(()));
        assert!(rates.take(address(known + 1), seconds(0)).is_err());
        assert!(rates.spent_until.lock().unwrap().len() <= KNOWN_MAX + 1);
        assert_eq!(
            rates.take(address(known + 2), seconds(61)),
            Ok(()),
            "the crowd is forgotten"
        );
        assert_eq!(rates.spent_until.lock().unwrap().len(), 1);
    }
}
