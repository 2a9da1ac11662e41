-- name: which database this is.
SELECT current_database()::text
