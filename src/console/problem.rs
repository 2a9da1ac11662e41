//! What went wrong, as whoever asked may know it: problem details of RFC 9457 on the API, a page elsewhere.
//!
//! **Invariant:** no text here comes from a database, and none says whether something exists that may not be seen.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access::Capability;
use super::pages::{Looker, render_problem_page};
use crate::storage::{ErrorKind, StoreError};

/// Why a request was not answered. Every one that leaves the console is finished by the guard, which knows
/// whether JSON or a page was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

/// The members that RFC 9457 gives names to.
#[derive(Serialize)]
struct Body<'p> {
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

    /// What does not exist, and what the viewer may not know to exist: one body for both.
    pub(super) const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here")
    }

    /// The viewer may see this place, but not do this.
    pub(super) fn forbidden(missing: Capability) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "You may not do this")
            .saying(format!("Your token has no capability {missing}."))
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
        let title = "The request cannot be understood";
        Self::new(StatusCode::BAD_REQUEST, "bad-request", title).saying(detail)
    }

    /// Nobody known asks.
    pub(super) fn unauthorized() -> Self {
        let title = "A token is needed";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", title)
            .saying("Send a valid token as `Authorization: Bearer TOKEN`, or log in.")
    }

    /// The allowance is spent for `wait`.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let title = "Too many requests";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title).after(wait)
    }

    /// The body is too long.
    pub(super) const fn payload_too_large() -> Self {
        let title = "The request's body is too long";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", title)
    }

    /// The target is too long.
    pub(super) const fn uri_too_long() -> Self {
        let title = "The request's address is too long";
        Self::new(StatusCode::URI_TOO_LONG, "uri-too-long", title)
    }

    /// The headers are too long, or too many.
    pub(super) const fn headers_too_large() -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "The request's headers are too long",
        )
    }

    /// The place exists, the method does not.
    pub(super) const fn method_not_allowed() -> Self {
        let title = "This method means nothing here";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title)
    }

    /// The request names another host than this machine, and nobody here has a token.
    pub(super) fn misdirected() -> Self {
        let title = "This console answers to this machine's own name only";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", title)
            .saying("Ask for localhost or 127.0.0.1, or configure tokens.")
    }

    /// The database is away, or too much is asked for at once.
    pub(super) fn unavailable() -> Self {
        let title = "This cannot be answered right now";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
            .saying("Try again in a moment.")
            .after(Duration::from_secs(1))
    }

    /// What is open is not what is in its place any more.
    pub(super) fn replaced() -> Self {
        let title = "The database's file, or its queue's, was removed or replaced";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-replaced", title)
            .saying("Put the file back if it was removed, then start the console again. Its log names the file.")
    }

    /// Something failed that should not. The log says what.
    pub(super) const fn internal() -> Self {
        let title = "Something failed; the log of the console says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", title)
    }

    /// What a status means that was answered without saying more.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::payload_too_large(),
            StatusCode::URI_TOO_LONG => Self::uri_too_long(),
            StatusCode::UNAUTHORIZED => Self::unauthorized(),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(),
            status if status.is_client_error() => {
                let title = "The request cannot be understood";
                Self::new(status, "bad-request", title)
            }
            _ => Self::internal(),
        }
    }

    fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The answer on the API.
    pub(super) fn as_json(&self) -> Response {
        let body = Body {
            r#type: format!("urn:restore-reconciler:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail(),
        };
        // Fails for maps with keys that are no text, and there are none.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.answer("application/problem+json", body)
    }

    /// The answer to whoever asked for a page; to nobody known, without a menu.
    pub(super) fn as_page(&self, looker: Option<&Looker>) -> Response {
        let page = render_problem_page(self.title, self.detail(), self.status.as_u16(), looker);
        self.answer("text/html; charset=utf-8", page.into_bytes())
    }

    fn answer(&self, content_type: &'static str, body: Vec<u8>) -> Response {
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
    fn into_response(self) -> Response {
        let mut response = self.as_json();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    /// Logs what the database said, and says nothing of it.
    fn from(error: StoreError) -> Self {
        let problem = match error.kind() {
            _ if error.needs_restart() => Self::replaced(),
            ErrorKind::Transient => Self::unavailable(),
            ErrorKind::Refused | ErrorKind::Fatal => Self::internal(),
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

    async fn body(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_api_says_it_in_problem_details() {
        let response = Problem::forbidden(Capability::RunsReconcile).as_json();
        assert_eq!(response.status(), 403);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let body: serde_json::Value = serde_json::from_str(&body(response).await).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:restore-reconciler:problem:forbidden",
                "title": "You may not do this",
                "status": 403,
                "detail": "Your token has no capability runs.reconcile.",
            })
        );
    }

    #[tokio::test]
    async fn a_page_cannot_be_broken_out_of() {
        let response = Problem::bad_request("<script>\"'&").as_page(None);
        let body = body(response).await;
        assert!(body.contains("&#60;script&#62;&#34;&#39;&#38;"), "{body}");
        assert!(!body.contains("<script"), "{body}");
    }

    #[test]
    fn whoever_must_wait_or_log_in_is_told() {
        let wait = Problem::too_many_requests(Duration::from_millis(1_200)).as_json();
        assert_eq!(wait.headers()["retry-after"], "2");
        assert_eq!(
            Problem::unavailable().as_page(None).headers()["retry-after"],
            "1"
        );
        let challenge = Problem::unauthorized().as_page(None);
        assert_eq!(challenge.headers()["www-authenticate"], "Bearer");
    }

    #[test]
    fn every_refusal_has_a_problem_of_its_status() {
        for status in 400..600 {
            let status = StatusCode::from_u16(status).unwrap();
            let problem = Problem::of_status(status);
            let expected = match status.as_u16() {
                503 => 503,
                500.. => 500,
                client => client,
            };
            assert_eq!(problem.status, expected);
        }
    }
}
