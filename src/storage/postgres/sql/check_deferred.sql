-- check_deferred: checks now what would otherwise be checked by the commit.
SET CONSTRAINTS ALL IMMEDIATE
