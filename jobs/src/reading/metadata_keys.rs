//! Keys within `restore_runs.metadata` that the platform does not document: what they are taken to be called, and how often
//! they are found under that name.
//!
//! Which records there are, that each has a `fingerprint` and says when it was made, and that one has a `scope_mode`, the
//! platform says itself; these names it does not.

use crate::json::{Column, Json};
use crate::vocabulary;

vocabulary! {
    /// A key whose name is a setting.
    pub enum MetadataKey {
        /// The setting, and the name unless told otherwise.
        setting: &'static str,
        /// The records that may hold it.
        records: &'static [&'static str],
        /// What it says.
        says: &'static str,
    }
    /// Source groups.
    RequiredGroups {
        setting: "required_groups",
        records: &["scope_basis"],
        says: "which groups need a target",
    }
    /// Directory groups.
    CachedGroups {
        setting: "cached_groups",
        records: &["scope_basis"],
        says: "how many directory groups are cached",
    }
    /// Findings of validation, and of the safety snapshot.
    BlockingCount {
        setting: "blocking_count",
        records: &["check_basis", "execution_safety_snapshot"],
        says: "how many findings block",
    }
    /// Findings of validation.
    WarningCount {
        setting: "warning_count",
        records: &["check_basis"],
        says: "how many findings warn",
    }
    /// Exactly true where somebody did.
    Confirmed {
        setting: "confirmed",
        records: &["execution_safety_snapshot"],
        says: "whether somebody confirmed the execution",
    }
}

/// What each of [`MetadataKey::ALL`] is called, in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataKeys(pub [String; MetadataKey::ALL.len()]);

impl Default for MetadataKeys {
    fn default() -> Self {
        Self(MetadataKey::ALL.map(|key| key.setting().to_owned()))
    }
}

impl MetadataKeys {
    /// The name of one.
    #[must_use]
    pub fn name(&self, key: MetadataKey) -> &str {
        let mut named = MetadataKey::ALL.into_iter().zip(&self.0);
        named
            .find(|(it, _)| *it == key)
            .map_or("", |(_, name)| name)
    }
}

/// How often a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// Which.
    pub key: MetadataKey,
    /// How many records there are that may hold it; an empty one is none.
    pub records: u64,
    /// How many of them do.
    pub found: u64,
}

/// Counts the keys in the metadata of restores. What cannot be read holds no records.
#[must_use]
pub fn count_uses(metadata: &[Column], keys: &MetadataKeys) -> [KeyUse; MetadataKey::ALL.len()] {
    let mut uses = MetadataKey::ALL.map(|key| KeyUse {
        key,
        records: 0,
        found: 0,
    });
    for column in metadata {
        let Ok(document) = column.parse() else {
            continue;
        };
        for it in &mut uses {
            let records = it.key.records().iter().map(|record| document.get(record));
            for record in records.filter(|it| matches!(it, Json::Map(keys) if !keys.is_empty())) {
                it.records += 1;
                it.found += u64::from(*record.get(keys.name(it.key)) != Json::Null);
            }
        }
    }
    uses
}
