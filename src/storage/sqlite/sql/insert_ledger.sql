-- insert_ledger: one entry per verdict. Of a run that has one already, because it was rolled back with its platform, it is
-- the next revision and names the first.
INSERT INTO reconciler_ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts_digest, decision, worker, source, decided_at, run_created_at, revision, first_decision_id
)
SELECT
    value ->> '$.decision_id', value ->> '$.operation_run_id', value ->> '$.workspace_id',
    value ->> '$.managed_environment_id', value ->> '$.outcome', value ->> '$.reason_code',
    value ->> '$.ruleset', value ->> '$.facts_digest',
    value ->> '$.decision', value ->> '$.worker', value ->> '$.source',
    value ->> '$.decided_at', value ->> '$.run_created_at',
    coalesce(before.revision, 0) + 1,
    coalesce(before.first_decision_id, before.decision_id)
FROM json_each(?1)
LEFT JOIN reconciler_verdicts AS before
  ON before.operation_run_id = value ->> '$.operation_run_id'
 AND +before.workspace_id = value ->> '$.workspace_id'
 AND before.managed_environment_id IS value ->> '$.managed_environment_id'
 AND before.run_created_at IS value ->> '$.run_created_at'
WHERE true
