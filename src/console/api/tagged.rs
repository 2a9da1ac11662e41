//! Answers with a tag, so that who has one already is not sent it again.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use reconciler_jobs::restore_execute::canonical::digest_of;
use serde::Serialize;

use crate::console::problem::Problem;

/// The content type of answers.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// To be asked again each time, by whoever it was for.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Digits of a digest that make a tag.
const TAG_DIGITS: usize = 32;

/// An answer as bytes, and its tag.
pub(super) struct Tagged {
    body: Vec<u8>,
    tag: String,
}

impl Tagged {
    /// The tag is weak: it follows what the answer says, not the moment at which it was asked for.
    pub(super) fn of(answer: &impl Serialize) -> Result<Self, Problem> {
        let failed = |_| Problem::internal();
        let body = serde_json::to_vec(answer).map_err(failed)?;
        let mut said = serde_json::to_value(answer).map_err(failed)?;
        if let Some(members) = said.as_object_mut() {
            for moment in ["as_of", "counted_at"] {
                members.remove(moment);
            }
        }
        let digest = digest_of(&said.to_string());
        let digits: String = digest.chars().take(TAG_DIGITS).collect();
        Ok(Self {
            body,
            tag: format!("W/\"{digits}\""),
        })
    }

    /// The answer, or that nothing has changed.
    pub(super) fn answer(self, headers: &HeaderMap) -> Result<Response, Problem> {
        let tag = HeaderValue::try_from(&self.tag).map_err(|_| Problem::internal())?;
        let known = [
            (header::ETAG, tag),
            (header::CACHE_CONTROL, ASK_AGAIN),
            (
                header::VARY,
                HeaderValue::from_static("authorization, cookie"),
            ),
        ];
        if has(headers, &self.tag) {
            return Ok((StatusCode::NOT_MODIFIED, known).into_response());
        }
        Ok((known, [(header::CONTENT_TYPE, JSON)], self.body).into_response())
    }
}

/// Whether the client has an answer with this tag. Tags are compared weakly, as RFC 9110 has it.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| given.trim() == "*" || strong(given) == strong(tag))
}
