-- note_action: what somebody does about a workspace, or about all of them.
INSERT INTO reconciler.actions (action, actor, reason, trace, workspace_id, outcome, found)
VALUES ($1, $2, $3, $4, $5, $6, $7)
