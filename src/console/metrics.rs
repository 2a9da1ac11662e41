//! What `serve` exports to whoever may see metrics: how many of the viewer's environments are in which posture. And its
//! probes.
//!
//! Each answer is made by itself, from what the viewer may see and as the overview shows it. A workspace that is
//! gone is gone from the next answer too, and two viewers are never told of each other's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use reconciler_jobs::reading::posture::Posture;
use tokio::time::timeout;

use super::access::Viewer;
use super::load::ConsoleState;
use super::probes::exposition;
use super::problem::{OwnPage, Problem};
use crate::config::Capability;
use crate::metrics::{
    BEHIND, ENVIRONMENTS, Exporter, POSTURES_READ, POSTURES_WHOLE, Role, WORKSPACE_ENVIRONMENTS,
    number, seconds_of,
};
use crate::postures::Postures;

/// The address that Prometheus asks.
pub(super) const METRICS: &str = "/metrics";

/// Whether a restart would help; for whoever asks, without a token.
pub(super) const LIVEZ: &str = "/livez";
/// Whether there is anything to show; for whoever asks, without a token.
pub(super) const READYZ: &str = "/readyz";

/// How long the database may take to answer a probe.
const READY_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Arc<ConsoleState>> {
    Router::new()
        .route(METRICS, get(metrics))
        .route(LIVEZ, get(|| async { "ok\n" }))
        .route(READYZ, get(readyz))
}

/// Whether pages can be shown: 503 while the database does not answer.
async fn readyz(State(console): State<Arc<ConsoleState>>) -> Response {
    if let Ok(Ok(_)) = timeout(READY_WITHIN, console.now()).await {
        return "ok\n".into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, Extension(OwnPage), "not ok\n").into_response()
}

/// How far behind the standby is that the console is read from, in seconds, where it is one.
const STANDBY_LAG: HeaderName = HeaderName::from_static("restore-reconciler-standby-lag");

/// Says so with each answer: the API's and the pages' own.
pub(super) async fn tell_lag(
    State(console): State<Arc<ConsoleState>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if let Some(behind) = console.behind() {
        let seconds = HeaderValue::from(behind.as_secs());
        response.headers_mut().insert(STANDBY_LAG, seconds);
    }
    response
}

async fn metrics(
    State(console): State<Arc<ConsoleState>>,
    viewer: Viewer,
) -> Result<Response, Problem> {
    viewer.require(Capability::MetricsView)?;
    let survey = console.survey_of_all(&viewer).await?;
    let exporter = Exporter::new(&[Role::Console], console.started).map_err(|error| {
        tracing::error!(%error, "metrics cannot be exported");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    let by_workspace = console.metrics.by_workspace;
    let behind = console.behind().unwrap_or_default();
    exporter.record(|| {
        count(survey.as_of, &survey.postures, by_workspace);
        BEHIND.set([], behind.as_secs_f64());
    });
    Ok(exposition(exporter.exported().render()))
}

/// Counts environments by posture, and those of each workspace too if asked to.
fn count(as_of: Timestamp, postures: &Postures, by_workspace: bool) {
    POSTURES_READ.set([], seconds_of(as_of));
    let is_whole = postures.ended_before.is_none();
    POSTURES_WHOLE.set([], f64::from(u8::from(is_whole)));
    let total = postures.total();
    for posture in Posture::ALL {
        ENVIRONMENTS.set([posture.name()], number(total.of(posture)));
    }
    let each = postures.workspaces.iter().filter(|_| by_workspace);
    for (workspace, counts) in each {
        for posture in Posture::ALL {
            let count = number(counts.of(posture));
            WORKSPACE_ENVIRONMENTS.set_for(*workspace, posture.name(), count);
        }
    }
}
