//! Whose rows may be seen.

use std::collections::BTreeSet;

use reconciler_jobs::ids::WorkspaceId;

/// Whose rows may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// Everybody's.
    All,
    /// The rows of these workspaces.
    Only(BTreeSet<WorkspaceId>),
}

impl Workspaces {
    /// The given workspace alone if it may be seen, and none otherwise.
    #[must_use]
    pub fn narrowed(&self, workspace: WorkspaceId) -> Self {
        let narrowed = Some(workspace).filter(|_| self.may_include(Some(workspace)));
        Self::Only(narrowed.into_iter().collect())
    }

    /// As [`Self::narrowed`] where a workspace is given, and all of it otherwise.
    #[must_use]
    pub fn within(&self, workspace: Option<WorkspaceId>) -> Self {
        workspace.map_or_else(|| self.clone(), |workspace| self.narrowed(workspace))
    }

    /// Whether what belongs to this workspace is among it. What belongs to none is everybody's who may see all.
    pub fn may_include(&self, workspace: Option<WorkspaceId>) -> bool {
        match (self, workspace) {
            (Self::All, _) => true,
            (Self::Only(_), None) => false,
            (Self::Only(set), Some(workspace)) => set.contains(&workspace),
        }
    }

    /// The ids as statements take them: null stands for all.
    pub(super) fn ids(&self) -> Option<Vec<i64>> {
        match self {
            Self::All => None,
            Self::Only(set) => Some(set.iter().map(|workspace| workspace.0).collect()),
        }
    }
}
