-- rows_touched: rows of tables that were read, and written, since the server began to count.
-- What other sessions did counts once they were idle for a second, or ended.
SELECT
    coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint,
    coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
FROM pg_stat_user_tables
