//! Parts of a sweep: together they are the whole, and none overlap.

use jiff::Timestamp;
use proptest::prelude::*;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::sweep::shard::{SHARDS_MAX, Shard, SweepJob, shards_for};

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
