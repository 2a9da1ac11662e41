//! Whether what preparations record is found under the names that the configuration gives it.

use reconciler_jobs::quantity;
use reconciler_jobs::reading::metadata_keys::{KeyUse, MetadataKeys};

use super::check::Check;
use crate::storage::Store;

/// From how many records on it says something that none of them has a key.
const RECORDS_MIN: u64 = 20;

/// Looks at what was written last. Nothing where it cannot be read, of which other checks speak.
pub async fn examine_metadata(store: &Store, keys: &MetadataKeys) -> Vec<Check> {
    let uses = store.count_metadata_keys(keys).await.unwrap_or_default();
    let is_missing = |it: &&KeyUse| it.found == 0 && it.records >= RECORDS_MIN;
    uses.iter()
        .filter(is_missing)
        .map(|it| judge(it, keys))
        .collect()
}

fn judge(missing: &KeyUse, keys: &MetadataKeys) -> Check {
    let key = missing.key;
    Check::advice(
        "preparation",
        format!(
            "Of the latest {} ({}), none has the key {}, so gates of restores never know {}.",
            quantity(missing.records, "record"),
            key.records().join(" and "),
            keys.name(key),
            key.says()
        ),
        format!(
            "Look at how the platform calls it in restore_runs.metadata, and write {} = \"...\" into [preparation] of the \
             configuration. No verdict hangs on it.",
            key.setting()
        ),
    )
}
