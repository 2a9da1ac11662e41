//! Recovery posture: what the restore history of an environment says, and how many environments of a workspace
//! are in which posture.
//!
//! **Invariant:** the restore that was executed last decides; a healthier older one never does. A workspace
//! has counts per posture and no blended score.

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::{AttentionState, Cause, Tone};
use crate::ids::RestoreId;
use crate::restore_execute::reason::CLAIM_BOUNDARY;
use crate::vocabulary;

vocabulary! {
    /// What the history says.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Posture {
        /// The word for it, in answers and labels.
        name: &'static str,
        /// The heading that pages show.
        headline: &'static str,
        /// The heading in a word or two, for a table.
        label: &'static str,
    }
    /// The latest restore failed, or needs somebody.
    Weakened {
        name: "weakened",
        headline: "Recovery confidence is weakened",
        label: "Weakened",
    }
    /// Nothing was ever executed.
    Unvalidated {
        name: "unvalidated",
        headline: "Recovery confidence is unvalidated",
        label: "Unvalidated",
    }
    /// The latest restore shows no issue.
    NoRecentIssuesVisible {
        name: "no_recent_issues_visible",
        headline: "No recent restore issues visible",
        label: "No recent issues visible",
    }
}

vocabulary! {
    /// Why, in the words that lead to the list of restores.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum PostureReason {
        /// The word for it, in addresses.
        word: &'static str,
        /// The posture it leads to.
        posture: Posture,
        /// What was found, in one sentence.
        summary: &'static str,
        /// What to do next.
        next_action: &'static str,
    }
    /// Nothing was ever executed.
    NoHistory {
        word: "no_history",
        posture: Posture::Unvalidated,
        summary: "No restore was executed here, so nothing is known of recovery.",
        next_action: "Review the restore history, and plan a restore test.",
    }
    /// The latest failed.
    Failed {
        word: "failed",
        posture: Posture::Weakened,
        summary: "The latest restore failed or was stopped.",
        next_action: OPEN_LATEST,
    }
    /// The latest did some of it.
    Partial {
        word: "partial",
        posture: Posture::Weakened,
        summary: "The latest restore did only a part of what was requested.",
        next_action: OPEN_LATEST,
    }
    /// The latest completed and needs somebody.
    CompletedWithFollowUp {
        word: "completed_with_follow_up",
        posture: Posture::Weakened,
        summary: "The latest restore completed and needs follow-up.",
        next_action: OPEN_LATEST,
    }
    /// What is on record of the latest cannot be relied on, or is not there.
    NoReliableVerdict {
        word: "no_reliable_verdict",
        posture: Posture::Weakened,
        summary: "No verdict on the latest restore can be relied on.",
        next_action: OPEN_LATEST,
    }
    /// The latest shows nothing that needs somebody, whether or not a verdict is about it.
    NoRecentIssuesVisible {
        word: "no_recent_issues_visible",
        posture: Posture::NoRecentIssuesVisible,
        summary: "The latest restore shows no issue that can be seen; its state says whether a verdict is about it.",
        next_action: "Review the evidence of the latest restore.",
    }
}

const OPEN_LATEST: &str = "Open the latest restore.";

/// The posture of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnvironmentPosture {
    /// Why it is what it is.
    pub reason: PostureReason,
    /// The restore that decided; none without history.
    pub latest: Option<RestoreId>,
    /// Why that needs somebody, or does not.
    pub cause: Option<Cause>,
}

impl Posture {
    /// What stands beside it.
    #[must_use]
    pub const fn claim_boundary(self) -> &'static str {
        CLAIM_BOUNDARY
    }

    /// An identifier of the claim boundary, for programs.
    #[must_use]
    pub const fn claim_boundary_id(self) -> &'static str {
        AttentionState::Completed.claim_boundary_id()
    }
}

impl EnvironmentPosture {
    /// From the restore of an environment that was executed last, with why it needs somebody or does not. One that
    /// was not executed is no history.
    #[must_use]
    pub fn of(latest: Option<(RestoreId, Cause)>) -> Self {
        let reason = match latest.map(|(_, cause)| cause.state()) {
            _ if latest.is_some_and(|(_, cause)| cause == Cause::NoReliableVerdict) => {
                PostureReason::NoReliableVerdict
            }
            None | Some(AttentionState::NotExecuted) => PostureReason::NoHistory,
            Some(AttentionState::Failed) => PostureReason::Failed,
            Some(AttentionState::Partial) => PostureReason::Partial,
            Some(AttentionState::CompletedWithFollowUp) => PostureReason::CompletedWithFollowUp,
            Some(AttentionState::Completed) => PostureReason::NoRecentIssuesVisible,
        };
        let decides = |_: &RestoreId| reason != PostureReason::NoHistory;
        Self {
            reason,
            latest: latest.map(|(restore, _)| restore).filter(decides),
            cause: latest.map(|(_, cause)| cause),
        }
    }

    /// What the history says.
    #[must_use]
    pub fn posture(&self) -> Posture {
        self.reason.posture()
    }

    /// What was found, in one sentence.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        match self.cause {
            Some(Cause::NotJudged) => "The latest restore has ended, and is not judged yet.",
            Some(Cause::NoVerdict) => "The latest restore completed, and no verdict is about it.",
            Some(Cause::NoRun) => "The latest restore completed; no operation of it is seen.",
            Some(Cause::Nothing) => "The latest restore completed without visible issues.",
            _ => self.reason.summary(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next_action(&self) -> &'static str {
        match self.cause {
            Some(cause @ (Cause::NotJudged | Cause::NoVerdict | Cause::NoRun)) => {
                cause.next_action()
            }
            _ => self.reason.next_action(),
        }
    }

    /// How urgent it looks. What no verdict is about is nothing to be calm about.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self.reason {
            PostureReason::Failed | PostureReason::NoReliableVerdict => Tone::Danger,
            PostureReason::Partial | PostureReason::CompletedWithFollowUp => Tone::Warning,
            PostureReason::NoHistory => Tone::Neutral,
            PostureReason::NoRecentIssuesVisible => self.cause.map_or(Tone::Neutral, Cause::tone),
        }
    }
}

/// How many environments of a workspace are in which posture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct WorkspacePosture {
    /// Environments whose latest restore needs somebody.
    pub weakened: u64,
    /// Environments without executed restores.
    pub unvalidated: u64,
    /// Environments that are in neither of these postures.
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
