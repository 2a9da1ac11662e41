-- open_shape: has this transaction find no schema of ours and no extension by itself, so that names are told whole.
SELECT set_config('search_path', 'pg_catalog', true)
