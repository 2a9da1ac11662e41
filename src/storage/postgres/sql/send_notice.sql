-- send_notice: sends a notice as reconciler.wake() does, on a channel that one listener has.
SELECT pg_notify($1, '')
