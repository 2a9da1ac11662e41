//! What took long to find, kept for a few seconds: whoever asks next within them is told the same.
//!
//! Going through thousands of environments takes longer than a page may. Each survey is made once for everybody
//! who may see the same, however many ask at once, and the pages say when.
//!
//! **Invariant:** what one viewer is told was found within that viewer's workspaces, with that viewer's visibility.
//!
//! # Design notes
//!
//! A survey ages by the database's clock, as everything does that pages show: a cache of the field's own, such as moka,
//! goes by the machine's. What is looked at for every page ages by the machine's, so that no page asks for the time.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex as AsyncMutex;

use crate::clock::Stopwatch;
use crate::storage::reader::Workspaces;
use crate::views::Visibility;
use crate::views::survey::Survey;

/// How long what was found is told again, by the database's clock.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(15);

/// How many scopes are kept.
const KEPT_MAX: usize = 64;

/// Whose environments were gone through, and as seen by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SurveyScope {
    pub(super) workspaces: Workspaces,
    pub(super) visibility: Visibility,
}

/// What was found last; locked by whoever looks.
type LastFound<F> = Arc<AsyncMutex<Option<Arc<F>>>>;

/// What was found lately, the scope that was asked for last at the end.
#[derive(Debug)]
pub(super) struct Kept<S, F>(Mutex<Vec<(S, LastFound<F>)>>);

/// Surveys of environments.
pub(super) type SurveyCache = Kept<SurveyScope, Survey>;

/// What was found within a viewer's workspaces, and since when it is kept.
pub(super) type Lately<F> = Kept<Workspaces, (Stopwatch, Arc<F>)>;

impl<S, F> Default for Kept<S, F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl SurveyCache {
    /// What was found at `now` or a little before; else what `walking` finds.
    ///
    /// Fails where `walking` does; whoever asks next then tries again.
    pub(super) async fn get<E>(
        &self,
        scope: SurveyScope,
        now: Timestamp,
        walking: impl Future<Output = Result<Survey, E>>,
    ) -> Result<Arc<Survey>, E> {
        // While this one waited, somebody else may have looked, later than its own now.
        let is_fresh = |found: &Survey| now.duration_since(found.as_of) < KEPT_FOR;
        self.get_fresh(scope, is_fresh, walking).await
    }
}

impl<F> Lately<F> {
    /// What was found no longer ago than `kept_for`; else what `looking` finds.
    pub(super) async fn get_within<E>(
        &self,
        kept_for: Duration,
        of: &Workspaces,
        looking: impl Future<Output = Result<F, E>>,
    ) -> Result<Arc<F>, E> {
        let looking = async { Ok((Stopwatch::start(), Arc::new(looking.await?))) };
        let is_fresh = |(since, _): &(Stopwatch, _)| since.elapsed() < kept_for;
        let found = self.get_fresh(of.clone(), is_fresh, looking).await?;
        Ok(Arc::clone(&found.1))
    }
}

impl<S: PartialEq, F> Kept<S, F> {
    async fn get_fresh<E>(
        &self,
        scope: S,
        is_fresh: impl Fn(&F) -> bool,
        looking: impl Future<Output = Result<F, E>>,
    ) -> Result<Arc<F>, E> {
        let latest = self.latest_of(scope);
        let mut latest = latest.lock().await;
        if let Some(found) = latest.as_ref().filter(|found| is_fresh(found)) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(looking.await?);
        *latest = Some(Arc::clone(&found));
        Ok(found)
    }

    fn latest_of(&self, scope: S) -> LastFound<F> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().position(|(of, _)| *of == scope);
        let latest = known.map_or_else(LastFound::default, |place| all.remove(place).1);
        if all.len() >= KEPT_MAX {
            all.remove(0);
        }
        all.push((scope, Arc::clone(&latest)));
        latest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reconciler_jobs::ids::WorkspaceId;
    use tokio::sync::Semaphore;

    use super::*;

    fn only(workspace: i64) -> SurveyScope {
        SurveyScope {
            workspaces: Workspaces::Only(BTreeSet::from([WorkspaceId(workspace)])),
            visibility: Visibility { evidence: true },
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    /// Looks at once, and says whether it had to.
    async fn ask(cache: &SurveyCache, scope: SurveyScope, second: i64) -> (i64, bool) {
        let mut has_looked = false;
        let look = async {
            has_looked = true;
            Ok::<_, Infallible>(Survey {
                as_of: at(second),
                ..Survey::default()
            })
        };
        let Ok(found) = cache.get(scope, at(second), look).await;
        (found.as_of.as_second() - 1_000, has_looked)
    }

    #[tokio::test]
    async fn what_was_found_is_told_again_for_a_while_and_to_those_who_see_the_same() {
        let cache = SurveyCache::default();
        assert_eq!(ask(&cache, only(1), 0).await, (0, true));
        assert_eq!(ask(&cache, only(1), 14).await, (0, false));
        assert_eq!(ask(&cache, only(1), -3).await, (0, false));
        assert_eq!(ask(&cache, only(2), 14).await, (14, true));
        let all = SurveyScope {
            workspaces: Workspaces::All,
            ..only(1)
        };
        assert_eq!(ask(&cache, all, 14).await, (14, true));
        let blind = SurveyScope {
            visibility: Visibility { evidence: false },
            ..only(1)
        };
        assert_eq!(ask(&cache, blind, 14).await, (14, true));
        assert_eq!(ask(&cache, only(1), 15).await, (15, true));
        assert_eq!(ask(&cache, only(1), 29).await, (15, false));
    }

    #[tokio::test]
    async fn the_scope_that_nobody_asked_for_longest_is_forgotten_first() {
        let cache = SurveyCache::default();
        let number = i64::try_from(KEPT_MAX).unwrap();
        for workspace in 0..number {
            ask(&cache, only(workspace), 0).await;
        }
        assert_eq!(ask(&cache, only(0), 1).await, (0, false));
        assert_eq!(ask(&cache, only(number), 1).await, (1, true));
        assert_eq!(ask(&cache, only(0), 1).await, (0, false));
        assert_eq!(ask(&cache, only(1), 1).await, (1, true));
        assert_eq!(cache.0.lock().unwrap().len(), KEPT_MAX);
    }

    #[tokio::test]
    async fn those_who_ask_at_once_wait_for_the_one_who_looks() {
        let cache = SurveyCache::default();
        let (looks, go_on) = (AtomicUsize::new(0), Semaphore::new(0));
        let asking = || {
            cache.get(only(1), at(0), async {
                looks.fetch_add(1, Ordering::Relaxed);
                drop(go_on.acquire().await);
                Ok::<_, Infallible>(Survey {
                    as_of: at(1),
                    ..Survey::default()
                })
            })
        };
        let (one, other, ()) =
            futures_util::join!(asking(), asking(), async { go_on.add_permits(2) });
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
        assert_eq!(looks.into_inner(), 1);
    }

    #[tokio::test]
    async fn whoever_fails_or_gives_up_leaves_it_to_the_next() {
        let cache = SurveyCache::default();
        let failed = cache.get(only(1), at(0), async { Err::<Survey, _>("away") });
        assert_eq!(failed.await.unwrap_err(), "away");
        let never = std::future::pending::<Result<Survey, Infallible>>();
        let mut given_up = Box::pin(cache.get(only(1), at(0), never));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        assert_eq!(ask(&cache, only(1), 0).await, (0, true));
    }
}
