//! The addresses of the pages.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::restore_execute::ReasonCode;

use super::{
    EvidencePage, ExplainPage, FindPage, Form, Menu, OverviewPage, Page, QueuePage, ReasonPage,
    ReasonsPage, Refresh, RestorePage, RestoresPage, RunPage, RunsPage, Shell, download,
};
use crate::config::Capability;
use crate::console::access::Viewer;
use crate::console::load::{AppState, ConsoleState};
use crate::console::problem::{OwnPage, Problem};
use crate::console::query::{
    EnvironmentQuery, FindQuery, FormQuery, PathId, QueryError, QueryParameters as _, QueueQuery,
    RestoreQuery, RunQuery, field, trace_of,
};
use crate::storage::ActionVerb;
use crate::views::moment::{Moment, in_words};
use crate::views::queue::EntryLine;
use crate::views::runs::RunList;

type HtmlPage = Result<Response, Problem>;

const RUNS: &str = "/runs";
const RESTORES: &str = "/restores";

/// How long a browser may keep what is the same for everybody, in seconds: until the next login, roughly.
const KEEP_ASSETS: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The pages.
pub(in crate::console) fn routes() -> Router<Arc<ConsoleState>> {
    Router::new()
        .route("/", get(overview))
        .route(RUNS, get(runs))
        .route("/runs.csv", get(csv))
        .route("/runs.json", get(json))
        .route("/runs/{run}", get(run))
        .route("/runs/{run}/evidence", get(evidence))
        .route("/runs/{run}/explain", get(explain))
        .route("/runs/{run}/reconcile", post(reconcile))
        .route(RESTORES, get(restores))
        .route("/restores.csv", get(restores_csv))
        .route("/restores/{restore}", get(restore))
        .route("/queue", get(queue))
        .route("/find", get(find))
        .route("/reasons", get(reasons))
        .route("/reasons/{code}", get(reason))
        .route(
            "/queue/{run}/retry",
            post(|state, viewer, run, headers, form| {
                manage(ActionVerb::Retry, state, viewer, run, headers, form)
            }),
        )
        .route(
            "/queue/{run}/drop",
            post(|state, viewer, run, headers, form| {
                manage(ActionVerb::Drop, state, viewer, run, headers, form)
            }),
        )
        .route("/assets/style.css", get(style))
        .route("/assets/icon.svg", get(icon))
}

/// What frames a page of what was read at `as_of`.
fn shell(
    console: &ConsoleState,
    viewer: &Viewer,
    title: impl Into<String>,
    current: Option<Menu>,
    as_of: Moment,
) -> Shell {
    let behind = console.behind().map(in_words);
    Shell {
        behind,
        zone: console.zone.clone(),
        ..Shell::new(viewer, title, current, as_of)
    }
}

fn render(page: &impl Page) -> HtmlPage {
    let shell = page.shell();
    let rendered = page.render_with_values(shell).map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    let mut response = Html(rendered).into_response();
    if let Refresh::Every(seconds) = shell.refresh {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::REFRESH, seconds);
    }
    Ok(response)
}

/// A page, or what is left of it where its filters cannot be understood.
fn render_filtered(page: &impl Page, form: &Form) -> HtmlPage {
    let page = render(page)?;
    Ok(match form.error {
        Some(_) => (StatusCode::BAD_REQUEST, Extension(OwnPage), page).into_response(),
        None => page,
    })
}

async fn overview(State(console): AppState, viewer: Viewer, RawQuery(text): RawQuery) -> HtmlPage {
    let (query, error) = EnvironmentQuery::understood(&text.unwrap_or_default());
    let answer = &console.overview(&viewer, &query, "/").await?;
    let needs = &answer.needs_attention;
    let title = match needs.places() {
        0 if !answer.covered.is_all || answer.covered.environments == 0 => "Overview".to_owned(),
        0 => "Overview: nothing needs attention".to_owned(),
        count => format!("Overview: {count} to look at"),
    };
    let menu = Some(Menu::Overview);
    let shell = &shell(&console, &viewer, title, menu, answer.as_of).refreshed();
    let parts = console.run_parts(&viewer).await?;
    let form = &Form::of_environments(&query, answer).telling(error);
    let page = OverviewPage {
        shell,
        answer,
        runs: &Form::new(&RunQuery::default(), &parts, console.too_long()),
        query: &query,
        form,
    };
    render_filtered(&page, form)
}

