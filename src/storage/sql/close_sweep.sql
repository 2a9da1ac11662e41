-- close_sweep: notes that a pass ended, with nothing left in hand, and what it came to.
UPDATE reconciler.sweeps
SET ended_at            = statement_timestamp(),
    in_hand             = $9,
    succeeded           = $2,
    partially_succeeded = $3,
    blocked             = $4,
    failed              = $5,
    deferred            = $6,
    refused             = $7,
    passed_over         = $8
WHERE id = $1
