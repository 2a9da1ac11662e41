-- plant_settled_ledger: the ledger's entries about runs that were closed long ago.
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at
)
SELECT
    'settled-' || run.id, run.id, run.workspace_id, run.managed_environment_id, 'succeeded',
    'restore.proof_complete', 'none', '{}', repeat('0', 64), '{}', 'nobody', 'sweep',
    run.completed_at AT TIME ZONE 'UTC'
FROM operation_runs AS run
WHERE run.id BETWEEN $1 AND $2
