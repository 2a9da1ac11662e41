//! Second opinions on runs that somebody else closed, kept beside the ledger and never in it.
//!
//! ```text
//! cursor ─▶ walk runs by id ─┬▶ closed by another ─┐
//!                            └▶ still open ─▶ watch ┴▶ read proof ─▶ opine ─▶ keep what is new, watch what may change
//! ```
//!
//! A part of the walk is one short transaction that locks nothing of the platform's. One process walks at a time: who
//! does has the cursor's row. Where it ends in the middle, nothing of that part was kept, and the next begins with it.
//!
//! **Limits:** a run whose transaction is under way for longer than [`YOUNG_FOR`] may be walked past before it appears,
//! and gets no opinion.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::canonical::canonicalise;
use reconciler_jobs::restore_execute::facts::{Facts, RunFacts, RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::opinion::{CHANGES_WITHIN, Opinion, Stance, opine};
use reconciler_jobs::restore_execute::{Outcome, Policy, RULESET, Ruling};
use sqlx::FromRow;

use super::column::StoredMoment;
use super::error::{ErrorKind, Result, StoreError};
use super::model::OpinionOnRecord;
use super::settle::assess_rows;
use super::statement::{Table, statement, values};
use super::store::Store;
use super::transaction::DatabaseTransaction;

/// How many runs one part of the walk passes.
const WALKED_MAX: u32 = 2_000;

/// How long after a run was created runs with lower ids may still appear.
const YOUNG_FOR: SignedDuration = SignedDuration::from_mins(10);

/// A run that was created later than so long from now was not: its moment is wrong, and nobody waits for it.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(5);

/// How many opinions there are on one run. The last is kept for when it can change no more.
const REVISIONS_MAX: i64 = 3;

/// How long until what nobody could tell is looked at again.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How a part of the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpinionScope {
    /// Runs that were closed longer ago than this get no opinion.
    pub window: Duration,
    /// How many runs are judged together.
    pub judged_max: u32,
    /// Whether those are passed without an opinion, because one of them cannot be judged.
    pub passes: bool,
    /// To walk on from this id, past runs of whatever age, and leave the cursor where it is; none to walk on from there.
    pub from: Option<i64>,
}

impl OpinionScope {
    /// How many runs are judged together at most.
    pub const JUDGED_MAX: u32 = 200;

    /// From where the last part ended.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            judged_max: Self::JUDGED_MAX,
            passes: false,
            from: None,
        }
    }
}

/// What one part of the walk came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpinionPart {
    /// How many runs were judged.
    pub judged: u64,
    /// Runs that were passed without an opinion, as [`OpinionScope::passes`] asks.
    pub passed: Vec<RunId>,
    /// Up to which id runs were walked past.
    pub walked_to: i64,
    /// What was claimed, and how that relates to what is proven, of each opinion that was kept.
    pub kept: Vec<(RunOutcome, Stance)>,
    /// Whether there is nothing left to do now.
    pub is_over: bool,
}

/// What there is to do about a run that is walked past.
#[derive(FromRow)]
struct WalkedRun {
    id: i64,
    todo: String,
    is_young: bool,
}

/// One revision of an opinion.
#[derive(FromRow)]
struct RevisionRecord {
    run_id: i64,
    workspace_id: i64,
    environment_id: Option<i64>,
    run_created_at: StoredMoment,
    revision: i64,
    claimed: String,
    stance: String,
    reason_code: String,
}

/// What is to be written about one run.
struct Formed {
    facts: Facts,
    opinion: Opinion,
    /// The number of the revision, where it says something new.
    revision: Option<i64>,
}

/// What is to be done about runs.
#[derive(Default)]
struct Todo {
    judge: Vec<RunId>,
    /// Open: to be judged once they are closed.
    wait: Vec<RunId>,
    /// Nobody's business any more.
    pass: Vec<RunId>,
}

