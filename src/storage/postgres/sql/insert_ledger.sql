-- insert_ledger: one entry per verdict, and its facts beside it. Of a run that has one already, because it was rolled back
-- with its platform, it is the next revision and names the first.
-- Facts are JSON already: inside of another document they would be escaped here and read again there.
WITH entry AS MATERIALIZED (
    SELECT
        given.*,
        'epoch'::timestamptz + given.created_micros * interval '1 microsecond' AS run_created_at
    FROM unnest(
        $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[]
    ) AS given (
        decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
        ruleset, facts, facts_digest, decision, worker, source, decided_micros, created_micros
    )
), kept AS (
    INSERT INTO reconciler.ledger_facts (facts_digest, run_created_at, workspace_id, facts)
    SELECT decode(facts_digest, 'hex'), run_created_at, workspace_id, facts
    FROM entry
)
INSERT INTO reconciler.ledger (
    decision_id, operation_run_id, workspace_id, managed_environment_id, outcome, reason_code,
    ruleset, facts_digest, decision, worker, source, decided_at, run_created_at, revision, first_decision_id
)
SELECT
    entry.decision_id, entry.operation_run_id, entry.workspace_id, entry.managed_environment_id, entry.outcome,
    entry.reason_code, entry.ruleset, entry.facts_digest, entry.decision, entry.worker, entry.source,
    'epoch'::timestamptz + entry.decided_micros * interval '1 microsecond',
    entry.run_created_at,
    coalesce(before.revision, 0) + 1,
    coalesce(before.first_decision_id, before.decision_id)
FROM entry
-- OFFSET has each looked up in the month of its run; which months that can be, the planner knows by $15 and $16.
LEFT JOIN LATERAL (
    SELECT verdict.decision_id, verdict.revision, verdict.first_decision_id
    FROM reconciler.verdicts AS verdict
    WHERE verdict.operation_run_id = entry.operation_run_id
      AND (verdict.workspace_id, verdict.managed_environment_id)
          IS NOT DISTINCT FROM (entry.workspace_id, entry.managed_environment_id)
      AND (
          verdict.run_created_at = entry.run_created_at
          OR (verdict.run_created_at IS NULL AND entry.run_created_at IS NULL)
      )
      AND (verdict.run_created_at BETWEEN $15::timestamptz AND $16 OR verdict.run_created_at IS NULL)
    OFFSET 0
) AS before ON true
