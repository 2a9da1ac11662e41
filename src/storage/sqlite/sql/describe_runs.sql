-- describe_runs: those of some runs that a viewer may see, with the names and the verdicts that belong to them, and whether
-- the database refuses them a verdict; or the opinion on a run that was closed without one. Open runs of environments that
-- were deleted or moved are among them where ?3 says so.
SELECT
    run.id,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    CAST(substr(environment.name, 1, 256) AS TEXT) AS environment_name,
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
    watch.tries AS refused_tries,
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
LEFT JOIN reconciler_verdicts AS entry
  ON entry.operation_run_id = run.id
 AND +entry.workspace_id = run.workspace_id
 AND entry.managed_environment_id IS run.managed_environment_id
 AND entry.run_created_at IS CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END
LEFT JOIN reconciler_watch_list AS watch
  ON watch.operation_run_id = run.id
 AND +watch.workspace_id = run.workspace_id
 AND watch.managed_environment_id IS run.managed_environment_id
 AND (watch.run_created_at = run.created_at) IS NOT FALSE
 AND watch.reason_code = 'run.settle_failed'
 AND run.status IN ('queued', 'running')
LEFT JOIN reconciler_current_opinions AS opinion
  ON opinion.operation_run_id = run.id
 AND +opinion.workspace_id = run.workspace_id
 AND opinion.managed_environment_id IS run.managed_environment_id
 AND opinion.run_created_at IS CASE WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at END
 AND run.status = 'completed'
 AND run.outcome = opinion.claimed
 AND entry.outcome IS NULL
WHERE run.id IN (SELECT value FROM json_each(?2))
  -- A plus leaves the choice of the index to the ids.
  AND +run.type = 'restore.execute'
  AND (?1 IS NULL OR +run.workspace_id IN (SELECT value FROM json_each(?1)))
  AND (
      run.managed_environment_id IS NULL
      OR environment.id IS NOT NULL
      OR (?3 AND run.status IN ('queued', 'running'))
  )
