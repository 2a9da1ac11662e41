//! What people see: on a real terminal of so many columns, on one that can do little, and in a pipe.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use super::stage::{program, ran};

/// Verbs with a table, or with sentences longer than a line: all but those that print a file.
const VERBS: [&str; 43] = [
    "demo --all --runs 50",
    "runs --limit 20",
    "queue list --all --limit 20",
    "queue show 1000",
    "sweep --dry-run --list",
    "explain 1067",
    "explain 1012",
    "reconcile 1067 1008",
    "enqueue 1008 1067",
    "opinions",
    "doctor --survey --last 50",
    "doctor --verbose",
    "ledger list --limit 20",
    "ledger show 1067",
    "ledger verify",
    "ledger simulate",
    "ledger checkpoints",
    "ledger export --workspace 1 --to export",
    "grants console --to viewer",
    "token ops --all-workspaces",
    "forget --workspace 9",
    "probe http://127.0.0.1:1/livez",
    "config check",
    "config check platform.sqlite",
    "ledger --help",
    "wait 1067 1008 --timeout 0s",
    "enqueue 1008 --wait --timeout 0s",
    "queue pause --workspace 1 --reason moving",
    "queue list",
    "queue resume --workspace 1 --reason moved",
    "queue retry 1008 1067",
    "queue drop 1008 --reason gone",
    "migrate --status",
    "uninstall",
    "config show",
    "--help",
    "runs --help",
    "queue --help",
    "completions --help",
    "explain --reason restore.items_missing",
    "explain --reason nothing",
    "version",
    "reconsile 1008",
];

/// The demonstration's rows, judged, with a queue; verbs are run in its directory.
struct Kept(TempDir);

impl Kept {
    fn new() -> Self {
        let kept = Self(TempDir::new().expect("a temporary directory"));
        let demo = ran(&mut kept.piped("demo --keep platform.sqlite"));
        assert_eq!(demo.code, 0, "{}", demo.all());
        ran(&mut kept.piped("migrate")).exits(0);
        kept
    }

    fn piped(&self, verb: &str) -> std::process::Command {
        let arguments: Vec<&str> = verb.split_whitespace().collect();
        let url = if verb.starts_with("demo") {
            ""
        } else {
            "sqlite://platform.sqlite"
        };
        let mut command = program(url, &arguments);
        command.current_dir(&self.0);
        command
    }

    /// The lines of both streams on a terminal of so many columns, as they were written to it.
    fn on_terminal(&self, columns: u16, verb: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let command = self.piped(verb);
        let program = command.get_program().display().to_string();
        let recorded = self.0.path().join("typescript");
        let line = format!("stty cols {columns} rows 24; exec {program} {verb}");
        let mut script = std::process::Command::new("script");
        script
            .args(["--quiet", "--flush", "--command", &line])
            .arg(&recorded);
        script
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh");
        let given = command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        script
            .envs(given)
            .env("TERM", "xterm")
            .envs(variables.iter().copied());
        script
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        assert!(
            script
                .status()
                .expect("script is installed")
                .code()
                .is_some()
        );
        let text = fs::read_to_string(recorded).expect("what was recorded");
        let lines = text.lines().filter(|line| !line.starts_with("Script "));
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The line without escape codes, and without what a bar of progress wrote and took back.
fn plain(line: &str) -> String {
    let line = line.rsplit('\r').next().unwrap_or_default();
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |at| at + 1);
        shown + part.get(end..).unwrap_or_default()
    })
}

/// Reason codes, the longest words that somebody copies.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .filter(|word| word.starts_with("restore."))
}

#[test]
fn every_table_fits_its_terminal_and_breaks_no_word() {
    let kept = Kept::new();
    for verb in VERBS {
        let piped = ran(&mut kept.piped(verb)).stdout;
        for columns in [60, 80, 120] {
            let lines = kept.on_terminal(columns, verb, &[]);
            let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
            let shown = lines.join("\n");
            assert!(lines.len() > 1, "{verb}: {shown}");
            for line in &lines {
                // What is to be copied stays whole: a command, a setting that answers, a digest.
                let is_setting = line.starts_with("    ") && line.contains(" = ");
                let is_digest = line.split_whitespace().any(|word| word.len() > 60);
                // A word that is longer than a line is not broken either.
                let is_digest = is_digest || line.split_whitespace().count() == 1;
                let is_copied = is_setting || is_digest || line.contains("restore-reconciler ");
                let width = line.chars().count();
                assert!(
                    width <= columns.into() || is_copied,
                    "{verb} at {columns}: {width}: {line}"
                );
                assert!(!line.contains(['─', '═']), "{verb}: {line}");
            }
            // Whole columns may be left out, but nothing is shown in part.
            let known: Vec<&str> = codes(&piped).collect();
            for word in codes(&shown) {
                assert!(
                    known.contains(&word),
                    "{verb} at {columns} broke {word}:\n{shown}"
                );
            }
        }
    }
}

