//! Who looks, what they see, and what they may do.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, header};
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::restore_execute::canonical::digest_of;
use reconciler_jobs::trace::TraceContext;
use subtle::ConstantTimeEq as _;

use crate::config::{self, Capability, Reach};
use crate::storage::reader::Workspaces;
use crate::storage::{Action, ActionVerb};
use crate::views::status::ServiceStatus;

/// Which token: the number that it got when it was first read.
pub(in crate::console) type TokenId = u32;

/// Who looks. The middleware puts it on every request that it lets through; cheap to clone.
#[derive(Clone)]
pub(in crate::console) struct Viewer {
    /// The name of the token, or of whom a proxy names; `this machine` where there are no tokens.
    pub(in crate::console) name: Arc<str>,
    /// Whose rows exist for it.
    pub(in crate::console) workspaces: Arc<Workspaces>,
    /// What it may do.
    pub(in crate::console) can: Arc<BTreeSet<Capability>>,
    /// How it came in.
    pub(super) entrance: Entrance,
    /// What it asks for: the host, the path and the query of the request.
    pub(in crate::console) address: Arc<str>,
    /// What its forms send back. None for those who sent a bearer token, whom no other site can imitate.
    pub(in crate::console) form_token: Option<FormToken>,
    /// Whether the product works, as the page of this request says it. Whoever asks for a page has it looked up before.
    pub(in crate::console) status: Arc<OnceLock<Arc<ServiceStatus>>>,
}

/// How a viewer came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) enum Entrance {
    /// With this token, or a session of it.
    Token(TokenId),
    /// A proxy has named it; part of the name's hash.
    Proxy(u64),
    /// No tokens are configured.
    Local,
}

/// As whom the console runs.
static USER: LazyLock<String> = LazyLock::new(config::user_name);

fn reach(reach: &Reach) -> Workspaces {
    match reach {
        Reach::All(_) => Workspaces::All,
        Reach::Only(ids) => Workspaces::Only(ids.iter().copied().map(WorkspaceId).collect()),
    }
}

fn first_digits(digest: &str) -> u64 {
    let digits = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

/// The viewer lacks a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) struct Forbidden(pub(in crate::console) Capability);

impl Viewer {
    /// Whoever holds this token.
    pub(super) fn new(id: TokenId, token: &config::Token) -> Self {
        Self {
            name: token.name.as_str().into(),
            workspaces: reach(&token.workspaces).into(),
            can: token.capabilities.clone().into(),
            entrance: Entrance::Token(id),
            address: Arc::default(),
            form_token: None,
            status: Arc::default(),
        }
    }

    /// Whom a proxy names. No token's name has a colon, so that no two are mixed up.
    pub(super) fn proxied(name: &str, proxy: &config::Proxy, form_token: FormToken) -> Self {
        Self {
            name: format!("proxy:{name}").into(),
            workspaces: reach(&proxy.workspaces).into(),
            can: proxy.capabilities.clone().into(),
            entrance: Entrance::Proxy(first_digits(&digest_of(name))),
            address: Arc::default(),
            form_token: Some(form_token),
            status: Arc::default(),
        }
    }

    /// Whoever is on this machine, where no tokens are configured: sees everything, may do everything.
    pub(super) fn local(form_token: FormToken) -> Self {
        Self {
            name: "this machine".into(),
            workspaces: Workspaces::All.into(),
            can: BTreeSet::from(Capability::ALL).into(),
            entrance: Entrance::Local,
            address: Arc::default(),
            form_token: Some(form_token),
            status: Arc::default(),
        }
    }

    /// This viewer in another request, whose status was not read yet.
    pub(in crate::console) fn again(&self) -> Self {
        Self {
            status: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether it is whoever is on this machine, who has no session to end.
    pub(in crate::console) fn is_local(&self) -> bool {
        self.entrance == Entrance::Local
    }

    /// Whether it has a session of ours to end.
    pub(in crate::console) fn may_log_out(&self) -> bool {
        matches!(self.entrance, Entrance::Token(_))
    }

    /// What this viewer does, as it is put on record. Where nobody has a token, that is whoever runs the console. No token's
    /// name has a colon.
    pub(in crate::console) fn action(
        &self,
        verb: ActionVerb,
        trace: Option<TraceContext>,
    ) -> Action {
        Action {
            actor: Some(if self.is_local() {
                format!("local:{}", *USER)
            } else {
                self.name.to_string()
            }),
            trace,
            ..Action::new(verb)
        }
    }

    /// Refuses who may not.
    pub(in crate::console) fn require(&self, capability: Capability) -> Result<(), Forbidden> {
        if self.can.contains(&capability) {
            Ok(())
        } else {
            Err(Forbidden(capability))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let viewer = parts.extensions.get::<Option<Self>>();
        let viewer = viewer.cloned().flatten();
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let address = format!("{}{target}", host.unwrap_or_default()).into();
        viewer
            .map(|viewer| Self { address, ..viewer })
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// The secret that every form of a viewer's pages sends back as `csrf`.
#[derive(Clone)]
pub(in crate::console) struct FormToken(pub(in crate::console) Arc<str>);

impl FormToken {
    /// What forms of the session with this id send back. Whoever knows it does not know the id.
    pub(super) fn new(id: &str) -> Self {
        Self(digest_of(&format!("form {id}")).into())
    }

    /// Whether it was sent back.
    pub(in crate::console) fn is(&self, sent: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(sent).into()
    }
}
