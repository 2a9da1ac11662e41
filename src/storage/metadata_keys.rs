//! How often keys of preparations are found under the names that they are taken to have: a bounded sample, counted by
//! [`count_uses`].

use reconciler_jobs::json::Column;
use reconciler_jobs::reading::metadata_keys::{KeyUse, MetadataKeys, count_uses};

use super::error::Result;
use super::statement::{statement, values};
use super::store::Store;

/// How many of the newest restores are looked at.
const ROWS_MAX: i64 = 500;

/// How much of one restore's metadata is read.
const BYTES_MAX: i64 = 64 * 1024;

impl Store {
    /// How often the keys of preparations are found in what the newest restores record.
    pub async fn count_metadata_keys(&self, keys: &MetadataKeys) -> Result<Vec<KeyUse>> {
        let statement = statement!("sample metadata", "sample_metadata");
        let values = values![ROWS_MAX, BYTES_MAX];
        let records: Vec<(Option<Vec<u8>>, bool)> =
            self.database.read_all(statement, values).await?;
        let columns = records
            .into_iter()
            .map(|(text, is_there)| Column::fetched(text, is_there));
        Ok(count_uses(&columns.collect::<Vec<_>>(), keys).to_vec())
    }
}
