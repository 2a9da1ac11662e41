//! How many pages are made at once, of which no caller gets more than a share.
//!
//! A request beyond that waits for a moment. Those who wait are counted in the same way, so that what waits is
//! bounded too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::console::access::Caller;

/// One caller has at most one of so many parts.
const SHARES: usize = 4;

/// Permits to make a page.
pub(in crate::console) struct Concurrency {
    all: Permits,
    share_max: usize,
    wait_max: Duration,
    /// Permits of the callers that make pages or wait to.
    shares: Mutex<HashMap<Caller, Arc<Permits>>>,
}

struct Permits {
    pages: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Permits {
    fn new(max: usize) -> Self {
        Self {
            pages: Arc::new(Semaphore::new(max)),
            waiting: Semaphore::new(max),
        }
    }
}

/// One page is made. Ends when it is dropped.
pub(super) struct Permit {
    _pages: [OwnedSemaphorePermit; 2],
    _share: Arc<Permits>,
}

impl Concurrency {
    /// Up to `pages_max` at once, and as many that wait, each up to `wait_max`.
    pub(in crate::console) fn new(pages_max: usize, wait_max: Duration) -> Self {
        Self {
            all: Permits::new(pages_max),
            share_max: (pages_max / SHARES).max(1),
            wait_max,
            shares: Mutex::default(),
        }
    }

    /// A permit for `caller`, as soon as there is one; none where that takes too long, or too many wait already.
    pub(super) async fn acquire(&self, caller: Caller) -> Option<Permit> {
        let share = self.share_of(caller);
        if let (Ok(own), Ok(any)) = (
            Arc::clone(&share.pages).try_acquire_owned(),
            Arc::clone(&self.all.pages).try_acquire_owned(),
        ) {
            return Some(Permit {
                _pages: [own, any],
                _share: share,
            });
        }
        let _waiting = (
            share.waiting.try_acquire().ok()?,
            self.all.waiting.try_acquire().ok()?,
        );
        let acquiring = async {
            // The share first: whoever waits for it keeps no page from others.
            let own = Arc::clone(&share.pages).acquire_owned().await.ok()?;
            let any = Arc::clone(&self.all.pages).acquire_owned().await.ok()?;
            Some(Permit {
                _pages: [own, any],
                _share: Arc::clone(&share),
            })
        };
        let acquired = tokio::time::timeout(self.wait_max, acquiring).await;
        acquired.ok()?
    }

    fn share_of(&self, caller: Caller) -> Arc<Permits> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has given everything back is forgotten, so that callers who are gone take no memory.
        shares.retain(|_, share| Arc::strong_count(share) > 1);
        let new = || Arc::new(Permits::new(self.share_max));
        Arc::clone(shares.entry(caller).or_insert_with(new))
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(super) fn waiting(&self, pages_max: usize) -> usize {
        pages_max - self.all.waiting.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Caller = Caller::Token(0);
    const B: Caller = Caller::Token(1);

    /// Takes as many permits as `caller` gets at once.
    async fn acquired(concurrency: &Concurrency, caller: Caller) -> Vec<Permit> {
        let mut permits = Vec::new();
        while let Some(permit) = concurrency.acquire(caller).await {
            permits.push(permit);
        }
        permits
    }

    #[tokio::test]
    async fn nobody_has_more_than_a_share() {
        let concurrency = Concurrency::new(10, Duration::ZERO);
        let mut a = acquired(&concurrency, A).await;
        let b = acquired(&concurrency, B).await;
        assert_eq!((a.len(), b.len()), (2, 2));
        a.pop();
        let again = acquired(&concurrency, A).await;
        assert_eq!(again.len(), 1);
        assert!(acquired(&concurrency, B).await.is_empty());
    }

    #[tokio::test]
    async fn all_together_have_no_more_than_there_are() {
        let concurrency = Concurrency::new(10, Duration::ZERO);
        let mut all = Vec::new();
        for (id, expected) in (0..).zip([2, 2, 2, 2, 2, 0, 0, 0]) {
            let some = acquired(&concurrency, Caller::Token(id)).await;
            assert_eq!(some.len(), expected, "{id}");
            all.extend(some);
        }
        all.pop();
        assert!(concurrency.acquire(Caller::Token(7)).await.is_some());
    }

    #[tokio::test]
    async fn where_there_are_few_each_may_have_one() {
        for (pages_max, expected) in [
            (0, (0, 0)),
            (1, (1, 0)),
            (3, (1, 1)),
            (7, (1, 1)),
            (8, (2, 2)),
        ] {
            let concurrency = Concurrency::new(pages_max, Duration::ZERO);
            let a = acquired(&concurrency, A).await;
            let b = acquired(&concurrency, B).await;
            assert_eq!((a.len(), b.len()), expected, "{pages_max}");
        }
    }

    #[tokio::test]
    async fn who_has_given_everything_back_is_forgotten() {
        let concurrency = Concurrency::new(4, Duration::ZERO);
        let permit = concurrency.acquire(A).await;
        assert!(permit.is_some() && concurrency.acquire(A).await.is_none());
        drop(permit);
        drop(concurrency.acquire(B).await);
        let shares = concurrency.shares.lock().unwrap();
        assert_eq!(shares.keys().collect::<Vec<_>>(), [&B]);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_nor_beyond_a_share_of_those_who_wait() {
        let concurrency = Concurrency::new(4, Duration::from_millis(20));
        let permit = concurrency.acquire(A).await.unwrap();
        let (first, second) = tokio::join!(concurrency.acquire(A), async {
            assert_eq!(concurrency.waiting(4), 1);
            let second = concurrency.acquire(A).await;
            assert_eq!(concurrency.waiting(4), 1, "the other one still waits");
            second
        });
        assert!(first.is_none() && second.is_none());
        assert_eq!(concurrency.waiting(4), 0);
        drop(permit);
        assert!(concurrency.acquire(A).await.is_some());
    }
}
