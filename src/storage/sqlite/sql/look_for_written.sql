-- look_for_written: of runs that were closed and entered into the audit log just now, whether both are there. What a
-- trigger swallows is no error. An entry is known by what it is about and since when, and not by its metadata, which a
-- trigger may redact.
WITH written AS MATERIALIZED (
    SELECT
        value ->> '$.run' AS run,
        value ->> '$.workspace' AS workspace,
        value ->> '$.environment' AS environment,
        value ->> '$.outcome' AS outcome,
        CAST(value ->> '$.run' AS TEXT) AS resource_id
    FROM json_each(?1)
), entry AS MATERIALIZED (
    SELECT DISTINCT audit.workspace_id, audit.managed_environment_id, audit.resource_id
    FROM audit_logs AS audit
    WHERE audit.resource_id IN (SELECT resource_id FROM written)
      AND +audit.resource_type = ?2
      AND +audit.action = ?3
      AND +audit.recorded_at >= ?4
)
SELECT
    written.run,
    run.id IS NOT NULL AS is_closed,
    entry.resource_id IS NOT NULL AS is_audited
FROM written
LEFT JOIN operation_runs AS run
  ON run.id = written.run
 AND +run.workspace_id = written.workspace
 AND +run.managed_environment_id IS written.environment
 AND +run.status = 'completed'
 AND +run.outcome = written.outcome
LEFT JOIN entry
  ON entry.resource_id = written.resource_id
 AND entry.workspace_id = written.workspace
 AND entry.managed_environment_id IS written.environment
ORDER BY written.run
