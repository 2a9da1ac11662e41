-- plant_settled_ledger: the ledger's entries about runs that were closed long ago.
INSERT INTO reconciler_ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at
)
SELECT
    'settled-' || id, id, workspace_id, managed_environment_id, 'succeeded', 'restore.proof_complete', 'none',
    '{}', '0000000000000000000000000000000000000000000000000000000000000000', '{}', 'nobody', 'sweep',
    completed_at
FROM operation_runs
WHERE id BETWEEN ?1 AND ?2
