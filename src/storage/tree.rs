//! Leaves and checkpoints of the tree over the ledger. PostgreSQL's alone: on SQLite no verdict has a position.
//!
//! **Invariants:**
//! - Leaves follow on each other as positions do, and one process at a time makes them.
//! - A checkpoint goes on from the one before it. Neither is ever changed.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::try_unfold;
use jiff::Timestamp;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::restore_execute::canonical::{CanonicalError, digest_of};
use sqlx::FromRow;

use super::column::StoredMoment;
use super::database::EitherDatabase;
use super::error::{Result, StoreError};
use super::reader::{LedgerRow, Reader};
use super::statement::{Statement, Table, Value, statement, values};
use super::store::Store;
use super::transaction::{DatabaseTransaction, finish};
use crate::tree::{Edge, Leaf, LeafVerdict, facts_seal};

/// How many leaves are read at once for a checkpoint.
const LEAVES_TOGETHER: u32 = 10_000;

/// How many places are read at once where each is checked.
const PLACES_TOGETHER: u32 = 2_000;

const STATE: Statement = statement!("look at the tree", postgres "load_tree_state");
const WALK: Statement = statement!("read the tree", postgres "walk_leaves");
const LEAVES: Statement = statement!("read the leaves", postgres "load_leaves");
const CHECKPOINTS: Statement = statement!("read the checkpoints", postgres "load_checkpoints");

/// A place in the tree: a position of the feed, the verdict that it leads to, and its leaf.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct LedgerPlace {
    /// The verdict.
    #[sqlx(flatten)]
    pub row: LedgerRow,
    /// Whether the position is there; else only the leaf is.
    pub has_position: bool,
    /// Whether the verdict is there; else its columns are empty.
    pub is_there: bool,
    /// Where it stands among those of its workspace.
    pub workspace_position: i64,
    /// The leaf before it there, in hexadecimal digits.
    pub previous_leaf: Option<String>,
    /// The salt of its facts, where they are there.
    pub salt: Option<String>,
    /// The leaf, in hexadecimal digits; none where there is none yet.
    pub leaf: Option<String>,
    /// What stands for its facts in the leaf.
    pub facts_seal: Option<String>,
    /// When it was noted last that facts of its workspace were erased; read for exports only.
    #[sqlx(default, try_from = "StoredMoment")]
    pub erased_at: Option<Timestamp>,
}

impl LedgerPlace {
    /// Whether its verdict is there, without facts that nobody noted to have erased.
    pub fn lost_facts(&self) -> bool {
        let verdict = &self.row.verdict;
        self.is_there && verdict.facts.is_none() && self.erased_at < Some(verdict.decided_at)
    }
}

/// A leaf, and where its verdict stands in which workspace, as far as its position is there.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct LeafRow {
    /// Where it stands among all.
    pub position: i64,
    /// The leaf, in hexadecimal digits.
    pub leaf: String,
    workspace_id: Option<i64>,
    workspace_position: Option<i64>,
}

impl LeafRow {
    /// Whether its position is there. Without that nobody can say of which workspace it is.
    pub fn is_placed(&self) -> bool {
        self.workspace_id.is_some()
    }

    /// Whether it is of this workspace, and of its place `first` or a later one.
    pub fn is_of(&self, workspace: WorkspaceId, first: i64) -> bool {
        self.workspace_id == Some(workspace.0) && self.workspace_position >= Some(first)
    }
}

/// A part of the tree, from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafPart {
    /// In their order.
    pub places: Vec<LedgerPlace>,
    /// The checkpoints of as many leaves as there are up to one of these places, in their order; in the last part, those of
    /// more as well.
    pub checkpoints: Vec<CheckpointRow>,
}

/// A part of the leaves alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPart {
    /// In their order.
    pub leaves: Vec<LeafRow>,
    /// The checkpoints of as many leaves as there are up to one of these, in their order.
    pub checkpoints: Vec<CheckpointRow>,
}

/// Where the tree stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TreeState {
    /// What tells this installation from every other.
    pub install_id: String,
    positions: i64,
    leaves: i64,
    /// For how many microseconds the first position that has no leaf has waited for it.
    waited: i64,
    /// How many leaves the latest checkpoint is of; 0 where there is none.
    size: i64,
    edge: String,
    is_due: bool,
}

