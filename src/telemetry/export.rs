//! Spans, sent to a collector as OTLP over HTTP.
//!
//! **Invariant:** nothing here keeps anybody waiting. Spans are queued, and dropped where the queue is full; a thread
//! of its own sends them, through a runtime of its own; a collector that is lost is said once, and costs a moment at
//! the end of the program at most.
//!
//! # Design notes
//!
//! There is no TLS: a collector, or an agent before it, is on this host or in its network. The SDK's own clients
//! bring HTTP/2 or a second HTTP library.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reconciler_jobs::restore_execute::request::QUEUE;
use reconciler_jobs::trace::TraceContext;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::verbosity::is_ours;
use crate::http::exchange;

/// Where a collector takes spans, after its own address.
const PATH: &str = "/v1/traces";

/// How spans are told apart from those of others.
const SERVICE: &str = "restore-reconciler";

/// How long a collector may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long the program may take to send its last spans.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// The address is not one that can be reached without TLS.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http://; there is no TLS")]
    Address,
    /// No thread of its own.
    #[error("no thread for sending spans: {0}")]
    Runtime(std::io::Error),
    /// The address is no URL, or a setting of the SDK's own is wrong.
    #[error("the exporter cannot be built: {0}")]
    Exporter(ExporterBuildError),
}

/// Sends spans until it is dropped, and then the last ones.
#[derive(Debug)]
pub(super) struct Export {
    provider: SdkTracerProvider,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Export {
    /// To the collector at `address`, by the name of the service that the environment gives, or by our own.
    pub(super) fn to(address: &str, service: Option<&str>) -> Result<Self, ExportError> {
        if !address.starts_with("http://") {
            return Err(ExportError::Address);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("spans")
            .enable_all()
            .build()
            .map_err(ExportError::Runtime)?;
        let collector = Collector {
            runtime: runtime.handle().clone(),
            is_lost: AtomicBool::new(false),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{PATH}", address.trim_end_matches('/')))
            .build()
            .map_err(ExportError::Exporter)?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(
                Resource::builder()
                    .with_service_name(service.unwrap_or(SERVICE).to_owned())
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .build(),
            )
            .build();
        Ok(Self {
            provider,
            runtime: Some(runtime),
        })
    }

    /// Takes spans and the lines within them, whatever level is logged: `info` lines, and spans down to `debug`.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let is_sent = filter_fn(|metadata| {
            is_ours(metadata.target()) && (metadata.is_span() || *metadata.level() <= Level::INFO)
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(is_sent.with_max_level_hint(LevelFilter::DEBUG))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // What cannot be sent in time is lost, and its collector has been said to be lost.
        let _ = self.provider.shutdown_with_timeout(LAST_WITHIN);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes `span` a part of the trace of whoever asked. Does nothing where spans are not sent.
pub(super) fn join(span: &Span, trace: &TraceContext) {
    let flags = if trace.is_sampled() {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    let caller = SpanContext::new(
        TraceId::from_bytes(trace.trace_id().0.to_be_bytes()),
        SpanId::from_bytes(trace.parent_id().0.to_be_bytes()),
        flags,
        true,
        TraceState::default(),
    );
    let caller = opentelemetry::Context::new().with_remote_span_context(caller);
    let _ = span.set_parent(caller);
}

/// Says of the span of a job what collectors know the jobs of any queue by.
pub(super) fn describe(span: &Span, job: &str) {
    span.set_attribute("messaging.system", "apalis");
    span.set_attribute("messaging.destination.name", QUEUE);
    span.set_attribute("messaging.operation.type", "process");
    span.set_attribute("messaging.message.id", job.to_owned());
}

/// Where spans are sent, one connection for each batch of them.
#[derive(Debug)]
struct Collector {
    runtime: Handle,
    is_lost: AtomicBool,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The caller's thread belongs to no runtime.
        let posting = async { tokio::time::timeout(ANSWER_WITHIN, exchange(request)).await };
        let posted = self.runtime.spawn(posting);
        let answer = match posted.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(late)) => Err(HttpError::from(late)),
            Err(ended) => Err(HttpError::from(ended)),
        };
        self.say(answer.as_ref());
        answer
    }
}

impl Collector {
    /// Says that the collector is lost, and that it is there again, once each.
    fn say(&self, answer: Result<&Response<Bytes>, &HttpError>) {
        let trouble = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        match (
            self.is_lost.swap(trouble.is_some(), Ordering::Relaxed),
            trouble,
        ) {
            (false, Some(error)) => {
                tracing::warn!(error, "spans cannot be sent; those that wait may be lost");
            }
            (true, None) => tracing::info!("spans are sent again"),
            _ => {}
        }
    }
}
