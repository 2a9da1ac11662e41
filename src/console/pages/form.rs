//! What stands above lists of runs and restores: their parts with their counts, the filters as they were asked for, and how
//! to drop them.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::reading::posture::Posture;
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::reason::Chapter;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use url::form_urlencoded;

use super::words;
use crate::console::query::{
    EnvironmentQuery, QueryError, QueryParameters as _, RestoreQuery, RunQuery, encoded,
};
use crate::storage::reader::{COUNTED_MAX, PlaceSeen, RestoreKind, RestoreParts, RunParts};
use crate::views::mix::Window;
use crate::views::moment::in_words;
use crate::views::overview::Overview;
use crate::views::stored_word;

/// The filters.
pub struct Form {
    pub(super) tabs: Vec<Tab>,
    pub(super) fields: Vec<Field>,
    /// Filters that no field is for, by name: those of a part of the list.
    pub(super) kept: Vec<(&'static str, String)>,
    /// What is filtered for, each with the list that leaves it out.
    pub(super) chips: Vec<(String, String)>,
    /// What is wrong with them.
    pub(super) error: Option<String>,
    /// Whether nothing is asked for but a part of the list, as a whole.
    is_plain: bool,
}

/// A part of the list.
pub(super) struct Tab {
    pub(super) label: String,
    /// How many, and `+` where there are more; none where they are not counted.
    pub(super) count: Option<String>,
    pub(super) href: String,
    pub(super) is_current: bool,
}

/// One filter.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    /// What the form shows where it is not set.
    pub(super) unset: String,
    /// What it can be, below headings; any number where there is no choice.
    pub(super) choices: Vec<(String, Vec<Choice>)>,
}

/// What a filter can be.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

impl Form {
    /// From what was asked for, what was counted, and how long a run is open until that is too long.
    pub fn new(query: &RunQuery, parts: &RunParts, too_long: SignedDuration) -> Self {
        let given = query.pairs();
        let fields = fields(parts, |name| value_of(&given, name));
        let tabs = tabs(Some(query), parts, too_long);
        let here = href("/runs", given.clone());
        let is_plain = tabs.iter().any(|tab| tab.href == here);
        Self {
            is_plain,
            ..Self::asked("/runs", tabs, fields, &given)
        }
    }

    /// Above a list of restores.
    pub fn of_restores(query: &RestoreQuery, parts: &RestoreParts) -> Self {
        let given = query.pairs();
        let fields = places(&parts.places, &|name| value_of(&given, name));
        let tabs = kinds(query, parts);
        let here = href("/restores", given.clone());
        let is_plain = tabs.iter().any(|tab| tab.href == here);
        Self {
            is_plain,
            ..Self::asked("/restores", tabs, fields, &given)
        }
    }

    /// Above the environments of the overview.
    pub fn of_environments(query: &EnvironmentQuery, answer: &Overview) -> Self {
        let given = query.pairs();
        let named = answer.all_workspaces.iter();
        let named: Vec<Choice> = named
            .map(|(id, name)| choice(&id.to_string(), name))
            .collect();
        let one = |name, label, choices| field(name, label, all(choices), value_of(&given, name));
        let windows = Window::ALL
            .into_iter()
            .filter(|it| *it != Window::default());
        let chosen = |it: Window| choice(it.word(), &format!("last {}", it.label()));
        let fields = vec![
            one("workspace", "Workspace", named),
            one(
                "order",
                "Order",
                vec![choice("urgent", "most urgent first")],
            )
            .or_else("by workspace"),
            one("window", "Charts", windows.map(chosen).collect())
                .or_else(&chosen(Window::default()).label),
        ];
        Self::asked("/", postures(query, answer), fields, &given)
    }

