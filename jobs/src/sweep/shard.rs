//! How a pass is divided among hosts: by workspace, so that the parts never meet.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::WorkspaceId;

/// The queue of [`SweepJob`]s.
pub const QUEUE: &str = "restore.sweep";

/// The most parts that a pass is divided into, whatever is due.
pub const SHARDS_MAX: u32 = 16;

/// One part of the workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// All workspaces.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `index`, counted from zero, out of `of`; nothing where there is no such part.
    #[must_use]
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of).then_some(Self { index, of })
    }

    /// Which part this is, counted from zero.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether `workspace` belongs to this part. The databases compute the same.
    #[must_use]
    pub fn covers(self, workspace: WorkspaceId) -> bool {
        workspace.0.rem_euclid(self.of.into()) == i64::from(self.index)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

/// Into how many parts a pass over `due` runs is divided: one as long as a part of `shard_runs` holds
/// them all, and never more than `shards_max`.
#[must_use]
pub fn shards_for(due: u64, shard_runs: u64, shards_max: u32) -> u32 {
    let needed = due.div_ceil(shard_runs.max(1));
    u32::try_from(needed)
        .unwrap_or(u32::MAX)
        .clamp(1, shards_max.max(1))
}

/// What the queue carries: one part of the pass that a tick asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepJob {
    /// The tick.
    pub tick: Timestamp,
    /// Which part, counted from zero.
    pub shard: u32,
    /// Out of how many.
    pub shards: u32,
}

impl SweepJob {
    /// One job for each part of the pass of `tick`.
    pub fn all(tick: Timestamp, shards: u32) -> impl Iterator<Item = Self> {
        (0..shards).map(move |shard| Self {
            tick,
            shard,
            shards,
        })
    }

    /// The part; nothing where the job names one that does not exist.
    #[must_use]
    pub fn part(&self) -> Option<Shard> {
        Shard::new(self.shard, self.shards)
    }
}
