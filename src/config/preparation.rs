//! What the platform calls what it records of a preparation.

use reconciler_jobs::reading::metadata_keys::MetadataKeys;

use super::fields::{SectionValue, text_of};
use super::section::section;

section! {
    /// Keys within `restore_runs.metadata` whose names the platform does not document. They change what pages say of a
    /// restore's safety gates, and never a verdict. Each is a text of 1 to 64 characters.
    #[schemars(rename = "Preparation")]
    pub struct Preparing {
        /// In `scope_basis`: the list of source groups that need a target.
        required_groups: String = "required_groups".to_owned(), by name;
        /// In `scope_basis`: how many directory groups are cached.
        cached_groups: String = "cached_groups".to_owned(), by name;
        /// In `check_basis` and `execution_safety_snapshot`: how many findings block.
        blocking_count: String = "blocking_count".to_owned(), by name;
        /// In `check_basis`: how many findings warn.
        warning_count: String = "warning_count".to_owned(), by name;
        /// In `execution_safety_snapshot`: what is exactly true where somebody confirmed.
        confirmed: String = "confirmed".to_owned(), by name;
    }
}

fn name(found: SectionValue<'_>) -> Result<String, String> {
    text_of(found)
        .filter(|name| (1..=64).contains(&name.chars().count()))
        .map(str::to_owned)
        .ok_or_else(|| "it must be a text of 1 to 64 characters".to_owned())
}

impl Preparing {
    /// These names as readings take them.
    pub fn keys(&self) -> MetadataKeys {
        let Self {
            required_groups,
            cached_groups,
            blocking_count,
            warning_count,
            confirmed,
        } = self.clone();
        MetadataKeys([
            required_groups,
            cached_groups,
            blocking_count,
            warning_count,
            confirmed,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_keys() {
        assert_eq!(Preparing::default().keys(), MetadataKeys::default());
    }
}
