//! `grants`: prints what a role needs for its purpose, ready for `psql`.

use std::collections::BTreeSet;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Document, GrantList, GrantShown};
use super::session::Session;
use crate::doctor::{self, Grant, Purpose, Rights};
use crate::storage::Access;

/// What a line of a statement may take before it is broken at a comma.
const LINE_BYTES_MAX: usize = 100;

/// Whom to grant what.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each statement is its owner's, or a superuser's. What is there already does no harm when it is granted again.
Exit code 3: something that is needed is not there yet, and was left out; standard error names it."
)]
pub(super) struct Args {
    /// What the role is for.
    #[arg(value_enum)]
    purpose: Purpose,
    /// The role, as it is in the database; it need not be there yet.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    to: String,
    /// Only what this role owns, and so may grant.
    #[arg(long, value_name = "ROLE")]
    owned_by: Option<String>,
}

/// Everybody is no role: verdicts are nobody's but the worker's.
fn role(text: &str) -> Result<String, String> {
    if text.is_empty() || text.eq_ignore_ascii_case("public") {
        return Err("name a role of its own; PUBLIC is everybody".to_owned());
    }
    if text.contains(char::is_control) {
        return Err("a name of a role has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Prints the whole of it, whether it is granted already or not. Writes nothing.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open(Access::Read).await?;
    let rights = doctor::list_rights(&store, args.purpose, &args.to).await?;
    let rights = rights.ok_or_else(|| {
        Failure::new(
            "a SQLite file has no roles",
            "Whoever may read and write the file may do everything: use the permissions of the file.",
        )
    })?;
    let (list, others) = list(args, rights);
    if !others.is_empty() {
        let others = others.into_iter().collect::<Vec<_>>().join(", ");
        session.screen.note(&format!(
            "also needed, and left out: statements of {others}"
        ));
    }
    let exit = if list.absent.is_empty() {
        Exit::Done
    } else {
        Exit::ProblemFound
    };
    show(&list, session)?;
    Ok(exit)
}

/// What is asked for, and the other owners of what is needed.
fn list(args: &Args, rights: Rights) -> (GrantList, BTreeSet<String>) {
    let is_asked_for = |owner: &str| {
        let wanted = args.owned_by.as_deref();
        wanted.is_none_or(|wanted| wanted == owner || wanted == plain(owner))
    };
    let grants = rights.grants.into_iter();
    let (grants, others): (Vec<_>, Vec<_>) = grants.partition(|grant| is_asked_for(&grant.owner));
    let others = others.into_iter().map(|grant| grant.owner);
    let shown = |grant: Grant| GrantShown {
        owner: grant.owner,
        statement: grant.statement,
    };
    let list = GrantList {
        purpose: args.purpose,
        role: args.to.clone(),
        grants: grants.into_iter().map(shown).collect(),
        absent: rights.absent,
    };
    (list, others.collect())
}

/// A name without the quotes that statements need.
fn plain(quoted: &str) -> String {
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.map_or_else(|| quoted.to_owned(), |name| name.replace("\"\"", "\""))
}

fn show(list: &GrantList, session: &mut Session<'_>) -> anyhow::Result<()> {
    let screen = &mut *session.screen;
    if !list.absent.is_empty() {
        screen.note(&format!(
            "not there, and left out: {}\nto do: run `restore-reconciler migrate` and the platform's own migrations, \
             then this again",
            list.absent.join(", ")
        ));
    }
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Grants(list.clone()))?);
    }
    let GrantList { purpose, role, .. } = list;
    screen.verbatim(&format!("-- {}, as role {role}.", purpose.duty()))?;
    for owner in owners(&list.grants) {
        screen.verbatim(&format!("-- By {owner}, or a superuser:"))?;
        for grant in list.grants.iter().filter(|grant| grant.owner == owner) {
            screen.verbatim(&wrapped(&grant.statement))?;
        }
    }
    Ok(())
}

/// Each once, in the order of their first statements.
fn owners(grants: &[GrantShown]) -> Vec<&str> {
    let mut owners: Vec<&str> = Vec::new();
    for grant in grants {
        if !owners.contains(&grant.owner.as_str()) {
            owners.push(&grant.owner);
        }
    }
    owners
}

/// Broken at commas, so that a list of columns can be read.
fn wrapped(statement: &str) -> String {
    let mut text = String::with_capacity(statement.len());
    let mut width = 0;
    for (place, word) in statement.split(", ").enumerate() {
        if place > 0 {
            text.push(',');
            width += 1;
            if width + word.len() > LINE_BYTES_MAX {
                text.push_str("\n   ");
                width = 3;
            }
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_broken_at_commas_and_stays_the_same() {
        let columns = ["a_column_of_some_length"; 12].join(", ");
        let statement = format!("GRANT SELECT ({columns}) ON public.operation_runs TO reconciler;");
        let broken = wrapped(&statement);
        assert!(broken.lines().count() > 2, "{broken}");
        assert!(broken.lines().all(|line| line.len() <= 140), "{broken}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&broken), statement);
    }

    #[test]
    fn nothing_is_granted_to_everybody() {
        for nobody in ["PUBLIC", "", "a\n; DROP"] {
            assert!(role(nobody).is_err(), "{nobody:?}");
        }
        assert_eq!(plain("\"The \"\"Worker\"\"\""), "The \"Worker\"");
        assert_eq!(role("The Worker"), Ok("The Worker".to_owned()));
    }
}
