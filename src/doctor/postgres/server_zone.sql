-- server_zone: the time zone that the server's configuration file gives sessions. Not every role may read it.
SELECT setting FROM pg_file_settings WHERE lower(name) = 'timezone' AND applied ORDER BY seqno DESC LIMIT 1
