-- describe_runs: those of some runs that a viewer may see, with the names and the verdicts that belong to them, and whether
-- the database refuses them a verdict; or the opinion on a run that was closed without one. Open runs of environments that
-- were deleted or moved are among them where $3 says so.
SELECT
    run.id,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    left(environment.name, 256)::text AS environment_name,
    entry.decision_id,
    entry.outcome,
    entry.reason_code,
    entry.ruleset,
    entry.facts,
    entry.facts_digest,
    entry.decision,
    entry.decided_at,
    watch.first_seen_at AS refused_since,
    watch.last_looked_at AS refused_at,
    watch.look_again_at AS refused_until,
    watch.tries::bigint AS refused_tries,
    watch.error AS refused_error,
    opinion.claimed,
    opinion.stance,
    opinion.reason_code AS opinion_code,
    opinion.found,
    opinion.closed_at,
    opinion.formed_at
FROM operation_runs AS run
JOIN workspaces AS workspace ON workspace.id = run.workspace_id
LEFT JOIN managed_environments AS environment
  ON environment.id = run.managed_environment_id
 AND environment.workspace_id = run.workspace_id
 AND environment.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS at
) AS created
-- OFFSET has each looked up in the month of its run.
LEFT JOIN LATERAL (
    SELECT
        verdict.decision_id, verdict.outcome, verdict.reason_code, verdict.ruleset, verdict.facts, verdict.facts_digest,
        verdict.decision, verdict.decided_at
    FROM reconciler.verdicts AS verdict
    WHERE verdict.operation_run_id = run.id
      AND (verdict.workspace_id, verdict.managed_environment_id)
          IS NOT DISTINCT FROM (run.workspace_id, run.managed_environment_id)
      AND (verdict.run_created_at = created.at OR (verdict.run_created_at IS NULL AND created.at IS NULL))
    OFFSET 0
) AS entry ON true
LEFT JOIN reconciler.watch_list AS watch
  ON watch.operation_run_id = run.id
 AND (watch.workspace_id, watch.managed_environment_id)
     IS NOT DISTINCT FROM (run.workspace_id, run.managed_environment_id)
 AND (watch.run_created_at = created.at) IS NOT FALSE
 AND watch.reason_code = 'run.settle_failed'
 AND run.status IN ('queued', 'running')
LEFT JOIN LATERAL (
    SELECT given.claimed, given.stance, given.reason_code, given.found, given.closed_at, given.formed_at
    FROM reconciler.current_opinions AS given
    WHERE given.operation_run_id = run.id
      AND (given.workspace_id, given.managed_environment_id)
          IS NOT DISTINCT FROM (run.workspace_id, run.managed_environment_id)
      AND (given.run_created_at = created.at OR (given.run_created_at IS NULL AND created.at IS NULL))
      AND run.status = 'completed'
      AND run.outcome::text = given.claimed
      AND entry.outcome IS NULL
    OFFSET 0
) AS opinion ON true
WHERE run.id = ANY ($2::bigint[])
  -- IS TRUE leaves the choice of the index to the ids.
  AND (run.type = 'restore.execute') IS TRUE
  AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1)) IS TRUE
  AND (
      run.managed_environment_id IS NULL
      OR environment.id IS NOT NULL
      OR ($3::boolean AND run.status IN ('queued', 'running'))
  )
