//! Answers with a tag, so that who has one already is not sent it again.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reconciler_jobs::restore_execute::canonical::digest_of;
use serde::Serialize;

/// The content type of answers.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// To be asked again each time, by whoever it was for.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Whoever asks as somebody else gets another answer.
const DIFFERS_BY: HeaderValue = HeaderValue::from_static("authorization, cookie");

/// Digits of a digest that make a tag.
const TAG_DIGITS: usize = 32;

/// A view as JSON. Its tag is weak: it follows what the view says, not the moment at which it was asked for.
pub(super) struct Tagged<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let answered = self.tag().and_then(|tag| {
            let headers = [
                (header::ETAG, tag),
                (header::CACHE_CONTROL, ASK_AGAIN),
                (header::VARY, DIFFERS_BY),
                (header::CONTENT_TYPE, JSON),
            ];
            Some((headers, serde_json::to_vec(&self.0).ok()?))
        });
        answered
            .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response()
    }
}

impl<T: Serialize> Tagged<T> {
    fn tag(&self) -> Option<HeaderValue> {
        let mut said = serde_json::to_value(&self.0).ok()?;
        if let Some(members) = said.as_object_mut() {
            for moment in ["as_of", "counted_at"] {
                members.remove(moment);
            }
        }
        let digest = digest_of(&said.to_string());
        let digits: String = digest.chars().take(TAG_DIGITS).collect();
        HeaderValue::try_from(format!("W/\"{digits}\"")).ok()
    }
}

/// Says that nothing has changed to a client that has the answer already.
pub(super) async fn not_modified(request: Request, next: Next) -> Response {
    let given = request.headers().get_all(header::IF_NONE_MATCH);
    let given: Vec<HeaderValue> = given.iter().cloned().collect();
    let mut response = next.run(request).await;
    let tag = response.headers().get(header::ETAG);
    if tag.is_some_and(|tag| has(&given, tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    response
}

/// Whether one of these is the tag. Tags are compared weakly, as RFC 9110 has it.
fn has(given: &[HeaderValue], tag: &HeaderValue) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = tag.to_str().map(strong).unwrap_or_default();
    given
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| given.trim() == "*" || strong(given) == tag)
}
