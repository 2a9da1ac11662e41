-- walk_leaves: the next $2 places after position $1: each with its leaf, if it has one, the verdict that it leads to, if that is
-- there, without its facts, and the leaf before it in its workspace.
WITH place AS MATERIALIZED (
    (SELECT position FROM reconciler.ledger_positions WHERE position > $1 ORDER BY position LIMIT $2)
    UNION
    (SELECT position FROM reconciler.ledger_leaves WHERE position > $1 ORDER BY position LIMIT $2)
    ORDER BY position
    LIMIT $2
)
SELECT
    place.position, placed.position IS NOT NULL AS has_position, entry.decision_id IS NOT NULL AS is_there,
    coalesce(placed.workspace_id, 0) AS workspace_id, coalesce(placed.workspace_position, 0) AS workspace_position,
    encode(sealed.leaf, 'hex') AS leaf, encode(sealed.facts_seal, 'hex') AS facts_seal,
    encode(earlier.leaf, 'hex') AS previous_leaf, encode(kept.salt, 'hex') AS salt,
    -- Of an entry that is not there, nothing.
    coalesce(entry.operation_run_id, 0) AS operation_run_id, coalesce(placed.decision_id, '') AS decision_id,
    placed.run_created_at, entry.managed_environment_id, coalesce(entry.revision, 0)::bigint AS revision,
    entry.first_decision_id, coalesce(entry.outcome, '') AS outcome, coalesce(entry.reason_code, '') AS reason_code,
    coalesce(entry.ruleset, '') AS ruleset, NULL::text AS facts, coalesce(entry.facts_digest, '') AS facts_digest,
    coalesce(entry.decision, '') AS decision, coalesce(entry.decided_at, '1970-01-01') AS decided_at,
    coalesce(entry.source, '') AS source, coalesce(entry.worker, '') AS worker
FROM place
-- OFFSET has each looked up by its key, and in the month of its run.
LEFT JOIN LATERAL (
    SELECT * FROM reconciler.ledger_positions AS held WHERE held.position = place.position OFFSET 0
) AS placed ON true
LEFT JOIN LATERAL (
    SELECT * FROM reconciler.ledger_leaves AS held WHERE held.position = place.position OFFSET 0
) AS sealed ON true
LEFT JOIN LATERAL (
    SELECT leaves.leaf
    FROM reconciler.ledger_positions AS before
    JOIN reconciler.ledger_leaves AS leaves ON leaves.position = before.position
    WHERE before.workspace_id = placed.workspace_id
      AND before.workspace_position = placed.workspace_position - 1
    OFFSET 0
) AS earlier ON true
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
ORDER BY place.position
