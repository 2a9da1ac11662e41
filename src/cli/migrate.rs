//! `migrate`: creates or upgrades this product's own schema.

use anyhow::Context as _;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Document, Migrated, TriggerWord};
use super::screen::Output;
use super::session::Session;
use crate::storage::{Access, Backend, Store};
use crate::worker;

/// What to do beside that.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also add a trigger to the platform's tables `restore_runs` and `evidence_snapshots`, so that a run is
    /// looked at as soon as its restore has ended or its evidence is there. PostgreSQL only.
    #[arg(long, conflicts_with = "without_platform_trigger")]
    with_platform_trigger: bool,
    /// Remove those triggers.
    #[arg(long)]
    without_platform_trigger: bool,
}

impl Args {
    /// What the triggers are to be; none where they stay as they are.
    fn triggers(&self) -> Option<TriggerWord> {
        match (self.with_platform_trigger, self.without_platform_trigger) {
            (true, _) => Some(TriggerWord::Added),
            (_, true) => Some(TriggerWord::Removed),
            _ => None,
        }
    }
}

/// Creates or upgrades our schema. Doing it again does nothing.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open(Access::Write).await?;
    let triggers = args.triggers();
    if triggers.is_some() && store.backend() == Backend::Sqlite {
        return Err(Failure::new(
            "a SQLite file has no triggers that could queue jobs; nothing was changed",
            "Leave the option out: `restore-reconciler enqueue RUN` and the sweeps find runs on SQLite.",
        )
        .into());
    }
    let before = store.schema_version().await?;
    store.migrate().await?;
    worker::set_up(&store).await?;
    if let Some(wanted) = triggers {
        set_triggers(&store, wanted).await?;
    }
    let after = store.schema_version().await?;
    let migrated = Migrated {
        before,
        after,
        platform_trigger: triggers,
    };
    match session.screen.output {
        Output::Json => session.screen.json(&Document::Migrate(migrated))?,
        Output::Table => session.screen.line(&sentence(&store, &migrated))?,
    }
    Ok(Exit::Done)
}

async fn set_triggers(store: &Store, wanted: TriggerWord) -> anyhow::Result<()> {
    let (what, advice) = match wanted {
        TriggerWord::Added => (
            "our schema is in place, but the triggers could not be added",
            "As the owner of the tables: GRANT TRIGGER ON restore_runs, evidence_snapshots TO the role that \
             migrates. Then run the command again.",
        ),
        TriggerWord::Removed => (
            "our schema is in place, but the triggers could not be removed",
            "Run the command again as the role that added them.",
        ),
    };
    store
        .set_platform_triggers(wanted == TriggerWord::Added)
        .await
        .with_context(|| Failure::new(what, advice))
}

fn sentence(store: &Store, migrated: &Migrated) -> String {
    let schema = match store.backend() {
        Backend::Postgres => "The schema `reconciler`",
        Backend::Sqlite => "The schema (tables `reconciler_…`)",
    };
    let after = migrated.after.unwrap_or_default();
    let done = match migrated.before {
        None => format!("was created, at version {after}"),
        Some(before) if before == after => {
            format!("is at version {after} already; nothing was changed")
        }
        Some(before) => format!("was upgraded from version {before} to {after}"),
    };
    let platform = match migrated.platform_trigger {
        None => "Platform tables were not touched.",
        Some(TriggerWord::Added) => {
            "The trigger `restore_reconciler_request` was added to the platform's tables restore_runs and \
             evidence_snapshots; nothing else of the platform was touched. `migrate \
             --without-platform-trigger` removes it."
        }
        Some(TriggerWord::Removed) => {
            "The platform's tables restore_runs and evidence_snapshots have no trigger of ours; nothing else \
             of the platform was touched."
        }
    };
    format!("{schema} {done}. {platform}")
}
