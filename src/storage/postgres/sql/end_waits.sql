-- end_waits: whether a session of this role has waited for so many microseconds ($1) for a synchronous standby to confirm what it
-- commits. One that was sent by itself is no verdict, and waits no longer: its commit stands, and the standby is sent it once it is
-- back. A transaction's commit is left to wait: what it may show before a standby has it, is for whoever looks after the server.
SELECT count(*) > 0 AS waits, count(pg_cancel_backend(pid)) FILTER (WHERE query <> 'COMMIT') AS ended
FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND wait_event = 'SyncRep'
  AND query_start < clock_timestamp() - $1::bigint * interval '1 microsecond'
