//! From what a viewer asks for to a view: reads within the viewer's workspaces, then derives.
//!
//! **Invariant:** what a viewer may not know to exist is not found, whatever else is wrong with the question; what
//! exists and may not be seen is refused only after that.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health;
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::{Policy, ReasonCode};
use reconciler_jobs::trace::TraceContext;
use tokio::sync::watch;
use tracing::field;

use super::access::Viewer;
use super::cache::{Lately, SurveyCache, SurveyScope};
use super::problem::Problem;
use super::query::{
    Cursor, EnvironmentQuery, LIMIT, LIMIT_MAX, QueryParameters as _, RestoreQuery, RunQuery,
    parse_id, reason,
};
use crate::config::{self, Capability, Config, Links};
use crate::storage::reader::{
    EnvironmentSeen, Found, QueueScope, Reader, Requests, RestoreParts, RunInFull, RunParts,
    RunSeen, Walk, Workspaces,
};
use crate::storage::{Action, ActionOnRecord, ActionVerb, Judge, QueueState};
use crate::telemetry::names::{RUN_ID, TRACE_ID, VIEWER_NAME};
use crate::views::environment::Judging;
use crate::views::explain::Explanation;
use crate::views::mix::VERDICTS_MAX;
use crate::views::moment::in_words;
use crate::views::overview::{Overview, OverviewFacts};
use crate::views::queue::{QueueView, SweepsShown};
use crate::views::restore::Preparation;
use crate::views::restores::RestoreList;
use crate::views::run::RunDetail;
use crate::views::runs::RunList;
use crate::views::status::ServiceStatus;
use crate::views::survey::Survey;
use crate::views::timeline::Event;
use crate::views::{Moment, Visibility};

/// How many environments a page has.
const ENVIRONMENTS: u32 = 100;

/// How many entries of the queue, sweeps, workers and runs of environments that are gone are listed.
const LISTED: u32 = 100;

/// How many runs or restores one download has at most.
const DOWNLOAD_RUNS_MAX: usize = 5_000;

/// How many parts of the list one download looks through, so that it ends also where hardly anything matches.
const DOWNLOAD_PARTS_MAX: usize = 40;

/// How long it is told again whether the product works: short enough for every page to say within fifteen seconds that the
/// last worker has gone.
const STATUS_KEPT_FOR: Duration = Duration::from_secs(5);

/// How long it is told again how many runs or restores there are.
const COUNTED_FOR: Duration = Duration::from_secs(15);

/// For how long whoever asked for a run is told what became of that.
const ASKED_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long a page waits for what every page says.
const STATUS_WITHIN: Duration = Duration::from_secs(2);

/// What every handler reads from.
pub(super) type AppState = State<Arc<ConsoleState>>;

/// What the console shows, and to whom.
pub struct ConsoleState {
    reader: Reader,
    requests: Requests,
    policy: Policy,
    keys: MetadataKeys,
    freshness: FreshnessThresholds,
    backup: backup_health::BackupThresholds,
    cache: SurveyCache,
    statuses: Lately<ServiceStatus>,
    run_parts: Lately<RunParts>,
    restore_parts: Lately<RestoreParts>,
    /// Who gets in.
    pub(super) settings: config::Console,
    /// The zone in which pages show moments.
    pub(super) zone: TimeZone,
    /// Tells of tokens that were read again; none where nobody reads them.
    pub(super) tokens: Option<watch::Receiver<Vec<config::Token>>>,
    /// What is exported for dashboards.
    pub(super) metrics: config::Metrics,
    /// When this process started, by its own clock.
    pub(super) started: Timestamp,
}

/// What has an id that somebody looks for.
pub struct Hit {
    /// What it is.
    pub label: String,
    /// Its page.
    pub href: String,
}

impl From<Found> for Hit {
    fn from(found: Found) -> Self {
        let (label, href) = match found {
            Found::Run(run) => (format!("Run {run}"), format!("/runs/{run}")),
            Found::Restore(restore) => {
                (format!("Restore {restore}"), format!("/restores/{restore}"))
            }
            Found::Evidence(run) => (
                format!("Evidence of run {run}"),
                format!("/runs/{run}/evidence"),
            ),
            Found::Decision(run) => (
                format!("Verdict of run {run}"),
                format!("/runs/{run}#verdict"),
            ),
        };
        Self { label, href }
    }
}

