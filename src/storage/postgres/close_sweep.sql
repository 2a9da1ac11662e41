-- close_sweep: notes that a pass ended, and with what.
UPDATE reconciler.sweeps
SET ended_at            = statement_timestamp(),
    succeeded           = $2,
    partially_succeeded = $3,
    blocked             = $4,
    failed              = $5,
    deferred            = $6,
    refused             = $7,
    passed_over         = $8
WHERE id = $1
