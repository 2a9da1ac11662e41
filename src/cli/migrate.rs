//! `migrate`: creates or upgrades this product's own schema.

use super::exit::Exit;
use super::output::{Document, Migrated};
use super::screen::Output;
use super::session::Session;
use crate::storage::{Access, Backend, Store};

/// Creates or upgrades our schema. Doing it again does nothing.
pub(super) async fn run(session: &mut Session<'_>) -> anyhow::Result<Exit> {
    let store = session.open(Access::Write).await?;
    let before = store.schema_version().await?;
    store.migrate().await?;
    let after = store.schema_version().await?;
    let migrated = Migrated { before, after };
    match session.screen.output {
        Output::Json => session.screen.json(&Document::Migrate(migrated))?,
        Output::Table => session.screen.line(&sentence(&*store, &migrated))?,
    }
    Ok(Exit::Done)
}

fn sentence(store: &dyn Store, migrated: &Migrated) -> String {
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
    format!("{schema} {done}. Platform tables were not touched.")
}
