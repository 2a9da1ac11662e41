-- new_word: makes a word that nobody has used.
SELECT 'reconciler_' || gen_random_uuid()::text
