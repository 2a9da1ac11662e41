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
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::canonical::canonicalise;
use reconciler_jobs::restore_execute::facts::{Facts, RunFacts, RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::opinion::{CHANGES_WITHIN, Opinion, Stance, opine};
use reconciler_jobs::restore_execute::{Policy, RULESET, Ruling};
use sqlx::FromRow;

use super::column::{Id, OptionalId, StoredMoment};
use super::error::StoreError;
use super::settle::{Transaction as _, Transactions as _, assess_rows, finish};
use super::statement::{Table, statement, values};
use super::store::Store;
use super::transaction::DatabaseTransaction;

/// How many runs one part of the walk passes.
const WALKED_MAX: u32 = 2_000;

/// How many runs one part of the walk judges.
const JUDGED_MAX: u32 = 200;

/// How long after a run was created runs with lower ids may still appear.
const YOUNG_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How many opinions there are on one run.
const REVISIONS_MAX: i64 = 3;

/// How long until what nobody could tell is looked at again.
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What one part of the walk came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpinionPart {
    /// How many runs were judged.
    pub judged: u64,
    /// What was claimed, and how that relates to what is proven, of each opinion that was kept.
    pub kept: Vec<(RunOutcome, Stance)>,
    /// Whether there is nothing left to do now.
    pub is_over: bool,
}

/// An opinion that is on record.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpinionOnRecord {
    /// The run.
    #[sqlx(try_from = "Id")]
    pub run_id: RunId,
    /// Its workspace.
    #[sqlx(try_from = "Id")]
    pub workspace_id: WorkspaceId,
    /// Its environment.
    #[sqlx(try_from = "OptionalId")]
    pub environment_id: Option<EnvironmentId>,
    /// Its outcome.
    pub claimed: String,
    /// How that relates to what is proven.
    pub stance: String,
    /// Why.
    pub reason_code: String,
    /// What the rules would have decided, if anything.
    pub found: Option<String>,
    /// When the run was closed, if anybody noted that.
    #[sqlx(try_from = "StoredMoment")]
    pub closed_at: Option<Timestamp>,
    /// When the opinion was formed.
    #[sqlx(try_from = "StoredMoment")]
    pub formed_at: Timestamp,
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
    /// Walks on by one part, and keeps opinions on runs that were closed no longer than `window` ago. None where another
    /// process is at it. Runs that were just created are left for later unless they are asked for as well.
    pub async fn form_opinions(
        &self,
        policy: &Policy,
        window: Duration,
        young_too: bool,
    ) -> Result<Option<OpinionPart>, StoreError> {
        let mut tx = self.database.begin().await?;
        let part = match tx.distrust() {
            Some(distrust) => Err(StoreError::fatal("form opinions", distrust)),
            None => walk_on(&mut tx, policy, window, young_too).await,
        };
        finish(tx, part).await
    }

    /// Current opinions, unproven successes first, then the latest runs.
    pub async fn list_opinions(
        &self,
        workspace: Option<WorkspaceId>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<OpinionOnRecord>, StoreError> {
        let statement = statement!("list opinions", "list_opinions");
        let mut tx = self.database.begin_read().await?;
        let values = values![workspace, since, limit];
        let listed = tx.driver().fetch_all(statement, values).await;
        finish(tx, listed).await
    }
}

async fn walk_on(
    tx: &mut DatabaseTransaction,
    policy: &Policy,
    window: Duration,
    young_too: bool,
) -> Result<Option<OpinionPart>, StoreError> {
    let take_turn = statement!("take a turn at opinions", "take_opinion_turn");
    let turn: Vec<i64> = tx.driver().fetch_column(take_turn, &[]).await?;
    let Some(walked_to) = turn.first().copied() else {
        return Ok(None);
    };
    let mut todo = Todo::default();
    let mut is_over = load_due(tx, &mut todo).await?;
    let mut walked = walked_to;
    if is_over {
        (walked, is_over) = walk(tx, (walked_to, window, young_too), &mut todo).await?;
    }
    let formed = form(tx, &todo.judge, policy).await?;
    write(tx, &formed).await?;
    watch(tx, &formed, &todo).await?;
    let move_cursor = statement!("walk on", "move_opinion_cursor");
    tx.driver().execute(move_cursor, values![walked]).await?;
    let kept = formed.iter().filter(|formed| formed.revision.is_some());
    Ok(Some(OpinionPart {
        judged: formed.len() as u64,
        kept: kept
            .map(|formed| (formed.opinion.claimed, formed.opinion.stance))
            .collect(),
        is_over,
    }))
}

/// Adds what is due of what was walked past before, and says whether that is all.
async fn load_due(tx: &mut DatabaseTransaction, todo: &mut Todo) -> Result<bool, StoreError> {
    let statement = statement!("look for opinions that are due", "load_due_opinions");
    let due: Vec<(i64, String)> = tx
        .driver()
        .fetch_all(statement, values![JUDGED_MAX])
        .await?;
    let is_all = due.len() < JUDGED_MAX as usize;
    for (run, what) in &due {
        todo.add(*run, what);
    }
    Ok(is_all)
}

/// Adds the next runs, as many as may be judged together, and says up to where that is, and whether it is the end.
async fn walk(
    tx: &mut DatabaseTransaction,
    (after, window, young_too): (i64, Duration, bool),
    todo: &mut Todo,
) -> Result<(i64, bool), StoreError> {
    let as_of = tx.as_of();
    let since = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let since = as_of.checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
    let young = as_of
        .checked_sub(YOUNG_FOR)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let statement = statement!("walk runs", "walk_runs");
    let values = values![after, WALKED_MAX, since, young];
    let runs: Vec<WalkedRun> = tx.driver().fetch_all(statement, values).await?;
    let mut walked = after;
    for (at, run) in runs.iter().enumerate() {
        if run.is_young {
            // They are walked past only once they are old enough.
            for run in runs[at..].iter().filter(|_| young_too) {
                todo.add(run.id, &run.todo);
            }
            return Ok((walked, true));
        }
        if todo.judge.len() >= JUDGED_MAX as usize {
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
) -> Result<Vec<Formed>, StoreError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let found = tx.load_runs(runs).await?;
    let rows = found.iter().map(|run| RunFacts::parse(&run.row, policy));
    let closed = rows.filter(|run| run.is_restore_execute && run.status == RunStatus::Completed);
    let assessed = assess_rows(tx, closed.collect(), policy).await?;
    let statement = statement!("read opinions", "load_opinions");
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
            let revision = next_revision(before, &opinion);
            Formed {
                facts,
                opinion,
                revision,
            }
        })
        .collect())
}

