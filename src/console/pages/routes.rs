//! The addresses of the pages.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use super::{
    EvidencePage, ExplainPage, Form, Looker, Menu, OverviewPage, QueuePage, RestorePage, RunPage,
    RunsPage, download,
};
use crate::console::access::{FormToken, Viewer};
use crate::console::api::{restore_of, run_of, trace_of};
use crate::console::asked::{EnvironmentQuery, RunQuery};
use crate::console::problem::Problem;
use crate::console::serve::Console;

/// What every handler gets.
type Asked = State<Arc<Console>>;

const RUNS: &str = "/runs";

/// How long a browser may keep what is the same for everybody, in seconds: until the next login, roughly.
const KEEP_ASSETS: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The pages.
pub(in crate::console) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/", get(overview))
        .route(RUNS, get(runs))
        .route("/runs.csv", get(csv))
        .route("/runs.json", get(json))
        .route("/runs/{run}", get(run))
        .route("/runs/{run}/evidence", get(evidence))
        .route("/runs/{run}/explain", get(explain))
        .route("/runs/{run}/reconcile", post(reconcile))
        .route("/restores/{restore}", get(restore))
        .route("/queue", get(queue))
        .route("/assets/style.css", get(style))
        .route("/assets/icon.svg", get(icon))
}

fn render(page: &impl Template) -> Result<Response, Problem> {
    match page.render() {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            Err(Problem::internal())
        }
    }
}

async fn overview(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = EnvironmentQuery::parse(&query.unwrap_or_default())?;
    let answer = console.overview(&viewer, &query, "/").await?;
    let looker = Looker { viewer, form_token };
    let shell = looker.shell("Overview", Some(Menu::Overview), Some(answer.as_of));
    render(&OverviewPage {
        shell: &shell,
        answer: &answer,
    })
}

async fn runs(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RunQuery::parse_form(&query.unwrap_or_default())?;
    let answer = console.runs(&viewer, &query, RUNS).await?;
    let looker = Looker { viewer, form_token };
    let shell = looker.shell("Runs", Some(Menu::Runs), Some(answer.as_of));
    let text = query.text(None);
    render(&RunsPage {
        shell: &shell,
        answer: &answer,
        form: &Form::of(&query),
        csv: format!("{RUNS}.csv?{text}"),
        json: format!("{RUNS}.json?{text}"),
    })
}

async fn csv(
    State(console): Asked,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RunQuery::parse_form(&query.unwrap_or_default())?;
    let list = console.all_runs(&viewer, &query, "/runs.csv").await?;
    let body = download::csv(&list.runs).map_err(|error| {
        tracing::error!(%error, "a table cannot be written");
        Problem::internal()
    })?;
    Ok(file(
        "text/csv; charset=utf-8",
        "csv",
        list.next.is_some(),
        body,
    ))
}

async fn json(
    State(console): Asked,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RunQuery::parse_form(&query.unwrap_or_default())?;
    let list = console.all_runs(&viewer, &query, "/runs.json").await?;
    let body = serde_json::to_vec(&list).map_err(|_| Problem::internal())?;
    Ok(file("application/json", "json", list.next.is_some(), body))
}

/// A file to be kept. Its name says so where it does not hold the whole list.
fn file(content_type: &'static str, ending: &str, is_cut: bool, body: Vec<u8>) -> Response {
    let part = if is_cut { "-part" } else { "" };
    let disposition = format!("attachment; filename=\"runs{part}.{ending}\"");
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

async fn run(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = console.run(&viewer, run_of(&id)?).await?;
    let looker = Looker { viewer, form_token };
    let shell = looker.shell(format!("Run {id}"), Some(Menu::Runs), Some(answer.as_of));
    render(&RunPage {
        shell: &shell,
        answer: &answer,
    })
}

async fn evidence(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = console.evidence(&viewer, run_of(&id)?).await?;
    let looker = Looker { viewer, form_token };
    let title = format!("Evidence of run {id}");
    let shell = looker.shell(title, Some(Menu::Runs), Some(answer.as_of));
    render(&EvidencePage {
        shell: &shell,
        answer: &answer,
    })
}

async fn explain(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = console.explain(&viewer, run_of(&id)?).await?;
    let looker = Looker { viewer, form_token };
    let title = format!("Run {id} now");
    let shell = looker.shell(title, Some(Menu::Runs), Some(answer.as_of));
    render(&ExplainPage {
        shell: &shell,
        answer: &answer,
    })
}

async fn reconcile(
    State(console): Asked,
    viewer: Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Redirect, Problem> {
    let run = run_of(&id)?;
    console.reconcile(&viewer, run, trace_of(&headers)).await?;
    Ok(Redirect::to(&format!("{RUNS}/{run}#verdict")))
}

async fn restore(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = console.restore(&viewer, restore_of(&id)?).await?;
    let looker = Looker { viewer, form_token };
    let shell = looker.shell(format!("Restore {id}"), None, Some(answer.as_of));
    render(&RestorePage {
        shell: &shell,
        answer: &answer,
    })
}

async fn queue(
    State(console): Asked,
    viewer: Viewer,
    form_token: FormToken,
) -> Result<Response, Problem> {
    let queue = console.queue(&viewer).await?;
    let sweeps = console.sweeps(&viewer).await?;
    let looker = Looker { viewer, form_token };
    let shell = looker.shell("Queue and sweeps", Some(Menu::Queue), Some(queue.as_of));
    render(&QueuePage {
        shell: &shell,
        queue: &queue,
        sweeps: &sweeps,
    })
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
