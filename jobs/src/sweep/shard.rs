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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pass_is_divided_once_one_part_is_too_small() {
        let cases = [
            (0, 1),
            (1, 1),
            (20_000, 1),
            (20_001, 2),
            (40_000, 2),
            (40_001, 3),
            (320_000, 16),
            (320_001, 16),
            (u64::MAX, 16),
        ];
        for (due, shards) in cases {
            assert_eq!(shards_for(due, 20_000, SHARDS_MAX), shards, "{due}");
        }
        assert_eq!(shards_for(5, 0, 3), 3, "a part holds one run at least");
        assert_eq!(shards_for(5, 1, 0), 1, "there is always one part");
    }

    #[test]
    fn a_part_that_does_not_exist_is_refused() {
        assert_eq!(Shard::new(0, 0), None);
        assert_eq!(Shard::new(3, 3), None);
        assert_eq!(Shard::new(0, 1), Some(Shard::WHOLE));
        assert_eq!(Shard::default(), Shard::WHOLE);
    }

    #[test]
    fn a_job_is_read_as_it_was_written() {
        let tick: Timestamp = "2025-03-01T10:00:00Z".parse().unwrap();
        let jobs: Vec<SweepJob> = SweepJob::all(tick, 2).collect();
        assert_eq!(jobs.iter().map(|job| job.shard).collect::<Vec<_>>(), [0, 1]);
        let text = serde_json::to_string(&jobs[1]).unwrap();
        assert_eq!(
            text,
            r#"{"tick":"2025-03-01T10:00:00Z","shard":1,"shards":2}"#
        );
        assert_eq!(serde_json::from_str::<SweepJob>(&text).unwrap(), jobs[1]);
        assert_eq!(jobs[1].part(), Shard::new(1, 2));
        let stray = SweepJob {
            shard: 2,
            ..jobs[1]
        };
        assert_eq!(stray.part(), None);
    }

    proptest! {
        #[test]
        fn each_workspace_is_in_one_part(workspace: i64, of in 1_u32..=64) {
            let parts: Vec<u32> = (0..of)
                .filter(|index| Shard::new(*index, of).unwrap().covers(WorkspaceId(workspace)))
                .collect();
            prop_assert_eq!(parts.len(), 1);
        }
    }
}
