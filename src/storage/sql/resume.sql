-- resume: ends the pause of a workspace, or of everything.
DELETE FROM reconciler.pauses WHERE workspace_id IS NOT DISTINCT FROM $1::bigint
