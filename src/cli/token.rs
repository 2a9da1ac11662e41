//! `token NAME`: makes a token for the console. It is shown once; the configuration holds its hash.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::exit::Exit;
use super::output::{Document, TokenMade};
use super::screen::Screen;
use super::words::OneOf;
use crate::config::{All, Capability, Reach, Token};
use crate::console::NewToken;

/// Whose token it is, and what it opens.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("reach").required(true))]
pub(super) struct Args {
    /// Who it is for, as logs show it: letters, digits and . _ @ -
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// A workspace that it sees; may be repeated.
    #[arg(long = "workspace", value_name = "ID", group = "reach",
        value_parser = clap::value_parser!(i64).range(1..))]
    workspaces: Vec<i64>,
    /// It sees every workspace.
    #[arg(long, group = "reach")]
    all_workspaces: bool,
    /// What it may do; may be repeated.
    #[arg(long = "can", value_name = "CAPABILITY", value_parser = CAPABILITIES, default_value = "runs.view")]
    capabilities: Vec<Capability>,
    /// From when on it is nobody's, such as 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "MOMENT")]
    expires_at: Option<Timestamp>,
}

const CAPABILITIES: OneOf<Capability> = OneOf {
    words: || Capability::ALL.map(|it| it.name().to_owned()).to_vec(),
    read: |text| text.parse().ok(),
    listed: None,
};

fn name(text: &str) -> Result<String, String> {
    if crate::config::is_token_name(text) {
        Ok(text.to_owned())
    } else {
        Err("it must be 1 to 64 letters, digits and the signs . _ @ -".to_owned())
    }
}

/// Makes it. Needs neither a database nor a configuration.
pub(super) fn run(screen: &mut Screen, args: &Args) -> anyhow::Result<Exit> {
    let made = NewToken::make()?;
    let workspaces = if args.all_workspaces {
        Reach::All(All::All)
    } else {
        Reach::Only(args.workspaces.iter().copied().collect())
    };
    let entry = Token {
        name: args.name.clone(),
        sha256: made.sha256,
        workspaces,
        capabilities: args.capabilities.iter().copied().collect(),
        expires_at: args.expires_at,
    };
    if screen.output.is_json() {
        let token = made.text;
        screen.json(&Document::Token(TokenMade { token, entry }))?;
        return Ok(Exit::Done);
    }
    screen.line("The token, which is not shown again and opens the console like a password:")?;
    screen.line("")?;
    screen.verbatim(&format!("  {}", made.text))?;
    screen.line("")?;
    screen.line("Its section of the configuration file, which holds no secret:")?;
    screen.line("")?;
    for line in section(&entry) {
        screen.verbatim(&line)?;
    }
    Ok(Exit::Done)
}

fn section(entry: &Token) -> Vec<String> {
    let workspaces = match &entry.workspaces {
        Reach::All(_) => "\"all\"".to_owned(),
        Reach::Only(ids) => listed(ids, ToString::to_string),
    };
    let capabilities = listed(&entry.capabilities, |capability| {
        format!("\"{capability}\"")
    });
    let mut section = vec![
        "[[console.tokens]]".to_owned(),
        format!("name = \"{}\"", entry.name),
        format!("sha256 = \"{}\"", entry.sha256),
        format!("workspaces = {workspaces}"),
        format!("capabilities = {capabilities}"),
    ];
    let end = entry.expires_at;
    section.extend(end.map(|end| format!("expires_at = \"{end}\"")));
    section
}

fn listed<T>(all: &BTreeSet<T>, written: impl Fn(&T) -> String) -> String {
    let all: Vec<_> = all.iter().map(written).collect();
    format!("[{}]", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_section_that_is_printed_is_one_that_is_read() {
        for (workspaces, expires_at) in [
            (Reach::All(All::All), None),
            (
                Reach::Only([9, 3].into()),
                "2027-01-01T00:00:00Z".parse().ok(),
            ),
        ] {
            let entry = Token {
                name: "ops@host-1".to_owned(),
                sha256: NewToken::make().unwrap().sha256,
                workspaces,
                capabilities: Capability::ALL.into(),
                expires_at,
            };
            let config = Config::parse(&section(&entry).join("\n"), "x.toml").unwrap();
            assert_eq!(config.console.tokens, [entry]);
        }
    }
}
