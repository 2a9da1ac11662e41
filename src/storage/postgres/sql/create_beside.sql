-- create_beside: makes a schema the one in which this transaction creates what has no schema named.
SELECT set_config('search_path', $1, true)
