-- look_for_written: of runs that were closed and entered into the audit log just now, whether both are there. What a
-- trigger, a rule or a policy swallows is no error. An entry is known by what it is about and since when, and not by
-- its metadata, which a trigger may redact.
-- As in load_audits, entries are found by index, or in one walk where there is none.
WITH entry AS MATERIALIZED (
    SELECT DISTINCT audit.workspace_id, audit.managed_environment_id, audit.resource_id::text AS resource_id
    FROM audit_logs AS audit
    WHERE audit.resource_type::text = $5
      AND audit.resource_id = ANY ($1::bigint[]::text[])
      AND audit.action::text = $6
      AND audit.recorded_at >= $7::timestamptz
)
SELECT
    written.run,
    run.id IS NOT NULL AS is_closed,
    entry.resource_id IS NOT NULL AS is_audited
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS written (run, workspace, environment, outcome)
LEFT JOIN operation_runs AS run
  ON run.id = written.run
 AND run.id = ANY ($1::bigint[])
 AND run.workspace_id = written.workspace
 AND run.managed_environment_id IS NOT DISTINCT FROM written.environment
 AND run.status::text = 'completed'
 AND run.outcome::text = written.outcome
LEFT JOIN entry
  ON entry.resource_id = written.run::text
 AND entry.workspace_id = written.workspace
 AND entry.managed_environment_id IS NOT DISTINCT FROM written.environment
ORDER BY written.run
