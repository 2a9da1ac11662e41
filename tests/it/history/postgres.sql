-- postgres: every row that says something about a verdict, in order of the run that it is about.
SELECT run, part, body, document, decision
FROM (
    SELECT
        run.id AS run,
        1 AS part,
        json_build_object(
            'id', run.id,
            'workspace_id', run.workspace_id,
            'managed_environment_id', run.managed_environment_id,
            'type', run.type,
            'status', run.status,
            'outcome', run.outcome,
            'started_at', CASE WHEN isfinite(run.started_at) THEN (extract(epoch FROM run.started_at) * 1000000)::bigint END,
            'completed_at', CASE WHEN isfinite(run.completed_at) THEN (extract(epoch FROM run.completed_at) * 1000000)::bigint END,
            'updated_at', CASE WHEN isfinite(run.updated_at) THEN (extract(epoch FROM run.updated_at) * 1000000)::bigint END,
            'now', (extract(epoch FROM statement_timestamp()) * 1000000)::bigint,
            'look_again_at', (extract(epoch FROM watch.look_again_at) * 1000000)::bigint,
            'try_again_at', (extract(epoch FROM attempt.try_again_at) * 1000000)::bigint,
            'dead_at', (extract(epoch FROM attempt.dead_at) * 1000000)::bigint,
            'dropped_at', (extract(epoch FROM attempt.dropped_at) * 1000000)::bigint,
            'tries', attempt.tries
        )::text AS body,
        run.context::text AS document,
        NULL AS decision
    FROM operation_runs AS run
    LEFT JOIN reconciler.watch_list AS watch ON watch.operation_run_id = run.id
    LEFT JOIN reconciler.attempts AS attempt ON attempt.operation_run_id = run.id
    UNION ALL
    SELECT
        operation_run_id,
        2,
        json_build_object(
            'decision_id', decision_id,
            'operation_run_id', operation_run_id,
            'workspace_id', entry.workspace_id,
            'managed_environment_id', managed_environment_id,
            'outcome', outcome,
            'reason_code', reason_code,
            'ruleset', ruleset,
            'facts_digest', entry.facts_digest,
            'worker', worker,
            'source', source,
            'decided_at', (extract(epoch FROM decided_at) * 1000000)::bigint,
            'run_created_at', (extract(epoch FROM entry.run_created_at) * 1000000)::bigint
        )::text,
        coalesce(entry.facts, kept.facts),
        decision
    FROM reconciler.ledger AS entry
    LEFT JOIN reconciler.ledger_facts AS kept ON encode(kept.facts_digest, 'hex') = entry.facts_digest
    UNION ALL
    SELECT
        CASE WHEN resource_id ~ '^[0-9]{1,19}$' THEN least(resource_id::numeric, 9223372036854775807)::bigint ELSE 0 END,
        3,
        json_build_object(
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
            'recorded_at', (extract(epoch FROM recorded_at) * 1000000)::bigint
        )::text,
        metadata::text,
        NULL
    FROM audit_logs
    WHERE action = 'operation_run.reconciled'
) AS said
ORDER BY run, part