/// When a checkpoint is made: where there are leaves after the latest, and that is so old, or they are so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointDue {
    /// How old.
    pub every: Duration,
    /// How many.
    pub verdicts: u32,
}

/// A checkpoint on record.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct CheckpointRow {
    /// How many leaves, the first of all, the checkpoint vouches for.
    pub size: i64,
    /// The root of these leaves, in hexadecimal digits.
    pub root: String,
    /// As it was handed out.
    pub note: String,
    /// When it was made.
    #[sqlx(try_from = "StoredMoment")]
    pub made_at: Timestamp,
}

/// What making leaves came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// How many were made.
    pub leaves: usize,
    /// For how long the first position after them has waited; not at all where all have their leaf.
    pub waited: Duration,
    /// The checkpoint that was made.
    pub checkpoint: Option<CheckpointRow>,
}

impl LedgerPlace {
    /// The leaf that follows from this place, with this one before it, and this for the facts.
    ///
    /// # Errors
    /// None: all values of a leaf are text.
    pub fn make_leaf(
        &self,
        previous_leaf: Option<String>,
        facts_seal: Option<String>,
    ) -> Result<[u8; 32], CanonicalError> {
        self.leaf_of(previous_leaf, facts_seal).hash()
    }

    /// What its leaf is made of.
    pub fn leaf_of(&self, previous_leaf: Option<String>, facts_seal: Option<String>) -> Leaf<'_> {
        let row = &self.row;
        let verdict = &row.verdict;
        Leaf {
            position: row.position.unwrap_or_default().to_string(),
            workspace: row.workspace.to_string(),
            workspace_position: self.workspace_position.to_string(),
            previous_leaf,
            verdict: self.is_there.then(|| LeafVerdict {
                decision_id: &verdict.decision_id,
                run: verdict.run.to_string(),
                environment: row.environment.map(|id| id.to_string()),
                run_created_at: row.run_created_at.map(|at| at.to_string()),
                revision: verdict.revision.to_string(),
                first_decision_id: verdict.first_decision_id.as_deref(),
                outcome: &verdict.outcome,
                reason_code: &verdict.reason_code,
                ruleset: &verdict.ruleset,
                facts_digest: &verdict.facts_digest,
                decision_digest: digest_of(&verdict.decision),
                decided_at: verdict.decided_at.to_string(),
                source: &row.source,
                worker: &verdict.worker,
                facts_seal,
            }),
        }
    }

    /// What stands for its facts, as far as they are there.
    pub fn make_seal(&self) -> Option<String> {
        let salt = self.salt.as_deref()?;
        Some(facts_seal(salt, &self.row.verdict.facts_digest))
    }
}

impl Store {
    /// Makes the leaves of at most so many positions that have none, and a checkpoint where one is `due`, whose text `note`
    /// writes. Nothing where another process is at it, and on SQLite.
    pub async fn seal(
        &self,
        leaves_max: u32,
        due: CheckpointDue,
        note: impl Fn(&TreeState, &Edge) -> Option<String>,
    ) -> Result<Sealed> {
        let EitherDatabase::Postgres(database) = &self.database else {
            return Ok(Sealed::default());
        };
        let states = self.database.fetch_all(STATE, &due.values()).await?;
        let has_work = |state: &TreeState| state.positions > state.leaves || state.is_due;
        if !states.iter().any(has_work) {
            return Ok(Sealed::default());
        }
        // What others have committed is seen once it is this one's turn.
        let mut tx = database.begin_seeing_commits().await?;
        let sealed = seal_in_turn(&mut tx, leaves_max, due, note).await;
        finish(tx, sealed).await
    }
}

impl Reader {
    /// What tells this installation from every other. None on SQLite, and before the schema serves a platform.
    pub async fn install_id(&self) -> Result<Option<String>> {
        let find = statement!("look at the tree", postgres "load_install_id");
        let own: Vec<(String,)> = self.database.read_all(find, &[]).await?;
        Ok(own.into_iter().next().map(|(install_id,)| install_id))
    }

    /// The latest checkpoints, at most so many, the latest first. None on SQLite.
    pub async fn list_checkpoints(&self, checkpoints_max: u32) -> Result<Vec<CheckpointRow>> {
        let values = values![0_i64, i64::MAX, checkpoints_max];
        self.database.read_all(CHECKPOINTS, values).await
    }

