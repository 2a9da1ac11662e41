-- close_runs: closes the runs that are still open. It returns nothing: where a conditional rule is on the table, that
-- would be an error.
-- The records take their column types from the platform's own table, whatever those are. Each begins as a blank record:
-- of none at all, a column that is not ours would be made null, which a domain may forbid.
-- Contexts ($4, in the order of $2) travel beside the records: a record's escapes are turned into characters, which the
-- database's encoding may not have. JSON becomes what the column is, json, jsonb or text.
-- For IS TRUE see lock_open_runs. $3: somebody vouches for row security, which open_transaction asks about.
UPDATE operation_runs AS run
SET status          = 'completed',
    outcome         = verdict.outcome,
    started_at      = coalesce(run.started_at, verdict.started_at),
    completed_at    = verdict.completed_at,
    updated_at      = verdict.updated_at,
    summary_counts  = coalesce(verdict.summary_counts, run.summary_counts),
    failure_summary = coalesce(verdict.failure_summary, run.failure_summary),
    context         = written.context::json
FROM json_populate_recordset(
    (SELECT blank::operation_runs FROM (SELECT (NULL::operation_runs).*) AS blank), $1::json
) AS verdict
JOIN unnest($2::bigint[], $4::text[]) AS written (id, context) ON written.id = verdict.id
WHERE run.id = verdict.id
  AND run.workspace_id = verdict.workspace_id
  AND run.managed_environment_id IS NOT DISTINCT FROM verdict.managed_environment_id
  -- Says nothing new, and keeps the join small whatever the planner believes about the table.
  AND run.id = ANY ($2::bigint[])
  AND run.type = 'restore.execute'
  AND (run.status IN ('queued', 'running')) IS TRUE
  -- Asked once more: what was read since is locked against new policies until this transaction ends.
  AND ($3 OR NOT EXISTS (
      SELECT
      FROM pg_class AS relation
      WHERE relation.oid IN (
              to_regclass('operation_runs'), to_regclass('restore_runs'), to_regclass('evidence_snapshots'),
              to_regclass('audit_logs'), to_regclass('backup_sets'), to_regclass('backup_items')
          )
        AND (
            row_security_active(relation.oid)
            OR relation.relkind NOT IN ('r', 'p') AND relation.relname <> 'operation_runs'
        )
  ))
