-- count_live_workers: how many workers have shown lately that they are alive.
SELECT count(*) FROM apalis.workers WHERE last_seen > statement_timestamp() - interval '30 s'
