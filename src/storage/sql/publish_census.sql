-- publish_census: what was counted, unless something newer is there.
UPDATE reconciler.census
SET as_of = $1, counts = $2
WHERE (as_of > $1) IS NOT TRUE
