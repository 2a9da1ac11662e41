//! A database that is measured: the product's store, the stand-in beside it, and statements for measurements alone.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reconciler_fixtures::{PlatformRows, Standin};
use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::{
    AUDITS_PER_RESTORE_MAX, Access, Limits, Settling, Store, connect,
};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

use crate::sealing::Leaves;

/// How long a statement may take: one without an index beside millions of rows takes a while.
const STATEMENT_WITHIN: Duration = Duration::from_mins(30);

const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// A session ends a moment after it was closed.
const ALONE_LOOKS: u32 = 500;
const ALONE_LOOK_EVERY: Duration = Duration::from_millis(10);

/// Rows of tables that were read, and written, since the server began to count. What other sessions did counts once
/// they were idle for a second, or ended.
const ROWS_TOUCHED: &str = "SELECT
        coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint,
        coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
    FROM pg_stat_user_tables";

/// Writes a restore's row as its end does, documents included, and leaves in it what was planted.
const END_RESTORE: &str = "UPDATE restore_runs
    SET status = status, results = results::text::json, metadata = metadata::text::json,
        completed_at = completed_at, updated_at = localtimestamp
    WHERE id = $1";

/// The platform's audit entry about the end of a restore.
const NOTE_END: &str = "INSERT INTO audit_logs (
        workspace_id, managed_environment_id, actor_type, action, resource_type, resource_id, status, outcome,
        recorded_at
    )
    SELECT
        workspace_id, managed_environment_id, 'system', 'restore.completed', 'restore_run', id::text, 'success',
        'success', completed_at
    FROM restore_runs
    WHERE id = $1";

/// As a settlement begins: plans are made for the runs at hand.
const PLAN_ANEW: &str = "SET LOCAL plan_cache_mode = force_custom_plan";

const REQUEST: &str = "SELECT reconciler.request($1)";

/// An entry of the platform's about something else.
const NOTE_OTHERS: &str = "INSERT INTO audit_logs (
        workspace_id, managed_environment_id, action, resource_type, resource_id, recorded_at
    )
    SELECT 1, 11, 'policy.updated', 'policy', number, now() FROM generate_series(1, $1) AS number";

/// Positions of planted verdicts are planted with them.
const PLACE_NONE: &str = "ALTER TABLE reconciler.ledger DISABLE TRIGGER ledger_waits_for_position";

/// Takes the turn at making leaves, as `take_leaf_turn` does, for as long as the session lasts.
const TAKE_LEAF_TURN: &str = "SELECT pg_advisory_lock(7165071)";

const LEAVES: &str = "SELECT count(*) FROM reconciler.ledger_leaves";

/// For how many milliseconds the first position without a leaf has waited for it.
const WAITED: &str =
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - placed_at)) * 1000, 0)::float8
    FROM reconciler.ledger_positions
    WHERE position = (SELECT coalesce(max(position), 0) + 1 FROM reconciler.ledger_leaves)";

/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Does nothing, and comes and goes like a statement that does something.
const SELECT: &str = "SELECT true";

