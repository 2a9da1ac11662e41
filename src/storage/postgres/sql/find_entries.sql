-- find_entries: entries of the ledger by decision or by run, the latest first, at most $3.
-- Facts that were erased are null.
SELECT
    entry.operation_run_id, entry.decision_id, entry.outcome, entry.reason_code, entry.ruleset,
    coalesce(entry.facts, kept.facts) AS facts,
    entry.facts_digest, entry.decision, entry.worker, entry.decided_at, entry.revision::bigint AS revision,
    entry.first_decision_id, entry.workspace_id, entry.managed_environment_id, entry.run_created_at, entry.source,
    placed.position
FROM (
    SELECT * FROM reconciler.ledger WHERE decision_id = $1
    UNION ALL
    SELECT * FROM reconciler.ledger WHERE operation_run_id = $2
) AS entry
-- OFFSET has each looked up in the month of its run.
LEFT JOIN LATERAL (
    SELECT facts.facts
    FROM reconciler.ledger_facts AS facts
    WHERE facts.facts_digest = decode(entry.facts_digest, 'hex')
      AND (
          facts.run_created_at = entry.run_created_at
          OR (facts.run_created_at IS NULL AND entry.run_created_at IS NULL)
      )
    OFFSET 0
) AS kept ON true
LEFT JOIN LATERAL (
    SELECT held.position
    FROM reconciler.ledger_positions AS held
    WHERE held.decision_id = entry.decision_id
      AND (
          held.run_created_at = entry.run_created_at
          OR (held.run_created_at IS NULL AND entry.run_created_at IS NULL)
      )
    OFFSET 0
) AS placed ON true
ORDER BY entry.decided_at DESC
LIMIT $3
