//! `uninstall`: removes what `migrate` created.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Document, Uninstalled};
use super::screen::{Output, Screen};
use super::session::Session;
use crate::storage::{Access, Installed};
use reconciler_jobs::quantity;

/// Whether it is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do it, in the database of this name; without it, what would be removed is only shown.
    #[arg(long, value_name = "DATABASE")]
    yes: Option<String>,
}

/// Shows what would be removed, and removes it if that was asked for. The ledger goes with it: what it proved of closed
/// runs cannot be written again.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.connect(Access::Write).await?;
    let installed = store.installed().await?.ok_or_else(|| {
        Failure::new(
            "on SQLite there is no schema to remove",
            "Delete the file of the queue, which is beside the database, and drop the tables named `reconciler_…`.",
        )
    })?;
    if let Some(name) = &args.yes {
        refuse(&installed, name)?;
        store.uninstall(&installed).await?;
    }
    let uninstalled = Uninstalled {
        removed: args.yes.is_some() && !installed.schemas.is_empty(),
        verdicts: installed.verdicts,
        schemas: installed.schemas.iter().map(ToString::to_string).collect(),
        kept: kept(&installed),
    };
    match session.screen.output {
        Output::Json | Output::Jsonl => session.screen.json(&Document::Uninstall(uninstalled))?,
        Output::Table => show(&uninstalled, &installed.database, session.screen)?,
    }
    Ok(Exit::Done)
}

fn refuse(installed: &Installed, name: &str) -> anyhow::Result<()> {
    let database = &installed.database;
    if name != database {
        let what = format!("this is database {database}, not {name}; nothing was removed");
        let todo = "Name the database that RECONCILER_DATABASE_URL leads to, or change that.";
        return Err(Failure::new(what, todo).into());
    }
    if let Some(uses) = &installed.uses_of_hstore {
        let what = format!(
            "{uses} would lose columns of type hstore, which is in our schema; nothing was removed"
        );
        let todo = "As the extension's owner: ALTER EXTENSION hstore SET SCHEMA public;";
        return Err(Failure::new(what, todo).into());
    }
    if let Some(readers) = &installed.readers {
        let what = format!("{readers} would go with what they read; nothing was removed");
        let todo = "Drop these views first, or have them read a copy.";
        return Err(Failure::new(what, todo).into());
    }
    if installed.live_workers > 0 {
        let what = format!(
            "{} at work within the last half minute; nothing was removed",
            quantity(installed.live_workers.unsigned_abs(), "worker")
        );
        let todo = "Stop them, wait for half a minute, and run the command again.";
        return Err(Failure::new(what, todo).into());
    }
    Ok(())
}

fn kept(installed: &Installed) -> Vec<String> {
    let mut kept = Vec::new();
    if !installed.foreign_queues.is_empty() {
        let queues = installed.foreign_queues.join(", ");
        kept.push(format!(
            "schema apalis, which also holds jobs of others ({queues})"
        ));
    }
    kept.push("roles, and extensions that are not in a schema of ours".to_owned());
    kept.push("what was written to operation_runs and audit_logs".to_owned());
    kept
}

fn show(uninstalled: &Uninstalled, database: &str, screen: &mut Screen) -> anyhow::Result<()> {
    let Uninstalled {
        removed,
        verdicts,
        schemas,
        kept,
    } = uninstalled;
    if schemas.is_empty() {
        screen.line("Nothing of ours is in this database.")?;
        return Ok(());
    }
    let schemas = schemas.join(" and ");
    let verdicts = quantity(verdicts.unsigned_abs(), "verdict");
    if *removed {
        screen.line(&format!(
            "Removed: {schemas}, with {verdicts} and what was recorded of their proof."
        ))?;
    } else {
        screen.line(&format!(
            "Would be removed: {schemas}, with {verdicts} and what was recorded of their proof. Nobody can \
             write them again; this keeps them: pg_dump --schema=reconciler {database}"
        ))?;
    }
    screen.line(&format!("Kept: {}.", kept.join("; ")))?;
    if !*removed {
        screen.line(&format!(
            "To do it: restore-reconciler uninstall --yes {database}"
        ))?;
    }
    Ok(())
}
