-- count_broken_references: the rows whose references lead nowhere, which a commit refuses where that is new.
SELECT count(*) FROM pragma_foreign_key_check
