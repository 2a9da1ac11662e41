//! Backup sets of environments and of restores, and what was captured in them.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::BackupSetId;
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health::{BackupItemRow, BackupSetFacts, BackupSetRow};
use sqlx::FromRow;
use tokio::task::consume_budget;

use super::names::shown;
use crate::storage::column::{StoredMoment, Word};
use crate::storage::error::Result;
use crate::storage::records::Ask;
use crate::storage::statement::{Statement, Value, statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// How many items of a backup set are looked at.
pub const ITEMS_MAX: u32 = 2_000;

/// Longest metadata of an item that are read, in bytes.
const ITEM_METADATA_BYTES_MAX: i64 = 16 * 1024;

/// A backup set, found for an environment or for a restore.
#[derive(FromRow)]
struct SetRecord {
    owner: i64,
    id: i64,
    name: Word,
    status: Word,
    completed_at: StoredMoment,
    is_deleted: bool,
}

/// A backup set as the reader takes it from a row; its items are not counted yet.
pub(super) struct FoundSet {
    /// The environment or the restore that the set was looked for by.
    pub(super) owner: i64,
    pub(super) row: BackupSetRow,
}

impl From<SetRecord> for FoundSet {
    fn from(record: SetRecord) -> Self {
        Self {
            owner: record.owner,
            row: BackupSetRow {
                id: BackupSetId(record.id),
                name: shown(record.name),
                status: record.status.into(),
                completed_at: record.completed_at.into(),
                is_deleted: record.is_deleted,
                items: 0,
            },
        }
    }
}

/// An item, with how many there are beside it.
#[derive(FromRow)]
struct ItemRecord {
    backup_set_id: i64,
    items: i64,
    has_payload: bool,
    metadata: Option<Vec<u8>>,
    has_metadata: bool,
}

/// The last moment that is one: what is said to be later is not true.
pub(super) fn not_after(as_of: Timestamp, skew: SignedDuration) -> Timestamp {
    as_of.checked_add(skew).unwrap_or(Timestamp::MAX)
}

/// Backup sets whose items arrive set by set, so that those of one set are in memory at a time.
struct Gathering {
    sets: HashMap<i64, FoundSet>,
    /// The set whose items arrive, and those that have.
    current: Option<(FoundSet, Vec<BackupItemRow>)>,
    gathered: HashMap<i64, BackupSetFacts>,
}

impl Gathering {
    fn of(sets: Vec<FoundSet>) -> Self {
        Self {
            sets: sets.into_iter().map(|set| (set.row.id.0, set)).collect(),
            current: None,
            gathered: HashMap::new(),
        }
    }

    /// Takes the next item. One of a set that was not asked for is passed over.
    fn add(&mut self, record: ItemRecord) {
        if let Some(set) = self.sets.remove(&record.backup_set_id) {
            self.close();
            self.current = Some((set, Vec::new()));
        }
        if let Some((set, items)) = &mut self.current
            && set.row.id.0 == record.backup_set_id
        {
            set.row.items = record.items.unsigned_abs();
            items.push(BackupItemRow {
                has_payload: record.has_payload,
                metadata: Column::fetched(record.metadata, record.has_metadata),
            });
        }
    }

    fn close(&mut self) {
        if let Some((set, items)) = self.current.take() {
            let facts = BackupSetFacts::gather(set.row, &items);
            self.gathered.insert(set.owner, facts);
        }
    }

    /// By owner. Sets without items among them.
    fn finish(mut self) -> HashMap<i64, BackupSetFacts> {
        self.close();
        for set in self.sets.into_values() {
            let facts = BackupSetFacts::gather(set.row, &[]);
            self.gathered.insert(set.owner, facts);
        }
        self.gathered
    }
}

impl DatabaseTransaction {
    /// The backup sets of the restores asked about, by restore.
    pub(super) async fn find_sources(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>> {
        let statement = statement!("look up backup sets", "find_sources");
        self.find_sets(statement, values![Ask::restores(asks)])
            .await
    }

    /// The backup set of each environment that finished last, however it ended, by environment.
    pub(super) async fn find_backup_sets(
        &mut self,
        environments: &[Ask],
        skew: SignedDuration,
    ) -> Result<Vec<FoundSet>> {
        let statement = statement!("look for backup sets", "find_backup_sets");
        let latest = not_after(self.as_of, skew);
        let values = values![Ask::environments(environments), latest];
        self.find_sets(statement, values).await
    }

    async fn find_sets(
        &mut self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<FoundSet>> {
        let records: Vec<SetRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    /// What was captured in these sets, by owner.
    pub(super) async fn load_backups(
        &mut self,
        sets: Vec<FoundSet>,
    ) -> Result<HashMap<i64, BackupSetFacts>> {
        let statement = statement!("read backup items", "load_backup_items");
        let ids: Vec<i64> = sets.iter().map(|set| set.row.id.0).collect();
        let mut gathering = Gathering::of(sets);
        if !ids.is_empty() {
            let values = values![ids, ITEMS_MAX, ITEM_METADATA_BYTES_MAX];
            let mut records = self.driver().stream::<ItemRecord>(statement, values)?;
            while let Some(record) = records.try_next().await? {
                gathering.add(record);
                // Items that have arrived together are read without a pause.
                consume_budget().await;
            }
        }
        Ok(gathering.finish())
    }
}
