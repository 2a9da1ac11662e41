//! What a long-running verb does until its database is there: it waits, and says for what.

use std::time::Duration;

use super::failure;
use crate::health::NO_SESSION;
use crate::storage::{Backend, ErrorKind, StoreError};

/// How long until it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Opens what is opened by `open`, as soon as that can be: the server may be away, the database not made or not migrated
/// yet, a right not granted, a password changed first on the other side. Each reason is logged once for as long as it is
/// the reason, with what to do; `away` is told of each, in words for everybody's eyes.
///
/// A SQLite file that is not ready is an error: on its one host nobody else will make it so.
pub(super) async fn wait_for_database<T>(
    backend: Backend,
    open: impl AsyncFn() -> anyhow::Result<T>,
    away: impl Fn(&'static str),
) -> anyhow::Result<T> {
    let mut said = String::new();
    loop {
        let opened = tokio::time::timeout(ANSWER_WITHIN, open()).await;
        let reason = match opened {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) if wants_session(&error) => Absence {
                why: NO_SESSION,
                error: failure::causes(&error).join(": "),
                advice: failure::advice_for(&error),
            },
            Ok(Err(error)) if is_away(&error) => away_because(format!("{error:#}")),
            Ok(Err(error)) if !may_pass(backend, &error) => return Err(error),
            Ok(Err(error)) => Absence {
                why: "it is not ready for this program; the log says what to do",
                error: failure::causes(&error).join(": "),
                advice: failure::advice_for(&error),
            },
            Err(_) => away_because(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        };
        away(reason.why);
        reason.say_if_new(&mut said);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Why there is nothing to open yet.
struct Absence {
    why: &'static str,
    error: String,
    advice: Option<String>,
}

fn away_because(error: String) -> Absence {
    Absence {
        why: "it cannot be reached",
        error,
        advice: None,
    }
}

impl Absence {
    /// What an unreachable server answers changes from one try to the next, and is one reason.
    fn say_if_new(&self, said: &mut String) {
        let Self { why, error, advice } = self;
        let reason = advice.as_ref().map_or(*why, |_| error.as_str());
        if said == reason {
            return;
        }
        reason.clone_into(said);
        match advice {
            None => tracing::warn!(error, "the database is away; waiting for it"),
            Some(advice) => tracing::warn!(
                error,
                advice,
                "the database is not ready yet; waiting until it is"
            ),
        }
    }
}

/// Whether it may become otherwise without a change of this process. Nobody else will make a SQLite file ready.
pub(super) fn may_pass(backend: Backend, error: &anyhow::Error) -> bool {
    backend == Backend::Postgres || is_away(error)
}

fn wants_session(error: &anyhow::Error) -> bool {
    store_errors(error).any(StoreError::is_about_sessions)
}

fn store_errors(error: &anyhow::Error) -> impl Iterator<Item = &StoreError> {
    error.chain().filter_map(|cause| cause.downcast_ref())
}

fn is_away(error: &anyhow::Error) -> bool {
    store_errors(error).any(|error| error.kind() == ErrorKind::Transient)
}
