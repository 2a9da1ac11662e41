-- keep_alive: says that workers are alive that have not said so just now.
UPDATE Workers
SET last_seen = unixepoch('now')
WHERE id IN (SELECT value FROM json_each(?1)) AND last_seen < unixepoch('now')
