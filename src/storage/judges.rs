//! Which rules the workers judge by. Each announces its own with its signs of life.
//!
//! A verdict is final, so two workers that would judge one run differently must not leave it to luck which of them is
//! first. Of two rulesets the higher one judges: a worker of the lower one locks no run while it hears of another.
//! Settings cannot be ranked, so workers of other settings are told of.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::canonical::canonicalise;
use reconciler_jobs::restore_execute::{Policy, RULESET_NUMBER};
use reconciler_jobs::sweep::admission::SettlingMode;
use sqlx::FromRow;

use super::column::StoredMoment;
use super::error::{Result, StoreError};
use super::reader::Reader;
use super::statement::{Statement, statement, values};
use super::store::Store;
use crate::release;

const LIST_JUDGES: Statement = statement!("list the rules that are judged by", both "list_judges");

/// How much of a digest tells settings apart.
const DIGEST_CHARS: usize = 16;

/// The rules that a worker judges by.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Judge {
    /// The worker.
    pub worker: String,
    /// The number of its ruleset.
    pub ruleset: i64,
    /// The beginning of the SHA-256 of its settings in canonical form.
    pub policy_digest: String,
    /// What becomes of the runs that it judges, as [`SettlingMode`] has it.
    pub mode: String,
    /// The worker's version and commit; none where it is older than this column.
    pub version: Option<String>,
    /// When it begins the next sweep by its schedule, where it knows that yet.
    #[sqlx(try_from = "StoredMoment")]
    pub next_sweep_at: Option<Timestamp>,
}

impl Judge {
    /// A worker of this version with these settings.
    pub fn new(worker: &str, policy: &Policy) -> Result<Self> {
        let mut policy = policy.clone();
        let words = &mut policy.item_words;
        for list in [
            &mut policy.audit_actions,
            &mut policy.audit_resource_types,
            &mut policy.blocker_codes,
            &mut policy.summary_keys,
            &mut words.applied,
            &mut words.partial,
            &mut words.failed,
            &mut words.not_applied,
        ] {
            list.sort_unstable();
        }
        let mut digest = canonicalise(&policy)
            .map_err(|error| StoreError::refused("digest the settings", error))?
            .digest;
        digest.truncate(DIGEST_CHARS);
        Ok(Self {
            worker: worker.to_owned(),
            ruleset: RULESET_NUMBER,
            policy_digest: digest,
            mode: SettlingMode::Act.word().to_owned(),
            version: Some(release::name()),
            next_sweep_at: None,
        })
    }

    /// The judge whose worker does this with runs that it can decide.
    #[must_use]
    pub fn in_mode(self, mode: SettlingMode) -> Self {
        Self {
            mode: mode.word().to_owned(),
            ..self
        }
    }

    /// Whether it settles runs, so that it matters to others by which rules it does.
    pub fn settles(&self) -> bool {
        self.mode != SettlingMode::Observe.word()
    }

    /// Whether both would judge every run alike.
    pub fn agrees_with(&self, other: &Self) -> bool {
        (self.ruleset, &self.policy_digest) == (other.ruleset, &other.policy_digest)
    }
}

/// When the first of these workers sweeps next, as far as they say.
pub fn next_sweep(judges: &[Judge]) -> Option<Timestamp> {
    judges.iter().filter_map(|it| it.next_sweep_at).min()
}

impl Store {
    /// Says that a worker is alive, and which rules it judges by.
    pub async fn announce_rules(&self, judge: &Judge) -> Result<()> {
        let statement = statement!("say which rules are judged by", "announce_rules");
        let values = values![
            &*judge.worker,
            judge.ruleset,
            &*judge.policy_digest,
            &*judge.mode,
            judge.version.as_deref(),
            judge.next_sweep_at,
        ];
        self.database.execute(statement, values).await.map(drop)
    }

    /// Says that a worker judges no more, so that nobody takes its rules for those of one that is at work.
    pub async fn withdraw_rules(&self, worker: &str) -> Result<()> {
        let statement = statement!("withdraw the rules that were judged by", both "withdraw_rules");
        let values = values![worker];
        self.database.execute(statement, values).await.map(drop)
    }

    /// The workers that announced their rules in the last half minute, those of the newest rules first.
    pub async fn list_judges(&self) -> Result<Vec<Judge>> {
        self.database.fetch_all(LIST_JUDGES, &[]).await
    }
}

impl Reader {
    /// Workers that were heard of lately, as the console's role may read them.
    pub async fn list_judges(&self) -> Result<Vec<Judge>> {
        self.database.read_all(LIST_JUDGES, &[]).await
    }
}