/// One of the databases of a measurement.
#[derive(Clone)]
pub(crate) struct Workbench {
    pub(crate) url: String,
    /// The product's own way into it.
    pub(crate) store: Store,
    pub(crate) standin: Standin,
    /// For statements of our own.
    own: PgPool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowsTouched {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

impl Workbench {
    pub(crate) async fn open(url: &str, limits: &Limits) -> anyhow::Result<Self> {
        let limits = Limits {
            statement_timeout: limits.statement_timeout.max(STATEMENT_WITHIN),
            ..*limits
        };
        let store = connect(url, Access::Write, &limits).await?;
        let options: PgConnectOptions = url.parse().context("cannot connect to PostgreSQL")?;
        Ok(Self {
            url: url.to_owned(),
            store,
            standin: Standin::new(url)?,
            own: PgPoolOptions::new()
                .max_connections(limits.connections_max)
                .connect_lazy_with(options),
        })
    }

    pub(crate) async fn plant(&self, rows: &PlatformRows) -> anyhow::Result<()> {
        Ok(self.standin.plant(rows).await?)
    }

    /// Tells the planner what the tables hold.
    pub(crate) async fn analyse(&self) -> anyhow::Result<()> {
        Ok(self.standin.execute_script("ANALYZE").await?)
    }

    /// Leaves the tables as the server does by itself after so many rows.
    pub(crate) async fn vacuum(&self) -> anyhow::Result<()> {
        Ok(self.standin.execute_script("VACUUM ANALYZE").await?)
    }

    /// Closes due runs by one statement, which reads what a settlement reads and writes what it writes, with the
    /// verdict that was reached about `like`. Returns how many it closed.
    pub(crate) async fn close_like(
        &self,
        runs: &[RunId],
        like: RunId,
        with: &Settling,
    ) -> anyhow::Result<u64> {
        let step = "cannot close runs by one statement";
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        let mut tx = self.own.begin_with(begin).await.context(step)?;
        let planned = sqlx::query(PLAN_ANEW).execute(&mut *tx).await;
        planned.context(step)?;
        let closed: i64 = sqlx::query_scalar(include_str!("close_like.sql"))
            .bind(ids)
            .bind(like.0)
            .bind(&with.policy.audit_actions)
            .bind(AUDITS_PER_RESTORE_MAX)
            .fetch_one(&mut *tx)
            .await
            .context(step)?;
        tx.commit().await.context(step)?;
        Ok(closed.unsigned_abs())
    }

    /// Copies the verdict about `like` to these positions, without leaves.
    pub(crate) async fn plant_verdicts(
        &self,
        like: RunId,
        first: u64,
        last: u64,
    ) -> anyhow::Result<()> {
        let step = "cannot plant verdicts";
        let switched = sqlx::query(PLACE_NONE).execute(&self.own).await;
        switched.context(step)?;
        sqlx::query(include_str!("plant_verdicts.sql"))
            .bind(like.0)
            .bind(first.cast_signed())
            .bind(last.cast_signed())
            .execute(&self.own)
            .await
            .map(drop)
            .context(step)
    }

    /// Keeps everybody else from making leaves, where they are to be withheld, until it is dropped.
    pub(crate) async fn withhold(&self, leaves: Leaves) -> anyhow::Result<Option<PgConnection>> {
        if leaves == Leaves::Made {
            return Ok(None);
        }
        let mut session = self.producer().await?.0;
        let taken = sqlx::query(TAKE_LEAF_TURN).execute(&mut session).await;
        taken.context("cannot take the turn at making leaves")?;
        Ok(Some(session))
    }

    /// How many leaves there are.
    pub(crate) async fn count_leaves(&self) -> anyhow::Result<i64> {
        let counted = sqlx::query_scalar(LEAVES).fetch_one(&self.own).await;
        counted.context("cannot count leaves")
    }

    /// What comes of some work, and how many milliseconds a position waited for its leaf at most meanwhile.
    pub(crate) async fn longest_wait<T>(
        &self,
        working: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(T, f64)> {
        let (mut working, mut longest) = (pin!(working), 0.0_f64);
        loop {
            tokio::select! {
                done = &mut working => return Ok((done?, longest)),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let waited = sqlx::query_scalar(WAITED).fetch_one(&self.own).await;
            longest = longest.max(waited.context("cannot look at what waits for its leaf")?);
        }
    }

    /// How many rows statements have read and written in this database so far, by sessions that have ended.
    pub(crate) async fn rows_touched(&self) -> anyhow::Result<RowsTouched> {
        let touched = sqlx::query_as(ROWS_TOUCHED).fetch_one(&self.own).await;
        let (read, written): (i64, i64) = touched.context("cannot read the server's counters")?;
        Ok(RowsTouched {
            read: read.unsigned_abs(),
            written: written.unsigned_abs(),
        })
    }

    /// Connects once more, as the platform does.
    pub(crate) async fn producer(&self) -> anyhow::Result<Producer> {
        PgConnection::connect_with(&self.own.connect_options())
            .await
            .map(Producer)
            .context("cannot connect as the platform does")
    }

    /// Lets go of the database, and returns once nobody else is connected to it either.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let own = self.own;
        drop((self.store, self.standin));
        for _ in 0..ALONE_LOOKS {
            let others = sqlx::query_scalar(OTHERS).fetch_one(&own).await;
            let others: i64 = others.context("cannot let go of a database")?;
            // The pool's other connections are closed below.
            if others < i64::from(own.size()) {
                break;
            }
            tokio::time::sleep(ALONE_LOOK_EVERY).await;
        }
        own.close().await;
        Ok(())
    }
}

/// One of the platform's connections: whatever it does waits for what it did before.
pub(crate) struct Producer(PgConnection);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastStep {
    None,
    /// It sends a statement that does nothing: the least that anything more could cost.
    Select,
    /// It asks for the run, in the same transaction.
    Request,
}

impl Producer {
    /// Writes so many audit entries about something else, by one statement.
    pub(crate) async fn note_others(&mut self, entries: i64) -> anyhow::Result<()> {
        let noted = sqlx::query(NOTE_OTHERS).bind(entries);
        let noted = noted.execute(&mut self.0).await;
        noted.map(drop).context("cannot write audit entries")
    }

    /// Writes the audit entry about the end of a run's restore, and commits it.
    pub(crate) async fn note_end(&mut self, run: RunId) -> anyhow::Result<()> {
        let noted = sqlx::query(NOTE_END).bind(run.0);
        let noted = noted.execute(&mut self.0).await;
        noted.map(drop).context("cannot write an audit entry")
    }

    /// Writes the end of a planted run's restore, with its documents and an audit entry, and commits it. Fails if it
    /// asked in vain, because the run is not open.
    pub(crate) async fn end_restore(&mut self, run: RunId, last: LastStep) -> anyhow::Result<()> {
        let step = "cannot end a restore";
        let mut tx = self.0.begin().await.context(step)?;
        for statement in [END_RESTORE, NOTE_END] {
            let statement = sqlx::query(statement).bind(run.0);
            statement.execute(&mut *tx).await.context(step)?;
        }
        let is_queued: bool = match last {
            LastStep::None => true,
            LastStep::Select => sqlx::query_scalar(SELECT).fetch_one(&mut *tx).await?,
            LastStep::Request => {
                let request = sqlx::query_scalar(REQUEST).bind(run.0);
                request.fetch_one(&mut *tx).await?
            }
        };
        ensure!(
            is_queued,
            "run {} was not queued: it is not open, or the queue cannot be written to",
            run.0
        );
        tx.commit().await.context(step)
    }
}
