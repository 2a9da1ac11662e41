//! What went wrong, as whoever asked may know it: problem details of RFC 9457 on the API, a page elsewhere.
//!
//! **Invariant:** no text here comes from a database, and none says whether something exists that may not be seen.

use std::borrow::Cow;
use std::time::Duration;

use axum::Extension;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access::Forbidden;
use crate::storage::{ErrorKind, StoreError};

/// Why a request was not answered. Every one that leaves the console is given its form by the middleware,
/// which knows whether JSON or a page was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    kind: &'static str,
    pub(super) title: &'static str,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

/// The kind of a refusal for want of a capability.
const FORBIDDEN: &str = "forbidden";

/// Goes with a refusal that is a page of its own, and stays as it is.
#[derive(Clone, Copy)]
pub(super) struct OwnPage;

/// The members that RFC 9457 gives names to.
#[derive(Serialize)]
struct ProblemBody<'p> {
    r#type: String,
    title: &'p str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'p str>,
}

impl Problem {
    const fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self {
            status,
            kind,
            title,
            detail: None,
            retry_after: None,
        }
    }

    fn saying(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// The request came from another site's page, or from a form that is too old.
    pub(super) fn foreign() -> Self {
        let kind = "foreign-request";
        Self::new(StatusCode::FORBIDDEN, kind, "This did not come from the console").saying(
            "The form is too old, or another site sent it. Load the page again and repeat what you did.",
        )
    }

    /// The request cannot be understood. `detail` says what is allowed and never repeats the request.
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::from(StatusCode::BAD_REQUEST).saying(detail)
    }

    /// The allowance is spent for `wait`.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let title = "Too many requests";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title).after(wait)
    }

    /// The request names another host than this machine, and nobody here has a token.
    pub(super) fn misdirected() -> Self {
        let title = "This console answers to this machine's own name only";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", title)
            .saying("Ask for localhost or 127.0.0.1, or configure tokens.")
    }

    /// What is open is not what is in its place any more.
    fn replaced() -> Self {
        let title = "The database's file, or its queue's, was removed or replaced";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-replaced", title)
            .saying("Put the file back if it was removed, then start the console again. Its log names the file.")
    }

    /// What is to be shown is not there, or may not be read.
    fn unreadable() -> Self {
        let title = "The console may not read the database, or finds its tables gone";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database-unreadable",
            title,
        )
        .saying("Its log names what is lacking, and `restore-reconciler doctor` says what to do.")
        .after(Duration::from_secs(5))
    }

    /// Whether the viewer lacks a capability.
    pub(super) fn is_about_rights(&self) -> bool {
        self.kind == FORBIDDEN
    }

    pub(super) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The answer on the API.
    pub(super) fn to_json(&self) -> Response {
        let body = ProblemBody {
            r#type: format!("urn:restore-reconciler:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail(),
        };
        // Fails for maps with keys that are no text, and there are none.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.with_body("application/problem+json", body)
    }

    /// The answer in one of its forms.
    pub(super) fn with_body(&self, content_type: &'static str, body: Vec<u8>) -> Response {
        let content_type = [(header::CONTENT_TYPE, content_type)];
        let mut response = (self.status, content_type, body).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An answer that the middleware gives its form.
    fn into_response(self) -> Response {
        (self.status, Extension(self)).into_response()
    }
}

impl From<StatusCode> for Problem {
    /// What a status means where there is no more to say. What failed that should not is for the log to tell.
    fn from(status: StatusCode) -> Self {
        let new = |kind, title| Self::new(status, kind, title);
        match status {
            // What does not exist, and what the viewer may not know to exist: one body for both.
            StatusCode::NOT_FOUND => new("not-found", "There is nothing here"),
            StatusCode::UNAUTHORIZED => new("unauthorized", "A token is needed")
                .saying("Send a valid token as `Authorization: Bearer TOKEN`, or log in."),
            StatusCode::METHOD_NOT_ALLOWED => {
                new("method-not-allowed", "This method means nothing here")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                new("payload-too-large", "The request's body is too long")
            }
            StatusCode::URI_TOO_LONG => new("uri-too-long", "The request's address is too long"),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                new("headers-too-large", "The request's headers are too long")
            }
            // The database is away, or too much is asked for at once.
            StatusCode::SERVICE_UNAVAILABLE => {
                new("unavailable", "This cannot be answered right now")
                    .saying("Try again in a moment.")
                    .after(Duration::from_secs(1))
            }
            _ if status.is_client_error() => new("bad-request", "The request cannot be understood"),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something failed; the log of the console says what",
            ),
        }
    }
}

impl From<Forbidden> for Problem {
    fn from(Forbidden(capability): Forbidden) -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN, "You may not do this")
            .saying(format!("You have no capability {capability} here."))
    }
}

impl From<StoreError> for Problem {
    /// Logs what the database said, and says nothing of it.
    fn from(error: StoreError) -> Self {
        let problem = match error.kind() {
            _ if error.needs_restart() => Self::replaced(),
            _ if error.is_about_tables() => Self::unreadable(),
            ErrorKind::Transient => StatusCode::SERVICE_UNAVAILABLE.into(),
            ErrorKind::Refused | ErrorKind::Fatal => StatusCode::INTERNAL_SERVER_ERROR.into(),
        };
        let status = problem.status.as_u16();
        tracing::warn!(%error, status, "the database could not be read");
        problem
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::config::Capability;

    #[tokio::test]
    async fn the_api_says_it_in_problem_details() {
        let response = Problem::from(Forbidden(Capability::RunsReconcile)).to_json();
        assert_eq!(response.status(), 403);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let bytes = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:restore-reconciler:problem:forbidden",
                "title": "You may not do this",
                "status": 403,
                "detail": "You have no capability runs.reconcile here.",
            })
        );
    }

    #[test]
    fn whoever_must_wait_is_told_for_how_many_whole_seconds() {
        let wait = Problem::too_many_requests(Duration::from_millis(1_200)).to_json();
        assert_eq!(wait.headers()["retry-after"], "2");
    }

    #[test]
    fn every_refusal_has_a_problem_of_its_status() {
        for status in 400..600 {
            let status = StatusCode::from_u16(status).unwrap();
            let problem = Problem::from(status);
            let expected = match status.as_u16() {
                503 => 503,
                500.. => 500,
                client => client,
            };
            assert_eq!(problem.status, expected);
        }
    }
}
