-- publish_census: what was counted, unless something newer is there.
UPDATE reconciler.census
SET as_of = to_timestamp($1 / 1000000.0), counts = $2
WHERE (as_of > to_timestamp($1 / 1000000.0)) IS NOT TRUE
