-- load_unsealed: the next $1 positions after the last leaf, each with the verdict that it leads to, if that is there; the first of
-- each workspace among them with the leaf before it there.
WITH placed AS MATERIALIZED (
    SELECT next.*, row_number() OVER (PARTITION BY workspace_id ORDER BY workspace_position) AS number
    FROM (
        SELECT * FROM reconciler.ledger_positions
        WHERE position > (SELECT coalesce(max(position), 0) FROM reconciler.ledger_leaves)
        ORDER BY position
        LIMIT $1
    ) AS next
)
SELECT
    placed.position, true AS has_position, entry.decision_id IS NOT NULL AS is_there, placed.workspace_id,
    placed.workspace_position, NULL::text AS leaf, NULL::text AS facts_seal,
    CASE WHEN placed.number = 1 THEN (
        SELECT encode(sealed.leaf, 'hex')
        FROM reconciler.ledger_positions AS before
        JOIN reconciler.ledger_leaves AS sealed ON sealed.position = before.position
        WHERE before.workspace_id = placed.workspace_id AND before.workspace_position = placed.workspace_position - 1
    ) END AS previous_leaf,
    encode(kept.salt, 'hex') AS salt,
    -- Of an entry that is not there, nothing.
    coalesce(entry.operation_run_id, 0) AS operation_run_id, placed.decision_id,
    placed.run_created_at, entry.managed_environment_id, coalesce(entry.revision, 0)::bigint AS revision,
    entry.first_decision_id, coalesce(entry.outcome, '') AS outcome, coalesce(entry.reason_code, '') AS reason_code,
    coalesce(entry.ruleset, '') AS ruleset, NULL::text AS facts, coalesce(entry.facts_digest, '') AS facts_digest,
    coalesce(entry.decision, '') AS decision, coalesce(entry.decided_at, '1970-01-01') AS decided_at,
    coalesce(entry.source, '') AS source, coalesce(entry.worker, '') AS worker
FROM placed
-- OFFSET has each looked up by its key, and in the month of its run.
LEFT JOIN LATERAL (
    SELECT held.*
    FROM reconciler.ledger AS held
    WHERE held.decision_id = placed.decision_id
      AND held.workspace_id = placed.workspace_id
      AND (
          held.run_created_at = placed.run_created_at
          OR (held.run_created_at IS NULL AND placed.run_created_at IS NULL)
      )
    OFFSET 0
) AS entry ON true
LEFT JOIN LATERAL (
    SELECT facts.salt
    FROM reconciler.ledger_facts AS facts
    WHERE facts.facts_digest = decode(entry.facts_digest, 'hex')
      AND (
          facts.run_created_at = entry.run_created_at
          OR (facts.run_created_at IS NULL AND entry.run_created_at IS NULL)
      )
    OFFSET 0
) AS kept ON true
ORDER BY placed.position
