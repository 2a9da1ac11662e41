-- keep_alive: says that workers are alive that have not said so just now.
UPDATE apalis.workers
SET last_seen = statement_timestamp()
WHERE id = ANY ($1::text[]) AND last_seen < statement_timestamp() - interval '0.4 s'
