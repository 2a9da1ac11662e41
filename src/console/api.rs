//! The API, under `/api/v1`: every answer is the one that a page renders.
//!
//! [`OPERATIONS`] is the list that both the router and the description are made from, so that neither knows an
//! address that the other does not.

mod describe;
mod tagged;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use reconciler_jobs::ids::{RestoreId, RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::describe::{Operation, Parameters};
use self::tagged::Tagged;
use super::access::Viewer;
use super::load::{AppState, ConsoleState};
use super::problem::Problem;
use super::query::{EnvironmentQuery, PathId, Query, RestoreQuery, RunQuery, trace_of};
use crate::config::Capability;
use crate::storage::ActionVerb;
use crate::views::explain::Explanation;
use crate::views::overview::Overview;
use crate::views::queue::{QueueView, SweepsShown};
use crate::views::restore::Preparation;
use crate::views::restores::RestoreList;
use crate::views::run::RunDetail;
use crate::views::runs::RunList;
use crate::views::status::ServiceStatus;

/// What handlers answer that read.
type Answer<T> = Result<Tagged<T>, Problem>;

const RUNS: &str = "/api/v1/runs";
const RESTORES: &str = "/api/v1/restores";
const POSTURE: &str = "/api/v1/posture";
const QUEUE: &str = "/api/v1/queue";

/// Declares what can be asked for: how, by which address, with what, and what the answer is.
macro_rules! operations {
    ($($method:ident $path:expr, $handler:ident with $parameters:expr => $answer:ty as $id:literal: $summary:literal;)+) => {
        /// Everything that can be asked for.
        const OPERATIONS: &[Operation] = &[$(Operation {
            method: stringify!($method),
            path: $path,
            id: $id,
            summary: $summary,
            parameters: $parameters,
            answer: describe::of::<$answer>,
            route: || $method($handler),
        }),+];
    };
}

operations! {
    get "/api/v1/", viewer with Parameters::None => ViewerShown as "viewer":
        "Who asks, and what they may do";
    get RUNS, runs with Parameters::Runs => RunList as "list_runs":
        "Runs, the highest ids first";
    get "/api/v1/runs/{run}", run with Parameters::Id("run") => RunDetail as "get_run":
        "One run: decision, proof, evidence, items, timeline";
    get "/api/v1/runs/{run}/explain", explain with Parameters::Id("run") => Explanation as "explain_run":
        "What the rules say of one run now, beside what was recorded";
    post "/api/v1/runs/{run}/reconcile", reconcile with Parameters::Id("run") => RequestTaken as "reconcile_run":
        "Asks for one run to be looked at; asking twice does no harm";
    post "/api/v1/queue/{run}/retry", retry with Parameters::IdAndReason("run") => QueueChanged as "retry_run":
        "Lets a dead letter, or another run in trouble, start over";
    post "/api/v1/queue/{run}/drop", give_up with Parameters::IdAndReason("run") => QueueChanged as "drop_run":
        "Gives a dead letter up: it is no longer listed nor tried, and its run stays open";
    get POSTURE, posture with Parameters::Environments => Overview as "list_posture":
        "Recovery posture and backup health of environments, workspace by workspace";
    get RESTORES, restores with Parameters::Restores => RestoreList as "list_restores":
        "Restores, the highest ids first: executed, being prepared, and executed without naming a run";
    get "/api/v1/restores/{restore}/gates", gates with Parameters::Id("restore") => Preparation as "get_gates":
        "The safety gates of one restore, and its result once it was executed";
    get "/api/v1/status", status with Parameters::None => ServiceStatus as "get_status":
        "Whether workers run, and what is in trouble: what every page says";
    get QUEUE, queue with Parameters::None => QueueView as "get_queue":
        "What is queued, in hand or in trouble, and who works";
    get "/api/v1/sweeps", sweeps with Parameters::None => SweepsShown as "list_sweeps":
        "The latest sweeps, the latest first";
}

/// The paths of the API.
pub(super) fn routes() -> Router<Arc<ConsoleState>> {
    let add = |router: Router<Arc<ConsoleState>>, operation: &Operation| {
        let route: MethodRouter<Arc<ConsoleState>> = (operation.route)();
        router.route(operation.path, route)
    };
    OPERATIONS
        .iter()
        .fold(Router::new(), add)
        .route("/api/v1/openapi.json", get(openapi))
        .layer(from_fn(tagged::not_modified))
}

/// Who asks.
#[derive(Serialize, JsonSchema)]
struct ViewerShown {
    /// The name of the token, or of whom a proxy names; `this machine` where there are no tokens.
    viewer: String,
    /// What it may do.
    capabilities: Vec<Capability>,
}

/// The answer to a request for a verdict: that it was taken, and where to look.
#[derive(Serialize, JsonSchema)]
struct RequestTaken {
    /// The run.
    run: RunId,
    /// Whether it is open, so that there is something to look at. A closed run stays as it is.
    asked: bool,
    /// Where to look.
    href: String,
}

/// The answer to a request to change something about a run in trouble.
#[derive(Serialize, JsonSchema)]
struct QueueChanged {
    /// The run.
    run: RunId,
    /// Whether anything changed: the run was in trouble, and nobody had done the same before.
    changed: bool,
    /// Where to look.
    href: &'static str,
}

/// What such a request says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasoned {
    reason: String,
}

