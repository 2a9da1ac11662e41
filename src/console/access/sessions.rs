//! Who has logged in: sessions in memory, which end by themselves.
//!
//! The id of a session is in the viewer's cookie and nowhere else: what is kept is its hash, and what forms send
//! back is derived from it. Sessions end with the process; logging in again costs one form.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reconciler_jobs::restore_execute::canonical::digest_of;

use super::tokens::{NoRandomness, random_text};
use super::viewer::TokenId;

/// How many sessions there are at most. One more ends the one that was silent for the longest time.
const SESSIONS_MAX: usize = 1_000;
/// How many sessions one token has at most, so that nobody's logins end another's.
const SESSIONS_OF_TOKEN_MAX: usize = 32;
/// No id of ours is longer.
const ID_CHARS_MAX: usize = 64;

/// Sessions by the hash of their ids.
pub(in crate::console) struct Sessions {
    idle: Duration,
    max: Duration,
    open: Mutex<HashMap<String, LoginSession>>,
}

struct LoginSession {
    token: TokenId,
    began: Duration,
    seen: Duration,
}

impl Sessions {
    /// Sessions that end after `idle` without a request, and after `max` in any case.
    pub(in crate::console) fn new(idle: Duration, max: Duration) -> Self {
        Self {
            idle,
            max,
            open: Mutex::default(),
        }
    }

    /// Begins one at `now` and returns its id.
    pub(in crate::console) fn begin(
        &self,
        token: TokenId,
        now: Duration,
    ) -> Result<String, NoRandomness> {
        let id = random_text()?;
        let mut open = self.lock();
        open.retain(|_, session| self.lasts(session, now));
        let of_token = open
            .values()
            .filter(|session| session.token == token)
            .count();
        if of_token >= SESSIONS_OF_TOKEN_MAX {
            end_most_silent(&mut open, |session| session.token == token);
        }
        if open.len() >= SESSIONS_MAX {
            end_most_silent(&mut open, |_| true);
        }
        let session = LoginSession {
            token,
            began: now,
            seen: now,
        };
        open.insert(digest_of(&id), session);
        Ok(id)
    }

    /// Whose session this is, if it has not ended; it was seen at `now` where somebody asked, and no page by itself.
    pub(in crate::console) fn find(
        &self,
        id: &str,
        now: Duration,
        is_by_somebody: bool,
    ) -> Option<TokenId> {
        if id.len() > ID_CHARS_MAX {
            return None;
        }
        let hash = digest_of(id);
        let mut open = self.lock();
        let session = open.get_mut(&hash)?;
        if self.lasts(session, now) {
            if is_by_somebody {
                session.seen = now;
            }
            return Some(session.token);
        }
        open.remove(&hash);
        None
    }

    /// Ends those of other tokens than these.
    pub(in crate::console) fn keep(&self, is_there: impl Fn(TokenId) -> bool) {
        self.lock().retain(|_, session| is_there(session.token));
    }

    /// Ends one.
    pub(in crate::console) fn end(&self, id: &str) {
        self.lock().remove(&digest_of(id));
    }

    fn lasts(&self, session: &LoginSession, now: Duration) -> bool {
        now.saturating_sub(session.seen) < self.idle && now.saturating_sub(session.began) < self.max
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, LoginSession>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_most_silent(
    open: &mut HashMap<String, LoginSession>,
    among: impl Fn(&LoginSession) -> bool,
) {
    let most_silent = open
        .iter()
        .filter(|(_, session)| among(session))
        .min_by_key(|(_, session)| session.seen)
        .map(|(hash, _)| hash.clone());
    if let Some(hash) = most_silent {
        open.remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn sessions() -> Sessions {
        Sessions::new(minutes(30), minutes(120))
    }

    #[test]
    fn an_ended_session_and_a_stranger_find_nobody() {
        let sessions = sessions();
        let [id, other] = [1, 2].map(|token| sessions.begin(token, minutes(0)).unwrap());
        sessions.end(&id);
        assert_eq!(sessions.find(&id, minutes(0), true), None);
        assert_eq!(sessions.find(&other, minutes(0), true), Some(2));
        for stranger in ["", "x", &digest_of(&other), &other.repeat(100)] {
            assert_eq!(sessions.find(stranger, minutes(0), true), None);
        }
    }

    #[test]
    fn nothing_that_is_kept_is_an_id() {
        let sessions = sessions();
        let id = sessions.begin(1, minutes(0)).unwrap();
        assert!(!sessions.lock().contains_key(&id));
        assert!(sessions.lock().contains_key(&digest_of(&id)));
    }

    #[test]
    fn logins_of_one_token_end_its_own_sessions_only() {
        let sessions = sessions();
        let other = sessions.begin(2, minutes(0)).unwrap();
        let many: Vec<_> = (0..=SESSIONS_OF_TOKEN_MAX)
            .map(|n| {
                sessions
                    .begin(1, minutes(1) + Duration::from_secs(n as u64))
                    .unwrap()
            })
            .collect();
        assert_eq!(sessions.find(&many[0], minutes(2), true), None);
        assert_eq!(sessions.find(&many[1], minutes(2), true), Some(1));
        assert_eq!(sessions.find(&other, minutes(2), true), Some(2));
    }

    #[test]
    fn there_are_never_more_sessions_than_that() {
        let sessions = sessions();
        let first = sessions.begin(0, minutes(0)).unwrap();
        for token in 1..=1_000 {
            sessions.begin(token, minutes(1)).unwrap();
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert_eq!(sessions.find(&first, minutes(1), true), None);
    }
}
