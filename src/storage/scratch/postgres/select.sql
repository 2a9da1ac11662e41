-- select: does nothing, and comes and goes like a statement that does something.
SELECT true