impl Todo {
    fn add(&mut self, run: i64, todo: &str) {
        let list = match todo {
            "judge" => &mut self.judge,
            "wait" => &mut self.wait,
            _ => &mut self.pass,
        };
        list.push(RunId(run));
    }
}

impl Store {
    /// Walks on by one part, and keeps opinions on runs that somebody else closed. None where there was nothing to do a
    /// moment ago, or another process is at it.
    pub async fn form_opinions(
        &self,
        policy: &Policy,
        scope: OpinionScope,
    ) -> Result<Option<OpinionPart>> {
        let forming = self.database.write(async |tx| match tx.distrust() {
            Some(distrust) => Err(StoreError::fatal("form opinions", distrust)),
            None => walk_on(tx, policy, scope).await,
        });
        match forming.await {
            // Somebody else was at it since this transaction began.
            Err(error) if error.kind() == ErrorKind::Transient => Ok(None),
            part => part,
        }
    }

    /// Current opinions, unproven successes first, then the latest runs.
    pub async fn list_opinions(
        &self,
        workspace: Option<WorkspaceId>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<OpinionOnRecord>> {
        let statement = statement!("list opinions", both "list_opinions");
        let values = values![workspace, since, limit];
        self.database.read_all(statement, values).await
    }
}

async fn walk_on(
    tx: &mut DatabaseTransaction,
    policy: &Policy,
    scope: OpinionScope,
) -> Result<Option<OpinionPart>> {
    let take_turn = statement!("take a turn at opinions", both "take_opinion_turn");
    let is_asked_for = scope.from.is_some();
    let turn: Option<(i64, i64)> = tx
        .driver()
        .fetch_optional(take_turn, values![is_asked_for])
        .await?;
    let Some((cursor, last)) = turn else {
        return Ok(None);
    };
    // Ids begin again where a platform is made anew.
    let cursor = if cursor > last { 0 } else { cursor };
    let mut todo = Todo::default();
    let mut walked = scope.from.unwrap_or(cursor);
    let mut is_over = load_due(tx, scope.judged_max, &mut todo).await?;
    if is_over {
        (walked, is_over) = walk(tx, walked, scope, &mut todo).await?;
    }
    let passed = if scope.passes {
        std::mem::take(&mut todo.judge)
    } else {
        Vec::new()
    };
    todo.pass.extend(&passed);
    let formed = form(tx, &todo.judge, policy).await?;
    write(tx, &formed).await?;
    watch(tx, &formed, &todo).await?;
    // Written each time: whoever took a turn meanwhile with an older view of the rows fails at it.
    let move_cursor = statement!("walk on", both "move_opinion_cursor");
    let to = if is_asked_for { cursor } else { walked };
    tx.driver()
        .execute(move_cursor, values![to, is_over && !is_asked_for])
        .await?;
    let kept = formed.iter().filter(|formed| formed.revision.is_some());
    Ok(Some(OpinionPart {
        judged: formed.len() as u64,
        passed,
        walked_to: walked,
        kept: kept
            .map(|formed| (formed.opinion.claimed, formed.opinion.stance))
            .collect(),
        is_over,
    }))
}

/// Adds what is due of what was walked past before, and says whether that is all.
async fn load_due(tx: &mut DatabaseTransaction, limit: u32, todo: &mut Todo) -> Result<bool> {
    let statement = statement!("look for opinions that are due", both "load_due_opinions");
    let due: Vec<(i64, String)> = tx.driver().fetch_all(statement, values![limit]).await?;
    for (run, what) in &due {
        todo.add(*run, what);
    }
    Ok(due.len() < limit as usize)
}

/// Adds the next runs, as many as may be judged together, and says up to where that is, and whether it is the end.
async fn walk(
    tx: &mut DatabaseTransaction,
    after: i64,
    scope: OpinionScope,
    todo: &mut Todo,
) -> Result<(i64, bool)> {
    let as_of = tx.as_of;
    let since = SignedDuration::try_from(scope.window).unwrap_or(SignedDuration::MAX);
    let since = as_of.checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
    let young = as_of
        .checked_sub(YOUNG_FOR)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let statement = statement!("walk runs", both "walk_runs");
    let values = values![after, WALKED_MAX, since, young, as_of + CLOCKS_DIFFER_BY];
    let runs: Vec<WalkedRun> = tx.driver().fetch_all(statement, values).await?;
    let mut walked = after;
    for run in &runs {
        // Young runs are walked past only once they are old enough.
        if run.is_young && scope.from.is_none() {
            return Ok((walked, true));
        }
        if todo.judge.len() >= scope.judged_max as usize {
            return Ok((walked, false));
        }
        todo.add(run.id, &run.todo);
        walked = run.id;
    }
    Ok((walked, runs.len() < WALKED_MAX as usize))
}

/// Reads what proves, forms opinions, and numbers those that say something new.
async fn form(
    tx: &mut DatabaseTransaction,
    runs: &[RunId],
    policy: &Policy,
) -> Result<Vec<Formed>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let found = tx.load_runs(runs).await?;
    let rows = found.iter().map(|run| RunFacts::parse(&run.row, policy));
    let closed = rows.filter(|run| run.is_restore_execute && run.status == RunStatus::Completed);
    let assessed = assess_rows(tx, closed.collect(), policy).await?;
    let statement = statement!("read opinions", both "load_opinions");
    let before: Vec<RevisionRecord> = tx.driver().fetch_all(statement, values![runs]).await?;
    let mut latest: HashMap<i64, Vec<RevisionRecord>> = HashMap::new();
    for record in before {
        latest.entry(record.run_id).or_default().push(record);
    }
    Ok(assessed
        .into_iter()
        .map(|assessment| {
            let facts = assessment.facts;
            let opinion = opine(&facts);
            let of_run = latest.get(&facts.run.id.0).map_or(&[][..], Vec::as_slice);
            let before = of_run.iter().rfind(|before| before.is_about(&facts.run));
            let is_last = look_again_at(&facts.run, &opinion, facts.as_of).is_none();
            let revision = next_revision(before, &opinion, is_last);
            Formed {
                facts,
                opinion,
                revision,
            }
        })
        .collect())
}