    /// The tree after a position, part by part. Each is one snapshot. None on SQLite.
    pub fn walk_leaves(&self, after: i64) -> impl Stream<Item = Result<LeafPart>> {
        try_unfold(Some(after), move |after| async move {
            let Some(after) = after else { return Ok(None) };
            let reading = self
                .database
                .read(async |tx| load_leaf_part(tx, after).await);
            let part = reading.await?;
            let last = part.places.last().and_then(|place| place.row.position);
            let is_full = part.places.len() >= PLACES_TOGETHER as usize;
            Ok(Some((part, last.filter(|_| is_full))))
        })
    }

    /// The leaves up to a position, part by part, without what they are made of. None on SQLite.
    pub fn walk_known_leaves(&self, through: i64) -> impl Stream<Item = Result<KnownPart>> {
        try_unfold(0, move |after| async move {
            let leaves = self.load_leaves(after, through).await?;
            let Some(last) = leaves.last().map(|leaf| leaf.position) else {
                return Ok(None);
            };
            let values = values![after, last, LEAVES_TOGETHER];
            let mut checkpoints: Vec<CheckpointRow> =
                self.database.read_all(CHECKPOINTS, values).await?;
            checkpoints.reverse();
            let part = KnownPart {
                leaves,
                checkpoints,
            };
            Ok(Some((part, last)))
        })
    }

    /// The leaves after the first `after`, up to the first `size` of all, as many as are read at once.
    pub async fn load_leaves(&self, after: i64, size: i64) -> Result<Vec<LeafRow>> {
        let values = values![after, size, LEAVES_TOGETHER];
        self.database.read_all(LEAVES, values).await
    }

    /// The first place of a workspace whose verdict was decided then or later.
    pub async fn first_place(
        &self,
        workspace: WorkspaceId,
        since: Timestamp,
    ) -> Result<Option<i64>> {
        let find = statement!("read the ledger", postgres "find_exported");
        let mut after = 0;
        loop {
            let values = values![workspace, after, since, PLACES_TOGETHER];
            let found: Vec<(Option<i64>, Option<i64>)> =
                self.database.read_all(find, values).await?;
            match found[..] {
                [(None, Some(last))] => after = last,
                [(first, _)] => return Ok(first),
                _ => return Ok(None),
            }
        }
    }

    /// The places of a workspace from its `first` on that are among the first `size` of all, with facts, part by part.
    pub fn walk_exported(
        &self,
        workspace: WorkspaceId,
        first: i64,
        size: i64,
    ) -> impl Stream<Item = Result<Vec<LedgerPlace>>> {
        try_unfold(Some(first - 1), move |after| async move {
            let Some(after) = after else { return Ok(None) };
            let walk = statement!("read the ledger", postgres "walk_exported");
            let values = values![workspace, after, size, PLACES_TOGETHER];
            let places: Vec<LedgerPlace> = self.database.read_all(walk, values).await?;
            let last = places.last().map(|place| place.workspace_position);
            let is_full = places.len() >= PLACES_TOGETHER as usize;
            Ok(Some((places, last.filter(|_| is_full))))
        })
    }
}

impl CheckpointDue {
    fn values(&self) -> [Value<'static>; 2] {
        [self.every.into(), self.verdicts.into()]
    }
}

async fn load_leaf_part(tx: &mut DatabaseTransaction, after: i64) -> Result<LeafPart> {
    let values = values![after, PLACES_TOGETHER];
    let places: Vec<LedgerPlace> = tx.driver().fetch_all(WALK, values).await?;
    let last = places.last().and_then(|place| place.row.position);
    let is_full = places.len() >= PLACES_TOGETHER as usize;
    let through = last.filter(|_| is_full).unwrap_or(i64::MAX);
    let values = values![after, through, PLACES_TOGETHER];
    let mut checkpoints: Vec<CheckpointRow> = tx.driver().fetch_all(CHECKPOINTS, values).await?;
    checkpoints.reverse();
    Ok(LeafPart {
        places,
        checkpoints,
    })
}

