-- sample_metadata: what the newest restores record of their preparation. ?1: how many; ?2: how many bytes of one are read.
SELECT
    CASE WHEN octet_length(metadata) <= ?2 THEN CAST(metadata AS BLOB) END AS metadata,
    metadata IS NOT NULL AS has_metadata
FROM restore_runs
ORDER BY id DESC
LIMIT ?1
