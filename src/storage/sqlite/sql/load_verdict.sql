-- load_verdict: the verdict on record for a run.
SELECT
    operation_run_id, decision_id, outcome, reason_code, ruleset, facts, facts_digest, decision, worker, decided_at
FROM reconciler_ledger
WHERE operation_run_id = ?1
