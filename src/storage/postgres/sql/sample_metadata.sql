-- sample_metadata: what the newest restores record of their preparation. $1: how many; $2: how many bytes of one are read.
SELECT
    CASE WHEN octet_length(newest.metadata) <= $2 THEN convert_to(newest.metadata, 'UTF8') END AS metadata,
    newest.metadata IS NOT NULL AS has_metadata
FROM (
    SELECT metadata::text AS metadata
    FROM restore_runs
    ORDER BY id DESC
    LIMIT $1
) AS newest
