//! Pages of runs, and one run in full.
//!
//! The database says which runs are wanted as far as columns tell; the result state is read from facts, run by
//! run, so that no page can say of a run what the run's own page does not say.

use std::collections::HashMap;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::reading::SeenRestore;
use reconciler_jobs::reading::result_state::{RestoreResult, ResultState};
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::{Policy, ReasonCode};

use super::model::{
    JUDGED_MAX, LOOKED_AT_MAX, PAGE_BYTES_MAX, RunFilter, RunInFull, RunListing, RunSeen,
    Workspaces,
};
use super::restores;
use super::rows::DescribedRun;
use super::statements::{OUTCOMES, RunsQuery};
use crate::storage::error::StoreError;
use crate::storage::model::Assessment;
use crate::storage::settle::{Transaction as _, assess_within};
use crate::storage::transaction::DatabaseTransaction;

/// How many runs are looked at before all of [`LOOKED_AT_MAX`] are, where a filter may leave some out. Most filters
/// leave enough of these, and the database finds few at less expense.
const LOOKED_AT_FIRST: u32 = 250;

/// How many runs are judged before all of [`JUDGED_MAX`] are, where only some of them may be wanted.
const JUDGED_FIRST: usize = 50;

/// How many runs are read before it is known how large they are.
const READ_FIRST: usize = 10;

/// What a page is made for.
struct Wish<'a> {
    of: &'a Workspaces,
    filter: &'a RunFilter,
    policy: &'a Policy,
    /// At most so many rows.
    limit: usize,
    /// So many runs may have to be judged for them.
    judged_max: u32,
}

pub(super) async fn load_page(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    filter: &RunFilter,
    below: Option<RunId>,
    limit: u32,
    policy: &Policy,
) -> Result<RunListing, StoreError> {
    let limit = limit.clamp(1, JUDGED_MAX);
    let wish = Wish {
        of,
        filter,
        policy,
        limit: usize_of(limit),
        judged_max: filter.state.map_or(limit, |_| JUDGED_MAX),
    };
    let mut page = RunListing {
        as_of: tx.as_of(),
        rows: Vec::new(),
        below: None,
    };
    let Some(asked) = asked(tx, of, filter, below).await? else {
        return Ok(page);
    };
    let (looked_at, is_cut) = look(tx, asked, wish.judged_max).await?;
    let wanted: Vec<RunId> = looked_at
        .iter()
        .filter_map(|(run, is_wanted)| is_wanted.then_some(*run))
        .collect();
    let dealt_with = fill(tx, &wish, &wanted, &mut page.rows).await?;
    page.below = match dealt_with.checked_sub(1).and_then(|last| wanted.get(last)) {
        Some(last) if dealt_with < wanted.len() => Some(*last),
        _ if is_cut => looked_at.last().map(|(run, _)| *run),
        _ => None,
    };
    Ok(page)
}

/// Fills a page with what is wanted, from the first on, and says how many of these runs were dealt with. Ends early
/// where these were so large that the next would be too much.
async fn fill(
    tx: &mut DatabaseTransaction,
    wish: &Wish<'_>,
    wanted: &[RunId],
    rows: &mut Vec<RunSeen>,
) -> Result<usize, StoreError> {
    let judged_max = usize_of(wish.judged_max).min(wanted.len());
    let mut dealt_with = 0;
    while dealt_with < judged_max && rows.len() < wish.limit {
        let judged_first = wish.filter.state.map_or(judged_max, |_| JUDGED_FIRST);
        let until = match dealt_with {
            few if few < judged_first => judged_max.min(judged_first),
            _ => judged_max,
        };
        let until = until.min(dealt_with.saturating_add(fitting(dealt_with, tx.bytes_parsed())));
        let batch = wanted.get(dealt_with..until).unwrap_or_default();
        if batch.is_empty() {
            break;
        }
        let mut seen = load_seen(tx, wish.of, batch, wish.policy).await?;
        for run in batch {
            if rows.len() == wish.limit {
                break;
            }
            dealt_with += 1;
            let state = wish.filter.state;
            let in_state = |seen: &RunSeen| {
                state.is_none_or(|state| is_in(seen, state, wish.filter.with_evidence))
            };
            rows.extend(seen.remove(run).filter(in_state));
        }
    }
    Ok(dealt_with)
}

/// How many more runs are read on a page where so many came to so many bytes.
fn fitting(runs: usize, bytes: usize) -> usize {
    let mean = bytes.checked_div(runs);
    mean.map_or(READ_FIRST, |mean| {
        PAGE_BYTES_MAX.saturating_sub(bytes) / mean.max(1)
    })
}