impl Viewer {
    fn visibility(&self) -> Visibility {
        Visibility {
            evidence: self.can.contains(&Capability::EvidenceView),
        }
    }
}

impl ConsoleState {
    /// About how far behind the standby is that is read from, if it is one.
    pub(super) fn behind(&self) -> Option<SignedDuration> {
        self.reader.behind()
    }

    /// The database's clock.
    pub(super) async fn now(&self) -> Result<Timestamp, Problem> {
        Ok(self.reader.now().await?)
    }

    /// Everything is read through `reader`; what writes, which is asking for runs, retrying and dropping them, goes through
    /// `requests`.
    pub fn new(reader: Reader, requests: Requests, config: &Config, started: Timestamp) -> Self {
        let settings = config.console.clone();
        Self {
            reader,
            requests,
            policy: config.rules.policy(),
            keys: config.preparation.keys(),
            freshness: settings.freshness(),
            backup: backup_health::BackupThresholds {
                age_max: settings.backup_age_max,
                ..backup_health::BackupThresholds::default()
            },
            cache: SurveyCache::default(),
            zone: settings.zone(),
            statuses: Lately::default(),
            run_parts: Lately::default(),
            restore_parts: Lately::default(),
            settings,
            tokens: None,
            metrics: config.metrics.clone(),
            started,
        }
    }

