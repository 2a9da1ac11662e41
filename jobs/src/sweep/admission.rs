//! Which runs may be settled, and which are only observed: decided, said and counted, and left as they are.

use jiff::Timestamp;

use crate::ids::WorkspaceId;
use crate::stamp::Stamp;
use crate::vocabulary;

/// What may be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Whether anything may.
    pub acts: bool,
    /// Only runs of these workspaces; none for all of them.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Only runs that were created no earlier; none for all of them.
    pub not_before: Option<Timestamp>,
}

vocabulary! {
    /// What becomes of runs that can be decided.
    pub enum SettlingMode {
        /// The word that is stored and shown.
        word: &'static str,
        /// What that means, for whoever asks a worker how it is.
        detail: &'static str,
    }
    /// All are settled.
    Act { word: "act", detail: "act: runs are settled" }
    /// Some are.
    ActInPart {
        word: "act_in_part",
        detail: "act in part: runs of other workspaces, or that were created too early, are only observed",
    }
    /// None is.
    Observe { word: "observe", detail: "observe: no run is settled, and nothing is written into the platform's tables" }
}

impl Default for Admission {
    /// Everything.
    fn default() -> Self {
        Self {
            acts: true,
            workspaces: None,
            not_before: None,
        }
    }
}

impl Admission {
    /// The word for it.
    #[must_use]
    pub fn mode(&self) -> SettlingMode {
        match self {
            Self { acts: false, .. } => SettlingMode::Observe,
            Self {
                workspaces: None,
                not_before: None,
                ..
            } => SettlingMode::Act,
            Self { .. } => SettlingMode::ActInPart,
        }
    }

    /// Whether a run may be settled. Of one that says not when it was created nobody knows that it is late enough.
    #[must_use]
    pub fn admits(&self, workspace: WorkspaceId, created_at: Stamp) -> bool {
        let is_late_enough = |not_before| created_at.moment().is_some_and(|it| it >= not_before);
        self.admits_workspace(workspace) && self.not_before.is_none_or(is_late_enough)
    }

    /// Whether any run of this workspace may be settled.
    #[must_use]
    pub fn admits_workspace(&self, workspace: WorkspaceId) -> bool {
        let these = self.workspaces.as_ref();
        self.acts && these.is_none_or(|these| these.contains(&workspace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_settled_only_where_nothing_keeps_it_out() {
        let at = |second| Stamp::At(Timestamp::from_second(second).unwrap());
        let admission = |acts, workspaces: Option<&[i64]>, not_before| Admission {
            acts,
            workspaces: workspaces.map(|ids| ids.iter().copied().map(WorkspaceId).collect()),
            not_before: at(not_before).moment().filter(|_| not_before > 0),
        };
        for (with, mode, admitted) in [
            (
                Admission::default(),
                SettlingMode::Act,
                [true, true, true, true],
            ),
            (admission(false, None, 0), SettlingMode::Observe, [false; 4]),
            (
                admission(false, Some(&[3]), 0),
                SettlingMode::Observe,
                [false; 4],
            ),
            (
                admission(true, Some(&[3]), 0),
                SettlingMode::ActInPart,
                [true, true, true, false],
            ),
            (
                admission(true, None, 100),
                SettlingMode::ActInPart,
                [false, true, false, true],
            ),
            (
                admission(true, Some(&[3]), 100),
                SettlingMode::ActInPart,
                [false, true, false, false],
            ),
        ] {
            let runs = [(3, at(99)), (3, at(100)), (3, Stamp::Absent), (4, at(100))];
            let found = runs.map(|(workspace, at)| with.admits(WorkspaceId(workspace), at));
            assert_eq!((with.mode(), found), (mode, admitted), "{with:?}");
        }
    }
}
