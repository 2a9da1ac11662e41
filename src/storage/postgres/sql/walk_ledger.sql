-- walk_ledger: the next $2 entries of the ledger, of runs below $1, the highest ids first, and all entries of the last run;
-- which of them are asked for by $3 to $8; and where $9 says so, what else was written with each of these. $10 and $11
-- are how the audit log calls a verdict and a run. Of a run, a context of at most $12 bytes is read.
WITH page AS MATERIALIZED (
    SELECT
        entry.*,
        ($3::bigint IS NULL OR entry.workspace_id = $3)
            AND ($4::bigint IS NULL OR coalesce(entry.managed_environment_id = $4, false))
            AND ($5::text IS NULL OR entry.outcome = $5)
            AND ($6::text IS NULL OR entry.reason_code = $6)
            AND ($7::timestamptz IS NULL OR entry.decided_at >= $7)
            AND ($8::timestamptz IS NULL OR entry.decided_at < $8) AS is_wanted
    FROM reconciler.ledger AS entry
    WHERE entry.operation_run_id < $1
    ORDER BY entry.operation_run_id DESC
    FETCH FIRST $2 ROWS WITH TIES
), feed AS MATERIALIZED (
    SELECT stall.waiting_since, (SELECT installed_on FROM reconciler.migrations WHERE version = 18) AS begun_at
    FROM reconciler.feed_stall() AS stall
    WHERE $9
), forgotten AS MATERIALIZED (
    SELECT workspace_id, max(acted_at) AS at
    FROM reconciler.actions
    WHERE action = 'forget'
    GROUP BY workspace_id
)
SELECT
    page.is_wanted,
    page.operation_run_id, page.decision_id, page.outcome, page.reason_code, page.ruleset,
    CASE WHEN page.is_wanted THEN coalesce(page.facts, kept.facts) END AS facts,
    page.facts_digest,
    CASE WHEN page.is_wanted THEN page.decision ELSE '' END AS decision,
    page.worker, page.decided_at, page.revision::bigint AS revision, page.first_decision_id,
    page.workspace_id, page.managed_environment_id, page.run_created_at, page.source, placed.position,
    kept.workspace_id AS facts_workspace_id,
    CASE
        WHEN $9 AND page.facts IS NULL AND kept.facts IS NULL
        THEN EXISTS (
            SELECT FROM forgotten WHERE forgotten.workspace_id = page.workspace_id AND forgotten.at >= page.decided_at
        )
        ELSE false
    END AS is_forgotten,
    NOT EXISTS (
        SELECT
        FROM reconciler.ledger_revisions AS later
        WHERE later.first_decision_id = coalesce(page.first_decision_id, page.decision_id)
          AND later.revision > page.revision
    ) AS is_current,
    run.status AS run_status, run.outcome AS run_outcome, run.names_decision, run.completed_at AS run_completed_at,
    CASE WHEN octet_length(run.context) <= $12 THEN convert_to(run.context, 'UTF8') END AS run_context,
    audited.outcome AS audit_outcome,
    placed.workspace_id AS position_workspace_id,
    -- An entry from before there was a feed has no position, and one that waits for it may have none yet. Both moments are
    -- those at which transactions began.
    coalesce(
        page.decided_at < feed.begun_at + interval '1 minute'
            OR page.decided_at >= feed.waiting_since - interval '1 minute',
        false
    ) AS may_lack_position
FROM page
LEFT JOIN feed ON true
-- OFFSET has each looked up by its key, and in the month of its run.
LEFT JOIN LATERAL (
    SELECT facts.facts, facts.workspace_id
    FROM reconciler.ledger_facts AS facts
    WHERE page.is_wanted
      AND facts.facts_digest = decode(page.facts_digest, 'hex')
      AND (
          facts.run_created_at = page.run_created_at
          OR (facts.run_created_at IS NULL AND page.run_created_at IS NULL)
      )
    OFFSET 0
) AS kept ON true
LEFT JOIN LATERAL (
    SELECT
        run.status::text AS status, run.outcome::text AS outcome,
        run.context::text AS context, run.completed_at,
        coalesce(strpos(run.context::text, page.decision_id), 0) > 0 AS names_decision
    FROM operation_runs AS run
    WHERE page.is_wanted
      AND $9
      AND run.id = page.operation_run_id
      AND (run.workspace_id, run.managed_environment_id)
          IS NOT DISTINCT FROM (page.workspace_id, page.managed_environment_id)
      AND CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END
          IS NOT DISTINCT FROM page.run_created_at
    OFFSET 0
) AS run ON true
-- By the index on resource_id where there is one, else by that on the environment and the moment.
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT audit.outcome::text, ',') AS outcome
    FROM audit_logs AS audit
    WHERE page.is_wanted
      AND $9
      AND audit.resource_id = page.operation_run_id::text
      AND audit.workspace_id = page.workspace_id
      AND audit.managed_environment_id = page.managed_environment_id
      AND audit.recorded_at = date_trunc('second', page.decided_at)
      AND audit.action::text = $10
      AND audit.resource_type::text = $11
) AS audited ON true
LEFT JOIN LATERAL (
    SELECT held.position, held.workspace_id
    FROM reconciler.ledger_positions AS held
    WHERE page.is_wanted
      AND held.decision_id = page.decision_id
      AND (
          held.run_created_at = page.run_created_at
          OR (held.run_created_at IS NULL AND page.run_created_at IS NULL)
      )
    OFFSET 0
) AS placed ON true
