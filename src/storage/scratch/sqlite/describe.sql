-- describe: the library's version, and how a file is asked to keep what was committed.
SELECT 'SQLite ' || sqlite_version() || ', write-ahead log and full synchronisation asked for'
