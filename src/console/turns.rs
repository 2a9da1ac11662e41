//! Whose turn it is: how many pages are made at once, of which nobody gets more than a share.
//!
//! A request without a turn waits for one, for a moment; those who wait are counted in the same way, so that what
//! waits is bounded too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::access::Asker;

/// One asker has at most one of so many parts.
const SHARES: usize = 4;

/// Turns at making a page.
pub(super) struct Turns {
    pages: Places,
    waiting: Places,
    wait_max: Duration,
    freed: Notify,
}

impl Turns {
    /// `turns_max` at once; a request waits for one up to `wait_max`, and so many requests at most.
    pub(super) fn new(turns_max: usize, wait_max: Duration) -> Self {
        Self {
            pages: Places::new(turns_max),
            waiting: Places::new(turns_max),
            wait_max,
            freed: Notify::new(),
        }
    }

    /// A turn for `asker`, as soon as there is one; none where that takes too long, or too many wait already.
    pub(super) async fn take(&self, asker: Asker) -> Option<Turn<'_>> {
        if let Some(turn) = self.try_take(asker) {
            return Some(turn);
        }
        let _waiting = self.waiting.take(asker)?;
        let taking = async {
            loop {
                // Begins to listen before it looks, so that no turn is given back in between.
                let freed = self.freed.notified();
                if let Some(turn) = self.try_take(asker) {
                    return turn;
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.wait_max, taking).await.ok()
    }

    fn try_take(&self, asker: Asker) -> Option<Turn<'_>> {
        let place = self.pages.take(asker)?;
        Some(Turn {
            place: Some(place),
            freed: &self.freed,
        })
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.count(|counts| counts.all)
    }
}

/// One page is made. Ends when it is dropped.
pub(super) struct Turn<'t> {
    place: Option<Place<'t>>,
    freed: &'t Notify,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.place = None;
        self.freed.notify_waiters();
    }
}

/// So many places, of which one asker has a share.
struct Places(Mutex<Counts>);

impl Places {
    fn new(places_max: usize) -> Self {
        Self(Mutex::new(Counts::new(places_max)))
    }

    fn take(&self, asker: Asker) -> Option<Place<'_>> {
        let taken = self.count(|counts| counts.take(asker));
        taken.then(|| Place { of: self, asker })
    }

    fn count<T>(&self, with: impl FnOnce(&mut Counts) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Place<'p> {
    of: &'p Places,
    asker: Asker,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.count(|counts| counts.give_back(self.asker));
    }
}

/// How many places are taken, and by whom.
#[derive(Debug)]
struct Counts {
    places_max: usize,
    share_max: usize,
    all: usize,
    /// Those who have any.
    each: HashMap<Asker, usize>,
}

impl Counts {
    fn new(places_max: usize) -> Self {
        Self {
            places_max,
            share_max: (places_max / SHARES).max(1),
            all: 0,
            each: HashMap::new(),
        }
    }

    /// Whether there was a place for `asker`, which is taken now.
    fn take(&mut self, asker: Asker) -> bool {
        let own = self.each.get(&asker).copied().unwrap_or_default();
        if self.all >= self.places_max || own >= self.share_max {
            return false;
        }
        self.all += 1;
        self.each.insert(asker, own + 1);
        true
    }

    fn give_back(&mut self, asker: Asker) {
        if let Some(own) = self.each.get_mut(&asker) {
            self.all -= 1;
            *own -= 1;
            if *own == 0 {
                self.each.remove(&asker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Asker = Asker::Token(0);
    const B: Asker = Asker::Token(1);

    fn taken(counts: &mut Counts, asker: Asker) -> usize {
        std::iter::repeat_with(|| counts.take(asker))
            .take_while(|taken| *taken)
            .count()
    }

    #[test]
    fn nobody_has_more_than_a_share() {
        let mut counts = Counts::new(10);
        assert_eq!([A, B].map(|asker| taken(&mut counts, asker)), [2, 2]);
        counts.give_back(A);
        assert_eq!([A, B].map(|asker| taken(&mut counts, asker)), [1, 0]);
    }

    #[test]
    fn all_together_have_no_more_than_there_are() {
        let mut counts = Counts::new(10);
        let each = (0..8).map(|id| taken(&mut counts, Asker::Token(id)));
        assert_eq!(each.collect::<Vec<_>>(), [2, 2, 2, 2, 2, 0, 0, 0]);
        counts.give_back(A);
        assert_eq!(taken(&mut counts, Asker::Token(7)), 1);
    }

    #[test]
    fn where_there_are_few_each_may_have_one() {
        for (places, expected) in [
            (0, [0, 0]),
            (1, [1, 0]),
            (3, [1, 1]),
            (7, [1, 1]),
            (8, [2, 2]),
        ] {
            let mut counts = Counts::new(places);
            let found = [A, B].map(|asker| taken(&mut counts, asker));
            assert_eq!(found, expected, "{places}");
        }
    }

    #[test]
    fn who_has_given_everything_back_is_forgotten() {
        let mut counts = Counts::new(4);
        assert!(counts.take(A));
        counts.give_back(A);
        counts.give_back(A);
        assert_eq!((counts.all, counts.each.len()), (0, 0));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_nor_beyond_a_share_of_those_who_wait() {
        let turns = Turns::new(4, Duration::from_millis(20));
        let turn = turns.take(A).await.unwrap();
        let (first, second) = tokio::join!(turns.take(A), async {
            assert_eq!(turns.waiting(), 1);
            let second = turns.take(A).await;
            assert_eq!(turns.waiting(), 1, "the other one still waits");
            second
        });
        assert!(first.is_none() && second.is_none());
        assert_eq!(turns.waiting(), 0);
        drop(turn);
        assert!(turns.take(A).await.is_some());
    }
}
