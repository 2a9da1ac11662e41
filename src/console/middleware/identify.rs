//! Who calls, how often, and where those are led who are not let in.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::console::access::{AccessControl, Caller, Identity};
use crate::console::login::{self, LOGIN};
use crate::console::metrics::{LIVEZ, METRICS, READYZ};
use crate::console::problem::Problem;
use crate::console::server::Client;

/// Lets known viewers in, and everybody to what a login is made of. The viewer goes with the request, and with the
/// answer for whoever makes a page of it.
pub(super) async fn identify(
    State(access): State<Arc<AccessControl>>,
    ConnectInfo(client): ConnectInfo<Client>,
    mut request: Request,
    next: Next,
) -> Response {
    let identity = access.identify(request.headers(), client.address.ip());
    let viewer = match &identity {
        Identity::Known(viewer) => Some(viewer.again()),
        Identity::Refused | Identity::Nobody => None,
    };
    let caller = Caller::new(viewer.as_ref(), client.address.ip());
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(viewer.clone());
    // Whether the process answers at all is never a matter of how many ask.
    let is_liveness = request.uri().path() == LIVEZ;
    let refusal = match access.requests.take(caller, access.now()) {
        Err(_) if is_liveness => None,
        Err(wait) => Some(Problem::too_many_requests(wait).into_response()),
        Ok(()) => match identity {
            Identity::Refused => Some(StatusCode::UNAUTHORIZED.into_response()),
            Identity::Nobody if !is_open(request.uri().path()) => Some(turn_away(&request)),
            Identity::Known(_) | Identity::Nobody => None,
        },
    };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    response.extensions_mut().insert(viewer);
    response
}

/// Whether nobody needs to be known to see this: probes, and the pages that a login is made of.
fn is_open(path: &str) -> bool {
    path == LOGIN || path == LIVEZ || path == READYZ || path.starts_with("/assets/")
}

/// Sends a browser to the login, which leads back, and tells a program what it needs.
fn turn_away(request: &Request) -> Response {
    if is_api(request.uri().path()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let target = request.uri().path_and_query().map(PathAndQuery::as_str);
    let back = target.filter(|_| is_safe(request.method()));
    Redirect::to(&login::address(back)).into_response()
}

/// Whether it is programs that ask there.
pub(super) fn is_api(path: &str) -> bool {
    path == METRICS || path == "/api" || path.starts_with("/api/")
}

pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
