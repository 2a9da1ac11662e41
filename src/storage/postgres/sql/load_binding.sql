-- load_binding: which platform our schema serves, its schema quoted where it must be.
SELECT quote_ident(schema_name) AS schema, install_id::text AS install_id FROM reconciler.platform