/// What to ask the database for; nothing where nothing can be found.
async fn asked(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    filter: &RunFilter,
    below: Option<RunId>,
) -> Result<Option<RunsQuery>, StoreError> {
    let mut of = of.clone();
    if let Some(workspace) = filter.workspace {
        of = of.narrowed(workspace);
    }
    if let Some(environment) = filter.environment {
        // No index is by environment, and one is by workspace.
        let Some(workspace) = tx.find_environment(&of, environment).await? else {
            return Ok(None);
        };
        of = of.narrowed(workspace);
    }
    Ok(Some(RunsQuery {
        of,
        environment: filter.environment,
        is_open: filter.undecided,
        below,
        looked_at_max: 0,
        outcome: filter.outcome.map(word_of),
        reason: filter.reason.map(ReasonCode::code),
        created_from: filter.created_from,
        created_before: filter.created_before,
    }))
}

/// Looks at runs until more than `wanted_max` are wanted or enough were looked at, the highest ids first; and
/// whether there may be more below them.
async fn look(
    tx: &mut DatabaseTransaction,
    mut asked: RunsQuery,
    wanted_max: u32,
) -> Result<(Vec<(RunId, bool)>, bool), StoreError> {
    let first = LOOKED_AT_FIRST.max(wanted_max + 1);
    let steps = if asked.leaves_some_out() {
        vec![first, LOOKED_AT_MAX - first]
    } else {
        vec![wanted_max + 1]
    };
    let mut looked_at = Vec::new();
    for at_most in steps {
        asked.looked_at_max = at_most;
        let found = tx.look_for_runs(&asked).await?;
        if found.len() < usize_of(at_most) {
            looked_at.extend(found);
            return Ok((looked_at, false));
        }
        asked.below = found.last().map(|(run, _)| *run);
        looked_at.extend(found);
        let wanted = looked_at.iter().filter(|(_, is_wanted)| *is_wanted);
        if wanted.count() > usize_of(wanted_max) {
            break;
        }
    }
    Ok((looked_at, true))
}

fn word_of(outcome: RunOutcome) -> &'static str {
    let known = OUTCOMES
        .into_iter()
        .find(|word| RunOutcome::parse(word) == outcome);
    known.unwrap_or("unknown")
}

/// Whether a run's restore, if one can be tied to it, reads so.
fn is_in(seen: &RunSeen, state: ResultState, with_evidence: bool) -> bool {
    let facts = &seen.assessment.facts;
    seen.assessment.restore().is_some_and(|restore| {
        let result = RestoreResult::of(&SeenRestore {
            at: facts.at(),
            restore,
            run: Some(&facts.run),
            evidence: with_evidence.then_some(&facts.evidence),
        });
        result.state() == state
    })
}

/// Loads those of `runs` that may be seen.
async fn load_seen(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    runs: &[RunId],
    policy: &Policy,
) -> Result<HashMap<RunId, RunSeen>, StoreError> {
    let described = tx.describe_runs(of, runs).await?;
    let visible: Vec<RunId> = described.iter().map(|described| described.run).collect();
    let assessed = assess_within(tx, &visible, policy).await?;
    let mut assessed: HashMap<RunId, Assessment> = assessed
        .into_iter()
        .map(|assessment| (assessment.facts.run.id, assessment))
        .collect();
    let seen = |described: DescribedRun| {
        let assessment = assessed.remove(&described.run)?;
        Some((
            described.run,
            RunSeen {
                assessment,
                workspace_name: described.workspace_name,
                environment_name: described.environment_name,
                verdict: described.verdict,
                refusal: described.refusal,
            },
        ))
    };
    Ok(described.into_iter().filter_map(seen).collect())
}

pub(super) async fn load_one(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    run: RunId,
    policy: &Policy,
) -> Result<Option<RunInFull>, StoreError> {
    let Some(seen) = load_seen(tx, of, &[run], policy).await?.remove(&run) else {
        return Ok(None);
    };
    let own = Workspaces::All.narrowed(seen.assessment.facts.run.workspace_id);
    let verdict = tx.load_verdict(&own, run).await?;
    let backup_set = match seen.assessment.restore() {
        Some(restore) => {
            let asks = [restores::ask_about(restore)];
            let sources = tx.find_sources(&asks).await?;
            sources.into_iter().next().map(|source| source.row.id)
        }
        None => None,
    };
    Ok(Some(RunInFull {
        seen,
        verdict,
        backup_set,
    }))
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_runs_are_read_as_fit_at_the_size_of_those_before() {
        let mib = 1024 * 1024;
        assert_eq!(fitting(0, 0), READ_FIRST);
        assert!(fitting(10, 0) >= usize_of(JUDGED_MAX));
        assert!(fitting(10, 10 * 2_000) >= usize_of(JUDGED_MAX));
        assert_eq!(fitting(10, 10 * mib), 6);
        assert_eq!(fitting(15, 15 * mib + 2), 0, "the next would be too much");
        assert_eq!(fitting(10, PAGE_BYTES_MAX), 0);
        assert_eq!(fitting(1, PAGE_BYTES_MAX * 4), 0);
    }
}
