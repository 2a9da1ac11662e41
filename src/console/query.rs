//! What is asked for in a query: which runs, and which part of a list.
//!
//! **Invariant:** a name or a value that is not understood is an error and never passed over: a filter that is
//! silently dropped shows more than was asked for.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::posture::{Posture, PostureReason};
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::trace::TraceContext;
use url::form_urlencoded;

use super::problem::Problem;
use crate::storage::Action;
use crate::storage::reader::{RestoreFilter, RestoreKind, RunFilter};
use crate::views::Visibility;
use crate::views::mix::Window;
use crate::views::moment::parse_age;
use crate::views::runs::{parse_outcome, parse_state};
use crate::views::stored_word;

/// How many runs or restores a page has unless it is told otherwise.
pub(super) const LIMIT: u32 = 50;

/// How many runs or restores a page has at most.
pub(super) const LIMIT_MAX: u32 = 200;

/// Stops a page that looks again by itself.
const STOPPED: (&str, &str) = ("refresh", "off");

/// The longest text that is looked for, in bytes: twice a decision's id.
const FIND_BYTES_MAX: usize = 64;

/// A query for runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each asks for itself")]
pub struct RunQuery {
    /// Only runs of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only runs of this environment.
    pub environment: Option<EnvironmentId>,
    /// Only runs whose row has this outcome.
    pub outcome: Option<RunOutcome>,
    /// Only runs whose verdict, or whose entry on the watch list, has this reason.
    pub reason: Option<ReasonCode>,
    /// Only runs whose restore reads so now.
    pub state: Option<ResultState>,
    /// Only runs that are queued or running.
    pub undecided: bool,
    /// Only runs that say they succeeded where that is not proven.
    pub unproven: bool,
    /// Only open runs of environments that were deleted or moved, for whoever may see all.
    pub orphaned: bool,
    /// Only runs that were created so long ago, or longer.
    pub older_than: Option<SignedDuration>,
    /// Only runs that were created less long ago.
    pub younger_than: Option<SignedDuration>,
    /// Only runs that were created at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Only runs that were created before this moment.
    pub created_before: Option<Timestamp>,
    /// Whether the runs that were created first come first.
    pub oldest_first: bool,
    /// Where the page before ended: below this run, or above it.
    pub cursor: Option<Cursor>,
    /// At most so many runs.
    pub limit: Option<u32>,
}

/// Where a page of a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Below this run.
    Below(RunId),
    /// Above this run.
    Above(RunId),
}

impl Cursor {
    fn run(self) -> RunId {
        match self {
            Self::Below(run) | Self::Above(run) => run,
        }
    }
}

/// A query for restores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreQuery {
    /// Which restores.
    pub filter: RestoreFilter,
    /// Why somebody came, which says nothing about which restores are listed.
    pub came_for: Option<PostureReason>,
    /// Only restores below this one, where the page before ended.
    pub below: Option<RestoreId>,
    /// At most so many restores.
    pub limit: Option<u32>,
}

/// A query for environments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnvironmentQuery {
    /// Only environments of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only environments in this posture.
    pub posture: Option<Posture>,
    /// Whether those come first that look most urgent.
    pub urgent_first: bool,
    /// How far back charts reach.
    pub window: Window,
    /// Where the page before ended.
    pub after: Option<(WorkspaceId, EnvironmentId)>,
}

/// The id or reason code that somebody looks for, as it was typed; empty where nothing was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FindQuery {
    pub(super) q: String,
}

/// The run that somebody changed in the queue just now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct QueueQuery {
    pub(super) about: Option<RunId>,
}

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("there is no parameter of that name; there are: {known}")]
    Unknown { known: String },
    #[error("`{name}` is given more than once")]
    Twice { name: &'static str },
    #[error("a parameter has no value; leave it out instead")]
    Empty,
    #[error("`{name}` must be {expected}")]
    Value {
        name: &'static str,
        expected: &'static str,
    },
}

