-- load_pauses: what is paused, everything first. A row of each workspace at most, each made by hand, so that none is left out.
SELECT workspace_id AS workspace, paused_at AS since, actor, reason
FROM reconciler.pauses
ORDER BY workspace_id NULLS FIRST
