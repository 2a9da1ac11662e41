//! Jobs that no program of ours would queue.

use crate::support::store::Fixture;

/// Queues jobs as they stand: the queue of each, and what it says.
pub(crate) async fn queue(on: &Fixture, jobs: &[(&str, String)]) {
    let begin = on.either("CAST(", "convert_to(");
    let end = on.either(" AS BLOB)", ", 'UTF8')");
    let now = on.either("unixepoch('now')", "now()");
    for (number, (queue, payload)) in jobs.iter().enumerate() {
        on.execute(&format!(
            "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
             VALUES ('{number:026}', '{queue}', {begin}'{payload}'{end}, 'Pending', 0, 1, {now}, 0)"
        ))
        .await;
    }
}
