//! What every answer tells the browser: run nothing, frame nothing, keep nothing.

use axum::http::{HeaderName, HeaderValue, Response, header};
use tower_http::set_header::response::{SetMultipleResponseHeadersLayer, SetResponseHeaderLayer};

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
/// What answers that say nothing of their own about caches are sent with.
const KEEP_NOTHING: HeaderValue = HeaderValue::from_static("private, no-store");

/// Adds [`ALWAYS`], and that browsers come back over TLS only where there is TLS.
pub(super) fn security<B>(behind_tls: bool) -> SetMultipleResponseHeadersLayer<Response<B>> {
    let always = ALWAYS.map(|(name, value)| (name, HeaderValue::from_static(value)).into());
    let tls_only = behind_tls.then_some(TLS_ONLY);
    let tls_only = (header::STRICT_TRANSPORT_SECURITY, tls_only).into();
    SetMultipleResponseHeadersLayer::overriding(always.into_iter().chain([tls_only]).collect())
}

/// Lets nobody keep an answer that does not say for itself for how long.
pub(super) fn caching() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, KEEP_NOTHING)
}
