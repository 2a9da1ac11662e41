-- load_snapshots: per run and status, the evidence snapshot with the highest id, in the run's scope.
SELECT DISTINCT ON (ask.run_id, snapshot.status)
    ask.run_id,
    snapshot.id,
    coalesce(snapshot.status::text, '') AS status,
    snapshot.completeness_state::text AS completeness,
    snapshot.generated_at,
    snapshot.expires_at,
    snapshot.updated_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS ask (run_id, workspace_id, environment_id)
JOIN evidence_snapshots AS snapshot
  ON snapshot.operation_run_id = ask.run_id
 AND snapshot.workspace_id = ask.workspace_id
 AND snapshot.managed_environment_id = ask.environment_id
-- Says nothing new, and keeps the join small whatever the planner believes about the table.
WHERE snapshot.operation_run_id = ANY ($1::bigint[])
ORDER BY ask.run_id, snapshot.status, snapshot.id DESC
