-- survey_runs: the newest runs of restores. $1: how many. $2: among how many of the newest rows.
SELECT run.id
FROM (SELECT id, type FROM operation_runs ORDER BY id DESC LIMIT $2) AS run
WHERE run.type = 'restore.execute'
ORDER BY run.id DESC
LIMIT $1
