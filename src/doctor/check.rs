//! One thing that was looked at, and how what both databases have alike is judged.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;
use sqlx::migrate::Migrator;

use crate::storage::{ErrorKind, StoreError};

/// How far this machine's clock and the database's may lie apart without a word.
pub const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

/// What every pointer to our own schema ends with.
pub(super) const MIGRATE: &str = "Run `restore-reconciler migrate`.";

/// What to do about tables or columns that are not there.
pub(super) const CHECK_THE_URL: &str = "Check that RECONCILER_DATABASE_URL names the platform's database, and \
                                        that the platform's own migrations have run.";

/// What to do about an answer that nobody foresaw.
const LOOK_INTO_IT: &str = "Find out why the database says so; what else is listed was examined.";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words.
    pub subject: String,
    /// How it was found.
    pub level: Level,
    /// What was found, in one sentence.
    pub finding: String,
    /// What to do, ready to be pasted where it is a statement.
    pub action: Option<String>,
}

/// How a check was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What was checked is as it must be.
    Good,
    /// It works, but could work better.
    Advice,
    /// It does not work until somebody changes something.
    Problem,
}

impl Check {
    pub(super) fn good(subject: impl Into<String>, finding: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            level: Level::Good,
            finding: finding.into(),
            action: None,
        }
    }

    pub(super) fn advice(
        subject: impl Into<String>,
        finding: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Advice,
            action: Some(action.into()),
            ..Self::good(subject, finding)
        }
    }

    pub(super) fn problem(
        subject: impl Into<String>,
        finding: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Problem,
            action: Some(action.into()),
            ..Self::good(subject, finding)
        }
    }
}

/// Turns whatever the database answered into a value or a check; only silence stays an error.
pub(super) fn answer<T>(
    subject: &str,
    result: Result<T, StoreError>,
) -> Result<Result<T, Box<Check>>, StoreError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.kind() == ErrorKind::Transient => Err(error),
        Err(error) => Ok(Err(Box::new(Check {
            subject: subject.to_owned(),
            level: Level::Problem,
            finding: format!("This could not be examined: {error}."),
            action: Some(error.advice().unwrap_or(LOOK_INTO_IT).to_owned()),
        }))),
    }
}

/// The checks that follow from what the database answered, or that it could not be examined.
pub(super) fn judged<T, C: IntoIterator<Item = Check>>(
    subject: &str,
    result: Result<T, StoreError>,
    judge: impl FnOnce(T) -> C,
) -> Result<Vec<Check>, StoreError> {
    Ok(match answer(subject, result)? {
        Ok(found) => judge(found).into_iter().collect(),
        Err(check) => vec![*check],
    })
}

/// A row of the record that the migrator keeps.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) success: bool,
    pub(super) checksum: Vec<u8>,
}

/// Compares the migrations that were applied with those that this program brings.
pub(super) fn judge_migrations(subject: &str, applied: &[Applied], known: &Migrator) -> Check {
    let ours: BTreeMap<i64, &[u8]> = known
        .iter()
        .map(|migration| (migration.version, migration.checksum.as_ref()))
        .collect();
    let newest = ours.keys().last().copied().unwrap_or_default();
    let missing: Vec<String> = ours
        .keys()
        .filter(|version| !applied.iter().any(|row| row.version == **version))
        .map(ToString::to_string)
        .collect();
    if let Some(row) = applied.iter().find(|row| row.version > newest) {
        let version = row.version;
        return Check::problem(
            subject,
            format!("It is at migration {version}, newer than this program, which knows {newest}."),
            "Upgrade restore-reconciler to the release that migrated the database.",
        );
    }
    if let Some(row) = applied.iter().find(|row| !row.success) {
        return Check::problem(
            subject,
            format!("Migration {} began and did not end.", row.version),
            "Restore the database from a backup, or ask whoever ran the migration what was left.",
        );
    }
    let is_ours = |row: &&Applied| ours.get(&row.version) == Some(&row.checksum.as_slice());
    if let Some(row) = applied.iter().find(|row| !is_ours(row)) {
        return Check::problem(
            subject,
            format!(
                "Migration {} is not the one that this program brings.",
                row.version
            ),
            "Use the release of restore-reconciler that migrated the database.",
        );
    }
    if missing.is_empty() {
        Check::good(
            subject,
            format!("It is at migration {newest}, the newest one."),
        )
    } else {
        Check::problem(
            subject,
            format!("Migrations are missing: {}.", missing.join(", ")),
            MIGRATE,
        )
    }
}

/// Compares the database's clock with this machine's, which was read before and after it.
pub(super) fn judge_clock(before: Timestamp, database: Timestamp, after: Timestamp) -> Check {
    let round_trip = after.duration_since(before);
    let here = before.saturating_add(round_trip / 2).unwrap_or(before);
    let apart = database.duration_since(here);
    if apart.abs() <= CLOCK_SKEW_MAX {
        return Check::good(
            "clock",
            format!(
                "The database's clock and this machine's are {:#} apart.",
                in_millis(apart.abs())
            ),
        );
    }
    let direction = if apart.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    Check::advice(
        "clock",
        format!(
            "The database's clock says {database:.3}, {:#} {direction} this machine's, which says \
             {here:.3}; verdicts are measured by the database's.",
            in_millis(apart.abs())
        ),
        "Synchronise both machines with the same time servers.",
    )
}

fn in_millis(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_are_compared_at_the_midpoint_of_the_round_trip() {
        let judge = |database| {
            judge_clock(
                at("2026-01-01T00:00:00Z"),
                database,
                at("2026-01-01T00:00:02Z"),
            )
        };
        assert_eq!(judge(at("2026-01-01T00:00:06Z")).level, Level::Good);
        assert_eq!(judge(at("2025-12-31T23:59:56Z")).level, Level::Good);
        let ahead = judge(at("2026-01-01T00:00:06.001Z"));
        assert_eq!(ahead.level, Level::Advice);
        assert_eq!(
            ahead.finding,
            "The database's clock says 2026-01-01T00:00:06.001Z, 5s 1ms ahead of this machine's, \
             which says 2026-01-01T00:00:01.000Z; verdicts are measured by the database's."
        );
        let behind = judge(at("2025-12-31T23:00:01Z"));
        assert!(behind.finding.contains("1h behind"), "{}", behind.finding);
    }

    #[test]
    fn migrations_are_compared_by_version_and_content() {
        let known = crate::storage::postgres::migrator();
        let applied: Vec<Applied> = known
            .iter()
            .map(|migration| Applied {
                version: migration.version,
                success: true,
                checksum: migration.checksum.to_vec(),
            })
            .collect();
        let judge = |applied: &[Applied]| judge_migrations("schema", applied, &known);
        assert_eq!(judge(&applied).level, Level::Good);

        let none = judge(&[]);
        assert_eq!(none.level, Level::Problem);
        assert_eq!(none.action.as_deref(), Some(MIGRATE));

        let mut newer = applied.clone();
        newer.push(Applied {
            version: 9_999,
            ..applied[0].clone()
        });
        assert!(judge(&newer).action.unwrap().starts_with("Upgrade"));

        let mut torn = applied.clone();
        torn[0].success = false;
        assert!(judge(&torn).finding.contains("did not end"));

        let mut foreign = applied;
        foreign[0].checksum = vec![0];
        assert!(judge(&foreign).finding.contains("is not the one"));
    }
}
