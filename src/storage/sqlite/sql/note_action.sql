-- note_action: what an operator does about a workspace, and what was found.
INSERT INTO reconciler_actions (action, workspace_id, found) VALUES (?1, ?2, ?3)
