-- try_write: begins to write, in a transaction that is rolled back.
CREATE TABLE reconciler_try_write (id INTEGER)
