-- insert_ledger: one entry per verdict; a second one for a run breaks the unique constraint.
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at
)
SELECT
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts, facts_digest, decision, worker, source, decided_at
FROM json_populate_recordset(NULL::reconciler.ledger, $1::json)
