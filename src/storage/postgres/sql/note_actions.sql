-- note_actions: what somebody did about runs, and what came of each.
INSERT INTO reconciler.actions (
    action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome, found
)
SELECT $1, $2, $3, $4, run.workspace_id, run.managed_environment_id, run.id,
    CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END,
    done.outcome, done.found
FROM unnest($5::bigint[], $6::text[], $7::text[]) AS done (run, outcome, found)
-- OFFSET has each looked up by its id.
CROSS JOIN LATERAL (
    SELECT id, workspace_id, managed_environment_id, created_at FROM operation_runs WHERE id = done.run OFFSET 0
) AS run
