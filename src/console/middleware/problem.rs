//! Every refusal in one of two forms: problem details for programs, a page for people.

use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::identify::is_api;
use crate::console::access::Viewer;
use crate::console::pages::render_problem_page;
use crate::console::problem::{OwnPage, Problem};

/// Gives refusals their form, whoever refused.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let is_api = is_api(request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let extensions = response.extensions();
    if !is_refusal || extensions.get::<OwnPage>().is_some() {
        return response;
    }
    let problem = extensions.get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| Problem::from(status));
    let mut refusal = if is_api {
        problem.to_json()
    } else {
        let viewer = extensions.get::<Option<Viewer>>();
        to_page(&problem, viewer.and_then(Option::as_ref))
    };
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        refusal.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    refusal
}

/// The page for whoever asked; for nobody known, without a menu.
fn to_page(problem: &Problem, viewer: Option<&Viewer>) -> Response {
    let page = render_problem_page(problem, viewer);
    problem.with_body("text/html; charset=utf-8", page.into_bytes())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_page_cannot_be_broken_out_of() {
        let response = to_page(&Problem::bad_request("<script>\"'&"), None);
        let bytes = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(body.contains("&#60;script&#62;&#34;&#39;&#38;"), "{body}");
        assert!(!body.contains("<script"), "{body}");
    }

    #[test]
    fn whoever_must_wait_or_log_in_is_told() {
        let wait = to_page(&StatusCode::SERVICE_UNAVAILABLE.into(), None);
        assert_eq!(wait.headers()["retry-after"], "1");
        let challenge = to_page(&StatusCode::UNAUTHORIZED.into(), None);
        assert_eq!(challenge.headers()["www-authenticate"], "Bearer");
    }
}
