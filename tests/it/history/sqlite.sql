-- sqlite: every row that says something about a verdict, in order of the run that it is about.
SELECT run, part, body, document, decision
FROM (
    SELECT
        run.id AS run,
        1 AS part,
        json_object(
            'id', run.id,
            'workspace_id', run.workspace_id,
            'managed_environment_id', run.managed_environment_id,
            'type', run.type,
            'status', run.status,
            'outcome', run.outcome,
            'started_at', run.started_at,
            'completed_at', run.completed_at,
            'updated_at', run.updated_at,
            'now', CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
            'look_again_at', watch.look_again_at,
            'try_again_at', attempt.try_again_at,
            'dead_at', attempt.dead_at,
            'dropped_at', attempt.dropped_at,
            'tries', attempt.tries
        ) AS body,
        CAST(run.context AS TEXT) AS document,
        NULL AS decision
    FROM operation_runs AS run
    LEFT JOIN reconciler_watch_list AS watch ON watch.operation_run_id = run.id
    LEFT JOIN reconciler_attempts AS attempt ON attempt.operation_run_id = run.id
    UNION ALL
    SELECT
        operation_run_id,
        2,
        json_object(
            'decision_id', decision_id,
            'operation_run_id', operation_run_id,
            'workspace_id', workspace_id,
            'managed_environment_id', managed_environment_id,
            'outcome', outcome,
            'reason_code', reason_code,
            'ruleset', ruleset,
            'facts_digest', facts_digest,
            'worker', worker,
            'source', source,
            'decided_at', decided_at,
            'run_created_at', run_created_at
        ),
        coalesce(
            facts,
            (SELECT kept.facts FROM reconciler_ledger_facts AS kept WHERE kept.facts_digest = entry.facts_digest)
        ),
        decision
    FROM reconciler_ledger AS entry
    UNION ALL
    SELECT
        CASE
            WHEN resource_id <> '' AND resource_id NOT GLOB '*[^0-9]*' AND length(resource_id) <= 18
            THEN CAST(resource_id AS INTEGER)
            ELSE 0
        END,
        3,
        json_object(
            'id', id,
            'workspace_id', workspace_id,
            'managed_environment_id', managed_environment_id,
            'actor_type', actor_type,
            'actor_label', actor_label,
            'action', action,
            'resource_type', resource_type,
            'resource_id', resource_id,
            'status', status,
            'outcome', outcome,
            'summary', summary,
            'recorded_at', recorded_at
        ),
        CAST(metadata AS TEXT),
        NULL
    FROM audit_logs
    WHERE action = 'operation_run.reconciled'
)
ORDER BY run, part
