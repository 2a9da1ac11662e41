-- time_zones: roles and databases whose sessions begin in a time zone of their own.
SELECT
    CASE
        WHEN setting.setrole = 0 THEN format('database %I', current_database())
        WHEN setting.setdatabase = 0 THEN format('role %I', role.rolname)
        ELSE format('role %I in this database', role.rolname)
    END AS whose,
    split_part(named.setting, '=', 2) AS zone,
    CASE
        WHEN setting.setrole = 0 THEN format('ALTER DATABASE %I SET TimeZone = ''UTC'';', current_database())
        WHEN setting.setdatabase = 0 THEN format('ALTER ROLE %I SET TimeZone = ''UTC'';', role.rolname)
        ELSE format('ALTER ROLE %I IN DATABASE %I SET TimeZone = ''UTC'';', role.rolname, current_database())
    END AS remedy
FROM pg_db_role_setting AS setting
CROSS JOIN LATERAL unnest(setting.setconfig) AS named (setting)
LEFT JOIN pg_roles AS role ON role.oid = setting.setrole
WHERE setting.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND lower(split_part(named.setting, '=', 1)) = 'timezone'
  AND (setting.setrole = 0 OR role.rolname IS NOT NULL)
ORDER BY 1
