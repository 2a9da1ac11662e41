//! Recovery posture: what the restore history of an environment says, and how many environments of a workspace
//! are in which posture.
//!
//! **Invariant:** the latest restore that was executed decides; a healthier older one never does. A workspace
//! has counts per posture and no blended score.

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::AttentionState;
use crate::ids::RestoreId;
use crate::restore_execute::reason::CLAIM_BOUNDARY;

/// What the history says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Posture {
    /// The latest restore failed, or needs somebody.
    Weakened,
    /// Nothing was ever executed.
    Unvalidated,
    /// The latest restore shows no issue.
    NoRecentIssuesVisible,
}

/// Why, in the words that lead to the list of restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostureReason {
    /// Nothing was ever executed.
    NoHistory,
    /// The latest failed.
    Failed,
    /// The latest did some of it.
    Partial,
    /// The latest completed and needs somebody.
    CompletedWithFollowUp,
    /// The latest completed.
    NoRecentIssuesVisible,
}

/// The posture of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnvironmentPosture {
    /// Why it is what it is.
    pub reason: PostureReason,
    /// The restore that decided; none without history.
    pub latest: Option<RestoreId>,
}

impl PostureReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::NoHistory,
        Self::Failed,
        Self::Partial,
        Self::CompletedWithFollowUp,
        Self::NoRecentIssuesVisible,
    ];

    /// The posture it leads to.
    #[must_use]
    pub const fn posture(self) -> Posture {
        match self {
            Self::NoHistory => Posture::Unvalidated,
            Self::Failed | Self::Partial | Self::CompletedWithFollowUp => Posture::Weakened,
            Self::NoRecentIssuesVisible => Posture::NoRecentIssuesVisible,
        }
    }

    /// What was found, in one sentence.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::NoHistory => "No restore was executed here, so nothing is known of recovery.",
            Self::Failed => "The latest restore failed or was stopped.",
            Self::Partial => "The latest restore did only a part of what was requested.",
            Self::CompletedWithFollowUp => "The latest restore completed and needs follow-up.",
            Self::NoRecentIssuesVisible => "The latest restore completed without visible issues.",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn next_action(self) -> &'static str {
        match self {
            Self::NoHistory => "Review the restore history, and plan a restore test.",
            Self::Failed | Self::Partial | Self::CompletedWithFollowUp => {
                "Open the latest restore."
            }
            Self::NoRecentIssuesVisible => "Review the evidence of the latest restore.",
        }
    }
}

impl Posture {
    /// Every posture, the one that needs somebody first.
    pub const ALL: [Self; 3] = [
        Self::Weakened,
        Self::Unvalidated,
        Self::NoRecentIssuesVisible,
    ];

    /// The word for it, in answers and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weakened => "weakened",
            Self::Unvalidated => "unvalidated",
            Self::NoRecentIssuesVisible => "no_recent_issues_visible",
        }
    }

    /// For people.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::Weakened => "Recovery confidence is weakened",
            Self::Unvalidated => "Recovery confidence is unvalidated",
            Self::NoRecentIssuesVisible => "No recent restore issues visible",
        }
    }

    /// What stands beside it.
    #[must_use]
    pub const fn claim_boundary(self) -> &'static str {
        CLAIM_BOUNDARY
    }
}

impl EnvironmentPosture {
    /// From restores of one environment in any order, each with the attention it needs. Those that were not
    /// executed are no history.
    #[must_use]
    pub fn of(history: impl IntoIterator<Item = (RestoreId, AttentionState)>) -> Self {
        let reason = |state| {
            Some(match state {
                AttentionState::NotExecuted => return None,
                AttentionState::Failed => PostureReason::Failed,
                AttentionState::Partial => PostureReason::Partial,
                AttentionState::CompletedWithFollowUp => PostureReason::CompletedWithFollowUp,
                AttentionState::Completed => PostureReason::NoRecentIssuesVisible,
            })
        };
        let latest = history
            .into_iter()
            .filter_map(|(restore, state)| Some((restore, state, reason(state)?)))
            // Of one restore that is given twice, what needs more attention counts.
            .max_by_key(|(restore, state, _)| (*restore, std::cmp::Reverse(*state)));
        match latest {
            Some((restore, _, reason)) => Self {
                reason,
                latest: Some(restore),
            },
            None => Self {
                reason: PostureReason::NoHistory,
                latest: None,
            },
        }
    }

    /// What the history says.
    #[must_use]
    pub fn posture(&self) -> Posture {
        self.reason.posture()
    }
}

/// How many environments of a workspace are in which posture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct WorkspacePosture {
    /// Environments whose latest restore needs somebody.
    pub weakened: u64,
    /// Environments without executed restores.
    pub unvalidated: u64,
    /// The others.
    pub no_recent_issues_visible: u64,
}

impl WorkspacePosture {
    /// Counts one more environment.
    pub fn add(&mut self, posture: Posture) {
        *match posture {
            Posture::Weakened => &mut self.weakened,
            Posture::Unvalidated => &mut self.unvalidated,
            Posture::NoRecentIssuesVisible => &mut self.no_recent_issues_visible,
        } += 1;
    }

    /// How many environments are in a posture.
    #[must_use]
    pub const fn of(&self, posture: Posture) -> u64 {
        match posture {
            Posture::Weakened => self.weakened,
            Posture::Unvalidated => self.unvalidated,
            Posture::NoRecentIssuesVisible => self.no_recent_issues_visible,
        }
    }

    /// How many environments were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.weakened + self.unvalidated + self.no_recent_issues_visible
    }
}

impl std::ops::AddAssign for WorkspacePosture {
    fn add_assign(&mut self, other: Self) {
        self.weakened += other.weakened;
        self.unvalidated += other.unvalidated;
        self.no_recent_issues_visible += other.no_recent_issues_visible;
    }
}

impl FromIterator<Posture> for WorkspacePosture {
    fn from_iter<I: IntoIterator<Item = Posture>>(environments: I) -> Self {
        let mut counts = Self::default();
        for posture in environments {
            counts.add(posture);
        }
        counts
    }
}
