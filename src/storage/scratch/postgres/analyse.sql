-- analyse: tells the planner what the tables hold.
ANALYZE
