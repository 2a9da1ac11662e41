//! `/login` and `/logout`: a token becomes a session.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use url::form_urlencoded;

use super::access::{AccessControl, Caller};
use super::pages::render_login_page;
use super::problem::{OwnPage, Problem};
use super::query::field;
use super::server::Client;
use crate::clock::wall;
use crate::telemetry::names::{CLIENT_ADDRESS, VIEWER_NAME};

/// Where one logs in.
pub(super) const LOGIN: &str = "/login";
const LOGOUT: &str = "/logout";
/// Where one is led after a login that came from nowhere.
const START: &str = "/";
/// The longest path that a login leads back to, in bytes.
const BACK_BYTES_MAX: usize = 512;

pub(super) fn routes<S>(access: Arc<AccessControl>) -> Router<S> {
    Router::new()
        .route(LOGIN, get(show).post(log_in))
        .route(LOGOUT, post(log_out))
        .with_state(access)
}

/// The address of the login that leads back to `back`, where that is a place of this console.
pub(super) fn address(back: Option<&str>) -> String {
    match back.filter(|back| is_place(back) && *back != START) {
        Some(back) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", back)
                .finish();
            format!("{LOGIN}?{query}")
        }
        None => LOGIN.to_owned(),
    }
}

/// Whether this leads to a page of this console and nowhere else, however a browser reads it.
fn is_place(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= BACK_BYTES_MAX
        && path.bytes().all(is_plain)
        && ![LOGIN, LOGOUT].contains(&path.split(['?', '#']).next().unwrap_or_default())
}

async fn show(State(access): State<Arc<AccessControl>>, RawQuery(query): RawQuery) -> Response {
    if access.is_open() {
        return Redirect::to(START).into_response();
    }
    let back = field(query.unwrap_or_default().as_bytes(), "next");
    Html(render_login_page(&place(back), false)).into_response()
}

async fn log_in(
    State(access): State<Arc<AccessControl>>,
    ConnectInfo(client): ConnectInfo<Client>,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Problem> {
    if access.is_open() {
        return Ok(Redirect::to(START).into_response());
    }
    let caller = Caller::from(client.address.ip());
    access
        .logins
        .take(caller, access.now())
        .map_err(Problem::too_many_requests)?;
    let back = place(field(&form, "next"));
    let shown = field(&form, "token").unwrap_or_default();
    let Some(token) = access.tokens.find(shown.trim(), wall()) else {
        tracing::warn!({ { CLIENT_ADDRESS } = %client.address.ip() }, "a login failed");
        return Ok(refuse(&back));
    };
    // Only guesses count; what anybody may ask at all is counted elsewhere.
    access.logins.give_back(caller);
    let id = access
        .sessions
        .begin(token, access.now())
        .map_err(|error| {
            tracing::error!(%error, "no session can begin");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
    // The one before, if any, is of no use to anybody from now on.
    if let Some(before) = access.cookie.read(&headers) {
        access.sessions.end(before);
    }
    if let Some(viewer) = access.tokens.viewer(token, wall()) {
        tracing::info!(
            { { VIEWER_NAME } = %viewer.name, { CLIENT_ADDRESS } = %client.address.ip() },
            "logged in"
        );
    }
    let mut response = Redirect::to(&back).into_response();
    if let Some(cookie) = access.cookie.set(&id) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The form again, which says that the token is nobody's.
fn refuse(back: &str) -> Response {
    let page = Html(render_login_page(back, true));
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    let mut response = (StatusCode::UNAUTHORIZED, challenge, page).into_response();
    response.extensions_mut().insert(OwnPage);
    response
}

async fn log_out(State(access): State<Arc<AccessControl>>, headers: HeaderMap) -> Response {
    if let Some(id) = access.cookie.read(&headers) {
        access.sessions.end(id);
    }
    let mut response = Redirect::to(LOGIN).into_response();
    if let Some(cookie) = access.cookie.forget() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Where a login leads that came from `back`.
fn place(back: Option<String>) -> String {
    back.filter(|back| is_place(back))
        .unwrap_or_else(|| START.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_back_into_the_console_only() {
        for inside in ["/", "/runs", "/runs/7?undecided=1&x=%2F", "/a//b"] {
            assert!(is_place(inside), "{inside}");
        }
        let long = format!("/{}", "a".repeat(BACK_BYTES_MAX));
        for outside in [
            "",
            "runs",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nset-cookie: x=y",
            "/\t/evil.example",
            "/a b",
            "/ü",
            "/login",
            "/login?next=/x",
            "/logout",
            &long,
        ] {
            assert!(!is_place(outside), "{outside}");
            assert_eq!(place(Some(outside.to_owned())), "/", "{outside}");
            assert_eq!(address(Some(outside)), "/login", "{outside}");
        }
        assert_eq!(address(Some("/runs?a=b")), "/login?next=%2Fruns%3Fa%3Db");
        assert_eq!(address(Some("/")), "/login");
    }

    #[test]
    fn the_form_holds_text_and_nothing_else_of_what_it_is_given() {
        let page = render_login_page("/x\"><script>", true);
        assert!(
            page.contains("value=\"/x&#34;&#62;&#60;script&#62;\""),
            "{page}"
        );
        assert!(page.contains("role=\"alert\""));
        assert!(!render_login_page("/", false).contains("role=\"alert\""));
    }
}
