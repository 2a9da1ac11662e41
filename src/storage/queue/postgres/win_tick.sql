-- win_tick: one host writes the tick, the others find it written.
INSERT INTO reconciler.ticks (tick_at, worker, won_at)
VALUES (to_timestamp($1 / 1000000.0), $2, statement_timestamp())
ON CONFLICT (tick_at) DO NOTHING