async fn viewer(viewer: Viewer) -> Tagged<ViewerShown> {
    Tagged(ViewerShown {
        viewer: viewer.name.to_string(),
        capabilities: viewer.can.iter().copied().collect(),
    })
}

async fn runs(
    State(console): AppState,
    viewer: Viewer,
    Query(query): Query<RunQuery>,
) -> Answer<RunList> {
    Ok(Tagged(console.runs(&viewer, &query, RUNS).await?))
}

async fn run(State(console): AppState, viewer: Viewer, PathId(run): PathId) -> Answer<RunDetail> {
    Ok(Tagged(console.run(&viewer, RunId(run)).await?))
}

async fn explain(
    State(console): AppState,
    viewer: Viewer,
    PathId(run): PathId,
) -> Answer<Explanation> {
    Ok(Tagged(console.explain(&viewer, RunId(run)).await?))
}

async fn reconcile(
    State(console): AppState,
    viewer: Viewer,
    PathId(run): PathId,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = RunId(run);
    let asked = console.reconcile(&viewer, run, trace_of(&headers)).await?;
    let href = format!("{RUNS}/{run}");
    taken(&href.clone(), &RequestTaken { run, asked, href })
}

/// That something was taken, and where to look.
fn taken(href: &str, taken: &impl Serialize) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(href).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let body = serde_json::to_vec(taken).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let headers = [
        (header::CONTENT_TYPE, tagged::JSON),
        (header::LOCATION, location),
    ];
    Ok((StatusCode::ACCEPTED, headers, body).into_response())
}

async fn retry(
    console: AppState,
    viewer: Viewer,
    run: PathId,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    manage(ActionVerb::Retry, console, viewer, run, headers, body).await
}

async fn give_up(
    console: AppState,
    viewer: Viewer,
    run: PathId,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    manage(ActionVerb::Drop, console, viewer, run, headers, body).await
}

/// Has a run in trouble start over, or a dead letter given up.
async fn manage(
    verb: ActionVerb,
    State(console): AppState,
    viewer: Viewer,
    PathId(run): PathId,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let given: Result<Reasoned, _> = serde_json::from_slice(&body);
    let why = given.map_or_else(|_| String::new(), |given| given.reason);
    let (run, trace) = (RunId(run), trace_of(&headers));
    let changed = console.manage(&viewer, run, verb, trace, &why).await?;
    let href = QUEUE;
    taken(href, &QueueChanged { run, changed, href })
}

async fn posture(
    State(console): AppState,
    viewer: Viewer,
    Query(query): Query<EnvironmentQuery>,
) -> Answer<Overview> {
    Ok(Tagged(console.overview(&viewer, &query, POSTURE).await?))
}

async fn restores(
    State(console): AppState,
    viewer: Viewer,
    Query(query): Query<RestoreQuery>,
) -> Answer<RestoreList> {
    Ok(Tagged(console.restores(&viewer, &query, RESTORES).await?))
}

async fn gates(
    State(console): AppState,
    viewer: Viewer,
    PathId(restore): PathId,
) -> Answer<Preparation> {
    Ok(Tagged(console.restore(&viewer, RestoreId(restore)).await?))
}

async fn status(State(console): AppState, viewer: Viewer) -> Answer<ServiceStatus> {
    Ok(Tagged(console.status(&viewer).await?.as_ref().clone()))
}

async fn queue(State(console): AppState, viewer: Viewer) -> Answer<QueueView> {
    Ok(Tagged(console.queue(&viewer).await?))
}

async fn sweeps(State(console): AppState, viewer: Viewer) -> Answer<SweepsShown> {
    Ok(Tagged(console.sweeps(&viewer).await?))
}

async fn openapi(_: Viewer) -> Tagged<Value> {
    Tagged(describe::document(OPERATIONS))
}
