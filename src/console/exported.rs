//! What `serve` exports to whoever may see metrics: how many of the viewer's environments are in which posture.
//!
//! Each answer is made by itself, from what the viewer may see and as the overview shows it. A workspace that is
//! gone is gone from the next answer too, and two viewers are never told of each other's.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::access::{Capability, Viewer};
use super::probes::exposition;
use super::problem::Problem;
use super::serve::Console;
use crate::metrics::{Exporter, Role};

/// The address that Prometheus asks.
pub(super) const METRICS: &str = "/metrics";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(METRICS, get(metrics))
}

async fn metrics(State(console): State<Arc<Console>>, viewer: Viewer) -> Result<Response, Problem> {
    viewer.require(Capability::MetricsView)?;
    let survey = console.survey_of_all(&viewer).await?;
    let exporter = Exporter::new(&[Role::Console], console.started).map_err(|error| {
        tracing::error!(%error, "metrics cannot be exported");
        Problem::internal()
    })?;
    exporter.say_postures(survey.as_of, &survey.postures, console.metrics.by_workspace);
    Ok(exposition(exporter.exported().render()))
}
