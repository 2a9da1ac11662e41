-- log_zone: the time zone of the server's log, which whoever sets up a server gives sessions as well. Every role may read it.
SELECT current_setting('log_timezone')
