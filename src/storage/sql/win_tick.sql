-- win_tick: one host writes the tick, the others find it written.
INSERT INTO reconciler.ticks (tick_at, worker, won_at)
VALUES ($1, $2, $3)
ON CONFLICT (tick_at) DO NOTHING
