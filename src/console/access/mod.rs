//! Who gets in, what they see and may do, and how they are kept in bounds.
//!
//! Everything here but chance is a function of what it is given, moments included; `guard` asks it about each
//! request.
//!
//! **Invariants:**
//! - Tokens and the ids of sessions are kept as hashes only, and compared in a time that says nothing.
//! - Whatever grows with those who ask has a limit: sessions, and those whose requests are counted.

mod cookie;
mod origin;
mod rates;
mod sessions;
mod tokens;
mod viewer;

use axum::http::request::Parts;

pub(super) use cookie::Cookie;
pub(super) use rates::{Asker, Rates};
pub(super) use sessions::Sessions;
pub(super) use tokens::Tokens;
pub use tokens::{NewToken, NoChance};
pub(super) use viewer::{Forbidden, FormToken, TokenId, Viewer};

use axum::http::{HeaderValue, header};

/// What a request shows to get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown<'r> {
    /// A bearer token.
    Bearer(&'r str),
    /// A header of authorization that holds none, or two of them.
    Nonsense,
    /// The id of a session.
    Session(&'r str),
    /// Nothing.
    Nothing,
}

impl<'r> Shown<'r> {
    /// A header of authorization counts before a cookie, also where it is wrong.
    pub(super) fn by(parts: &'r Parts, cookie: Cookie) -> Self {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            let id = cookie.read(&parts.headers);
            return id.map_or(Self::Nothing, Self::Session);
        }
        origin::only(&parts.headers, header::AUTHORIZATION)
            .map(HeaderValue::to_str)
            .and_then(Result::ok)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or(Self::Nonsense, |(_, token)| Self::Bearer(token.trim()))
    }
}

pub(super) use origin::{is_from_elsewhere, names_this_machine};
pub(super) use tokens::chance;
