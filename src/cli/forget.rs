//! `forget`: erases the facts of a workspace that has left.

use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::quantity;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Document, Forgotten};
use super::progress::Progress;
use super::screen::{Output, Screen};
use super::session::Session;
use crate::storage::{Access, ActionVerb};

/// Which workspace, and whether it is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The workspace whose facts are erased.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: i64,
    /// Do it; without it, the command says what would be erased, and fails.
    #[arg(long)]
    yes: bool,
}

/// Erases facts and keeps verdicts. Needs the rights of whoever migrated: no other role may erase anything.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Write).await?;
    let workspace = WorkspaceId(args.workspace);
    let found = store.count_forgettable(workspace).await?;
    if !args.yes {
        let what = format!(
            "nothing was erased: of workspace {workspace} there are the facts of {} and of {}, which nobody can \
             write again",
            quantity(found.facts, "verdict"),
            quantity(found.opinion_facts, "opinion")
        );
        return Err(Failure::new(what, "Give --yes as well to erase them.").into());
    }
    let action = session.action(ActionVerb::Forget, None);
    let all = found.facts + found.opinion_facts;
    let mut progress = Progress::new(session.screen, "erasing", all).of("facts");
    let mut erased = 0;
    let mut first = Some((&found, &action));
    loop {
        match store.forget_part(workspace, first.take()).await? {
            0 => break,
            part => {
                erased += part;
                progress.advance(usize::try_from(part).unwrap_or(usize::MAX));
            }
        }
    }
    drop(progress);
    let forgotten = Forgotten {
        workspace: args.workspace,
        facts_erased: erased,
        verdicts_kept: found.verdicts,
        facts_in_ledger: found.facts_in_ledger,
        open_runs: found.open_runs,
    };
    match session.screen.output {
        Output::Json | Output::Jsonl => session.screen.json(&Document::Forget(forgotten))?,
        Output::Table => show(&forgotten, session.screen)?,
    }
    Ok(Exit::Done)
}

fn show(forgotten: &Forgotten, screen: &mut Screen) -> anyhow::Result<()> {
    let Forgotten {
        workspace,
        facts_erased,
        verdicts_kept,
        facts_in_ledger,
        open_runs,
    } = forgotten;
    screen.line(&format!(
        "Erased {} of workspace {workspace}. Kept: {}, with their reasons and digests.",
        quantity(*facts_erased, "fact"),
        quantity(*verdicts_kept, "verdict")
    ))?;
    if *facts_in_ledger > 0 {
        screen.line(&format!(
            "From before facts had a table of their own: {facts_in_ledger}. Theirs stand in the ledger, and stay."
        ))?;
    }
    if *open_runs > 0 {
        screen.line(&format!(
            "Runs of it that were open when last looked at: {open_runs}. A verdict on one brings facts again; forget it once more then."
        ))?;
    }
    Ok(())
}
