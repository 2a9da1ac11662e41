//! What every answer tells the browser: run nothing, frame nothing, keep nothing.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that every answer has.
const ALWAYS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // `same-origin` instead of `no-referrer`, with which browsers hide the origin of our own forms.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// How long a browser comes back over TLS only: a year, in seconds.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// For answers that say nothing of their own about caches.
const KEEP_NOTHING: HeaderValue = HeaderValue::from_static("private, no-store");

/// Adds them; what an answer says about caches stays where it is no refusal.
pub(super) fn secure(headers: &mut HeaderMap, is_refusal: bool, behind_tls: bool) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if behind_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    if is_refusal || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, KEEP_NOTHING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_say_how_long_it_is_kept_and_a_refusal_may_not() {
        let mut kept = HeaderMap::new();
        let own = HeaderValue::from_static("private, no-cache");
        kept.insert(header::CACHE_CONTROL, own.clone());
        let mut refused = kept.clone();
        secure(&mut kept, false, false);
        secure(&mut refused, true, true);
        assert_eq!(kept[header::CACHE_CONTROL], own);
        assert_eq!(refused[header::CACHE_CONTROL], KEEP_NOTHING);
        assert!(!kept.contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert!(refused.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
