//! `queue`: what is queued, in hand or in trouble, and the little that an operator may change about it.

mod change;
mod list;
mod show;

use super::exit::Exit;
use super::session::Session;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List dead letters, runs in trouble, and jobs.
    List(list::Args),
    /// Show everything that is remembered of one run, and what to do next.
    Show(show::Args),
    /// Let runs in trouble start over.
    Retry(change::RetryArgs),
    /// Acknowledge dead letters: they are no longer listed nor tried. The runs stay open.
    Drop(change::DropArgs),
    /// Have nothing settled any more, of a workspace or at all, until that is resumed.
    Pause(change::PauseArgs),
    /// Have it settled again.
    Resume(change::ResumeArgs),
}

pub(super) async fn run(session: &mut Session<'_>, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(session, args).await,
        Command::Show(args) => show::run(session, args).await,
        Command::Retry(args) => change::retry(session, args).await,
        Command::Drop(args) => change::drop_letters(session, args).await,
        Command::Pause(args) => change::pause(session, args).await,
        Command::Resume(args) => change::resume(session, args).await,
    }
}