fn next_revision(before: Option<&RevisionRecord>, opinion: &Opinion, is_last: bool) -> Option<i64> {
    let Some(before) = before else { return Some(1) };
    // Why nobody can tell may change as often as it likes.
    let is_new = before.claimed != opinion.claimed.word()
        || before.stance != opinion.stance.word()
        || before.reason_code != opinion.reason() && opinion.stance != Stance::CannotTell;
    let revision = before.revision + 1;
    let is_left = revision < REVISIONS_MAX || revision == REVISIONS_MAX && is_last;
    (is_new && is_left).then_some(revision)
}

impl RevisionRecord {
    /// Ids come again; a run is known by its workspace, environment and moment as well.
    fn is_about(&self, run: &RunFacts) -> bool {
        let created = match self.run_created_at {
            StoredMoment::At(micros) => Some(micros),
            StoredMoment::Null | StoredMoment::Other => None,
        };
        self.workspace_id == run.workspace_id.0
            && self.environment_id == run.environment_id.map(|id| id.0)
            && created == created_micros(run)
    }
}

fn created_micros(run: &RunFacts) -> Option<i64> {
    run.created_at.moment().map(Timestamp::as_microsecond)
}

async fn write(tx: &mut DatabaseTransaction, formed: &[Formed]) -> Result<()> {
    let statement = statement!("keep opinions", "insert_opinions");
    let kept: Vec<&Formed> = formed.iter().filter(|it| it.revision.is_some()).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let facts = kept.iter().map(|it| canonicalise(&it.facts));
    let facts: Result<Vec<_>, _> = facts.collect();
    let facts = facts.map_err(|error| StoreError::refused(statement.step, error))?;
    let runs = || kept.iter().map(|it| &it.facts.run);
    let opinions = || kept.iter().map(|it| &it.opinion);
    let found = opinions().map(|it| it.decision.outcome().map(Outcome::name));
    let closed = runs().map(|run| run.completed_at.moment().map(Timestamp::as_microsecond));
    let table = Table::default()
        .integers("operation_run_id", runs().map(|run| run.id))
        .integers("workspace_id", runs().map(|run| run.workspace_id))
        .integers("managed_environment_id", runs().map(|it| it.environment_id))
        .integers("created_micros", runs().map(created_micros))
        .integers("revision", kept.iter().map(|it| it.revision))
        .texts("claimed", opinions().map(|it| it.claimed.word()))
        .texts("stance", opinions().map(|it| it.stance.word()))
        .texts("reason_code", opinions().map(Opinion::reason))
        .texts("found", found)
        .texts("ruleset", kept.iter().map(|_| RULESET))
        .texts("facts_digest", facts.iter().map(|it| it.digest.as_str()))
        .texts("facts", facts.iter().map(|it| it.text.as_str()))
        .integers("closed_micros", closed);
    let as_of = tx.as_of;
    let values = values![table, as_of];
    tx.driver().execute(statement, values).await.map(drop)
}

