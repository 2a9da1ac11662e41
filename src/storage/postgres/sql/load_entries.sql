-- load_entries: jobs and runs in trouble, the oldest of each state first, each with the number of all in its state.
SELECT
    state, run, workspace, environment, job, payload, worker, tries::bigint, since, next_at, reason, error, in_state,
    oldest
FROM (
    SELECT
        entry.*,
        row_number() OVER (PARTITION BY state ORDER BY since, run, job) AS place,
        count(*) OVER (PARTITION BY state) AS in_state,
        min(since) OVER (PARTITION BY state) AS oldest
    FROM (
        SELECT
            CASE
                WHEN attempt.dead_at IS NULL THEN 'suspended'
                WHEN attempt.dropped_at IS NULL THEN 'dead_letter'
                ELSE 'dropped'
            END AS state,
            run.id AS run, run.workspace_id AS workspace, run.managed_environment_id AS environment,
            NULL::text AS job, NULL::bytea AS payload, attempt.worker, attempt.tries,
            coalesce(attempt.dropped_at, attempt.dead_at, attempt.first_seen_at) AS since,
            CASE WHEN attempt.dead_at IS NULL THEN attempt.try_again_at END AS next_at,
            NULL::text AS reason, NULL::text AS error
        FROM reconciler.attempts AS attempt
        JOIN operation_runs AS run
          ON run.id = attempt.operation_run_id
         AND attempt.workspace_id = run.workspace_id
         AND (attempt.managed_environment_id = run.managed_environment_id) IS NOT FALSE
         AND (attempt.run_created_at = run.created_at) IS NOT FALSE
         AND run.status IN ('queued', 'running')
        UNION ALL
        SELECT
            CASE WHEN watch.reason_code = 'run.settle_failed' THEN 'refused' ELSE 'deferred' END,
            run.id, run.workspace_id, run.managed_environment_id,
            NULL, NULL, NULL, watch.tries, watch.first_seen_at, watch.look_again_at, watch.reason_code, watch.error
        FROM reconciler.watch_list AS watch
        JOIN operation_runs AS run
          ON run.id = watch.operation_run_id
         AND watch.workspace_id = run.workspace_id
         AND (watch.managed_environment_id = run.managed_environment_id) IS NOT FALSE
         AND (watch.run_created_at = run.created_at) IS NOT FALSE
         AND run.status IN ('queued', 'running')
        WHERE (watch.reason_code = 'run.settle_failed' OR 'deferred' = ANY ($1))
          AND NOT EXISTS (
              SELECT 1 FROM reconciler.attempts AS attempt WHERE attempt.operation_run_id = watch.operation_run_id
          )
        UNION ALL
        SELECT
            CASE WHEN job.status IN ('Queued', 'Running') THEN 'in_hand' ELSE 'waiting' END,
            asked.run, run.workspace_id, run.managed_environment_id,
            job.id, job.job, job.lock_by, job.attempts + (job.status IN ('Queued', 'Running'))::integer,
            coalesce(job.lock_at, job.run_at), NULL, NULL, NULL
        FROM apalis.jobs AS job
        CROSS JOIN LATERAL (SELECT reconciler.run_of(job.job) AS run) AS asked
        LEFT JOIN operation_runs AS run ON run.id = asked.run
        WHERE job.job_type = 'restore.execute'
          AND (
              job.status IN ('Pending', 'Queued', 'Running')
              OR (job.status = 'Failed' AND job.attempts < job.max_attempts)
          )
    ) AS entry
    WHERE state = ANY ($1::text[])
      AND ($2::bigint[] IS NULL OR workspace = ANY ($2))
      AND (
          NOT $4::boolean
          OR environment IS NULL
          OR EXISTS (
              SELECT
              FROM managed_environments AS live
              WHERE live.id = environment AND live.workspace_id = workspace AND live.deleted_at IS NULL
          )
      )
) AS placed
WHERE place <= $3
ORDER BY state, place
