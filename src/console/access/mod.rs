//! Who gets in, what they see and may do, and how they are kept in bounds.
//!
//! Everything here but randomness, and whether a token has expired, is a function of what it is given, moments included;
//! the middleware asks it about each request.
//!
//! **Invariants:**
//! - Tokens and the ids of sessions are kept as hashes only, and compared in a time that says nothing.
//! - Whatever grows with those who ask has a limit: sessions, and callers whose requests are counted.

mod cookie;
mod origin;
mod rate;
mod sessions;
mod tokens;
mod viewer;

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::clock::{Clock, wall};
use crate::config::{self, is_token_name};
use cookie::Cookie;
pub(super) use origin::{is_from_elsewhere, names_this_machine};
pub(super) use rate::{Caller, RateLimiter};
use sessions::Sessions;
pub use tokens::{NewToken, NoRandomness};
use tokens::{Tokens, random_text};
pub(super) use viewer::{Forbidden, FormToken, Viewer};

/// Who gets in, and what is remembered of those who asked.
pub(super) struct AccessControl {
    pub(super) tokens: Tokens,
    pub(super) sessions: Sessions,
    pub(super) cookie: Cookie,
    pub(super) requests: RateLimiter,
    pub(super) logins: RateLimiter,
    /// Whether browsers reach the console through a proxy that speaks TLS.
    pub(super) behind_tls: bool,
    /// Who is believed that names people.
    proxy: Option<config::Proxy>,
    /// What forms send back is derived from it where nobody logs in here.
    secret: String,
    clock: Clock,
}

/// Who calls, as far as the request shows it.
pub(super) enum Identity {
    /// Somebody with a token or a session, or, where there are no tokens, whoever is on this machine.
    Known(Viewer),
    /// A token that is nobody's.
    Refused,
    /// Who showed nothing, or a session that has ended.
    Nobody,
}

/// What a request shows to get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credentials<'r> {
    /// A bearer token.
    Bearer(&'r str),
    /// A header of authorization that holds none, or two of them.
    Malformed,
    /// The id of a session.
    Session(&'r str),
    /// Nothing.
    Missing,
}

impl AccessControl {
    pub(super) fn new(
        settings: &config::Console,
        logins_per_minute: u32,
        clock: Clock,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            tokens: Tokens::new(&settings.tokens),
            sessions: Sessions::new(settings.session_idle, settings.session_max),
            cookie: Cookie::new(settings.behind_tls),
            requests: RateLimiter::per_minute(settings.requests_per_minute),
            logins: RateLimiter::per_minute(logins_per_minute),
            behind_tls: settings.behind_tls,
            proxy: settings.proxy.clone(),
            secret: random_text()?,
            clock,
        })
    }

    pub(super) fn now(&self) -> Duration {
        (self.clock)()
    }

    /// Who is named in the proxy's header. From elsewhere nobody may name anybody, and neither may two at once, nor a name that
    /// is none. A token counts first.
    fn named_by_proxy(&self, headers: &HeaderMap, from: IpAddr) -> Option<Identity> {
        let proxy = self.proxy.as_ref()?;
        let mut named = headers.get_all(&proxy.header).iter();
        let name = named.next()?;
        let is_believed = proxy.addresses.contains(&from.to_canonical());
        let name = name.to_str().ok().filter(|name| is_token_name(name));
        let (Some(name), None, true) = (name, named.next(), is_believed) else {
            return Some(Identity::Refused);
        };
        if headers.contains_key(header::AUTHORIZATION) {
            return None;
        }
        let form_token = FormToken::new(&format!("{} {name}", self.secret));
        Some(Identity::Known(Viewer::proxied(name, proxy, form_token)))
    }

    /// Takes these tokens from now on. Sessions of tokens that are gone end.
    pub(super) fn renew(&self, tokens: &[config::Token]) {
        self.tokens.renew(tokens);
        let now = wall();
        self.sessions
            .keep(|token| self.tokens.viewer(token, now).is_some());
    }

    /// Whether whoever is on this machine gets in.
    pub(super) fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.proxy.is_none()
    }

    pub(super) fn identify(&self, headers: &HeaderMap, from: IpAddr) -> Identity {
        if self.is_open() {
            return Identity::Known(Viewer::local(FormToken::new(&self.secret)));
        }
        if let Some(identity) = self.named_by_proxy(headers, from) {
            return identity;
        }
        let now = wall();
        let viewer = |token| self.tokens.viewer(token, now);
        match Credentials::new(headers, self.cookie) {
            Credentials::Bearer(token) => {
                let viewer = self.tokens.find(token, now).and_then(viewer);
                viewer.map_or(Identity::Refused, Identity::Known)
            }
            Credentials::Malformed => Identity::Refused,
            Credentials::Session(id) => {
                let viewer = self
                    .sessions
                    .find(id, self.now(), is_by_somebody(headers))
                    .and_then(viewer);
                viewer.map_or(Identity::Nobody, |viewer| {
                    Identity::Known(Viewer {
                        form_token: Some(FormToken::new(id)),
                        ..viewer
                    })
                })
            }
            Credentials::Missing => Identity::Nobody,
        }
    }
}

/// Whether somebody did something to have this asked for, as far as the browser says: a page that looks again does so by
/// itself, and is to keep no session alive.
fn is_by_somebody(headers: &HeaderMap) -> bool {
    !headers.contains_key("sec-fetch-mode") || headers.contains_key("sec-fetch-user")
}

impl<'r> Credentials<'r> {
    /// A header of authorization counts before a cookie, also where it is wrong.
    fn new(headers: &'r HeaderMap, cookie: Cookie) -> Self {
        if !headers.contains_key(header::AUTHORIZATION) {
            let id = cookie.read(headers);
            return id.map_or(Self::Missing, Self::Session);
        }
        origin::only(headers, header::AUTHORIZATION)
            .map(HeaderValue::to_str)
            .and_then(Result::ok)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or(Self::Malformed, |(_, token)| Self::Bearer(token.trim()))
    }
}
