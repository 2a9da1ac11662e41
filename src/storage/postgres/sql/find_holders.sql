-- find_holders: who is in the way of the session $1, which waits for a lock: who has one beside which it cannot be had, or waits
-- before it for such a one; those first who have been at it for longest. Nobody where it does not wait. What a session runs,
-- and since when, is shown to roles that may see it.
WITH holder AS (
    SELECT DISTINCT
        pid,
        coalesce(session.xact_start, session.state_change) AS since,
        coalesce(session.usename, CASE WHEN pid = 0 THEN 'a prepared transaction' ELSE 'nobody' END) AS role,
        concat_ws(
            ', ',
            CASE WHEN pid = 0 THEN 'pg_prepared_xacts lists it' ELSE 'process ' || pid END,
            coalesce(nullif(session.application_name, ''), 'nameless'),
            CASE WHEN session.wait_event_type = 'Lock' THEN 'waits for a lock itself' END,
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
    FROM unnest(pg_blocking_pids($1)) AS blocking (pid)
    LEFT JOIN pg_stat_activity AS session USING (pid)
    ORDER BY since, pid
    LIMIT 5
)
SELECT string_agg(format('%s (%s)', role, known), '; ' ORDER BY since, pid) FROM holder
