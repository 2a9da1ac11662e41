-- note_actions: what somebody did about runs, and what came of each.
INSERT INTO reconciler_actions (
    action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome, found
)
SELECT ?1, ?2, ?3, ?4, run.workspace_id, run.managed_environment_id, run.id,
    CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END,
    value ->> '$.outcome', value ->> '$.found'
FROM json_each(?5) AS done
JOIN operation_runs AS run ON run.id = value ->> '$.run'
