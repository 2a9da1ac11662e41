-- backend_pid: which process of the server's this session is.
SELECT pg_backend_pid()
