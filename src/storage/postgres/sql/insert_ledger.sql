-- insert_ledger: one entry per verdict. Of a run that has one already, because it was rolled back with its platform, it is
-- the next revision and names the first.
-- Facts are JSON already: inside of another document they would be escaped here and read again there.
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at, run_created_at, revision, first_decision_id
)
SELECT
    entry.decision_id, entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.outcome,
    entry.reason_code, entry.ruleset, entry.facts, entry.facts_digest, entry.decision, entry.worker, entry.source,
    'epoch'::timestamptz + entry.decided_at * interval '1 microsecond',
    created.at,
    coalesce(before.revision, 0) + 1,
    coalesce(before.first_decision_id, before.decision_id)
FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[]
) AS entry (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at, run_created_at
)
CROSS JOIN LATERAL (
    SELECT 'epoch'::timestamptz + entry.run_created_at * interval '1 microsecond' AS at
) AS created
LEFT JOIN reconciler.verdicts AS before
  ON before.operation_run_id = entry.operation_run_id
 AND (before.workspace_id, before.managed_environment_id, before.run_created_at)
     IS NOT DISTINCT FROM (entry.workspace_id, entry.managed_environment_id, created.at)
