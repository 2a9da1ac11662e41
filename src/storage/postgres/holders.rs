//! Who is in the way of somebody who waits for a lock, so that nobody waits without knowing for whom.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::storage::error::{During as _, Result, StoreError, StoreFault};

/// How long it is waited until it is asked who is in the way; doubled each time.
const ASK_AFTER_MIN: Duration = Duration::from_millis(50);

/// The longest such pause, and how long an answer may take.
const ASK_AFTER_MAX: Duration = Duration::from_secs(1);

/// A session that is to wait for locks.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockWaiter(i32);

impl LockWaiter {
    /// To be asked in its transaction: before and after it, a pooler may give it another session.
    pub(super) async fn of(connection: &mut PgConnection, step: &'static str) -> Result<Self> {
        let asked = sqlx::query_scalar(include_str!("sql/backend_pid.sql"));
        asked.fetch_one(connection).await.map(Self).during(step)
    }

    /// Does a step in that session, and asks from another one meanwhile who is in its way. Where a lock was not to be had in
    /// time, the error names them.
    pub(super) async fn naming<T>(
        self,
        pool: &PgPool,
        step: &'static str,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut doing = std::pin::pin!(doing);
        let mut holders: Option<String> = None;
        let mut pause = ASK_AFTER_MIN;
        loop {
            match tokio::time::timeout(pause, &mut doing).await {
                Err(_) => {
                    let asked =
                        sqlx::query_scalar(include_str!("sql/find_holders.sql")).bind(self.0);
                    let asked = tokio::time::timeout(ASK_AFTER_MAX, asked.fetch_one(pool)).await;
                    pause = pause.saturating_mul(2).min(ASK_AFTER_MAX);
                    if let Ok(Ok(found)) = asked {
                        holders = found;
                    }
                }
                Ok(done) => {
                    return match (done, holders) {
                        (Err(error), Some(holders)) if error.is_about_lock() => {
                            Err(StoreError::fatal(step, StoreFault::Held { holders }))
                        }
                        (done, _) => done,
                    };
                }
            }
        }
    }
}
