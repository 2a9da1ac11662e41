//! The rulesets that this version holds: the one in force, and the one that decided before it.
//!
//! **Invariant:** a verdict on record is read and judged by the ruleset that it names, whatever is asked of it.

use jiff::Timestamp;

use super::canonical::{ReadError, read_back};
use super::decision::Decision;
use super::facts::{At, AuditFacts, EvidenceFacts, Facts, RestoreFacts, Voice};
use super::reason::ReasonCode;
use super::ruleset_1::{self, FirstFacts};
use super::table::RuleTable;
use super::{proof, rules};
use crate::ids::AuditId;
use crate::stamp::whole_seconds;

/// How the facts of one ruleset are read and judged.
#[derive(Debug)]
pub struct Ruleset {
    /// Its decision table, by the name that the ledger has for it.
    pub table: &'static RuleTable,
    pub(super) read: fn(&str) -> Result<Facts, ReadError>,
    pub(super) decide: fn(&Facts) -> Decision,
    /// What two moments of different columns are compared by.
    pub(super) precision: fn(Timestamp) -> Timestamp,
    pub(super) ended_at: fn(&RestoreFacts, At<'_>) -> Option<Timestamp>,
    pub(super) agrees: fn(&AuditFacts, Voice) -> bool,
    pub(super) supporting_audit: fn(&Facts) -> Option<AuditId>,
    pub(super) evidence_gaps: fn(&EvidenceFacts, &RestoreFacts, At<'_>) -> Vec<ReasonCode>,
}

/// All that this version holds, in their order.
pub static RULESETS: [Ruleset; 2] = [
    Ruleset {
        table: &ruleset_1::TABLE,
        read: |text| Ok(read_back::<FirstFacts>(text)?.into()),
        decide: ruleset_1::decide,
        precision: |moment| moment,
        ended_at: ruleset_1::proof::ended_at,
        agrees: ruleset_1::proof::agrees,
        supporting_audit: ruleset_1::proof::supporting_audit,
        evidence_gaps: ruleset_1::proof::evidence_gaps,
    },
    Ruleset {
        table: &rules::TABLE,
        read: read_back,
        decide: rules::decide,
        precision: whole_seconds,
        ended_at: proof::ended_at,
        agrees: AuditFacts::agrees,
        supporting_audit: proof::supporting_audit,
        evidence_gaps: proof::evidence_gaps,
    },
];

impl Ruleset {
    /// The ruleset that decides today.
    #[must_use]
    pub fn in_force() -> &'static Self {
        let [.., latest] = &RULESETS;
        latest
    }

    /// The ruleset that the ledger calls so; none where this version does not hold it.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        RULESETS.iter().find(|it| it.name() == name)
    }

    /// What the ledger calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.table.ruleset
    }

    /// Reads facts that were recorded with a verdict of this ruleset. What it did not ask for is as if nothing were recorded.
    ///
    /// # Errors
    /// Where the text is not one that this ruleset could have written.
    pub fn read(&self, text: &str) -> Result<Facts, ReadError> {
        (self.read)(text)
    }

    /// Decides as it did. Total, as [`decide`](rules::decide) is.
    #[must_use]
    pub fn decide(&self, facts: &Facts) -> Decision {
        (self.decide)(facts)
    }
}
