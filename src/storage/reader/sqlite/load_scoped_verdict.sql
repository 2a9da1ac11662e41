-- load_scoped_verdict: the verdict on record for a run of one workspace.
SELECT
    operation_run_id, decision_id, outcome, reason_code, ruleset, facts, facts_digest, decision, worker, decided_at
FROM reconciler_ledger
WHERE operation_run_id = ?1 AND +workspace_id = ?2
