-- find_holders: who has locks on what is ours, or on what our triggers are on, so that it cannot be removed.
SELECT coalesce(string_agg(DISTINCT format(
    '%s (process %s, %s)', coalesce(session.usename, 'nobody'), session.pid, coalesce(nullif(session.application_name, ''), 'nameless')
), ', '), 'somebody who has let go since')
FROM pg_locks AS lock
JOIN pg_stat_activity AS session ON session.pid = lock.pid
JOIN pg_class AS relation ON relation.oid = lock.relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE lock.granted
  AND lock.pid <> pg_backend_pid()
  AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (
      namespace.nspname IN ('reconciler', 'apalis')
      OR EXISTS (
          SELECT FROM pg_trigger
          JOIN pg_proc ON pg_proc.oid = tgfoid
          WHERE tgrelid = relation.oid AND pronamespace = to_regnamespace('reconciler')
      )
  )
