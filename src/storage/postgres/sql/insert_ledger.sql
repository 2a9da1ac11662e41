-- insert_ledger: one entry per verdict; a second one for a run breaks the unique constraint.
-- Facts are JSON already: inside of another document they would be escaped here and read again there.
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at
)
SELECT
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source,
    'epoch'::timestamptz + decided_at * interval '1 microsecond'
FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[]
) AS entry (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at
)