/// The parameters behind a question mark.
pub(super) trait QueryParameters: Default {
    /// What they are called.
    const NAMES: &'static [&'static str];

    /// Sets the one of this name.
    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError>;

    /// Reads what a program sends. A parameter without a value is a filter that somebody meant to set.
    fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parameters = form_urlencoded::parse(text.as_bytes());
        if parameters.any(|(_, value)| value.is_empty()) {
            return Err(QueryError::Empty);
        }
        Self::parse_form(text)
    }

    /// What of a form can be understood, and what is wrong with the rest of it first.
    fn understood(text: &str) -> (Self, Option<QueryError>) {
        let error = match Self::parse_form(text) {
            Ok(query) => return (query, None),
            Err(error) => error,
        };
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if let Some(name) = Self::NAMES.iter().copied().find(|known| *known == name) {
                // What cannot be set stays unset, and one mistake is enough to be told of.
                query
                    .set(name, Some(&*value).filter(|it| !it.is_empty()))
                    .ok();
            }
        }
        (query, Some(error))
    }

    /// Reads what a form sends, which has an empty value for every field that was left empty.
    fn parse_form(text: &str) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut given = Vec::new();
        // What a page that looks again by itself is told is no filter.
        let pairs = form_urlencoded::parse(text.as_bytes());
        for (name, value) in pairs.filter(|(name, value)| (&**name, &**value) != STOPPED) {
            let known = Self::NAMES.iter().copied().find(|known| *known == name);
            let name = known.ok_or_else(|| QueryError::Unknown {
                known: Self::NAMES.join(", "),
            })?;
            query.set(name, Some(&*value).filter(|value| !value.is_empty()))?;
            if given.contains(&name) {
                return Err(QueryError::Twice { name });
            }
            given.push(name);
        }
        Ok(query)
    }
}

/// The parameters of a request of a program.
pub(super) struct Query<Q>(pub(super) Q);

/// The parameters of a request of a form.
pub(super) struct FormQuery<Q>(pub(super) Q);

/// An id in a path.
pub(super) struct PathId(pub(super) i64);

impl<S: Sync, Q: QueryParameters> FromRequestParts<S> for Query<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self(Q::parse(text)?))
    }
}

impl<S: Sync, Q: QueryParameters> FromRequestParts<S> for FormQuery<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self(Q::parse_form(text)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    /// What is no id names nothing that exists.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::from(rejection.status()))?;
        Ok(Self(parse_id(&text).ok_or(StatusCode::NOT_FOUND)?))
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// The trace that a request is part of.
pub(super) fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(headers.get("traceparent")?.to_str().ok()?)
}

/// The first value of a field of a form.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.into_owned())
}

/// Why somebody does something, as it may be put on record.
pub(super) fn reason(text: &str) -> Result<String, Problem> {
    Action::reason_of(text).map_err(|error| Problem::bad_request(format!("Say why: {error}.")))
}

impl QueryParameters for RunQuery {
    const NAMES: &'static [&'static str] = &[
        "workspace",
        "environment",
        "outcome",
        "reason",
        "state",
        "undecided",
        "unproven",
        "orphaned",
        "older_than",
        "younger_than",
        "created_from",
        "created_before",
        "order",
        "below",
        "above",
        "limit",
    ];

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError> {
        match name {
            "workspace" => self.workspace = id(name, value)?.map(WorkspaceId),
            "environment" => self.environment = id(name, value)?.map(EnvironmentId),
            "outcome" => self.outcome = read(name, value, "an outcome, or pending", parse_outcome)?,
            "reason" => self.reason = read(name, value, "a reason code", ReasonCode::parse)?,
            "state" => {
                self.state = read(name, value, "a state of a restore's result", parse_state)?;
            }
            "undecided" => self.undecided = flag(name, value)?,
            "unproven" => self.unproven = flag(name, value)?,
            "orphaned" => self.orphaned = flag(name, value)?,
            "older_than" => self.older_than = age(name, value)?,
            "younger_than" => self.younger_than = age(name, value)?,
            "created_from" => self.created_from = read(name, value, A_MOMENT, moment)?,
            "created_before" => self.created_before = read(name, value, A_MOMENT, moment)?,
            "order" => {
                let known = |text: &str| match text {
                    "newest" => Some(false),
                    "oldest" => Some(true),
                    _ => None,
                };
                self.oldest_first =
                    read(name, value, "newest or oldest", known)?.unwrap_or_default();
            }
            "below" | "above" => {
                let found = id(name, value)?.map(RunId);
                if found.is_some() && self.cursor.is_some() {
                    return Err(QueryError::Twice {
                        name: "below or above",
                    });
                }
                let cursor = if name == "below" {
                    Cursor::Below
                } else {
                    Cursor::Above
                };
                self.cursor = self.cursor.or(found.map(cursor));
            }
            _ => self.limit = read(name, value, "a number from 1 to 200", limit)?,
        }
        Ok(())
    }
}

