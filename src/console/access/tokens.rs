//! Bearer tokens: how they are made, and how one is known again by its hash alone.

use std::fmt::Write as _;

use reconciler_jobs::restore_execute::canonical::digest_of;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use thiserror::Error;

use super::viewer::{TokenId, Viewer};
use crate::config::{self, TOKEN_PREFIX};

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

/// The configured tokens with the viewer that each stands for.
pub(in crate::console) struct Tokens(Vec<(TokenId, String, Viewer)>);

impl Tokens {
    pub(in crate::console) fn new(entries: &[config::Token]) -> Self {
        let entry = |(id, token): (TokenId, &config::Token)| {
            (id, token.sha256.clone(), Viewer::new(id, token))
        };
        Self((0..).zip(entries).map(entry).collect())
    }

    /// Whether everybody gets in.
    pub(in crate::console) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is. Takes as long for one that is nobody's, and for any place in the list.
    pub(in crate::console) fn find(&self, presented: &str) -> Option<TokenId> {
        if presented.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let digest = digest_of(presented);
        let mut found = TokenId::MAX;
        for (id, sha256, _) in &self.0 {
            let same = digest.as_bytes().ct_eq(sha256.as_bytes());
            found.conditional_assign(id, same);
        }
        (found != TokenId::MAX).then_some(found)
    }

    pub(in crate::console) fn viewer(&self, id: TokenId) -> Option<&Viewer> {
        let place = usize::try_from(id).ok()?;
        self.0.get(place).map(|(.., viewer)| viewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, token: &NewToken) -> config::Token {
        config::Token {
            name: name.to_owned(),
            sha256: token.sha256.clone(),
            workspaces: config::Reach::Only([1].into()),
            capabilities: [config::Capability::RunsView].into(),
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
            assert_eq!(tokens.find(&token.text), Some(id));
            assert_eq!(&*tokens.viewer(id).unwrap().name, format!("t{id}"));
            let mut other = token.text.clone();
            other.pop();
            for wrong in ["", &other, &format!("{} ", token.text), &token.sha256] {
                assert_eq!(tokens.find(wrong), None, "{wrong}");
            }
        }
        assert_eq!(Tokens::new(&[]).find(&made[0].text), None);
    }
}
