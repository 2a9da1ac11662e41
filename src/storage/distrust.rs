//! Why nothing may be proven from what a database shows, and what an operator vouches for all the same.
//!
//! Proof is as much what is not there as what is: no contrary audit entry, no second restore. Where rows may be missing
//! unseen, every verdict would rest on luck, and a verdict is final.

use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::survey::RESTORES_MIN;
use reconciler_jobs::shift::Shift;
use thiserror::Error;

/// What an operator vouches for, so that it is no [`Distrust`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trust {
    /// Row security and views show the role every row that proves.
    pub row_security: bool,
    /// That evidence is dated hours off is known, and right or put up with.
    pub time_shift: bool,
    /// Legs that hold of no restore, in the order of [`Leg::ALL`].
    pub unheld: [bool; Leg::ALL.len()],
}

impl Trust {
    /// The legs that need not hold of any restore.
    pub fn accepted(&self) -> Vec<Leg> {
        let legs = Leg::ALL.into_iter().zip(self.unheld);
        legs.filter_map(|(leg, is_accepted)| is_accepted.then_some(leg))
            .collect()
    }
}

/// Why nothing may be proven. Each is a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Distrust {
    /// Row security is active for the role, or a view stands in a table's place. Holds the names of the tables.
    #[error(
        "row security or a view may hide rows of {0} from this role, and with them contrary proof, so nothing is settled"
    )]
    HiddenRows(String),
    /// The search path leads to another platform than the one that our schema is bound to, whose ids mean other runs.
    #[error(
        "our schema serves the platform in schema {bound}, and the search path leads to that in schema {found}, so \
         nothing is settled"
    )]
    OtherPlatform {
        /// The schema of the platform that ours serves.
        bound: String,
        /// The schema that was found.
        found: String,
    },
    /// The row that says which platform our schema serves is gone.
    #[error(
        "our schema serves no platform, because the row of reconciler.platform is gone, so nothing is settled"
    )]
    Unbound,
    /// The platform's runs are not where our schema is bound to, nor anywhere that the search path leads to. Holds the schema.
    #[error(
        "our schema serves the platform in schema {0}, and the search path leads to no table operation_runs that this \
         role may use, so nothing is settled"
    )]
    NoPlatform(String),
    /// Our schema is not the one that this program knows, and may mean something else by the same names.
    #[error(
        "our schema is at version {found} and this program knows version {known}, so nothing is settled"
    )]
    OtherSchema {
        /// The newest migration that was applied; zero where none was.
        found: i64,
        /// The newest one that this program brings along.
        known: i64,
    },
    /// Evidence is dated hours off the ends of its restores, or off its own rows.
    #[error(
        "{} of the {} latest evidence snapshots are dated {:#} {} {}, as if moments were written in one time zone and \
         read in another, so nothing is settled",
        .0.rows, .0.rows_compared, .0.by.abs(), if .0.by.is_negative() { "before" } else { "after" }, .0.from
    )]
    ShiftedTimes(Shift),
    /// Commits wait for a synchronous standby: a failover might lose what they hold.
    #[error(
        "commits wait for a synchronous standby that does not confirm them, so nothing else is settled; what waits is committed \
         once it does"
    )]
    Unconfirmed,
    /// These legs held of no restore that ended, as where the platform calls things by other words.
    #[error(
        "of {RESTORES_MIN} or more of the latest restores that ended, none has the proof of {}, as where the platform calls \
         things by other words, so nothing is settled",
        .0.iter().map(|leg| leg.name()).collect::<Vec<_>>().join(", ")
    )]
    NeverHeld(Vec<Leg>),
}

impl Distrust {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::HiddenRows(_) => {
                "Run `restore-reconciler doctor`: it names the policies, and what ends this. Workers go on by themselves."
            }
            Self::OtherPlatform { .. } => {
                "Give a second platform a database of its own. Where the platform's schema was renamed, or the platform was \
                 moved, run `restore-reconciler migrate --rebind`. Workers go on by themselves."
            }
            Self::Unbound => {
                "Run `restore-reconciler migrate --rebind`, with a search path that leads to the platform. Workers go on by \
                 themselves."
            }
            Self::NoPlatform(_) => {
                "Give the schema its name back, or let this role use it again; where the platform was moved, run \
                 `restore-reconciler migrate --rebind`. Workers go on by themselves."
            }
            Self::OtherSchema { found, known } if found > known => {
                "Upgrade restore-reconciler on this host. Jobs stay queued, and workers of the new release take them."
            }
            Self::OtherSchema { .. } => {
                "Run `restore-reconciler migrate`. Workers go on by themselves."
            }
            Self::Unconfirmed => {
                "Bring the standby back, or take it out of synchronous_standby_names and reload the server. Workers go on by \
                 themselves."
            }
            Self::ShiftedTimes(_) => {
                "Run `restore-reconciler doctor`: it names time zones, and what ends this. Workers go on by themselves."
            }
            Self::NeverHeld(_) => {
                "Run `restore-reconciler doctor --survey`: it names the words that were seen, and the configuration that answers \
                 them. With settling.mode = \"observe\" runs are decided meanwhile, and none is settled."
            }
        }
    }
}
