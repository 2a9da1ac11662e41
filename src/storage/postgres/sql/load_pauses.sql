-- load_pauses: what is paused, everything first.
SELECT workspace_id AS workspace, paused_at AS since, actor, reason
FROM reconciler.pauses
ORDER BY workspace_id NULLS FIRST
LIMIT 1000
