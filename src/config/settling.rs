//! Which runs are settled, and what is known of a platform whose restores lack proof.

use jiff::Timestamp;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::sweep::admission::Admission;
use schemars::JsonSchema;
use serde::Serialize;

use super::console::{All, Reach, read_reach};
use super::fields::{SectionValue, distinct_texts, either, text_of};
use super::section::section;

section! {
    /// Which runs are settled. The others are observed: decided and counted, neither locked nor written.
    #[schemars(rename = "Settling")]
    pub struct Settlements {
        /// "act" settles runs, unless a survey finds that a leg of the proof never held. "observe" settles none, and needs
        /// no right to write to the platform's tables.
        mode: ModeWord = ModeWord::Act, by either(("act", ModeWord::Act), ("observe", ModeWord::Observe));
        /// With "act", the workspaces whose runs are settled: "all", or a list of ids.
        act_in: Reach = Reach::All(All::All), by act_in;
        /// With "act", runs that were created earlier are only observed. A moment, RFC 3339.
        #[schemars(with = "String")]
        not_before: Timestamp = Timestamp::UNIX_EPOCH, by not_before;
    }
}

section! {
    /// What a survey of restores that ended may find.
    #[schemars(rename = "Survey")]
    pub struct Surveying {
        /// Legs that hold of no restore of this platform, and that its runs are settled all the same.
        #[schemars(extend("uniqueItems" = true))]
        accepted: Vec<Leg> = Vec::new(), by accepted;
    }
}

/// What is done about runs that can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeWord {
    /// They are settled.
    Act,
    /// What would be decided is said.
    Observe,
}

fn act_in(found: SectionValue<'_>) -> Result<Reach, String> {
    found
        .and_then(read_reach)
        .ok_or_else(|| "it must be \"all\", or a list of 1 to 1000 different ids".to_owned())
}

fn not_before(found: SectionValue<'_>) -> Result<Timestamp, String> {
    let moment = text_of(found).and_then(|text| text.parse().ok());
    moment.ok_or_else(|| "it must be a moment such as \"2026-11-01T00:00:00Z\"".to_owned())
}

fn accepted(found: SectionValue<'_>) -> Result<Vec<Leg>, String> {
    let leg = |name: String| Leg::ALL.into_iter().find(|leg| leg.name() == name);
    distinct_texts(found)
        .and_then(|names| names.into_iter().map(leg).collect())
        .ok_or_else(|| {
            format!(
                "it must be a list of different legs out of {}",
                Leg::ALL.map(Leg::name).join(", ")
            )
        })
}

impl Settlements {
    /// These settings as the door of the settling path takes them.
    pub fn admission(&self) -> Admission {
        Admission {
            acts: self.mode == ModeWord::Act,
            workspaces: match &self.act_in {
                Reach::All(_) => None,
                Reach::Only(ids) => Some(ids.iter().copied().map(WorkspaceId).collect()),
            },
            not_before: (self.not_before > Timestamp::UNIX_EPOCH).then_some(self.not_before),
        }
    }
}
