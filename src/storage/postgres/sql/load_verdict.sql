-- load_verdict: the verdict on record for a run, if it is of a workspace that may be seen.
SELECT
    operation_run_id, decision_id, outcome, reason_code, ruleset, facts, facts_digest, decision, worker,
    decided_at
FROM reconciler.ledger
WHERE operation_run_id = $1 AND ($2::bigint[] IS NULL OR workspace_id = ANY ($2))