impl QueryParameters for RestoreQuery {
    const NAMES: &'static [&'static str] = &[
        "workspace",
        "environment",
        "kind",
        "recovery_posture_reason",
        "below",
        "limit",
    ];

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError> {
        let filter = &mut self.filter;
        match name {
            "workspace" => filter.workspace = id(name, value)?.map(WorkspaceId),
            "environment" => filter.environment = id(name, value)?.map(EnvironmentId),
            "kind" => {
                let known = |text: &str| RestoreKind::ALL.into_iter().find(|it| it.word() == text);
                filter.kind = read(name, value, "executed, preparing or without_run", known)?;
            }
            "recovery_posture_reason" => {
                let known =
                    |text: &str| PostureReason::ALL.into_iter().find(|it| it.word() == text);
                self.came_for = read(name, value, "a reason of a recovery posture", known)?;
            }
            "below" => self.below = id(name, value)?.map(RestoreId),
            _ => self.limit = read(name, value, "a number from 1 to 200", limit)?,
        }
        Ok(())
    }
}

impl RestoreQuery {
    /// The query as the text behind the question mark: from the restore `below` on, or from the top of the list.
    pub fn text(&self, below: Option<RestoreId>) -> String {
        let page = [
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("below", below.map(|below| below.to_string())),
        ];
        let page = page
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        encoded(self.pairs().into_iter().chain(page))
    }

    /// The filters that are set, by name.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        [
            ("workspace", self.filter.workspace.map(|id| id.to_string())),
            (
                "environment",
                self.filter.environment.map(|id| id.to_string()),
            ),
            ("kind", self.filter.kind.map(|it| it.word().to_owned())),
            (
                "recovery_posture_reason",
                self.came_for.map(|it| it.word().to_owned()),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// Names and values as the text behind the question mark.
pub(super) fn encoded(pairs: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

impl QueryParameters for EnvironmentQuery {
    const NAMES: &'static [&'static str] = &["workspace", "posture", "order", "window", "after"];

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError> {
        match name {
            "workspace" => self.workspace = id(name, value)?.map(WorkspaceId),
            "posture" => {
                let known = |text: &str| Posture::ALL.into_iter().find(|it| it.name() == text);
                self.posture = read(name, value, "a recovery posture", known)?;
            }
            "order" => {
                let known = |text: &str| match text {
                    "workspace" => Some(false),
                    "urgent" => Some(true),
                    _ => None,
                };
                let found = read(name, value, "workspace or urgent", known)?;
                self.urgent_first = found.unwrap_or_default();
            }
            "window" => {
                let known = |text: &str| Window::ALL.into_iter().find(|it| it.word() == text);
                self.window = read(name, value, "1d, 7d or 30d", known)?.unwrap_or_default();
            }
            _ => self.after = read(name, value, "as a page before gave it", after)?,
        }
        Ok(())
    }
}

impl QueryParameters for QueueQuery {
    const NAMES: &'static [&'static str] = &["about"];

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError> {
        self.about = id(name, value)?.map(RunId);
        Ok(())
    }
}

impl QueryParameters for FindQuery {
    const NAMES: &'static [&'static str] = &["q"];

    fn set(&mut self, name: &'static str, value: Option<&str>) -> Result<(), QueryError> {
        let is_short = |text: &str| (text.len() <= FIND_BYTES_MAX).then(|| text.trim().to_owned());
        let expected = "an id, a reason code, or nothing";
        self.q = read(name, value, expected, is_short)?.unwrap_or_default();
        Ok(())
    }
}

impl RunQuery {
    /// Whether ages are asked for, which are measured from the database's clock.
    pub(super) fn needs_clock(&self) -> bool {
        self.older_than.is_some() || self.younger_than.is_some()
    }

    /// The filter at `now`, for whoever sees so much.
    pub(super) fn filter(&self, now: Timestamp, visibility: Visibility) -> RunFilter {
        let before = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        RunFilter {
            workspace: self.workspace,
            environment: self.environment,
            outcome: self.outcome,
            reason: self.reason,
            state: self.state,
            with_evidence: visibility.evidence,
            undecided: self.undecided,
            unproven: self.unproven,
            orphaned: self.orphaned,
            created_from: self.created_from.max(self.younger_than.map(before)),
            created_before: self
                .created_before
                .into_iter()
                .chain(self.older_than.map(before))
                .min(),
            upwards: self.is_upwards(),
        }
    }

    /// Whether the page is read from the lowest id on.
    fn is_upwards(&self) -> bool {
        match self.cursor {
            Some(Cursor::Above(_)) => true,
            Some(Cursor::Below(_)) => false,
            None => self.oldest_first,
        }
    }

    /// Whether the page is read against the order in which it is shown: it leads back.
    pub(super) fn is_backwards(&self) -> bool {
        self.is_upwards() != self.oldest_first
    }

