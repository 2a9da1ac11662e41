-- time_zones: roles and databases whose sessions begin in a time zone of their own, unless a setting that is nearer to them
-- says which.
WITH setting AS (
    SELECT setrole, setdatabase, split_part(named.setting, '=', 2) AS zone
    FROM pg_db_role_setting
    CROSS JOIN LATERAL unnest(setconfig) AS named (setting)
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND lower(split_part(named.setting, '=', 1)) = 'timezone'
)
SELECT
    setting.setrole = 0 AS is_for_every_role,
    told.whose,
    setting.zone,
    format('ALTER %s SET TimeZone = ''UTC'';', told.place) AS remedy
FROM setting
LEFT JOIN pg_roles AS role ON role.oid = setting.setrole
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN setrole <> 0 AND setdatabase = 0 THEN format('role %I', role.rolname)
            WHEN setrole <> 0 THEN format('role %I in this database', role.rolname)
            WHEN setdatabase = 0 THEN 'every role'
            ELSE format('database %I', current_database())
        END,
        CASE
            WHEN setrole <> 0 AND setdatabase = 0 THEN format('ROLE %I', role.rolname)
            WHEN setrole <> 0 THEN format('ROLE %I IN DATABASE %I', role.rolname, current_database())
            WHEN setdatabase = 0 THEN 'ROLE ALL'
            ELSE format('DATABASE %I', current_database())
        END
) AS told (whose, place)
WHERE (setting.setrole = 0 OR role.rolname IS NOT NULL)
  AND NOT EXISTS (
      SELECT
      FROM setting AS nearer
      WHERE nearer.setrole = setting.setrole AND nearer.setdatabase <> 0 AND setting.setdatabase = 0
  )
ORDER BY 2
