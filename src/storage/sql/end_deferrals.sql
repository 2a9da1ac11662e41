-- end_deferrals: has the runs of a workspace, or of all, looked at that wait for another look. Whoever asked for one while it
-- was paused was not heard.
UPDATE reconciler.watch_list
SET look_again_at = $2
WHERE look_again_at > $2 AND ($1::bigint IS NULL OR workspace_id = $1)