    /// The run that the page begins beside.
    pub(super) fn from(&self) -> Option<RunId> {
        self.cursor.map(Cursor::run)
    }

    /// Where the list goes on behind this run, or before it.
    pub(super) fn beside(&self, run: RunId, is_back: bool) -> Cursor {
        if self.oldest_first == is_back {
            Cursor::Below(run)
        } else {
            Cursor::Above(run)
        }
    }

    /// The query as the text behind the question mark: from a run on, or from the beginning of the list.
    pub fn text(&self, cursor: Option<Cursor>) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs() {
            text.append_pair(name, &value);
        }
        if let Some(limit) = self.limit {
            text.append_pair("limit", &limit.to_string());
        }
        match cursor {
            Some(Cursor::Below(run)) => drop(text.append_pair("below", &run.to_string())),
            Some(Cursor::Above(run)) => drop(text.append_pair("above", &run.to_string())),
            None => {}
        }
        text.finish()
    }

    /// Whether the same part of the list is asked for, whatever narrows it further.
    pub(super) fn is_part(&self, part: &Self) -> bool {
        let of = |query: &Self| (query.unproven, query.undecided, query.outcome);
        of(self) == of(part) && self.older_than == part.older_than
    }

    /// The filters that are set, by name.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        [
            ("workspace", self.workspace.map(|id| id.to_string())),
            ("environment", self.environment.map(|id| id.to_string())),
            ("outcome", self.outcome.map(|it| stored_word(&it))),
            ("reason", self.reason.map(|it| it.code().to_owned())),
            ("state", self.state.map(|it| stored_word(&it))),
            ("undecided", self.undecided.then(|| "true".to_owned())),
            ("unproven", self.unproven.then(|| "true".to_owned())),
            ("orphaned", self.orphaned.then(|| "true".to_owned())),
            ("older_than", self.older_than.map(age_text)),
            ("younger_than", self.younger_than.map(age_text)),
            ("created_from", self.created_from.map(|it| it.to_string())),
            (
                "created_before",
                self.created_before.map(|it| it.to_string()),
            ),
            ("order", self.oldest_first.then(|| "oldest".to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

impl EnvironmentQuery {
    /// The query as the text behind the question mark, from the environment after this one on.
    pub(super) fn text(&self, (workspace, environment): (WorkspaceId, EnvironmentId)) -> String {
        let after = ("after", format!("{workspace}.{environment}"));
        encoded(self.pairs().into_iter().chain([after]))
    }

    /// Whether other environments come first than in the order of workspaces, or some are left out.
    pub(super) fn is_arranged(&self) -> bool {
        self.posture.is_some() || self.urgent_first
    }

    /// What is asked for, by name.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let window = Some(self.window).filter(|it| *it != Window::default());
        [
            ("workspace", self.workspace.map(|id| id.to_string())),
            ("posture", self.posture.map(|it| it.name().to_owned())),
            ("order", self.urgent_first.then(|| "urgent".to_owned())),
            ("window", window.map(|it| it.word().to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// An id in a path or a query: a positive number, written as numbers are.
pub(super) fn parse_id(text: &str) -> Option<i64> {
    let id = i64::from_str(text).ok().filter(|id| *id > 0)?;
    // Neither `+1` nor `01`: one thing has one address.
    (id.to_string() == text).then_some(id)
}

fn id(name: &'static str, value: Option<&str>) -> Result<Option<i64>, QueryError> {
    read(name, value, "an id", parse_id)
}

fn flag(name: &'static str, value: Option<&str>) -> Result<bool, QueryError> {
    let found = read(name, value, "true or false", |it| it.parse().ok())?;
    Ok(found.unwrap_or_default())
}

/// What a moment in an address looks like.
const A_MOMENT: &str = "a moment such as 2026-11-21T08:00:00Z";

/// A moment. Before 1970 nothing was created, and what lies beyond all moments is as late as the last of them.
fn moment(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let at = pieces.date().to_datetime(pieces.time()?);
    let at = pieces.to_numeric_offset()?.to_timestamp(at);
    Some(at.unwrap_or(Timestamp::MAX).max(Timestamp::UNIX_EPOCH))
}

fn age(name: &'static str, value: Option<&str>) -> Result<Option<SignedDuration>, QueryError> {
    read(name, value, "an age such as 90m or 7d 12h", parse_age)
}

/// In days where they are whole, as somebody would have written it.
fn age_text(age: SignedDuration) -> String {
    let days = age.as_hours() / 24;
    if days > 0 && age == SignedDuration::from_hours(24 * days) {
        format!("{days}d")
    } else {
        format!("{age:#}")
    }
}

fn limit(text: &str) -> Option<u32> {
    let limit = text.parse().ok()?;
    (1..=LIMIT_MAX).contains(&limit).then_some(limit)
}

fn after(text: &str) -> Option<(WorkspaceId, EnvironmentId)> {
    let (workspace, environment) = text.split_once('.')?;
    Some((
        WorkspaceId(parse_id(workspace)?),
        EnvironmentId(parse_id(environment)?),
    ))
}

fn read<T>(
    name: &'static str,
    value: Option<&str>,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, QueryError> {
    let Some(value) = value else {
        return Ok(None);
    };
    match parse(value) {
        Some(found) => Ok(Some(found)),
        None => Err(QueryError::Value { name, expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_taken_and_none_without_its_offset() {
        let early = moment("0060-04-13T13:03:36.6231Z");
        let late = moment("9999-12-31T23:59:59Z");
        let ends = [Timestamp::UNIX_EPOCH, Timestamp::MAX].map(Some);
        assert_eq!([early, late], ends);
        for text in ["2026-11-21", "2026-11-21T08:00:00", "never"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_query_says_it_says_again() {
        let text = "workspace=1&environment=2&outcome=failed&reason=restore.items_mixed&state=failed\
                    &undecided=true&unproven=true&orphaned=true&older_than=1h+30m&younger_than=7d\
                    &created_from=2026-11-20T00%3A00%3A00Z&created_before=2026-11-21T06%3A30%3A05.25Z&order=oldest\
                    &limit=10&below=99";
        let query = RunQuery::parse(text).unwrap();
        assert_eq!(query.older_than, Some(SignedDuration::from_mins(90)));
        assert_eq!(query.younger_than, Some(SignedDuration::from_hours(168)));
        let again = RunQuery::parse(&query.text(query.cursor)).unwrap();
        assert_eq!(again, query);
        assert_eq!(again.cursor, Some(Cursor::Below(RunId(99))));
        assert!(query.text(None).contains("younger_than=7d&"));
        // Whichever leaves fewer.
        let filter = |now| query.filter(now, Visibility { evidence: true });
        let [first, now] =
            ["2026-11-21T06:00:00Z", "2026-11-28T06:00:00Z"].map(|it| moment(it).unwrap());
        let (early, late) = (filter(first), filter(now));
        assert_eq!(early.created_from, query.created_from);
        assert_eq!(early.created_before, moment("2026-11-21T04:30:00Z"));
        assert_eq!(late.created_from, Some(first));
        assert_eq!(late.created_before, query.created_before);
        let untouched = "workspace=&outcome=&below=";
        assert_eq!(
            RunQuery::parse_form(untouched).unwrap(),
            RunQuery::default()
        );
        assert_eq!(RunQuery::parse(untouched), Err(QueryError::Empty));
    }

    #[test]
    fn nothing_that_is_not_understood_is_passed_over() {
        let refused = [
            "workspaces=1",
            "workspace=1&workspace=1",
            "workspace=-1",
            "workspace=0",
            "workspace=%2B1",
            "workspace=01",
            "workspace=99999999999999999999",
            "outcome=Failed",
            "outcome=unknown",
            "reason=restore.nothing",
            "state=recovered",
            "undecided=yes",
            "unproven=1",
            "older_than=soon",
            "older_than=-1h",
            "older_than=9000000000h",
            "older_than=1mo",
            "created_from=2026-11-20",
            "older_than=",
            "limit=0",
            "limit=201",
            "below=x",
            "below=1&above=2",
            "order=best",
            "%00=1",
        ];
        for text in refused {
            let error = RunQuery::parse(text).unwrap_err().to_string();
            assert!(!error.is_empty(), "{text}");
        }
        for text in [
            "kind=imported",
            "recovery_posture_reason=fine",
            "below=0",
            "limit=0",
            "state=failed",
        ] {
            assert!(RestoreQuery::parse(text).is_err(), "{text}");
        }
        let text =
            "workspace=1&environment=2&kind=preparing&recovery_posture_reason=no_history&limit=5";
        assert_eq!(RestoreQuery::parse(text).unwrap().text(None), text);
        for text in [
            "after=1",
            "after=1.2.3",
            "after=0.1",
            "after=",
            "x=1",
            "after=1.2&after=1.2",
        ] {
            assert!(EnvironmentQuery::parse(text).is_err(), "{text}");
        }
    }
}
