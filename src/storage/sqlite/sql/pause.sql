-- pause: has nothing settled of a workspace, or at all, unless that is so.
INSERT OR IGNORE INTO reconciler_pauses (workspace_id, actor, reason) VALUES (?1, ?2, ?3)
