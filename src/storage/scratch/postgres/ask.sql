-- ask: asks for a run to be looked at, as the platform does.
SELECT reconciler.request($1)
