//! What operators are shown of restores: derived from facts each time, stored nowhere.
//!
//! | Module | Question |
//! |---|---|
//! | [`result_state`] | what is the first thing to say about one restore? |
//! | [`unlinked`] | and of a run that no restore can be tied to? |
//! | [`summary`] | what was counted, by whom, and may it be shown? |
//! | [`attention`] | does the result of one restore need somebody? |
//! | [`posture`] | what does the restore history of an environment, or of a workspace, say? |
//! | [`backup_health`] | what could be restored, and from how old and how whole a backup? |
//! | [`backup_items`] | what was captured of each item of that backup? |
//! | [`gates`] | what still stands between a preparation and its execution? |
//! | [`preparation`] | what does a restore record before it is executed? |
//! | [`now`] | what would the rules say now, beside what was recorded? |
//! | [`freshness`] | does an operation still move? |
//!
//! **Invariant:** every model is total and deterministic, and every sentence is a constant of this module's
//! tables: no surface can say more than these do. What a viewer may not see is not handed in, and what belongs
//! to another workspace or environment counts as absent even where somebody hands it in.
//!
//! # Design notes
//!
//! A verdict says what was proven when a run was closed. A reading says what can be seen now: evidence may have
//! come late, or expired. The two are shown beside each other and never mixed, so none of these functions is
//! given a verdict to repeat.

/// A table of what may be found: each finding leads to a state, is told in one sentence, and says what to do next.
macro_rules! findings {
    (
        $(#[$doc:meta])*
        pub enum $name:ident: $state_of:ident is $states:ident, $told_by:ident;
        $($variant:ident: $state:ident {
            $sentence:literal
            next: $next:literal
        })+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = $sentence] $variant,)+
        }

        impl $name {
            /// Every one, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The state it leads to.
            #[must_use]
            pub const fn $state_of(self) -> $states {
                match self { $(Self::$variant => $states::$state,)+ }
            }

            /// What was found, in one sentence.
            #[must_use]
            pub const fn $told_by(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }

            /// What to do next.
            #[must_use]
            pub const fn next_action(self) -> &'static str {
                match self { $(Self::$variant => $next,)+ }
            }
        }
    };
}

pub mod attention;
pub mod backup_health;
pub mod backup_items;
pub mod freshness;
pub mod gates;
pub mod now;
pub mod posture;
pub mod preparation;
pub mod result_state;
pub mod summary;
pub mod unlinked;

use crate::restore_execute::facts::{At, EvidenceFacts, RestoreFacts, RestoreStatus, RunFacts};
use crate::restore_execute::proof;
use crate::restore_execute::reason::ReasonCode;

/// One restore as one viewer may see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// When it is looked at.
    pub at: At<'a>,
    /// The restore.
    pub restore: &'a RestoreFacts,
    /// The run that it points at; none where there is none, or where the viewer may not see it.
    pub run: Option<&'a RunFacts>,
    /// Evidence captured for that run; none where the viewer may not see evidence.
    pub evidence: Option<&'a EvidenceFacts>,
}

/// Whether something can be opened.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// There is none that this viewer may see.
    Unavailable,
    /// It is not final yet.
    InProgress,
    /// It is there.
    Available,
}

impl Availability {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Unavailable, Self::InProgress, Self::Available];

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "Unavailable",
            Self::InProgress => "In progress",
            Self::Available => "Available",
        }
    }
}

impl<'a> Seen<'a> {
    /// The run, if it belongs to the restore's own workspace and environment.
    fn scoped_run(&self) -> Option<&'a RunFacts> {
        self.run.filter(|run| {
            run.workspace_id == self.restore.workspace_id
                && run.environment_id == Some(self.restore.environment_id)
        })
    }

    /// Whether nothing was executed, whatever else is recorded.
    fn is_not_executed(&self) -> bool {
        self.restore.is_dry_run || self.restore.status.is_pre_execution()
    }

    /// Whether the restore itself has not come to its end.
    fn is_executing(&self) -> bool {
        matches!(
            self.restore.status,
            RestoreStatus::Queued | RestoreStatus::Running
        )
    }

    /// Evidence of what the environment was like after the restore, as far as it is current. An active snapshot
    /// decides; one that is on its way only counts where there is no active one.
    fn evidence(&self) -> Availability {
        let Some((evidence, _)) = self.evidence.zip(self.scoped_run()) else {
            return Availability::Unavailable;
        };
        let gaps = proof::evidence_gaps(evidence, self.restore, self.at);
        let is_about_age = |gap: &ReasonCode| *gap != ReasonCode::EvidenceIncomplete;
        if evidence.active.is_some() && !gaps.iter().any(is_about_age) {
            Availability::Available
        } else if evidence.in_progress {
            Availability::InProgress
        } else {
            Availability::Unavailable
        }
    }
}
