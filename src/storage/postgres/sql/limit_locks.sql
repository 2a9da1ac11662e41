-- limit_locks: how long this transaction waits for a lock that somebody else has.
SELECT set_config('lock_timeout', $1, true)
