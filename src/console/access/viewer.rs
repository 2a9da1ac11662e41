//! Who asks, what they see, and what they may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use reconciler_jobs::ids::WorkspaceId;

use super::Capability;
use crate::config::{self, Reach};
use crate::console::problem::Problem;
use crate::storage::reader::Workspaces;

/// Who asks. The guard puts it on every request that it lets through; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Viewer {
    /// The name of the token.
    pub(in crate::console) name: Arc<str>,
    /// Whose rows exist for it.
    pub(in crate::console) workspaces: Arc<Workspaces>,
    /// What it may do.
    pub(in crate::console) can: Arc<BTreeSet<Capability>>,
    is_local: bool,
}

impl Viewer {
    pub(super) fn of_token(token: &config::Token) -> Self {
        let workspaces = match &token.workspaces {
            Reach::All(_) => Workspaces::All,
            Reach::Only(ids) => Workspaces::Only(ids.iter().copied().map(WorkspaceId).collect()),
        };
        Self {
            name: token.name.as_str().into(),
            workspaces: workspaces.into(),
            can: token.capabilities.clone().into(),
            is_local: false,
        }
    }

    /// Whoever is on this machine, where no tokens are configured: sees everything, may do everything.
    pub(in crate::console) fn on_this_machine() -> Self {
        Self {
            name: "this machine".into(),
            workspaces: Workspaces::All.into(),
            can: BTreeSet::from(Capability::ALL).into(),
            is_local: true,
        }
    }

    /// Whether it is whoever is on this machine, who has no session to end.
    pub(in crate::console) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Refuses who may not.
    pub(in crate::console) fn require(&self, capability: Capability) -> Result<(), Problem> {
        if self.can.contains(&capability) {
            Ok(())
        } else {
            Err(Problem::forbidden(capability))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let viewer = parts.extensions.get().cloned();
        viewer.ok_or_else(Problem::unauthorized)
    }
}

/// The secret that every form of a viewer's pages sends back as `csrf`. Empty for those who sent a bearer
/// token, whom no other site can imitate.
#[derive(Clone, PartialEq, Eq, Default)]
pub(in crate::console) struct FormToken(pub(in crate::console) Arc<str>);

impl<S: Sync> FromRequestParts<S> for FormToken {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_does_not_list_is_neither_seen_nor_done() {
        let viewer = Viewer::of_token(&config::Token {
            name: "ops".to_owned(),
            sha256: String::new(),
            workspaces: Reach::Only([3, 1].into()),
            capabilities: [Capability::RunsView].into(),
        });
        assert_eq!(
            *viewer.workspaces,
            Workspaces::Only([WorkspaceId(1), WorkspaceId(3)].into())
        );
        assert!(viewer.require(Capability::RunsView).is_ok());
        for other in &Capability::ALL[1..] {
            assert!(viewer.require(*other).is_err(), "{other}");
        }
    }
}