fn next_revision(before: Option<&RevisionRecord>, opinion: &Opinion) -> Option<i64> {
    let Some(before) = before else { return Some(1) };
    let is_new = before.claimed != opinion.claimed.word()
        || before.stance != opinion.stance.word()
        || before.reason_code != opinion.reason();
    (is_new && before.revision < REVISIONS_MAX).then_some(before.revision + 1)
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

async fn write(tx: &mut DatabaseTransaction, formed: &[Formed]) -> Result<(), StoreError> {
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
    let found = opinions().map(|it| it.decision.outcome().map(|outcome| outcome.name()));
    let closed = runs().map(|run| run.completed_at.moment().map(Timestamp::as_microsecond));
    let table = Table::default()
        .integers("operation_run_id", runs().map(|run| run.id.0))
        .integers("workspace_id", runs().map(|run| run.workspace_id.0))
        .integers(
            "managed_environment_id",
            runs().map(|run| run.environment_id.map(|id| id.0)),
        )
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
    let as_of = tx.as_of();
    tx.driver()
        .execute(statement, values![table, as_of])
        .await?;
    Ok(())
}

/// Remembers runs whose opinion may change yet, and those that are open, and forgets the others.
async fn watch(
    tx: &mut DatabaseTransaction,
    formed: &[Formed],
    todo: &Todo,
) -> Result<(), StoreError> {
    let as_of = tx.as_of();
    let mut watched: Vec<(RunFacts, Option<Timestamp>)> = Vec::new();
    let mut over: Vec<RunId> = todo.pass.clone();
    for it in formed {
        match look_again_at(&it.facts.run, &it.opinion, as_of) {
            Some(moment) => watched.push((it.facts.run.clone(), Some(moment))),
            None => over.push(it.facts.run.id),
        }
    }
    if !todo.wait.is_empty() {
        let policy = Policy::default();
        let open = tx.load_runs(&todo.wait).await?;
        let open = open.iter().map(|run| RunFacts::parse(&run.row, &policy));
        watched.extend(open.map(|run| (run, None)));
    }
    let known: HashSet<RunId> = watched.iter().map(|(run, _)| run.id).collect();
    let gone = todo.judge.iter().chain(&todo.wait);
    over.extend(gone.filter(|run| !known.contains(run)));
    let runs = || watched.iter().map(|(run, _)| run);
    let table = Table::default()
        .integers("operation_run_id", runs().map(|run| run.id.0))
        .integers("workspace_id", runs().map(|run| run.workspace_id.0))
        .integers(
            "managed_environment_id",
            runs().map(|run| run.environment_id.map(|id| id.0)),
        )
        .integers("created_micros", runs().map(created_micros))
        .integers(
            "look_micros",
            watched
                .iter()
                .map(|(_, moment)| moment.map(Timestamp::as_microsecond)),
        );
    if !watched.is_empty() {
        let watch = statement!("watch opinions", "watch_opinions");
        tx.driver().execute(watch, values![table]).await?;
    }
    if !over.is_empty() {
        let unwatch = statement!("forget watched opinions", "unwatch_opinions");
        tx.driver().execute(unwatch, values![&*over]).await?;
    }
    Ok(())
}

/// When the opinion on a run is looked at again: when its time to settle is over, or soon where nobody could tell, and a
/// last time when it can change no more. None after that.
fn look_again_at(run: &RunFacts, opinion: &Opinion, as_of: Timestamp) -> Option<Timestamp> {
    let last = run
        .completed_at
        .moment()?
        .checked_add(CHANGES_WITHIN)
        .ok()?;
    if as_of >= last {
        return None;
    }
    let settles = match opinion.decision.ruling {
        Ruling::Deferred { look_again_at } => {
            look_again_at.or_else(|| as_of.checked_add(LOOK_AGAIN_AFTER).ok())
        }
        Ruling::Verdict(_) => None,
    };
    Some(settles.map_or(last, |settles| settles.min(last)))
}
