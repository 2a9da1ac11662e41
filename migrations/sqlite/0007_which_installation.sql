-- What tells this installation from every other. A file holds one platform, so there is no schema to be bound to.
CREATE TABLE reconciler_platform (
    the_one    INTEGER NOT NULL PRIMARY KEY CHECK (the_one = 1),
    install_id TEXT    NOT NULL,
    bound_at   INTEGER NOT NULL
) STRICT;

-- A random UUID, version 4.
INSERT INTO reconciler_platform (the_one, install_id, bound_at)
SELECT
    1,
    substr(digits, 1, 8) || '-' || substr(digits, 9, 4) || '-4' || substr(digits, 14, 3) || '-'
        || substr('89ab', 1 + abs(random() % 4), 1) || substr(digits, 18, 3) || '-' || substr(digits, 21),
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
FROM (SELECT lower(hex(randomblob(16))) AS digits);
