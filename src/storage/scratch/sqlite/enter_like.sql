-- enter_like: enters these runs in the ledger with the verdict about ?2.
INSERT INTO reconciler_ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts,
    facts_digest, decision, worker, source, decided_at
)
SELECT
    'like-' || run.id, run.id, run.workspace_id, run.managed_environment_id, verdict.outcome,
    verdict.reason_code, verdict.ruleset, verdict.facts, verdict.facts_digest, verdict.decision, verdict.worker,
    verdict.source, verdict.decided_at
FROM operation_runs AS run JOIN reconciler_ledger AS verdict ON verdict.operation_run_id = ?2
WHERE run.id IN (SELECT value FROM json_each(?1))
