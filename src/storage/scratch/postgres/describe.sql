-- describe: the server's version, and the settings that decide how it keeps what was committed.
SELECT format(
    'PostgreSQL %s, shared_buffers %s, fsync %s, synchronous_commit %s',
    current_setting('server_version'), current_setting('shared_buffers'), current_setting('fsync'),
    current_setting('synchronous_commit')
)
