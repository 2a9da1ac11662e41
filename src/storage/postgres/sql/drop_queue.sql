-- drop_queue: removes the queue's schema.
DROP SCHEMA apalis CASCADE