    /// Templates of the platform's addresses.
    fn links(&self) -> Cow<'_, Links> {
        let links = self.settings.links.as_ref();
        links.map_or_else(Cow::default, Cow::Borrowed)
    }

    /// This console, with tokens that may be read again.
    #[must_use]
    pub fn following(self, tokens: watch::Receiver<Vec<config::Token>>) -> Self {
        Self {
            tokens: Some(tokens),
            ..self
        }
    }

    fn judging(&self, viewer: &Viewer) -> Judging<'_> {
        Judging {
            policy: &self.policy,
            freshness: &self.freshness,
            backup: &self.backup,
            visibility: viewer.visibility(),
        }
    }

    /// Whether the product works, read once for all pages of those who see the same.
    pub(super) async fn status(&self, viewer: &Viewer) -> Result<Arc<ServiceStatus>, Problem> {
        viewer.require(Capability::RunsView)?;
        let of = &viewer.workspaces;
        let looking = async {
            let found = self.reader.load_status(of).await?;
            let judges = self.judges().await.unwrap_or_default();
            let as_of = found.queue.as_of + self.behind().unwrap_or_default();
            Ok::<_, Problem>(ServiceStatus::new(&found, &judges, as_of))
        };
        let status = self.statuses.get_within(STATUS_KEPT_FOR, of, looking);
        let late = |_| Problem::from(StatusCode::SERVICE_UNAVAILABLE);
        tokio::time::timeout(STATUS_WITHIN, status)
            .await
            .map_err(late)?
    }

    /// The overview; `path` is where the next part of it is.
    pub(super) async fn overview(
        &self,
        viewer: &Viewer,
        query: &EnvironmentQuery,
        path: &str,
    ) -> Result<Overview, Problem> {
        viewer.require(Capability::RunsView)?;
        let of = &viewer.workspaces;
        let judging = self.judging(viewer);
        let (page, survey) = if query.is_arranged() {
            let survey = self.survey(viewer, query, self.reader.now().await?).await?;
            let limit = usize::try_from(ENVIRONMENTS).unwrap_or(usize::MAX);
            let (these, last) =
                survey.chosen(query.posture, query.urgent_first, query.after, limit);
            let mut page = self.reader.load_these(of, &these, &self.policy).await?;
            page.after = last;
            (page, survey)
        } else {
            let (only, after) = (query.workspace, query.after);
            let reading =
                (self.reader).load_environments(of, only, after, ENVIRONMENTS, &self.policy);
            let page = reading.await?;
            let survey = self.survey(viewer, query, page.as_of).await?;
            (page, survey)
        };
        let mut workspaces: Vec<WorkspaceId> = page.rows.iter().map(|row| row.workspace).collect();
        workspaces.dedup();
        let verdicts = self
            .reader
            .load_recent_verdicts(of, &workspaces, VERDICTS_MAX)
            .await?;
        let judges = self.judges().await;
        let pauses = self.reader.load_pauses(of).await?;
        let found = OverviewFacts {
            page: &page,
            pauses: &pauses,
            verdicts: &verdicts,
            survey: &survey,
            is_of_one: query.workspace.is_some(),
            urgent_first: query.urgent_first,
            window: query.window,
            judges: judges.as_deref(),
        };
        let next = |after| format!("{path}?{}", query.text(after));
        Ok(Overview::new(found, judging, next).linked(&self.links()))
    }

    /// The workers and their rules. After an upgrade the console may not be allowed to read them yet, and shows everything
    /// else.
    async fn judges(&self) -> Option<Vec<Judge>> {
        let judges = self.reader.list_judges().await;
        let judges = judges.inspect_err(|error| {
            tracing::debug!(%error, "modes of workers are not known");
        });
        judges.ok()
    }

    /// What the overview of everything that this viewer sees is made of.
    pub(super) async fn survey_of_all(&self, viewer: &Viewer) -> Result<Arc<Survey>, Problem> {
        let now = self.reader.now().await?;
        let everything = EnvironmentQuery::default();
        self.survey(viewer, &everything, now).await
    }

    /// What is found of all environments that the query covers, on whatever page they stand, at `now` or a few
    /// seconds before.
    async fn survey(
        &self,
        viewer: &Viewer,
        query: &EnvironmentQuery,
        now: Timestamp,
    ) -> Result<Arc<Survey>, Problem> {
        let (of, judging) = (&viewer.workspaces, self.judging(viewer));
        let scope = SurveyScope {
            workspaces: query
                .workspace
                .map_or_else(|| Workspaces::clone(of), |only| of.narrowed(only)),
            visibility: judging.visibility,
        };
        let walk = Walk {
            workspace: query.workspace,
            with_more: true,
            ..Walk::default()
        };
        let walking = async {
            let mut survey = Survey::default();
            let mut judge = |as_of: Timestamp, passed: Vec<EnvironmentSeen>| {
                survey.add(&passed, as_of, judging);
            };
            let walked = self
                .reader
                .walk_environments(of, &walk, &self.policy, &mut judge)
                .await?;
            if **of == Workspaces::All {
                let orphaned = self.reader.load_orphaned(query.workspace, LISTED);
                survey.add_orphaned(orphaned.await?);
            }
            Ok(survey.ended(walked))
        };
        self.cache.get(scope, now, walking).await
    }

    /// A part of the list of runs; `path` is where the next part of it is.
    pub(super) async fn runs(
        &self,
        viewer: &Viewer,
        query: &RunQuery,
        path: &str,
    ) -> Result<RunList, Problem> {
        viewer.require(Capability::RunsView)?;
        let now = if query.needs_clock() {
            self.reader.now().await?
        } else {
            Timestamp::UNIX_EPOCH
        };
        let limit = query.limit.unwrap_or(LIMIT);
        let filter = query.filter(now, viewer.visibility());
        let (of, from) = (&viewer.workspaces, query.from());
        let reading = self
            .reader
            .load_runs(of, &filter, from, limit, &self.policy);
        let mut page = reading.await?;
        let is_back = query.is_backwards();
        if is_back {
            page.rows.reverse();
        }
        let edge = |row: Option<&RunSeen>| row.map(|row| row.assessment.facts.run.id);
        let (first, last) = (edge(page.rows.first()), edge(page.rows.last()));
        // Back where it came from, and on where there is more.
        let (previous, next) = if is_back {
            (page.below, last.or(from))
        } else {
            (first.or(from).filter(|_| from.is_some()), page.below)
        };
        let link = |run: Option<RunId>, is_back| {
            run.map(|run| format!("{path}?{}", query.text(Some(query.beside(run, is_back)))))
        };
        let (visibility, links) = (
            viewer.visibility(),
            (link(previous, true), link(next, false)),
        );
        Ok(RunList::new(&page, visibility, &self.freshness, links))
    }

    /// What stands above a list of runs, counted for everybody who sees the same.
    pub(super) async fn run_parts(&self, viewer: &Viewer) -> Result<Arc<RunParts>, Problem> {
        viewer.require(Capability::RunsView)?;
        let of = &viewer.workspaces;
        let counting = async { Ok(self.reader.load_run_parts(of, self.too_long()).await?) };
        self.run_parts.get_within(COUNTED_FOR, of, counting).await
    }

    /// How many restores there are of each kind, and in which places, as the head of their list says.
    pub(super) async fn restore_parts(
        &self,
        viewer: &Viewer,
    ) -> Result<Arc<RestoreParts>, Problem> {
        viewer.require(Capability::RunsView)?;
        let of = &viewer.workspaces;
        let counting = async { Ok(self.reader.load_restore_parts(of).await?) };
        self.restore_parts
            .get_within(COUNTED_FOR, of, counting)
            .await
    }

    /// How long a run is open until that is too long, whatever it does meanwhile.
    pub(super) fn too_long(&self) -> SignedDuration {
        self.freshness.queued.max(self.freshness.running)
    }

    /// The runs from the top of the list, as many as a download may have.
    pub(super) async fn all_runs(
        &self,
        viewer: &Viewer,
        query: &RunQuery,
        path: &str,
    ) -> Result<RunList, Problem> {
        let mut query = RunQuery {
            limit: Some(LIMIT_MAX),
            cursor: None,
            ..query.clone()
        };
        let mut list = self.runs(viewer, &query, path).await?;
        for _ in 1..DOWNLOAD_PARTS_MAX {
            if list.runs.len() + LIMIT_MAX as usize > DOWNLOAD_RUNS_MAX {
                break;
            }
            let Some(cursor) = list.next.as_deref().and_then(cursor_of) else {
                break;
            };
            query.cursor = Some(cursor);
            let more = self.runs(viewer, &query, path).await?;
            list.runs.extend(more.runs);
            list.next = more.next;
        }
        Ok(list)
    }

    /// One run.
    pub(super) async fn run(&self, viewer: &Viewer, run: RunId) -> Result<RunDetail, Problem> {
        Ok(self.run_as_asked(viewer, run).await?.0)
    }

    /// One run, and when this viewer asked for it last, as it is on record, if that is not long ago.
    pub(super) async fn run_as_asked(
        &self,
        viewer: &Viewer,
        run: RunId,
    ) -> Result<(RunDetail, Option<Moment>), Problem> {
        let found = self.find(viewer, run).await?;
        viewer.require(Capability::RunsView)?;
        let own = viewer.action(ActionVerb::Request, None);
        let as_of = found.seen.assessment.facts.as_of;
        let is_own = |it: &&ActionOnRecord| it.verb == own.verb.name() && it.actor == own.actor;
        let asked = found.actions.iter().find(is_own).map(|it| it.acted_at);
        let asked = asked.filter(|at| as_of.duration_since(*at) <= ASKED_FOR);
        let mut detail = RunDetail::new(&found, viewer.visibility(), &self.freshness);
        let troubled = detail.troubled_items();
        if let Some(set) = found.backup_set.filter(|_| !troubled.is_empty()) {
            detail = detail.typed(&self.reader.load_item_types(set, troubled).await);
        }
        Ok((detail.linked(&self.links()), asked.map(Moment)))
    }

    /// One run's evidence, for whoever may see it.
    pub(super) async fn evidence(&self, viewer: &Viewer, run: RunId) -> Result<RunDetail, Problem> {
        let detail = self.run(viewer, run).await?;
        viewer.require(Capability::EvidenceView)?;
        Ok(detail)
    }

    /// What the rules say of one run now. Evidence decides, so whoever may not see it may not see this.
    pub(super) async fn explain(
        &self,
        viewer: &Viewer,
        run: RunId,
    ) -> Result<Explanation, Problem> {
        let found = self.find(viewer, run).await?;
        viewer.require(Capability::RunsView)?;
        viewer.require(Capability::EvidenceView)?;
        Ok(Explanation::new(&found))
    }

    /// Asks for one run to be looked at, as part of `trace`; whether it is open, so that there is something to
    /// look at.
    pub(super) async fn reconcile(
        &self,
        viewer: &Viewer,
        run: RunId,
        trace: Option<TraceContext>,
    ) -> Result<bool, Problem> {
        self.find(viewer, run).await?;
        viewer.require(Capability::RunsReconcile)?;
        let action = viewer.action(ActionVerb::Request, trace);
        let asked = self.requests.request(run, &action).await?;
        tracing::info!(
            {
                { RUN_ID } = run.0,
                { VIEWER_NAME } = %viewer.name,
                { TRACE_ID } = trace.map(|trace| field::display(trace.trace_id())),
                asked,
            },
            "a run was asked for"
        );
        Ok(asked)
    }

    /// What the viewer may see that has the id in `text`, or is the reason code that it names.
    pub(super) async fn find_by_id(
        &self,
        viewer: &Viewer,
        text: &str,
    ) -> Result<Vec<Hit>, Problem> {
        viewer.require(Capability::RunsView)?;
        if let Some(reason) = ReasonCode::parse(text) {
            return Ok(vec![Hit {
                label: reason.to_string(),
                href: format!("/reasons/{reason}"),
            }]);
        }
        let id = parse_id(text.trim_start_matches('#'));
        let is_digest = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let decision = is_digest.then(|| text.to_ascii_lowercase());
        if id.is_none() && decision.is_none() {
            return Ok(Vec::new());
        }
        let with_evidence = viewer.visibility().evidence;
        let of = &viewer.workspaces;
        let found = self.reader.find(of, id, decision, with_evidence).await?;
        Ok(found.into_iter().map(Hit::from).collect())
    }

    /// Lets a run in trouble start over, or gives a dead letter up, as `verb` says; whether that changed anything.
    ///
    /// What a dead letter holds may have ended workers, so it is not read.
    pub(super) async fn manage(
        &self,
        viewer: &Viewer,
        run: RunId,
        verb: ActionVerb,
        trace: Option<TraceContext>,
        why: &str,
    ) -> Result<bool, Problem> {
        if !self.reader.may_see(&viewer.workspaces, run).await? {
            return Err(StatusCode::NOT_FOUND.into());
        }
        viewer.require(Capability::QueueManage)?;
        let action = Action {
            reason: Some(reason(why)?),
            ..viewer.action(verb, trace)
        };
        let changed = match verb {
            ActionVerb::Drop => self.requests.give_up(run, &action).await?,
            _ => self.requests.retry(run, &action).await?,
        };
        tracing::info!(
            {
                { RUN_ID } = run.0,
                { VIEWER_NAME } = %viewer.name,
                changed,
            },
            "{} of a run was asked for", verb.name()
        );
        Ok(changed)
    }

    /// What became of the last retry or drop of a run by this viewer, as it is on record, if that is not long ago.
    pub(super) async fn managed(&self, viewer: &Viewer, run: RunId) -> Result<String, Problem> {
        if !self.reader.may_see(&viewer.workspaces, run).await? {
            return Err(StatusCode::NOT_FOUND.into());
        }
        let as_of = self.reader.now().await?;
        let own = viewer.action(ActionVerb::Retry, None).actor;
        let verbs = [ActionVerb::Retry, ActionVerb::Drop];
        let is_own = |it: &ActionOnRecord| {
            it.actor == own
                && verbs.iter().any(|verb| verb.name() == it.verb)
                && as_of.duration_since(it.acted_at) <= ASKED_FOR
        };
        let actions = self.reader.load_actions(run).await?;
        Ok(match actions.iter().find(|it| is_own(it)) {
            Some(action) => {
                let at = Moment(action.acted_at).in_zone(&self.zone);
                format!("Run {run} at {at}: {}.", Event::from(action).text)
            }
            None => format!(
                "No retry or drop of run {run} by you is on record of the last {}. A run that is in no trouble stays as it is.",
                in_words(ASKED_FOR)
            ),
        })
    }

    async fn find(&self, viewer: &Viewer, run: RunId) -> Result<RunInFull, Problem> {
        let reading = self.reader.load_run(&viewer.workspaces, run, &self.policy);
        Ok(reading.await?.ok_or(StatusCode::NOT_FOUND)?)
    }

    /// One restore, prepared or executed.
    pub(super) async fn restore(
        &self,
        viewer: &Viewer,
        restore: RestoreId,
    ) -> Result<Preparation, Problem> {
        let found = self
            .reader
            .load_restore(&viewer.workspaces, restore, &self.policy, &self.keys)
            .await?
            .ok_or(StatusCode::NOT_FOUND)?;
        viewer.require(Capability::RunsView)?;
        Ok(Preparation::new(&found, self.judging(viewer)).linked(&self.links()))
    }

    /// A part of the list of restores; `path` is where the next part of it is.
    pub(super) async fn restores(
        &self,
        viewer: &Viewer,
        query: &RestoreQuery,
        path: &str,
    ) -> Result<RestoreList, Problem> {
        viewer.require(Capability::RunsView)?;
        let (of, limit) = (&viewer.workspaces, query.limit.unwrap_or(LIMIT));
        let reading =
            (self.reader).load_restores(of, &query.filter, query.below, limit, &self.policy);
        let page = reading.await?;
        let next = |below| format!("{path}?{}", query.text(Some(below)));
        let judging = self.judging(viewer);
        Ok(RestoreList::new(&page, query.came_for, judging, next))
    }

    /// The restores from the top of the list, as many as a download may have.
    pub(super) async fn all_restores(
        &self,
        viewer: &Viewer,
        query: &RestoreQuery,
    ) -> Result<RestoreList, Problem> {
        let mut query = RestoreQuery {
            limit: Some(LIMIT_MAX),
            ..*query
        };
        let mut list = self.restores(viewer, &query, "").await?;
        for _ in 1..DOWNLOAD_PARTS_MAX {
            let is_full = list.restores.len() + LIMIT_MAX as usize > DOWNLOAD_RUNS_MAX;
            let Some(below) = list.next.as_deref().and_then(|next| {
                let (_, text) = next.split_once('?')?;
                RestoreQuery::parse(text).ok()?.below.filter(|_| !is_full)
            }) else {
                break;
            };
            query.below = Some(below);
            let more = self.restores(viewer, &query, "").await?;
            list.restores.extend(more.restores);
            list.next = more.next;
        }
        Ok(list)
    }

    /// The queue and whoever works on it.
    pub(super) async fn queue(&self, viewer: &Viewer) -> Result<QueueView, Problem> {
        viewer.require(Capability::RunsView)?;
        let listing = self
            .reader
            .load_queue(&QueueScope::for_viewer(
                &viewer.workspaces,
                &QueueState::ALL,
                LISTED,
            ))
            .await?;
        let workers = self.reader.load_workers(LISTED).await?;
        let reasons = self.reader.load_open_reasons(&viewer.workspaces).await?;
        let judges = self.judges().await.unwrap_or_default();
        let sees_all = *viewer.workspaces == Workspaces::All;
        let workers = (&*workers, &*judges);
        Ok(QueueView::new(&listing, &reasons, workers, sees_all))
    }

    /// The latest sweeps.
    pub(super) async fn sweeps(&self, viewer: &Viewer) -> Result<SweepsShown, Problem> {
        viewer.require(Capability::RunsView)?;
        let sweeps = self.reader.load_sweeps(&viewer.workspaces, LISTED).await?;
        let sees_all = *viewer.workspaces == Workspaces::All;
        let as_of = self.reader.now().await?;
        Ok(SweepsShown::new(as_of, &sweeps, sees_all))
    }
}

/// Where a list goes on, from the address of its next part.
fn cursor_of(next: &str) -> Option<Cursor> {
    let (_, query) = next.split_once('?')?;
    RunQuery::parse(query).ok()?.cursor
}
