-- installation: what tells this installation from every other.
SELECT install_id FROM reconciler_platform