async fn seal_in_turn(
    tx: &mut DatabaseTransaction,
    leaves_max: u32,
    due: CheckpointDue,
    note: impl Fn(&TreeState, &Edge) -> Option<String>,
) -> Result<Sealed> {
    let turn = statement!("wait for a turn at the tree", postgres "take_leaf_turn");
    let (is_ours,): (bool,) = tx.driver().fetch_one(turn, &[]).await?;
    if !is_ours {
        return Ok(Sealed::default());
    }
    let leaves = make_leaves(tx, leaves_max).await?;
    let state: TreeState = tx.driver().fetch_one(STATE, &due.values()).await?;
    let checkpoint = if state.is_due {
        make_checkpoint(tx, &state, note).await?
    } else {
        None
    };
    Ok(Sealed {
        leaves,
        waited: Duration::from_micros(state.waited.try_into().unwrap_or_default()),
        checkpoint,
    })
}

async fn make_leaves(tx: &mut DatabaseTransaction, leaves_max: u32) -> Result<usize> {
    let load = statement!("read the tree", postgres "load_unsealed");
    let insert = statement!("make leaves", postgres "insert_leaves");
    let found: Vec<LedgerPlace> = tx.driver().fetch_all(load, values![leaves_max]).await?;
    // Leaves of this batch are not in the database yet.
    let mut of_batch: HashMap<(WorkspaceId, i64), String> = HashMap::new();
    let mut made = Vec::new();
    for place in &found {
        let (workspace, number) = (place.row.workspace, place.workspace_position);
        let previous = of_batch.get(&(workspace, number - 1));
        let previous = previous.or(place.previous_leaf.as_ref());
        let seal = place.make_seal();
        let leaf = place.make_leaf(previous.cloned(), seal.clone());
        let leaf = hex::encode(leaf.map_err(|error| StoreError::refused(insert.step, error))?);
        of_batch.insert((workspace, number), leaf.clone());
        made.push((place.row.position, leaf, seal));
    }
    if !made.is_empty() {
        let rows = Table::default()
            .integers("position", made.iter().map(|(position, ..)| *position))
            .texts("leaf", made.iter().map(|(_, leaf, _)| leaf.as_str()))
            .texts("facts_seal", made.iter().map(|(.., seal)| seal.as_deref()));
        tx.driver().execute(insert, values![rows]).await?;
    }
    Ok(made.len())
}

/// The checkpoint of all leaves, from the edge of the latest on.
async fn make_checkpoint(
    tx: &mut DatabaseTransaction,
    state: &TreeState,
    note: impl Fn(&TreeState, &Edge) -> Option<String>,
) -> Result<Option<CheckpointRow>> {
    let insert = statement!("put a checkpoint on record", postgres "insert_checkpoint");
    let broken = || StoreError::refused(LEAVES.step, BrokenTree);
    let known = (u64::try_from(state.size).ok()).zip(hex::decode(&state.edge).ok());
    let edge = known.and_then(|(size, edge)| Edge::from_bytes(size, &edge));
    let mut edge = edge.ok_or_else(broken)?;
    let mut size = state.size;
    while size < state.leaves {
        let values = values![size, state.leaves, LEAVES_TOGETHER];
        let leaves: Vec<LeafRow> = tx.driver().fetch_all(LEAVES, values).await?;
        for LeafRow { position, leaf, .. } in &leaves {
            // Where one was taken out, the root would be that of no tree.
            if u64::try_from(*position) != Ok(edge.size() + 1) {
                return Err(broken());
            }
            edge.push(hash_of(leaf).ok_or_else(broken)?);
        }
        size = i64::try_from(edge.size()).map_err(|_| broken())?;
        if leaves.is_empty() {
            return Err(broken());
        }
    }
    let (Some(root), Some(note)) = (edge.root(), note(state, &edge)) else {
        return Ok(None);
    };
    let (root, edge) = (hex::encode(root), hex::encode(edge.to_bytes()));
    let values = values![size, root, edge, note];
    tx.driver().fetch_one(insert, values).await.map(Some)
}

/// 64 hexadecimal digits as the bytes that they stand for.
pub fn hash_of(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash).ok()?;
    Some(hash)
}

/// The leaves or checkpoints on record are none of a tree.
#[derive(Debug, thiserror::Error)]
#[error("the leaves on record do not follow on the latest checkpoint: somebody has changed them")]
struct BrokenTree;
