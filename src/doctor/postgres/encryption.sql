-- encryption: how this session reaches the server, as the server sees it.
SELECT
    ssl AS is_encrypted,
    concat_ws(', ', version, cipher) AS protocol,
    inet_client_addr() IS NULL AS is_socket,
    coalesce(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1', false) AS is_loopback
FROM pg_stat_ssl
WHERE pid = pg_backend_pid()
