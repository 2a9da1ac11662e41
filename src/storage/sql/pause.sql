-- pause: has nothing settled of a workspace, or at all, unless that is so.
INSERT INTO reconciler.pauses (workspace_id, actor, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
