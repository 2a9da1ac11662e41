-- load_item_types: what type of policy each of the items $2 of a backup set is.
SELECT item.id::bigint AS id, item.policy_type::text AS policy_type
FROM backup_items AS item
WHERE item.backup_set_id = $1
  AND (item.id = ANY ($2::bigint[]))
  AND item.policy_type IS NOT NULL
