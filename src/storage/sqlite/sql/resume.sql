-- resume: ends the pause of a workspace, or of everything.
DELETE FROM reconciler_pauses WHERE workspace_id IS ?1
