//! How `--help` is arranged: verbs under headings, each with an example.

use std::fmt::Write as _;

use clap::Command;

/// Headings, each with its verbs.
const HEADINGS: [(&str, &[&str]); 5] = [
    (
        "Look",
        &["doctor", "runs", "explain", "ledger", "opinions", "queue"],
    ),
    ("Decide", &["sweep", "reconcile", "enqueue", "wait"]),
    ("Keep running", &["work", "serve"]),
    ("Install", &["migrate", "grants", "forget", "uninstall"]),
    (
        "This program",
        &[
            "demo",
            "config",
            "probe",
            "token",
            "completions",
            "man",
            "version",
        ],
    ),
];

/// One example a verb.
const EXAMPLES: [(&str, &str); 41] = [
    ("version", "version --output json"),
    ("doctor", "doctor --survey"),
    ("runs", "runs --undecided --workspace 3 --older-than 2h"),
    ("explain", "explain 4711"),
    ("ledger list", "ledger list --outcome failed --since 7d"),
    ("ledger show", "ledger show 4711"),
    ("ledger verify", "ledger verify --workspace 3"),
    (
        "ledger checkpoints",
        "ledger checkpoints --notes > kept.txt",
    ),
    ("ledger key", "ledger key --to checkpoints.key"),
    (
        "ledger export",
        "ledger export --workspace 3 --to workspace-3.zip",
    ),
    ("ledger simulate", "ledger simulate --policy stricter.toml"),
    ("ledger", "ledger list"),
    ("opinions", "opinions --since 7d"),
    ("queue list", "queue list --dead"),
    ("queue show", "queue show 4711"),
    ("queue retry", "queue retry 4711"),
    (
        "queue drop",
        "queue drop 4711 --reason \"its tenant is gone\"",
    ),
    (
        "queue pause",
        "queue pause --workspace 3 --reason \"its platform is being moved\"",
    ),
    ("queue resume", "queue resume --workspace 3"),
    ("queue", "queue list"),
    ("sweep", "sweep --dry-run --list"),
    ("reconcile", "reconcile 4711"),
    ("enqueue", "enqueue 4711 --wait --timeout 10m"),
    ("wait", "wait 4711 --timeout 10m"),
    ("work", "work --listen 127.0.0.1:9646"),
    ("serve", "serve"),
    ("migrate", "migrate --status"),
    ("grants", "grants worker --to reconciler | psql tenantatlas"),
    ("forget", "forget --workspace 3 --yes"),
    ("uninstall", "uninstall"),
    ("demo", "demo"),
    ("config default", "config default"),
    ("config check", "config check reconciler.toml"),
    ("config show", "config show"),
    ("config schema", "config schema --of output"),
    (
        "config alerts",
        "config alerts --runbooks https://wiki.example/reconciler --dashboards https://grafana.example",
    ),
    ("config", "config show"),
    ("probe", "probe http://127.0.0.1:9646/readyz"),
    ("token", "token ops --all-workspaces"),
    (
        "completions",
        "completions bash > /etc/bash_completion.d/restore-reconciler",
    ),
    ("man", "man explain | man -l -"),
];

/// The command with its verbs under headings and an example in the help of each.
pub(super) fn arranged(program: Command) -> Command {
    let name = program.get_name().to_owned();
    let verbs = listed(&program);
    let verbs = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{verbs}\nOptions:\n{{options}}{{after-help}}"
    );
    EXAMPLES
        .iter()
        .fold(program, |program, (verb, example)| {
            let text = format!("Example:\n  {name} {example}");
            let mut names = verb.split(' ');
            let first = names.next().unwrap_or_default().to_owned();
            let inner = names.next().map(str::to_owned);
            program.mut_subcommand(first, |verb| match inner {
                Some(inner) => verb.mut_subcommand(inner, |verb| with_example(verb, text)),
                None => with_example(verb, text),
            })
        })
        .help_template(verbs)
}

/// The verb with an example before what its help ends with.
fn with_example(verb: Command, example: String) -> Command {
    let more = verb.get_after_help().map(|more| format!("\n\n{more}"));
    verb.after_help(example + &more.unwrap_or_default())
}

fn listed(program: &Command) -> String {
    let mut text = String::new();
    for (heading, verbs) in HEADINGS {
        let _ = writeln!(text, "\n{heading}:");
        for verb in verbs {
            let about = program.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {verb:<12} {about}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn verbs_of(command: &Command, path: &str) -> Vec<String> {
        let verbs = command.get_subcommands();
        verbs
            .flat_map(|verb| {
                let path = format!("{path}{}", verb.get_name());
                let inner = verbs_of(verb, &format!("{path} "));
                [path].into_iter().chain(inner)
            })
            .collect()
    }

    /// As a shell reads them: what stands between quotes is one word.
    fn words(line: &str) -> impl Iterator<Item = &str> {
        line.split('"').enumerate().flat_map(|(part, text)| {
            let is_quoted = part % 2 == 1;
            let quoted = is_quoted.then_some(text);
            let bare = (!is_quoted).then(|| text.split_whitespace());
            quoted.into_iter().chain(bare.into_iter().flatten())
        })
    }

    #[test]
    fn every_verb_stands_under_one_heading_and_has_an_example_that_is_understood() {
        let program = crate::cli::command();
        let all: BTreeSet<String> = verbs_of(&program, "").into_iter().collect();
        let top: BTreeSet<_> = all.iter().filter(|verb| !verb.contains(' ')).collect();
        let listed: Vec<String> = HEADINGS
            .iter()
            .flat_map(|(_, verbs)| verbs.iter().map(ToString::to_string))
            .collect();
        assert_eq!(listed.len(), top.len());
        assert_eq!(listed.iter().collect::<BTreeSet<_>>(), top);
        let examples: BTreeSet<String> = EXAMPLES.iter().map(|(it, _)| it.to_string()).collect();
        assert_eq!(all, examples);
        for (verb, example) in EXAMPLES {
            let example = example.split(['>', '|']).next().unwrap_or_default();
            let line = [program.get_name()].into_iter().chain(words(example));
            let parsed = program.clone().try_get_matches_from(line);
            assert!(parsed.is_ok(), "{verb}: {example}: {parsed:?}");
        }
    }
}
