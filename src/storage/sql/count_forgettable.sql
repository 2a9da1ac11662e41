-- count_forgettable: what is kept about one workspace: its verdicts, their facts and those of opinions, facts in the ledger
-- itself, and open runs that were looked at. In our own tables alone: whoever migrates need read no others.
SELECT
    (SELECT count(*) FROM reconciler.ledger WHERE workspace_id = $1) AS verdicts,
    (SELECT count(*) FROM reconciler.ledger_facts WHERE workspace_id = $1) AS facts,
    (SELECT count(*) FROM reconciler.opinion_facts WHERE workspace_id = $1) AS opinion_facts,
    (SELECT count(*) FROM reconciler.ledger WHERE workspace_id = $1 AND facts IS NOT NULL) AS facts_in_ledger,
    (SELECT count(*) FROM reconciler.watch_list WHERE workspace_id = $1) AS open_runs
