-- win_tick: one process writes the tick, the others find it written.
INSERT INTO reconciler_ticks (tick_at, worker, won_at) VALUES (?1, ?2, ?3) ON CONFLICT (tick_at) DO NOTHING
