-- walk_ledger: the next ?2 entries of the ledger, of runs below ?1, the highest ids first, and all entries of the last run;
-- which of them are asked for by ?3 to ?8; and where ?9 says so, what else was written with each of these. ?10 and ?11
-- are how the audit log calls a verdict and a run. Of a run, a context of at most ?12 bytes is read.
WITH page AS MATERIALIZED (
    SELECT
        entry.*,
        (?3 IS NULL OR entry.workspace_id = ?3)
            AND (?4 IS NULL OR coalesce(entry.managed_environment_id = ?4, false))
            AND (?5 IS NULL OR entry.outcome = ?5)
            AND (?6 IS NULL OR entry.reason_code = ?6)
            AND (?7 IS NULL OR entry.decided_at >= ?7)
            AND (?8 IS NULL OR entry.decided_at < ?8) AS is_wanted
    FROM reconciler_ledger AS entry
    WHERE entry.operation_run_id < ?1
      AND entry.operation_run_id >= coalesce(
          (
              SELECT operation_run_id
              FROM reconciler_ledger
              WHERE operation_run_id < ?1
              ORDER BY operation_run_id DESC
              LIMIT 1 OFFSET ?2 - 1
          ),
          0
      )
), audited AS MATERIALIZED (
    SELECT page.decision_id, group_concat(DISTINCT audit.outcome) AS outcome
    FROM page
    CROSS JOIN audit_logs AS audit
      ON audit.resource_id = CAST(page.operation_run_id AS TEXT)
     AND +audit.workspace_id = page.workspace_id
     AND audit.managed_environment_id = page.managed_environment_id
     AND audit.recorded_at = page.decided_at - page.decided_at % 1000000
     AND +audit.action = ?10
     AND +audit.resource_type = ?11
    WHERE page.is_wanted AND ?9
    GROUP BY page.decision_id
)
SELECT
    page.is_wanted,
    page.operation_run_id, page.decision_id, page.outcome, page.reason_code, page.ruleset,
    CASE WHEN page.is_wanted THEN coalesce(page.facts, kept.facts) END AS facts,
    page.facts_digest,
    CASE WHEN page.is_wanted THEN page.decision ELSE '' END AS decision,
    page.worker, page.decided_at, page.revision, page.first_decision_id,
    page.workspace_id, page.managed_environment_id, page.run_created_at, page.source,
    NULL AS position,
    kept.workspace_id AS facts_workspace_id,
    CASE
        WHEN ?9 AND page.facts IS NULL AND kept.facts IS NULL
        THEN EXISTS (
            SELECT 1
            FROM reconciler_actions AS done
            WHERE done.action = 'forget' AND done.workspace_id = page.workspace_id AND done.acted_at >= page.decided_at
        )
        ELSE false
    END AS is_forgotten,
    NOT EXISTS (
        SELECT 1
        FROM reconciler_ledger AS later
        WHERE later.first_decision_id = coalesce(page.first_decision_id, page.decision_id)
          AND later.revision > page.revision
    ) AS is_current,
    run.status AS run_status, run.outcome AS run_outcome,
    CASE WHEN run.id IS NOT NULL THEN coalesce(instr(CAST(run.context AS TEXT), page.decision_id), 0) > 0 END
        AS names_decision,
    run.completed_at AS run_completed_at,
    CASE WHEN octet_length(run.context) <= ?12 THEN CAST(run.context AS BLOB) END AS run_context,
    audited.outcome AS audit_outcome,
    NULL AS position_workspace_id,
    true AS may_lack_position
FROM page
LEFT JOIN audited ON audited.decision_id = page.decision_id
LEFT JOIN reconciler_ledger_facts AS kept ON kept.facts_digest = page.facts_digest
LEFT JOIN operation_runs AS run
  ON ?9
 AND run.id = page.operation_run_id
 AND +run.workspace_id = page.workspace_id
 AND +run.managed_environment_id IS page.managed_environment_id
 AND CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END IS page.run_created_at