    fn asked(
        path: &str,
        tabs: Vec<Tab>,
        fields: Vec<Field>,
        given: &[(&'static str, String)],
    ) -> Self {
        let is_kept =
            |(name, _): &&(&'static str, String)| fields.iter().all(|it| it.name != *name);
        let chip = |(name, value): &(&'static str, String)| {
            let field = fields.iter().find(|it| it.name == *name);
            let shown = field.and_then(|field| field.shown(value));
            let label = field.map_or_else(|| words::spaced(name), |it| it.label.to_owned());
            let text = if value == "true" {
                label
            } else {
                let shown = shown.map_or_else(|| words::spaced(value), str::to_owned);
                format!("{label}: {shown}")
            };
            let others = given.iter().filter(|(other, _)| other != name).cloned();
            (text, format!("{path}?{}", encoded(others)))
        };
        Self {
            tabs,
            kept: given.iter().filter(is_kept).cloned().collect(),
            chips: given.iter().map(chip).collect(),
            is_plain: false,
            fields,
            error: None,
        }
    }

    /// As it was sent, where it cannot be understood.
    pub(super) fn refused(
        text: &str,
        error: String,
        parts: &RunParts,
        too_long: SignedDuration,
    ) -> Self {
        let given: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
        let fields = fields(parts, |name| {
            let found = given.iter().find(|(given, _)| given == name);
            found.map_or_else(String::new, |(_, value)| value.to_string())
        });
        let without_field = [
            "undecided",
            "unproven",
            "orphaned",
            "created_from",
            "created_before",
        ];
        let kept = without_field.into_iter().filter_map(|name| {
            let (_, value) = given.iter().find(|(it, _)| it == name)?;
            let pair = (name, value.to_string());
            // What cannot be understood itself is not asked for again.
            RunQuery::parse(&encoded([pair.clone()])).ok().map(|_| pair)
        });
        let kept = kept.collect();
        Self {
            tabs: tabs(None, parts, too_long),
            kept,
            chips: Vec::new(),
            fields,
            error: Some(error),
            is_plain: false,
        }
    }

    /// With what is wrong about what was asked for.
    pub(super) fn telling(self, error: Option<QueryError>) -> Self {
        let error = error.map(|it| it.to_string());
        Self { error, ..self }
    }

    /// How many there are of the part that is shown, where nothing else narrows it.
    pub(super) fn whole(&self) -> Option<&str> {
        let current = self.tabs.iter().find(|tab| tab.is_current);
        current.filter(|_| self.is_plain)?.count.as_deref()
    }

    /// Whether the runs that were created first come first.
    pub(super) fn is_oldest_first(&self) -> bool {
        let order = self.fields.iter().find(|field| field.name == "order");
        order.is_some_and(|order| !order.value.is_empty())
    }
}

impl Field {
    fn or_else(self, unset: &str) -> Self {
        let unset = unset.to_owned();
        Self { unset, ..self }
    }

    fn shown(&self, value: &str) -> Option<&str> {
        let mut all = self.choices.iter().flat_map(|(_, choices)| choices);
        all.find(|it| it.value == value).map(|it| it.label.as_str())
    }
}

/// What a filter was set to; nothing where it was not.
fn value_of(given: &[(&'static str, String)], name: &str) -> String {
    let found = given.iter().find(|(given, _)| *given == name);
    found.map_or_else(String::new, |(_, value)| value.clone())
}

fn field(
    name: &'static str,
    label: &'static str,
    mut choices: Vec<(String, Vec<Choice>)>,
    value: String,
) -> Field {
    let is_known = |(_, all): &(String, Vec<Choice>)| all.iter().any(|it| it.value == value);
    // What is asked for is never dropped by a form that does not know it.
    if !value.is_empty() && !choices.is_empty() && !choices.iter().any(is_known) {
        choices.push((String::new(), vec![choice(&value, &value)]));
    }
    Field {
        name,
        label,
        value,
        unset: "any".to_owned(),
        choices,
    }
}

/// The filters for a place, each with its value.
fn places(places: &[PlaceSeen], value: &dyn Fn(&str) -> String) -> Vec<Field> {
    [
        ("workspace", "Workspace", workspaces(places)),
        ("environment", "Environment", environments(places)),
    ]
    .map(|(name, label, choices)| field(name, label, choices, value(name)))
    .into()
}

/// The filters that have a field, each with its value.
fn fields(parts: &RunParts, value: impl Fn(&str) -> String) -> Vec<Field> {
    let mut fields = places(&parts.places, &value);
    let field = |name, label, choices| field(name, label, choices, value(name));
    fields.extend([
        field("reason", "Reason", reasons()),
        field(
            "state",
            "Restore result",
            all(ResultState::ALL.map(|it| choice(&stored_word(&it), it.label()))),
        ),
        field("outcome", "Outcome on the run", outcomes()),
        field("younger_than", "Created within", ages("the last ")),
        field("older_than", "Created before", ages("over ")),
        field("order", "Order", all([choice("oldest", "oldest first")])).or_else("newest first"),
    ]);
    fields
}

/// The kinds of restores, as a form asks for each of them alone, in the place that is asked for.
fn kinds(query: &RestoreQuery, parts: &RestoreParts) -> Vec<Tab> {
    let counts = parts.counts;
    let is_cut = counts.restores > u64::from(COUNTED_MAX);
    // What is counted is not of one place.
    let is_everywhere = query.filter.workspace.is_none() && query.filter.environment.is_none();
    let of = |kind: Option<RestoreKind>, restores: u64| {
        let mut alone = RestoreQuery {
            came_for: None,
            ..*query
        };
        alone.filter.kind = kind;
        Tab {
            label: kind.map_or("All", RestoreKind::label).to_owned(),
            count: is_everywhere.then(|| counted(restores, is_cut)),
            href: href("/restores", alone.pairs()),
            is_current: kind == query.filter.kind,
        }
    };
    vec![
        of(None, counts.restores),
        of(Some(RestoreKind::Executed), counts.executed),
        of(Some(RestoreKind::Preparing), counts.preparing),
        of(Some(RestoreKind::WithoutRun), counts.without_run),
    ]
}

/// The postures of environments, as a form asks for each of them alone.
fn postures(query: &EnvironmentQuery, answer: &Overview) -> Vec<Tab> {
    let is_cut = !answer.covered.is_all;
    let of = |posture: Option<Posture>, environments: u64| {
        let alone = EnvironmentQuery {
            posture,
            after: None,
            ..*query
        };
        let more = if is_cut { "+" } else { "" };
        Tab {
            label: posture.map_or("All", Posture::label).to_owned(),
            count: Some(format!("{}{more}", words::grouped(environments))),
            href: href("/", alone.pairs()),
            is_current: posture == query.posture,
        }
    };
    let own = Posture::ALL.map(|posture| of(Some(posture), answer.counted.of(posture)));
    [of(None, answer.counted.total())]
        .into_iter()
        .chain(own)
        .collect()
}

/// The windows of charts, beside whatever else is asked for.
pub(super) fn windows(query: &EnvironmentQuery) -> Vec<Tab> {
    let of = |window: Window| Tab {
        label: format!("Last {}", window.label()),
        count: None,
        href: href("/", EnvironmentQuery { window, ..*query }.pairs()) + "#workspaces",
        is_current: window == query.window,
    };
    Window::ALL.map(of).into()
}

fn href(path: &str, pairs: Vec<(&'static str, String)>) -> String {
    format!("{path}?{}", encoded(pairs))
        .trim_end_matches('?')
        .to_owned()
}

/// How many, as far as they are counted, and `+` where there may be more.
fn counted(number: u64, is_cut: bool) -> String {
    let is_cut = is_cut || number > u64::from(COUNTED_MAX);
    let more = if is_cut { "+" } else { "" };
    format!("{}{more}", words::grouped(number.min(COUNTED_MAX.into())))
}

/// The parts of the list, as a form asks for each of them alone.
fn tabs(query: Option<&RunQuery>, parts: &RunParts, too_long: SignedDuration) -> Vec<Tab> {
    use reconciler_jobs::restore_execute::facts::RunOutcome as Said;
    let counts = parts.counts;
    let plain = RunQuery::default;
    let said = |outcome| RunQuery {
        outcome: Some(outcome),
        ..plain()
    };
    let open = RunQuery {
        undecided: true,
        ..plain()
    };
    let overdue = RunQuery {
        older_than: Some(too_long),
        ..open.clone()
    };
    let unproven = RunQuery {
        unproven: true,
        ..plain()
    };
    let is_open_cut = counts.undecided > u64::from(COUNTED_MAX);
    let of = |label: &str, runs: u64, is_cut: bool, alone: RunQuery| Tab {
        label: label.to_owned(),
        count: Some(counted(runs, is_cut)),
        href: href("/runs", alone.pairs()),
        is_current: query.is_some_and(|query| query.is_part(&alone)),
    };
    let is_cut = counts.is_cut();
    let too_long = format!("Open over {}", in_words(too_long));
    vec![
        of("All", counts.runs, is_cut, plain()),
        of("Unproven", counts.unproven, false, unproven),
        of("Undecided", counts.undecided, false, open),
        of(&too_long, counts.too_long, is_open_cut, overdue),
        of("Failed", counts.failed, is_cut, said(Said::Failed)),
        of("Blocked", counts.blocked, is_cut, said(Said::Blocked)),
        of(
            "Partly",
            counts.partially_succeeded,
            is_cut,
            said(Said::PartiallySucceeded),
        ),
        of("Succeeded", counts.succeeded, is_cut, said(Said::Succeeded)),
    ]
}

fn choice(value: &str, label: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        label: label.to_owned(),
    }
}

/// Choices without headings.
fn all(choices: impl IntoIterator<Item = Choice>) -> Vec<(String, Vec<Choice>)> {
    vec![(String::new(), choices.into_iter().collect())]
}

fn workspaces(places: &[PlaceSeen]) -> Vec<(String, Vec<Choice>)> {
    let mut found: Vec<Choice> = Vec::new();
    for place in places {
        let value = place.workspace.to_string();
        if found.last().is_none_or(|last| last.value != value) {
            found.push(choice(&value, &place.workspace_name));
        }
    }
    if found.is_empty() {
        Vec::new()
    } else {
        all(found)
    }
}

fn environments(places: &[PlaceSeen]) -> Vec<(String, Vec<Choice>)> {
    let mut found: Vec<(String, Vec<Choice>)> = Vec::new();
    for place in places {
        let named = choice(&place.environment.to_string(), &place.name);
        match found.last_mut() {
            Some((workspace, own)) if *workspace == place.workspace_name => own.push(named),
            _ => found.push((place.workspace_name.clone(), vec![named])),
        }
    }
    found
}

fn outcomes() -> Vec<(String, Vec<Choice>)> {
    let decided =
        Outcome::ALL.map(|outcome| choice(outcome.name(), words::outcome_label(&outcome)));
    all(decided.into_iter().chain([choice("pending", "pending")]))
}

/// Each reason in a sentence, below the part of the proof that it is about.
fn reasons() -> Vec<(String, Vec<Choice>)> {
    let own = |chapter: Chapter| {
        let own = ReasonCode::ALL
            .iter()
            .filter(move |reason| reason.chapter() == chapter);
        let named = own.map(|reason| {
            choice(
                reason.code(),
                &format!("{} ({})", reason.sentence(), reason.code()),
            )
        });
        (chapter.title().to_owned(), named.collect::<Vec<_>>())
    };
    let mut all = Vec::from(Chapter::ALL.map(own));
    all.retain(|(_, own)| !own.is_empty());
    all
}

fn ages(before: &str) -> Vec<(String, Vec<Choice>)> {
    let hours = [("1h", 1), ("1d", 24), ("7d", 7 * 24), ("30d", 30 * 24)];
    let age = |(value, hours): (&str, u64)| {
        let length = SignedDuration::try_from(Duration::from_hours(hours)).unwrap_or_default();
        choice(value, &format!("{before}{}", in_words(length)))
    };
    all(hours.map(age))
}
