-- absent: what a purpose needs and nobody can grant, because it is not there.
WITH need AS (
    SELECT *
    FROM ROWS FROM (
        jsonb_to_recordset($1::jsonb)
            AS (part text, kind text, oid bigint, name text, columns text[])
    ) WITH ORDINALITY AS need (part, kind, oid, name, columns, place)
), absent AS (
    SELECT place, 0::bigint AS position,
        CASE WHEN part = 'own' THEN 'reconciler.' WHEN part = 'queue' THEN 'apalis.' ELSE '' END || name AS name
    FROM need
    WHERE CASE kind
        WHEN 'table' THEN oid IS NULL
        WHEN 'function' THEN NOT EXISTS (
            SELECT FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
            WHERE nspname = 'reconciler' AND proname = need.name
        )
        ELSE false END
    UNION ALL
    SELECT place, position, format('%s.%s', need.name, listed.name)
    FROM need
    CROSS JOIN LATERAL unnest(columns) WITH ORDINALITY AS listed (name, position)
    WHERE oid IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM pg_attribute WHERE attrelid = need.oid::oid AND attname = listed.name AND NOT attisdropped
      )
)
SELECT name FROM absent GROUP BY name ORDER BY min(place), min(position)
