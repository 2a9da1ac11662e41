-- file: the database file, and how it keeps its journal.
SELECT
    sqlite_version() AS version,
    database.file AS path,
    (SELECT journal_mode FROM pragma_journal_mode) AS journal_mode
FROM pragma_database_list AS database
WHERE database.name = 'main'
