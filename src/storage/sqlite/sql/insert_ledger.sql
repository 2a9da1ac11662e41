-- insert_ledger: one entry per verdict; a second one for a run is refused.
INSERT INTO reconciler_ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at
)
SELECT
    value ->> '$.decision_id', value ->> '$.operation_run_id', value ->> '$.workspace_id',
    value ->> '$.managed_environment_id', value ->> '$.outcome', value ->> '$.reason_code',
    value ->> '$.ruleset', value ->> '$.facts', value ->> '$.facts_digest',
    value ->> '$.decision', value ->> '$.worker', value ->> '$.source',
    value ->> '$.decided_at'
FROM json_each(?1)