/// Remembers runs whose opinion may change yet, and those that are open, and forgets the others.
async fn watch(tx: &mut DatabaseTransaction, formed: &[Formed], todo: &Todo) -> Result<()> {
    let as_of = tx.as_of;
    let mut watched: Vec<(&RunFacts, Timestamp)> = Vec::new();
    let mut over: Vec<RunId> = todo.pass.clone();
    for it in formed {
        match look_again_at(&it.facts.run, &it.opinion, as_of) {
            Some(moment) => watched.push((&it.facts.run, moment)),
            None => over.push(it.facts.run.id),
        }
    }
    let known: HashSet<RunId> = formed.iter().map(|it| it.facts.run.id).collect();
    over.extend(todo.judge.iter().filter(|run| !known.contains(run)));
    let runs = || watched.iter().map(|(run, _)| run);
    let table = Table::default()
        .integers("operation_run_id", runs().map(|run| run.id))
        .integers("workspace_id", runs().map(|run| run.workspace_id))
        .integers("managed_environment_id", runs().map(|it| it.environment_id))
        .integers("created_micros", runs().map(|run| created_micros(run)))
        .integers("look_micros", watched.iter().map(|(_, moment)| *moment));
    if !watched.is_empty() {
        let watch = statement!("watch opinions", "watch_opinions");
        tx.driver().execute(watch, values![table]).await?;
    }
    if !todo.wait.is_empty() {
        let watch = statement!("watch open runs", both "watch_open_runs");
        tx.driver().execute(watch, values![&*todo.wait]).await?;
    }
    if !over.is_empty() {
        let unwatch = statement!("forget watched opinions", both "unwatch_opinions");
        tx.driver().execute(unwatch, values![&*over]).await?;
    }
    Ok(())
}

/// When the opinion on a run is looked at again: when its time to settle is over, or soon where nobody could tell, and a
/// last time when it can change no more. None after that. Of a run without an end nobody knows when that is: it is looked
/// at again only where the rules say when.
fn look_again_at(run: &RunFacts, opinion: &Opinion, as_of: Timestamp) -> Option<Timestamp> {
    let settles = match opinion.decision.ruling {
        Ruling::Deferred { look_again_at } => Some(look_again_at),
        Ruling::Verdict(_) => None,
    };
    let Some(closed_at) = run.completed_at.moment() else {
        return settles?.filter(|moment| *moment > as_of);
    };
    let last = closed_at.checked_add(CHANGES_WITHIN).ok()?;
    if as_of >= last {
        return None;
    }
    let soon = as_of.checked_add(LOOK_AGAIN_AFTER).unwrap_or(last);
    Some(settles.map_or(last, |settles| settles.unwrap_or(soon).min(last)))
}
