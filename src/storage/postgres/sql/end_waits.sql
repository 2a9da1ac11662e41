-- end_waits: whether a session of this role has waited for $1 microseconds for a synchronous standby to confirm a commit.
-- A statement that was sent by itself is told to wait no longer: it stays committed here, and the standby gets it once it is
-- back. A transaction goes on waiting, because it may hold verdicts: whether these are shown before a standby has them is for
-- whoever looks after the server.
SELECT count(*) > 0 AS waits, count(pg_cancel_backend(pid)) FILTER (WHERE query <> 'COMMIT') AS ended
FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND wait_event = 'SyncRep'
  AND query_start < clock_timestamp() - $1::bigint * interval '1 microsecond'