/// A list of words folds between them, and who does not know how wide it is has eighty columns.
#[test]
fn settings_are_a_table_wherever_somebody_looks() {
    let kept = Kept::new();
    for (columns, width) in [(80, 80), (0, 80)] {
        let lines = kept.on_terminal(columns, "config show", &[]);
        let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
        let heading = lines.first().expect("a heading");
        assert_eq!(
            heading.split_whitespace().collect::<Vec<_>>(),
            ["SETTING", "VALUE", "FROM"],
            "{columns}"
        );
        for line in &lines {
            assert!(line.chars().count() <= width, "{columns}: {line}");
        }
    }
}

#[test]
fn the_first_screen_of_the_demonstration_is_one_screen() {
    let directory = TempDir::new().expect("a temporary directory");
    let shown = Kept(directory).on_terminal(80, "demo", &[]);
    let shown: Vec<String> = shown
        .iter()
        .map(|line| plain(line))
        .filter(|line| !line.is_empty())
        .collect();
    let text = shown.join("\n");
    assert!(
        shown.len() <= 22 && shown.iter().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    for said in [
        "LOOKS LIKE",
        "completed, every item failed  failed               restore.all_items_failed",
        "109 of 109 scenarios as expected: 6 succeeded, 53 partially_succeeded",
        "The second pass changed nothing.",
        "do not prove environment recovery",
        "explain 1067",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

/// The commands that it names can be entered as they stand, and lead from an undecided run to its verdict.
#[test]
fn what_the_demonstration_names_next_can_be_done() {
    let directory = TempDir::new().expect("a temporary directory");
    let kept = Kept(directory);
    let shown = ran(&mut kept.piped("demo --keep demo.sqlite"));
    let next: Vec<&str> = shown
        .stdout
        .lines()
        .filter(|line| line.starts_with("  "))
        .collect();
    assert_eq!(next.len(), 3, "{}", shown.stdout);
    let program = env!("CARGO_BIN_EXE_restore-reconciler");
    for line in next.iter().filter(|line| !line.ends_with(" serve")) {
        let line = line.replace("restore-reconciler", program);
        let mut shell = std::process::Command::new("sh");
        let done = ran(shell.args(["-c", &line]).current_dir(&kept.0));
        assert!([0, 10, 11].contains(&done.code), "{line}: {}", done.all());
    }
}

/// Whoever comes from another program types its word first.
#[test]
fn a_near_miss_does_what_is_meant() {
    let kept = Kept::new();
    for (word, verb, said) in [
        ("list", "runs", "RUN\t"),
        ("status", "doctor", "  moments: "),
        ("health", "doctor", "  moments: "),
    ] {
        let [meant, typed] = [verb, word].map(|it| ran(&mut kept.piped(it)));
        assert_eq!(typed.code, meant.code, "{word}: {}", typed.all());
        let begins = |it: &str| it.lines().next().map(str::to_owned);
        assert_eq!(begins(&typed.stdout), begins(&meant.stdout), "{word}");
        assert!(typed.stdout.contains(said), "{word}: {}", typed.stdout);
    }
}

#[test]
fn a_program_reads_a_line_a_row_with_tabs() {
    let kept = Kept::new();
    for (verb, columns) in [
        ("runs --limit 20", 6),
        ("queue list --all --limit 20", 9),
        ("demo --all", 3),
    ] {
        let shown = ran(&mut kept.piped(verb)).exits(0);
        let rows: Vec<&str> = shown
            .stdout
            .lines()
            .filter(|line| line.contains('\t'))
            .collect();
        assert!(rows.len() > 4, "{}", shown.stdout);
        let (_, listed) = shown.stdout.split_once('\t').expect("a table");
        assert!(!listed.is_empty());
        for row in rows.iter().take(5) {
            assert_eq!(row.split('\t').count(), columns, "{verb}: {row}");
        }
    }
    // Whoever sets COLUMNS wants columns, terminal or not.
    let shown = ran(kept.piped("runs --limit 20").env("COLUMNS", "60"));
    assert!(!shown.stdout.contains('\t'), "{}", shown.stdout);
    assert!(
        shown.stdout.lines().all(|line| line.chars().count() <= 60),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stderr.contains("No room for ENVIRONMENT"),
        "{}",
        shown.stderr
    );
}

#[test]
fn a_terminal_that_can_do_little_gets_little() {
    let kept = Kept::new();
    let coloured = kept.on_terminal(80, "explain 1104", &[]).join("\n");
    assert!(coloured.contains("\u{1b}[32m"), "{coloured}");
    let dumb = kept
        .on_terminal(80, "explain 1104", &[("TERM", "dumb")])
        .join("\n");
    assert!(
        !dumb.contains('\u{1b}') && dumb.contains("succeeded"),
        "{dumb}"
    );
    let dumb = kept
        .on_terminal(80, "demo --runs 2000", &[("TERM", "dumb")])
        .join("\n");
    assert!(
        !dumb.contains('\u{1b}'),
        "a bar of progress moves the cursor: {dumb}"
    );
    let long = ["runs --limit 300", "demo"];
    for (locale, verbs) in [
        (("LANG", "C"), VERBS.as_slice()),
        (("LANG", "C"), &long),
        (("LC_ALL", "POSIX"), &long),
        (("LC_CTYPE", "de_DE.ISO-8859-1"), &long),
    ] {
        for verb in verbs {
            let shown = kept.on_terminal(80, verb, &[locale]).join("\n");
            assert!(shown.is_ascii(), "{locale:?} {verb}: {shown}");
        }
    }
}
