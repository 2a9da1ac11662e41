-- What workers last read of the whole database: one row, or none.
CREATE TABLE reconciler_census (
    the_one    INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    claimed_at INTEGER NOT NULL,
    worker     TEXT    NOT NULL,
    as_of      INTEGER,
    counts     TEXT
) STRICT;
