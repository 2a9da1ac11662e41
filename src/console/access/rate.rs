//! How often a caller may ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::viewer::{Entrance, TokenId, Viewer};

const MINUTE: Duration = Duration::from_mins(1);
/// How many are told apart. Beyond them, strangers share one allowance.
const KNOWN_MAX: usize = 10_000;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::console) enum Caller {
    /// A token, from wherever it is used.
    Token(TokenId),
    /// Somebody whom a proxy names.
    Proxied(u64),
    /// An address without a token; of an IPv6 address the network, because a client has all of that.
    Address(IpAddr),
    /// Whoever comes while too many others are known.
    Other,
}

impl Caller {
    pub(in crate::console) fn new(viewer: Option<&Viewer>, address: IpAddr) -> Self {
        match viewer.map(|viewer| viewer.entrance) {
            Some(Entrance::Token(token)) => Self::Token(token),
            Some(Entrance::Proxy(name)) => Self::Proxied(name),
            Some(Entrance::Local) | None => address.into(),
        }
    }
}

impl From<IpAddr> for Caller {
    fn from(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// An allowance of requests per minute for each caller, which may be spent at once and grows back evenly.
pub(in crate::console) struct RateLimiter {
    /// How long one request takes to grow back.
    interval: Duration,
    /// Until when each has spent its allowance.
    spent_until: Mutex<HashMap<Caller, Duration>>,
}

impl RateLimiter {
    pub(in crate::console) fn per_minute(requests: u32) -> Self {
        Self {
            interval: MINUTE / requests.max(1),
            spent_until: Mutex::default(),
        }
    }

    /// Takes one request from somebody's allowance at `now`; where that is spent, says how long until the next.
    pub(in crate::console) fn take(&self, caller: Caller, now: Duration) -> Result<(), Duration> {
        let mut spent = self.lock();
        if spent.len() >= KNOWN_MAX && !spent.contains_key(&caller) {
            spent.retain(|_, until| *until > now);
        }
        let caller = if spent.len() >= KNOWN_MAX && !spent.contains_key(&caller) {
            Caller::Other
        } else {
            caller
        };
        let until = spent.entry(caller).or_default();
        let next = (*until).max(now) + self.interval;
        match next.checked_sub(now + MINUTE) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *until = next;
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Caller, Duration>> {
        self.spent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back one request that was taken and shall not count.
    pub(in crate::console) fn give_back(&self, caller: Caller) {
        let mut spent = self.lock();
        let known = spent.contains_key(&caller);
        let caller = if known { caller } else { Caller::Other };
        if let Some(until) = spent.get_mut(&caller) {
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

    fn at(text: &str) -> Caller {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_allowance_is_spent_at_once_and_grows_back() {
        let rates = RateLimiter::per_minute(6);
        let caller = Caller::Token(1);
        for _ in 0..6 {
            assert_eq!(rates.take(caller, seconds(5)), Ok(()));
        }
        assert_eq!(rates.take(caller, seconds(5)), Err(seconds(10)));
        assert_eq!(rates.take(caller, seconds(14)), Err(seconds(1)));
        assert_eq!(rates.take(caller, seconds(15)), Ok(()));
        assert_eq!(rates.take(caller, seconds(15)), Err(seconds(10)));
        for _ in 0..6 {
            assert_eq!(
                rates.take(caller, seconds(1_000)),
                Ok(()),
                "never more than a minute's"
            );
        }
        assert!(rates.take(caller, seconds(1_000)).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rates = RateLimiter::per_minute(2);
        let caller = Caller::Token(1);
        for _ in 0..10 {
            assert_eq!(rates.take(caller, seconds(5)), Ok(()));
            rates.give_back(caller);
        }
        for _ in 0..5 {
            rates.give_back(caller);
        }
        let taken = [(); 3].map(|()| rates.take(caller, seconds(5)).is_ok());
        assert_eq!(taken, [true, true, false], "never more than a minute's");
    }

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let rates = RateLimiter::per_minute(1);
        let callers = [
            Caller::Token(0),
            Caller::Token(1),
            at("192.0.2.1"),
            at("192.0.2.2"),
            at("2001:db8:0:1::1"),
            at("2001:db8:0:2::1"),
        ];
        for caller in callers {
            assert_eq!(rates.take(caller, seconds(0)), Ok(()), "{caller:?}");
            assert!(rates.take(caller, seconds(0)).is_err(), "{caller:?}");
        }
        for same in ["::ffff:192.0.2.1", "2001:db8:0:1:ffff::2"] {
            assert!(rates.take(at(same), seconds(0)).is_err(), "{same}");
        }
    }

    #[test]
    fn a_crowd_of_addresses_takes_no_more_memory_and_shares_what_is_left() {
        let rates = RateLimiter::per_minute(1);
        let address = |n: u32| Caller::from(IpAddr::V4(n.into()));
        let known = u32::try_from(KNOWN_MAX).unwrap();
        for n in 0..known {
            assert_eq!(rates.take(address(n), seconds(0)), Ok(()));
        }
        assert_eq!(rates.take(address(known), seconds(0)), Ok(()));
        assert!(rates.take(address(known + 1), seconds(0)).is_err());
        assert!(rates.lock().len() <= KNOWN_MAX + 1);
        assert_eq!(
            rates.take(address(known + 2), seconds(61)),
            Ok(()),
            "the crowd is forgotten"
        );
        assert_eq!(rates.lock().len(), 1);
    }
}
