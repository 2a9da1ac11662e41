-- plant_verdicts: copies of the verdict about run $1 at positions $2 to $3, of fifty workspaces in turn.
WITH verdict AS MATERIALIZED (
    SELECT entry.* FROM reconciler.verdicts AS entry WHERE entry.operation_run_id = $1
), entered AS (
    INSERT INTO reconciler.ledger (
        decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset,
        facts_digest, decision, worker, source, decided_at, run_created_at
    )
    SELECT
        'like-' || lpad(position::text, 27, '0'), 1000000000 + position, 1 + position % 50, 11 + position % 50 * 10,
        verdict.outcome, verdict.reason_code, verdict.ruleset, verdict.facts_digest, verdict.decision, verdict.worker,
        verdict.source, verdict.decided_at, verdict.run_created_at
    FROM generate_series($2::bigint, $3::bigint) AS position CROSS JOIN verdict
)
INSERT INTO reconciler.ledger_positions (position, decision_id, run_created_at, workspace_id, workspace_position)
SELECT
    position, 'like-' || lpad(position::text, 27, '0'), verdict.run_created_at, 1 + position % 50,
    -- The verdict at the first position is of the first workspace, so that the second has its own first one turn later.
    position / 50 + CASE WHEN position % 50 = 1 THEN 0 ELSE 1 END
FROM generate_series($2::bigint, $3::bigint) AS position CROSS JOIN verdict
