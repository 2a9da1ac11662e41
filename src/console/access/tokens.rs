//! Bearer tokens: how they are made, and how one is known again by its hash alone.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use jiff::Timestamp;
use reconciler_jobs::restore_execute::canonical::digest_of;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use thiserror::Error;

use super::viewer::{TokenId, Viewer};
use crate::config::{self, TOKEN_PREFIX};
use crate::telemetry::names::VIEWER_NAME;

/// Random bytes in a token, and in the id of a session.
const RANDOM_BYTES: usize = 32;
/// No token of ours is longer.
const TOKEN_CHARS_MAX: usize = 256;

/// The system gives no random bytes.
#[derive(Debug, Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// A text of [`RANDOM_BYTES`] random bytes, as hexadecimal digits.
pub(in crate::console) fn random_text() -> Result<String, NoRandomness> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    }))
}

/// A token that nobody has seen yet.
pub struct NewToken {
    /// The token. It is a secret.
    pub text: String,
    /// What is kept of it.
    pub sha256: String,
}

impl NewToken {
    /// Makes one.
    pub fn make() -> Result<Self, NoRandomness> {
        let text = format!("{TOKEN_PREFIX}{}", random_text()?);
        let sha256 = digest_of(&text);
        Ok(Self { text, sha256 })
    }
}

/// The configured tokens with the viewer that each stands for. They may be read again while sessions last.
pub(in crate::console) struct Tokens(RwLock<TokenList>);

#[derive(Default)]
struct TokenList {
    entries: Vec<TokenEntry>,
    /// No token had this number yet.
    next: TokenId,
}

struct TokenEntry {
    id: TokenId,
    sha256: String,
    expires_at: Option<Timestamp>,
    /// Whether it was said that it has expired.
    is_told: AtomicBool,
    viewer: Viewer,
}

impl Tokens {
    pub(in crate::console) fn new(entries: &[config::Token]) -> Self {
        let tokens = Self(RwLock::default());
        tokens.renew(entries);
        tokens
    }

    /// Takes these instead. A token that was there before keeps its number, and with it its sessions.
    pub(in crate::console) fn renew(&self, tokens: &[config::Token]) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::with_capacity(tokens.len());
        for token in tokens {
            let known = list.entries.iter().find(|it| it.sha256 == token.sha256);
            let known = known.map(|it| it.id);
            let id = known.unwrap_or(list.next);
            list.next = list.next.max(id.saturating_add(1));
            entries.push(TokenEntry {
                id,
                sha256: token.sha256.clone(),
                expires_at: token.expires_at,
                is_told: AtomicBool::new(false),
                viewer: Viewer::new(id, token),
            });
        }
        list.entries = entries;
    }

    fn read(&self) -> RwLockReadGuard<'_, TokenList> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everybody gets in.
    pub(in crate::console) fn is_empty(&self) -> bool {
        self.read().entries.is_empty()
    }

    /// Whose token this is at `now`. Takes as long for one that is nobody's, and for any place in the list.
    pub(in crate::console) fn find(&self, presented: &str, now: Timestamp) -> Option<TokenId> {
        if presented.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let digest = digest_of(presented);
        let mut found = TokenId::MAX;
        for entry in &self.read().entries {
            let same = digest.as_bytes().ct_eq(entry.sha256.as_bytes());
            found.conditional_assign(&entry.id, same);
        }
        self.viewer(found, now).map(|_| found)
    }

    /// Who holds this token, unless it is there no more or has expired by `now`, which is said once.
    pub(in crate::console) fn viewer(&self, id: TokenId, now: Timestamp) -> Option<Viewer> {
        let list = self.read();
        let entry = list.entries.iter().find(|entry| entry.id == id)?;
        if entry.expires_at.is_some_and(|end| end <= now) {
            if !entry.is_told.swap(true, Ordering::Relaxed) {
                let name = &entry.viewer.name;
                tracing::warn!(
                    { { VIEWER_NAME } = %name },
                    "token {name} has expired, and somebody still sends it"
                );
            }
            return None;
        }
        Some(entry.viewer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn entry(name: &str, token: &NewToken) -> config::Token {
        config::Token {
            name: name.to_owned(),
            sha256: token.sha256.clone(),
            workspaces: config::Reach::Only([1].into()),
            capabilities: [config::Capability::RunsView].into(),
            expires_at: None,
        }
    }

    #[test]
    fn a_token_is_long_printable_and_never_the_same() {
        let [one, two] = [NewToken::make().unwrap(), NewToken::make().unwrap()];
        assert_ne!(one.text, two.text);
        for token in [one, two] {
            let digits = token.text.strip_prefix("rrt_").unwrap();
            assert_eq!(digits.len(), 64);
            assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_eq!(token.sha256, digest_of(&token.text));
        }
    }

    #[test]
    fn a_token_is_found_wherever_it_stands_and_others_are_not() {
        let made: Vec<_> = (0..5).map(|_| NewToken::make().unwrap()).collect();
        let entries: Vec<_> = (0..)
            .zip(&made)
            .map(|(n, token): (u32, _)| entry(&format!("t{n}"), token))
            .collect();
        let tokens = Tokens::new(&entries);
        for (id, token) in (0..).zip(&made) {
            assert_eq!(tokens.find(&token.text, NOW), Some(id));
            assert_eq!(&*tokens.viewer(id, NOW).unwrap().name, format!("t{id}"));
            let mut other = token.text.clone();
            other.pop();
            for wrong in ["", &other, &format!("{} ", token.text), &token.sha256] {
                assert_eq!(tokens.find(wrong, NOW), None, "{wrong}");
            }
        }
        assert_eq!(Tokens::new(&[]).find(&made[0].text, NOW), None);
    }

    #[test]
    fn a_token_that_stays_keeps_its_number_and_none_gets_that_of_another() {
        let made: Vec<_> = (0..3).map(|_| NewToken::make().unwrap()).collect();
        let entries: Vec<_> = made.iter().map(|token| entry("t", token)).collect();
        let tokens = Tokens::new(&entries[..2]);
        let number = |of: usize| tokens.find(&made[of].text, NOW);
        assert_eq!([0, 1, 2].map(number), [Some(0), Some(1), None]);
        tokens.renew(&entries[1..]);
        assert_eq!([0, 1, 2].map(number), [None, Some(1), Some(2)]);
        tokens.renew(&entries[..1]);
        assert_eq!([0, 1, 2].map(number), [Some(3), None, None]);
    }

    #[test]
    fn from_its_end_on_a_token_is_nobodys() {
        let made = NewToken::make().unwrap();
        let end = Timestamp::from_second(100).unwrap();
        let tokens = Tokens::new(&[config::Token {
            expires_at: Some(end),
            ..entry("t", &made)
        }]);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(tokens.find(&made.text, at(99)), Some(0));
        assert!(tokens.viewer(0, at(99)).is_some());
        assert_eq!(tokens.find(&made.text, at(100)), None);
        assert!(tokens.viewer(0, at(100)).is_none());
    }
}
