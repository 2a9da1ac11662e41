-- load_install_id: what tells this installation from every other.
SELECT install_id::text AS install_id FROM reconciler.platform
