-- set_local: sets something for this transaction alone.
SELECT set_config($1, $2, true)
