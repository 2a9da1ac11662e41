//! Whether a request was meant for this console, and by a page of its own.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// Whether every host that the request names is this machine by its own name.
///
/// Where everybody on this machine gets in, so would a page of another site whose name was made to lead here;
/// its requests carry that name.
pub(in crate::console) fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let named_in_target = uri.authority().is_none_or(is_this_machine);
    let host = only(headers, &header::HOST);
    named_in_target
        && host
            .and_then(authority)
            .is_some_and(|host| is_this_machine(&host))
}

fn is_this_machine(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a page of another origin may have sent this.
///
/// What the browser says of itself in `Sec-Fetch-Site` decides; browsers that do not, and those that reach the
/// console without TLS, send the origin, which must be the host that they asked. Programs that send neither are
/// no browser: they hold no cookie that was not given to them on purpose.
pub(in crate::console) fn is_from_elsewhere(uri: &Uri, headers: &HeaderMap) -> bool {
    if headers.contains_key("sec-fetch-site") {
        let site = only(headers, "sec-fetch-site");
        return !matches!(
            site.map(HeaderValue::as_bytes),
            Some(b"same-origin" | b"none")
        );
    }
    if !headers.contains_key(header::ORIGIN) {
        return false;
    }
    let origin = only(headers, &header::ORIGIN)
        .and_then(|origin| origin.to_str().ok())
        .and_then(|origin| origin.split_once("://"))
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        .and_then(|(_, authority)| authority.parse::<Authority>().ok());
    let asked = uri
        .authority()
        .cloned()
        .or_else(|| only(headers, &header::HOST).and_then(authority));
    match (origin, asked) {
        (Some(origin), Some(asked)) => origin != asked,
        _ => true,
    }
}

/// The value of a header that may stand there once.
pub(super) fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    value.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// Whether a request names this machine, and whether it is from elsewhere.
    fn origin(target: &str, headers: &[(&str, &str)]) -> (bool, bool) {
        let request = headers
            .iter()
            .fold(Request::builder().uri(target), |request, (name, value)| {
                request.header(*name, *value)
            });
        let request = request.body(()).unwrap();
        let (uri, headers) = (request.uri(), request.headers());
        (
            names_this_machine(uri, headers),
            is_from_elsewhere(uri, headers),
        )
    }

    #[test]
    fn only_names_of_this_machine_are_answered_without_tokens() {
        for host in [
            "localhost",
            "LOCALHOST:8717",
            "127.0.0.1:8717",
            "127.9.9.9",
            "[::1]:8717",
        ] {
            assert!(origin("/", &[("host", host)]).0, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil@localhost",
            "localhost@evil",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "0.0.0.0",
            "[::]",
            "localhost.",
            "",
            "a b",
        ] {
            assert!(!origin("/", &[("host", host)]).0, "{host}");
        }
        assert!(!origin("/", &[]).0);
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert!(!origin("/", &twice).0);
        let local = [("host", "localhost")];
        assert!(!origin("http://evil.example/", &local).0);
        assert!(origin("http://localhost/", &local).0);
    }

    #[test]
    fn what_another_page_sends_is_known_by_what_browsers_say() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (
                &[("sec-fetch-site", "none"), ("sec-fetch-site", "none")],
                true,
            ),
            // A browser that says so is believed, also where its policy hides the origin.
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://here:1"),
                ],
                true,
            ),
            (&[("origin", "http://here:1")], false),
            (&[("origin", "https://here:1")], false),
            (&[("origin", "http://HERE:1")], false),
            (&[("origin", "http://here:2")], true),
            (&[("origin", "http://here")], true),
            (&[("origin", "http://here:1.evil.example")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "here:1")], true),
            (&[("origin", "file://here:1")], true),
            (&[("origin", "")], true),
            (
                &[("origin", "http://here:1"), ("origin", "http://here:1")],
                true,
            ),
        ];
        for (headers, elsewhere) in cases {
            let mut all = vec![("host", "here:1")];
            all.extend_from_slice(headers);
            assert_eq!(origin("/", &all).1, *elsewhere, "{headers:?}");
        }
    }
}
