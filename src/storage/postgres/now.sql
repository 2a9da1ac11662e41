-- now: the database's clock.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
