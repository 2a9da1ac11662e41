-- close_like: the least that a database must do for a page of runs: what a settlement reads is read here, and
-- what it writes is written here, with the verdict about $2, without anything leaving or entering the server.
WITH verdict AS MATERIALIZED (
    SELECT entry.*, run.context, run.summary_counts, run.failure_summary
    FROM reconciler.verdicts AS entry JOIN operation_runs AS run ON run.id = entry.operation_run_id
    WHERE entry.operation_run_id = $2
),
audited AS MATERIALIZED (
    SELECT status, outcome, summary, metadata
    FROM audit_logs
    WHERE resource_type = 'operation_run' AND resource_id = $2::text AND action = 'operation_run.reconciled'
),
held AS MATERIALIZED (
    SELECT run.id, run.workspace_id, run.managed_environment_id,
        octet_length(run.context::text) + octet_length(run.failure_summary::text)
            + octet_length(run.summary_counts::text) AS bytes
    FROM operation_runs AS run
    WHERE run.id = ANY ($1::bigint[]) AND run.type = 'restore.execute' AND run.status IN ('queued', 'running')
    ORDER BY run.id
    FOR UPDATE SKIP LOCKED
),
restore AS MATERIALIZED (
    SELECT restore.id,
        octet_length(restore.requested_items::text) + octet_length(restore.results::text)
            + octet_length(restore.metadata::text) AS bytes
    FROM held
    JOIN restore_runs AS restore
      ON restore.operation_run_id = held.id
     AND restore.workspace_id = held.workspace_id
     AND restore.managed_environment_id = held.managed_environment_id
     AND restore.deleted_at IS NULL
    WHERE restore.operation_run_id = ANY ($1::bigint[])
),
audit AS MATERIALIZED (
    SELECT audit.id, row_number() OVER (PARTITION BY audit.resource_id ORDER BY audit.recorded_at DESC) AS place
    FROM audit_logs AS audit
    WHERE audit.resource_type = 'restore_run'
      AND audit.resource_id = ANY (ARRAY(SELECT id::text FROM restore))
      AND audit.action = ANY ($3::text[])
),
snapshot AS MATERIALIZED (
    SELECT DISTINCT ON (snapshot.operation_run_id, snapshot.status) snapshot.id
    FROM held
    JOIN evidence_snapshots AS snapshot
      ON snapshot.operation_run_id = held.id
     AND snapshot.workspace_id = held.workspace_id
     AND snapshot.managed_environment_id = held.managed_environment_id
    WHERE snapshot.operation_run_id = ANY ($1::bigint[])
    ORDER BY snapshot.operation_run_id, snapshot.status, snapshot.id DESC
),
closed AS (
    UPDATE operation_runs AS run
    SET status = 'completed', outcome = verdict.outcome, completed_at = statement_timestamp(),
        updated_at = statement_timestamp(), summary_counts = verdict.summary_counts,
        failure_summary = verdict.failure_summary, context = verdict.context
    FROM held, verdict
    WHERE run.id = held.id AND run.id = ANY ($1::bigint[])
    RETURNING run.id, run.workspace_id, run.managed_environment_id, run.created_at
),
entered AS (
    INSERT INTO reconciler.ledger (
        decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset,
        facts, facts_digest, decision, worker, source, decided_at, run_created_at
    )
    SELECT
        'like-' || closed.id, closed.id, closed.workspace_id, closed.managed_environment_id, verdict.outcome,
        verdict.reason_code, verdict.ruleset, verdict.facts, verdict.facts_digest, verdict.decision,
        verdict.worker, verdict.source, statement_timestamp(), closed.created_at
    FROM closed, verdict
),
noted AS (
    INSERT INTO audit_logs (
        workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type, resource_id,
        status, outcome, summary, metadata, recorded_at
    )
    SELECT
        closed.workspace_id, closed.managed_environment_id, 'system', 'restore-reconciler',
        'operation_run.reconciled', 'operation_run', closed.id::text, audited.status, audited.outcome,
        audited.summary, audited.metadata, statement_timestamp()
    FROM closed, audited
),
unwatched AS (
    DELETE FROM reconciler.watch_list WHERE operation_run_id = ANY ($1::bigint[])
)
SELECT count(*)
FROM closed
WHERE (SELECT coalesce(sum(bytes), 0) FROM held) + (SELECT coalesce(sum(bytes), 0) FROM restore)
    + (SELECT count(*) FROM audit WHERE place <= $4) + (SELECT count(*) FROM snapshot) >= 0