async fn runs(State(console): AppState, viewer: Viewer, RawQuery(text): RawQuery) -> HtmlPage {
    let text = text.unwrap_or_default();
    let query = match RunQuery::parse_form(&text) {
        Ok(query) => query,
        Err(error) => return refuse_filters(&console, &viewer, &text, &error).await,
    };
    let answer = &console.runs(&viewer, &query, RUNS).await?;
    let parts = console.run_parts(&viewer).await?;
    let text = query.text(None);
    let more = if answer.next.is_some() { "+" } else { "" };
    let title = format!("Runs: {}{more}", answer.runs.len());
    render(&RunsPage {
        shell: &shell(&console, &viewer, title, Some(Menu::Runs), answer.as_of),
        answer,
        form: &Form::new(&query, &parts, console.too_long()),
        csv: format!("{RUNS}.csv?{text}"),
        json: format!("{RUNS}.json?{text}"),
    })
}

/// The form as it was sent, with what is wrong about it.
async fn refuse_filters(
    console: &ConsoleState,
    viewer: &Viewer,
    text: &str,
    error: &QueryError,
) -> HtmlPage {
    viewer.require(Capability::RunsView)?;
    let as_of = Moment(console.now().await?);
    let parts = console.run_parts(viewer).await?;
    let title = "Runs: the filters cannot be understood";
    let form = &Form::refused(text, error.to_string(), &parts, console.too_long());
    let page = RunsPage {
        shell: &shell(console, viewer, title, Some(Menu::Runs), as_of),
        answer: &RunList {
            as_of,
            runs: Vec::new(),
            previous: None,
            next: None,
        },
        form,
        csv: String::new(),
        json: String::new(),
    };
    render_filtered(&page, form)
}

async fn csv(
    State(console): AppState,
    viewer: Viewer,
    FormQuery(query): FormQuery<RunQuery>,
) -> Result<Response, Problem> {
    let list = console.all_runs(&viewer, &query, "/runs.csv").await?;
    table("runs", list.next.is_some(), download::runs(&list.runs))
}

async fn json(
    State(console): AppState,
    viewer: Viewer,
    FormQuery(query): FormQuery<RunQuery>,
) -> Result<Response, Problem> {
    let list = console.all_runs(&viewer, &query, "/runs.json").await?;
    let body = serde_json::to_vec(&list).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(file(
        "application/json",
        "runs",
        "json",
        list.next.is_some(),
        body,
    ))
}

