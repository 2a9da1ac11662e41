-- lock_queue: keeps everybody from the queue's tables while they are repaired: from jobs first, as polls take them.
DO $$
BEGIN
    IF to_regclass('apalis.jobs') IS NOT NULL THEN
        LOCK TABLE apalis.jobs;
    END IF;
    IF to_regclass('apalis.workers') IS NOT NULL THEN
        LOCK TABLE apalis.workers;
    END IF;
END
$$
