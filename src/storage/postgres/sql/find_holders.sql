-- find_holders: who has locks on what somebody waits for, who has had them for longest first: $1 is what that is, either what is
-- ours, the platform's tables with it, or the turn to migrate. What a session runs, and since when, is shown to roles that may
-- see it.
WITH holder AS (
    SELECT DISTINCT
        session.pid,
        coalesce(session.xact_start, session.state_change) AS since,
        coalesce(session.usename, 'nobody') AS role,
        concat_ws(
            ', ',
            'process ' || session.pid,
            coalesce(nullif(session.application_name, ''), 'nameless'),
            to_char(
                coalesce(session.xact_start, session.state_change) AT TIME ZONE 'UTC', '"since "YYYY-MM-DD HH24:MI:SS" UTC"'
            ),
            -- Without its texts, which are others' business.
            'last statement: ' || left(
                regexp_replace(
                    regexp_replace(
                        nullif(session.query, '<insufficient privilege>'), '(''[^'']*(''|$)|\$\w*\$.*$)', '''...''', 'g'
                    ),
                    '\s+', ' ', 'g'
                ),
                60
            )
        ) AS known
    FROM pg_locks AS lock
    JOIN pg_stat_activity AS session ON session.pid = lock.pid
    LEFT JOIN pg_class AS relation ON relation.oid = lock.relation
    LEFT JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE lock.granted
      AND lock.pid <> pg_backend_pid()
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND CASE
          -- As lock_migrations takes it.
          WHEN $1 = 'turn' THEN lock.locktype = 'advisory' AND (lock.classid, lock.objid, lock.objsubid) = (0, 7165068, 1)
          WHEN $1 = 'platform' AND relation.oid IN (to_regclass('restore_runs'), to_regclass('evidence_snapshots')) THEN true
          ELSE namespace.nspname IN ('reconciler', 'apalis')
            OR EXISTS (
                SELECT FROM pg_trigger
                JOIN pg_proc ON pg_proc.oid = tgfoid
                WHERE tgrelid = relation.oid AND pronamespace = to_regnamespace('reconciler')
            )
      END
    ORDER BY since, pid
    LIMIT 5
)
SELECT coalesce(string_agg(format('%s (%s)', role, known), '; ' ORDER BY since, pid), 'somebody who has let go since')
FROM holder