/// A table to be kept.
fn table(
    name: &str,
    is_cut: bool,
    body: Result<Vec<u8>, ::csv::Error>,
) -> Result<Response, Problem> {
    let body = body.map_err(|error| {
        tracing::error!(%error, "a table cannot be written");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(file("text/csv; charset=utf-8", name, "csv", is_cut, body))
}

/// A file to be kept. Its name says so where it does not hold the whole list.
fn file(
    content_type: &'static str,
    name: &str,
    ending: &str,
    is_cut: bool,
    body: Vec<u8>,
) -> Response {
    let part = if is_cut { "-part" } else { "" };
    let disposition = format!("attachment; filename=\"{name}{part}.{ending}\"");
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

async fn run(State(console): AppState, viewer: Viewer, PathId(run): PathId) -> HtmlPage {
    let (answer, asked) = &console.run_as_asked(&viewer, RunId(run)).await?;
    let title = format!("{}: run {run}", answer.state.label);
    let mut shell = shell(&console, &viewer, title, Some(Menu::Runs), answer.as_of);
    if answer.is_open() {
        shell = shell.refreshed();
    }
    if let Some(at) = asked {
        shell.tell_of_request(*at, answer.is_open(), answer.as_of);
    }
    let shell = &shell;
    render(&RunPage { shell, answer })
}

async fn evidence(State(console): AppState, viewer: Viewer, PathId(run): PathId) -> HtmlPage {
    let answer = &console.evidence(&viewer, RunId(run)).await?;
    let title = format!("Evidence of run {run}");
    let shell = &shell(&console, &viewer, title, Some(Menu::Runs), answer.as_of);
    render(&EvidencePage { shell, answer })
}

async fn explain(State(console): AppState, viewer: Viewer, PathId(run): PathId) -> HtmlPage {
    let answer = &console.explain(&viewer, RunId(run)).await?;
    let title = format!("Run {run} now");
    let shell = &shell(&console, &viewer, title, Some(Menu::Runs), answer.as_of);
    render(&ExplainPage { shell, answer })
}

async fn reconcile(
    State(console): AppState,
    viewer: Viewer,
    PathId(run): PathId,
    headers: HeaderMap,
) -> Result<Redirect, Problem> {
    let trace = trace_of(&headers);
    console.reconcile(&viewer, RunId(run), trace).await?;
    Ok(Redirect::to(&format!("{RUNS}/{run}#decision")))
}

async fn restores(State(console): AppState, viewer: Viewer, RawQuery(text): RawQuery) -> HtmlPage {
    let (query, error) = RestoreQuery::understood(&text.unwrap_or_default());
    let answer = &console.restores(&viewer, &query, RESTORES).await?;
    let shell = &shell(
        &console,
        &viewer,
        "Restores",
        Some(Menu::Restores),
        answer.as_of,
    );
    let parts = console.restore_parts(&viewer).await?;
    let form = &Form::of_restores(&query, &parts).telling(error);
    let page = RestoresPage {
        shell,
        answer,
        query: &query,
        form,
    };
    render_filtered(&page, form)
}

async fn restores_csv(
    State(console): AppState,
    viewer: Viewer,
    FormQuery(query): FormQuery<RestoreQuery>,
) -> Result<Response, Problem> {
    let list = console.all_restores(&viewer, &query).await?;
    let body = download::restores(&list.restores);
    table("restores", list.next.is_some(), body)
}

async fn restore(State(console): AppState, viewer: Viewer, PathId(restore): PathId) -> HtmlPage {
    let answer = &console.restore(&viewer, RestoreId(restore)).await?;
    let title = format!("{}: restore {restore}", answer.card.status);
    let shell = &shell(&console, &viewer, title, Some(Menu::Restores), answer.as_of);
    render(&RestorePage { shell, answer })
}

async fn queue(
    State(console): AppState,
    viewer: Viewer,
    FormQuery(query): FormQuery<QueueQuery>,
) -> HtmlPage {
    let queue = &console.queue(&viewer).await?;
    let sweeps = &console.sweeps(&viewer).await?;
    let entries: u64 = queue.counts.iter().map(|count| count.entries).sum();
    let title = format!("Queue and sweeps: {entries}");
    let menu = Some(Menu::Queue);
    let shell = shell(&console, &viewer, title, menu, queue.as_of);
    // Nobody's reason is taken away while it is written.
    let is_written_on = shell.can_manage && queue.entries.iter().any(EntryLine::is_dead);
    let mut shell = if is_written_on {
        shell
    } else {
        shell.refreshed()
    };
    if let Some(run) = query.about {
        shell.notice = Some(console.managed(&viewer, run).await?);
    }
    render(&QueuePage {
        shell: &shell,
        queue,
        sweeps,
    })
}

/// Leads to what has the id that is looked for, where that is one thing.
async fn find(
    State(console): AppState,
    viewer: Viewer,
    FormQuery(query): FormQuery<FindQuery>,
) -> Result<Response, Problem> {
    let hits = console.find_by_id(&viewer, &query.q).await?;
    if let [only] = &*hits {
        return Ok(Redirect::to(&only.href).into_response());
    }
    let page = render(&FindPage {
        shell: &Shell::around("Find", Some(&viewer)),
        sought: &query.q,
        hits: &hits,
    })?;
    if hits.is_empty() && !query.q.is_empty() {
        return Ok((StatusCode::NOT_FOUND, Extension(OwnPage), page).into_response());
    }
    Ok(page.into_response())
}

async fn reasons(viewer: Viewer) -> HtmlPage {
    viewer.require(Capability::RunsView)?;
    let shell = &Shell {
        current: Some(Menu::Reasons),
        ..Shell::around("Reasons", Some(&viewer))
    };
    render(&ReasonsPage { shell })
}

async fn reason(viewer: Viewer, Path(code): Path<String>) -> HtmlPage {
    viewer.require(Capability::RunsView)?;
    let answer = &ReasonCode::parse(&code).ok_or(StatusCode::NOT_FOUND)?;
    let shell = &Shell {
        current: Some(Menu::Reasons),
        ..Shell::around(code, Some(&viewer))
    };
    render(&ReasonPage { shell, answer })
}

/// Has a run in trouble start over, or a dead letter given up.
async fn manage(
    verb: ActionVerb,
    State(console): AppState,
    viewer: Viewer,
    PathId(run): PathId,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Redirect, Problem> {
    let why = field(&form, "reason").unwrap_or_default();
    let trace = trace_of(&headers);
    console
        .manage(&viewer, RunId(run), verb, trace, &why)
        .await?;
    Ok(Redirect::to(&format!("/queue?about={run}")))
}

async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    )
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../assets/icon.svg"))
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, KEEP_ASSETS),
    ];
    (headers, body).into_response()
}
