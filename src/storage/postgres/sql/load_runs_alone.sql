-- load_runs_alone: as load_runs, where nothing of ours is in the database yet.
SELECT
    run.id,
    run.workspace_id,
    run.managed_environment_id AS environment_id,
    run.type::text AS run_type,
    coalesce(run.status::text, '') AS status,
    coalesce(run.outcome::text, '') AS outcome,
    CASE WHEN octet_length(document.context) <= $2 THEN convert_to(document.context, 'UTF8') END AS context,
    run.context IS NOT NULL AS has_context,
    CASE WHEN octet_length(document.failure_summary) <= $2 THEN convert_to(document.failure_summary, 'UTF8') END AS failure_summary,
    run.failure_summary IS NOT NULL AS has_failure_summary,
    CASE WHEN octet_length(document.summary_counts) <= $2 THEN convert_to(document.summary_counts, 'UTF8') END AS summary_counts,
    run.summary_counts IS NOT NULL AS has_summary_counts,
    run.started_at,
    run.completed_at,
    run.created_at,
    NULL::text AS watched_reason,
    NULL::bigint AS watched_tries,
    false AS is_suspect
FROM operation_runs AS run
CROSS JOIN LATERAL (
    SELECT
        run.context::text AS context,
        run.failure_summary::text AS failure_summary,
        run.summary_counts::text AS summary_counts
    OFFSET 0 -- keeps each document from being rendered twice
) AS document
WHERE run.id = ANY ($1::bigint[])
ORDER BY run.id
