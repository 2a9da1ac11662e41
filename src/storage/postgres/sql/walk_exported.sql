-- walk_exported: the next $4 places of workspace $1 after its place $2, up to position $3: each with its leaf and the one before it
-- there, and the verdict that it leads to, if that is there, with its facts, and when facts of the workspace were erased last.
WITH placed AS MATERIALIZED (
    SELECT next.*, sealed.leaf AS own_leaf, sealed.facts_seal, lag(sealed.leaf) OVER (ORDER BY workspace_position) AS earlier
    FROM (
        SELECT * FROM reconciler.ledger_positions
        WHERE workspace_id = $1 AND workspace_position >= $2 AND position <= $3
        ORDER BY workspace_position
        LIMIT $4::bigint + 1
    ) AS next
    -- OFFSET has each looked up by its key.
    LEFT JOIN LATERAL (
        SELECT held.leaf, held.facts_seal FROM reconciler.ledger_leaves AS held WHERE held.position = next.position OFFSET 0
    ) AS sealed ON true
)
SELECT
    placed.position, true AS has_position, entry.decision_id IS NOT NULL AS is_there, placed.workspace_id,
    placed.workspace_position, encode(placed.own_leaf, 'hex') AS leaf, encode(placed.facts_seal, 'hex') AS facts_seal,
    encode(placed.earlier, 'hex') AS previous_leaf,
    encode(kept.salt, 'hex') AS salt,
    (SELECT max(acted_at) FROM reconciler.actions WHERE action = 'forget' AND workspace_id = $1) AS erased_at,
    -- Of an entry that is not there, nothing.
    coalesce(entry.operation_run_id, 0) AS operation_run_id, placed.decision_id,
    placed.run_created_at, entry.managed_environment_id, coalesce(entry.revision, 0)::bigint AS revision,
    entry.first_decision_id, coalesce(entry.outcome, '') AS outcome, coalesce(entry.reason_code, '') AS reason_code,
    coalesce(entry.ruleset, '') AS ruleset, kept.facts AS facts, coalesce(entry.facts_digest, '') AS facts_digest,
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
    SELECT facts.salt, facts.facts
    FROM reconciler.ledger_facts AS facts
    WHERE facts.facts_digest = decode(entry.facts_digest, 'hex')
      AND (
          facts.run_created_at = entry.run_created_at
          OR (facts.run_created_at IS NULL AND entry.run_created_at IS NULL)
      )
    OFFSET 0
) AS kept ON true
WHERE placed.workspace_position > $2
ORDER BY placed.workspace_position
LIMIT $4
