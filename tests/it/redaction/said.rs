//! What the product said, and what of it nobody may have said.

use std::collections::HashSet;
use std::fmt;

use super::secrets::Secrets;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Surface {
    /// Lines on standard error of a worker or the console.
    Log,
    /// What a probe or a scraper is answered.
    Metrics,
    /// Spans that are exported.
    #[expect(dead_code, reason = "whoever collects spans says so here")]
    Trace,
    /// What we wrote beside or into the platform's rows: audit entries, reconciliation, failures.
    Written,
    /// Our own tables but for the facts and what a database said.
    Own,
    /// `facts` and `decision` of the ledger.
    Ledger,
    /// What the database said when it refused a verdict, as the watch list keeps it.
    Refusal,
    /// What a verb prints on either output.
    Command,
    /// What a verb about the queue prints.
    QueueCommand,
    /// Pages and the API.
    Console,
}

#[derive(Debug)]
pub(super) struct Said {
    pub(super) surface: Surface,
    /// Who said it: a verb, an address, a table.
    pub(super) by: String,
    pub(super) text: String,
}

impl Said {
    pub(super) fn new(surface: Surface, by: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            surface,
            by: by.into(),
            text: text.into(),
        }
    }
}

/// A place whose secrets may be said, and where.
struct Exception {
    /// What the place begins with.
    place: &'static str,
    on: &'static [Surface],
    reason: &'static str,
}

const fn on_pages(place: &'static str, reason: &'static str) -> Exception {
    let on = &[Surface::Console];
    Exception { place, on, reason }
}

/// Everything that may be said of what the platform holds. All else may be said nowhere.
const EXCEPTIONS: &[Exception] = &[
    on_pages("workspaces.name", "an operator finds a workspace by it"),
    on_pages(
        "managed_environments.name",
        "an operator finds an environment by it",
    ),
    on_pages("backup_sets.name", "an operator finds a backup set by it"),
    on_pages(
        "backup_items.policy_type",
        "an operator tells items in trouble apart by it",
    ),
    on_pages(
        "restore_runs.requested_by",
        "it is said to whoever may see the restore",
    ),
    on_pages(
        "restore_runs.group_mapping id",
        "groups without a target are to be mapped by somebody",
    ),
    Exception {
        place: "restore_runs.results id",
        on: &[Surface::Ledger, Surface::Command, Surface::Console],
        reason: "troubled items are named by their ids, whatever stands in their place; to say less would \
                 change the digest of recorded facts",
    },
    Exception {
        place: "restore_runs.requested_items id",
        on: &[Surface::Ledger, Surface::Command, Surface::Console],
        reason: "as above: requested items without a result are named",
    },
    Exception {
        place: "the message of a refusal",
        on: &[
            Surface::Log,
            Surface::Refusal,
            Surface::Command,
            Surface::QueueCommand,
            Surface::Console,
        ],
        reason: "why the database refuses a verdict is what an operator has to put right, and is said in its \
                 own words, on the run's own pages too; its details and hints, which quote rows, are not",
    },
    Exception {
        place: "the cause of a job",
        on: &[Surface::Log, Surface::QueueCommand],
        reason: "a word of whoever queued the job, for the operator to know them by",
    },
];

/// A secret that was said where it may not be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Betrayal {
    place: String,
    surface: Surface,
    by: String,
    around: String,
}

impl fmt::Display for Betrayal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {:?}, by ", self.place, self.surface)?;
        write!(f, "{}: …{}…", self.by, self.around)
    }
}

impl Exception {
    fn is_about(&self, betrayal: &Betrayal) -> bool {
        betrayal.place.starts_with(self.place) && self.on.contains(&betrayal.surface)
    }
}

/// Everything of a secret that was said.
fn found(secrets: &Secrets, said: &[Said]) -> Vec<Betrayal> {
    let of_one = |said: &Said| {
        let leaks = secrets.find(&said.text).into_iter();
        let found = leaks.map(|leak| Betrayal {
            place: leak.place.to_owned(),
            surface: said.surface,
            by: said.by.clone(),
            around: leak.around,
        });
        found.collect::<Vec<_>>()
    };
    said.iter().flat_map(of_one).collect()
}

/// Everything that was said and may not be said, each place once per surface.
fn betrayals(secrets: &Secrets, said: &[Said]) -> Vec<Betrayal> {
    let mut betrayals = found(secrets, said);
    betrayals.retain(|found| !EXCEPTIONS.iter().any(|it| it.is_about(found)));
    let mut seen = HashSet::new();
    betrayals.retain(|found| seen.insert((found.place.clone(), found.surface)));
    betrayals
}

/// Fails with every place and every surface, unless nothing was said that may not be said. Whoever collects
/// more, such as spans, adds it to `said`.
#[track_caller]
pub(super) fn assert_silent(secrets: &Secrets, said: &[Said]) {
    let betrayals = betrayals(secrets, said);
    let lines: Vec<String> = betrayals.iter().map(Betrayal::to_string).collect();
    let (number, lines) = (lines.len(), lines.join("\n"));
    assert!(betrayals.is_empty(), "{number} leak(s):\n{lines}");
}

/// Fails where something may be said that nobody says: what is allowed in vain hides the next leak.
#[track_caller]
pub(super) fn assert_exceptions_are_needed(secrets: &Secrets, said: &[Said]) {
    let found = found(secrets, said);
    let unneeded: Vec<String> = EXCEPTIONS
        .iter()
        .flat_map(|it| it.on.iter().map(move |surface| (it.place, *surface)))
        .filter(|(place, surface)| {
            let is_needed = |it: &Betrayal| it.place.starts_with(place) && it.surface == *surface;
            !found.iter().any(is_needed)
        })
        .map(|(place, surface)| format!("{place} on {surface:?}"))
        .collect();
    assert!(unneeded.is_empty(), "nobody says {unneeded:#?}");
}

#[test]
fn what_was_said_is_held_against_whoever_said_it() {
    let mut secrets = Secrets::default();
    let name = secrets.make("workspaces.name 1");
    let item = secrets.make("restore_runs.results id 1");
    let other = secrets.make("restore_runs.preview 1");
    let say = |surface, secret: &str| {
        let text = format!("all is well {secret}, and more");
        betrayals(&secrets, &[Said::new(surface, "somebody", text)])
    };
    assert_eq!(say(Surface::Console, &name), []);
    assert_eq!(say(Surface::Ledger, &item), []);
    for (surface, secret) in [
        (Surface::Log, &name),
        (Surface::Log, &item),
        (Surface::Console, &other),
        (Surface::Written, &other),
    ] {
        let found = say(surface, secret);
        assert_eq!(found.len(), 1, "{surface:?}: {secret}");
        let by = format!("{surface:?}, by somebody");
        assert!(found[0].to_string().contains(&by));
    }
    let is_reasoned = |it: &Exception| !it.on.is_empty() && !it.reason.is_empty();
    assert!(EXCEPTIONS.iter().all(is_reasoned));
}
