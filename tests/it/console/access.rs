//! Who gets in, for how long, and how often they may ask.

use std::io::{Read as _, Write as _};
use std::process::Command;
use std::time::Duration;

use restore_reconciler::internals::clock::monotonic;
use restore_reconciler::internals::config::{self, Capability, Config};
use restore_reconciler::internals::console::{ConsoleLimits, serve_console};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::platform::{ELSEWHERE, LINKED, OWN, Platform, RUNNING, id};
use super::server::{
    Answer, Ask, CHIEF, GUEST, MEMBER, PROBE, Server, ask, connect, console_over, send_to,
    with_tokens,
};
use crate::support::time::in_time;

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_gets_in_and_nothing_else_does() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/", GUEST);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("\"guest\""), "{answer:?}");
    let other_case = Ask::get("/api/v1/").header("authorization", &format!("bEARER  {GUEST} "));
    assert_eq!(server.ask(&other_case).status, 200);

    let page = || Ask::get("/api/v1/");
    let short = &GUEST[..GUEST.len() - 1];
    for refused in [
        page(),
        page().bearer(""),
        page().bearer(short),
        page().bearer(&format!("{GUEST}x")),
        page().bearer(&"x".repeat(8_000)),
        page().header("authorization", GUEST),
        page().header("authorization", &format!("Basic {GUEST}")),
        page().bearer(GUEST).bearer(GUEST),
        page().cookie(&format!("restore-reconciler={GUEST}")),
        Ask::get(&format!("/api/v1/?token={GUEST}")),
    ] {
        let answer = server.ask(&refused);
        answer.is_refused(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_led_to_the_login_and_back() {
    let server = Server::start().await;
    for (target, login) in [
        ("/", "/login"),
        ("/runs?undecided=1", "/login?next=%2Fruns%3Fundecided%3D1"),
        ("/nothing/here", "/login?next=%2Fnothing%2Fhere"),
        ("//evil.example/x", "/login"),
    ] {
        let answer = server.ask(&Ask::get(target));
        answer.leads_to(login);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let lost = server.ask(&Ask::post("/runs/1").form(&[("a", "b")]));
    lost.leads_to("/login");

    let form = server.ask(&Ask::get("/login?next=%2Fruns%3Fundecided%3D1"));
    let next = "value=\"/runs?undecided=1\"";
    assert!(form.body.contains(next), "{form:?}");
    let back = |next: &str| {
        let answer = server.ask(&Ask::post("/login").form(&[("next", next), ("token", GUEST)]));
        assert_eq!(answer.status, 303);
        answer.header("location").unwrap().to_owned()
    };
    assert_eq!(back("/runs?undecided=1"), "/runs?undecided=1");
    let hosts = ["//evil.example", "https://evil.example"];
    for elsewhere in hosts
        .into_iter()
        .chain(["/\\evil.example", "/a\r\nx: y", ""])
    {
        assert_eq!(back(elsewhere), "/", "{elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_a_cookie_that_no_script_reads_and_a_logout_ends_it() {
    let server = Server::start().await;
    let answer = server.ask(&Ask::post("/login").form(&[("token", &format!(" {CHIEF}\n"))]));
    let set = answer.header("set-cookie").unwrap();
    let (pair, flags) = set.split_once("; ").unwrap();
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Strict");
    let id = pair.strip_prefix("restore-reconciler=").unwrap();
    assert_eq!(id.len(), 64);
    assert_eq!(answer.header("strict-transport-security"), None);

    let page = server.ask(&Ask::get("/").cookie(pair));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("chief"), "{page:?}");
    assert!(!page.body.contains(id), "{page:?}");
    assert_ne!(server.log_in(CHIEF), pair, "each has a session of its own");

    let answer = server.ask(&log_out(pair, &page.form_token()));
    answer.leads_to("/login");
    let forgotten = "restore-reconciler=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict";
    assert_eq!(answer.header("set-cookie"), Some(forgotten));
    assert_eq!(server.status("/", pair), 303);
    assert_eq!(server.status("/api/v1/", pair), 401);
}

fn log_out(cookie: &str, csrf: &str) -> Ask {
    let log_out = Ask::post("/logout").cookie(cookie);
    log_out.form(&[("csrf", csrf)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_refused_leads_those_on_who_are_known() {
    const MENU: &str = "<nav aria-label=\"Main\">";
    let server = Server::start().await;
    let cookie = server.log_in(GUEST);
    let missing = server.ask(&Ask::get("/nothing").cookie(&cookie));
    let forbidden = Ask::get(&format!("/runs/{}/explain", id(OWN, RUNNING)));
    let forbidden = server.ask(&forbidden.cookie(&cookie));
    let late = server.ask(&log_out(&cookie, "old"));
    for (refused, status) in [(&missing, 404), (&forbidden, 403), (&late, 403)] {
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.body.contains(MENU), "{refused:?}");
        assert!(refused.body.contains("<span>guest</span>"), "{refused:?}");
    }
    // From another site, even a session is nobody's.
    let elsewhere = Ask::post("/logout")
        .cookie(&cookie)
        .header("origin", "https://evil.example");
    let unknown = Ask::get("/runs").bearer("rrt_nobody");
    for (refused, status) in [(elsewhere, 403), (unknown, 401)] {
        let refused = server.ask(&refused);
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(!refused.body.contains(MENU), "{refused:?}");
        assert!(!refused.body.contains("csrf"), "{refused:?}");
    }
    // What stands there to log out does so.
    let out = server.ask(&log_out(&cookie, &missing.form_token()));
    assert_eq!(out.status, 303, "{out:?}");
    assert_eq!(server.status("/", &cookie), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_comes_back_over_tls_only() {
    let server = Server::start_with(|config, _| config.console.behind_tls = true).await;
    let answer = server.ask(&Ask::post("/login").form(&[("token", GUEST)]));
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-restore-reconciler="), "{set}");
    let flags = "; Path=/; HttpOnly; SameSite=Strict; Secure";
    assert!(set.ends_with(flags), "{set}");
    assert!(!set.contains("Domain"), "{set}");
    let year = Some("max-age=31536000");
    assert_eq!(answer.header("strict-transport-security"), year);
    assert_eq!(server.status("/", &answer.cookie()), 200);
    let plain = answer.cookie().replace("__Host-", "");
    assert_eq!(server.status("/", &plain), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_says_only_that() {
    let server = Server::start().await;
    let refused = |token: &str| {
        let answer = server.ask(&Ask::post("/login").form(&[("token", token), ("next", "/x")]));
        let found = (answer.status, answer.header("set-cookie"));
        assert_eq!(found, (401, None), "{answer:?}");
        answer.body
    };
    let page = refused("rrt_nobody");
    assert!(page.contains("This token is not known."), "{page}");
    assert!(!page.contains("nobody"), "{page}");
    for token in ["", "<b>", &GUEST[..10], &"x".repeat(5_000)] {
        assert_eq!(refused(token), page, "{token}");
    }
    let nothing = server.ask(&Ask::post("/login"));
    assert_eq!(nothing.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_needs_the_secret_of_its_own_forms() {
    let server = Server::start().await;
    let [own, other] = [CHIEF, GUEST].map(|token| server.log_in(token));
    let form_token = |cookie: &str| server.ask(&Ask::get("/").cookie(cookie)).form_token();
    let (secret, foreign) = (form_token(&own), form_token(&other));
    assert_ne!(secret, foreign);
    assert_eq!(form_token(&own), secret, "the same on every page");

    let nameless = || Ask::post("/logout").cookie(&own);
    let id = own.split_once('=').unwrap().1;
    for refused in [
        nameless(),
        log_out(&own, ""),
        log_out(&own, &foreign),
        log_out(&own, &secret[1..]),
        log_out(&own, id),
        nameless().form(&[("csrf", "x"), ("csrf", &secret)]),
        log_out(&own, &secret).header("x-csrf-token", &foreign),
        Ask::post(&format!("/logout?csrf={secret}")).cookie(&own),
    ] {
        let answer = server.ask(&refused);
        assert_eq!(answer.status, 403, "{refused:?}");
        let said = answer.body.contains("did not come from the console");
        assert!(said, "{answer:?}");
    }
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "X"] {
        let asked = Ask::new(method, "/api/v1/").cookie(&own);
        assert_eq!(server.ask(&asked).problem(), "foreign-request", "{method}");
    }
    // A page of another site cannot add this header.
    let by_script = nameless().header("x-csrf-token", &secret);
    assert_eq!(server.ask(&by_script).status, 303);
    let bearer = Ask::post("/api/v1/").bearer(CHIEF);
    assert_eq!(server.ask(&bearer).problem(), "method-not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_sites_page_sends_is_refused() {
    let server = Server::start().await;
    let log_in = Ask::post("/login").form(&[("token", GUEST)]);
    let host = server.address.to_string();
    for (name, value, status) in [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", &format!("http://{host}.evil.example"), 403),
        ("origin", &format!("http://{host}"), 303),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 303),
    ] {
        let answer = server.ask(&log_in.clone().header(name, value));
        assert_eq!(answer.status, status, "{name}: {value}");
        assert_eq!(answer.header("set-cookie").is_some(), status == 303);
    }
    let bearer = Ask::post("/api/v1/")
        .bearer(CHIEF)
        .header("origin", "http://evil.example");
    assert_eq!(server.ask(&bearer).problem(), "foreign-request");
    let looks = Ask::get("/login").header("sec-fetch-site", "cross-site");
    assert_eq!(server.ask(&looks).status, 200, "looking is no harm");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_by_themselves() {
    let server = Server::start().await;
    let [silent, left_open, busy] = [GUEST, MEMBER, CHIEF].map(|token| server.log_in(token));
    let is_in = |cookie: &str| server.ask(&Ask::get("/").cookie(cookie)).status == 200;
    for _ in 0..25 {
        assert!(is_in(&busy));
        // As a page does that looks again by itself.
        let again = Ask::get("/").cookie(&left_open);
        server.ask(&again.header("sec-fetch-mode", "navigate"));
        server.go_on(Duration::from_mins(28));
    }
    assert!(!is_in(&silent) && !is_in(&left_open));
    assert!(is_in(&busy), "11 hours and 40 minutes");
    server.go_on(Duration::from_mins(20));
    assert!(!is_in(&busy), "12 hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_and_each_address_has_its_own_allowance() {
    let few = |config: &mut Config, _: &mut _| config.console.requests_per_minute = 10;
    let server = Server::start_with(few).await;
    let page = || Ask::get("/api/v1/");
    let askers = [page(), page().bearer(GUEST), page().bearer(CHIEF)];
    for (asker, usual) in askers.iter().zip([401, 200, 200]) {
        for _ in 0..10 {
            assert_eq!(server.ask(asker).status, usual);
        }
        let refused = server.ask(asker);
        refused.is_refused(429, "too-many-requests");
        assert_eq!(refused.header("retry-after"), Some("6"));
    }
    let unknown = server.get("/api/v1/", "nobody's");
    assert_eq!(unknown.status, 429, "by its address");
    server.go_on(Duration::from_secs(6));
    for (asker, usual) in askers.iter().zip([401, 200, 200]) {
        let twice = [(); 2].map(|()| server.ask(asker).status);
        assert_eq!(twice, [usual, 429]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_guessed_by_the_form() {
    let server = Server::start().await;
    let log_in = |token| server.ask(&Ask::post("/login").form(&[("token", token)]));
    let log_in = |token| log_in(token).status;
    for _ in 0..10 {
        assert_eq!(log_in("guess"), 401);
    }
    assert_eq!([log_in("guess"), log_in(GUEST)], [429, 429]);
    assert_eq!(server.get("/", GUEST).status, 200);
    server.go_on(Duration::from_secs(6));
    assert_eq!(log_in(GUEST), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_token_may_log_in_as_often_as_ask() {
    let server = Server::start().await;
    for _ in 0..15 {
        server.log_in(GUEST);
    }
    let guess = Ask::post("/login").form(&[("token", "guess")]);
    for _ in 0..10 {
        assert_eq!(server.ask(&guess).status, 401);
    }
    assert_eq!(server.ask(&guess).status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_capability_is_named() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/runs", PROBE);
    answer.is_refused(403, "forbidden");
    let named = answer.body.contains("no capability runs.view");
    assert!(named, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_has_one_body() {
    let server = Server::start().await;
    for (prefix, problem) in [("/api/v1/", true), ("/", false)] {
        let answers = ["x", "runs/999999999/x", "%2e%2e/etc/passwd", "x?y=z"].map(|path| {
            let answer = server.get(&format!("{prefix}{path}"), GUEST);
            assert_eq!(answer.status, 404, "{path}");
            let kind = answer.header("content-type");
            assert_eq!(kind == Some("application/problem+json"), problem);
            answer.body
        });
        let are_one = answers.iter().all(|body| *body == answers[0]);
        assert!(are_one, "{answers:?}");
    }
    let unknown = server.ask(&Ask::get("/nothing"));
    assert_eq!(unknown.status, 303, "nobody learns what is there");
    let method = server.ask(&Ask::new("DELETE", "/api/v1/").bearer(GUEST));
    assert_eq!(method.problem(), "method-not-allowed");
    assert_eq!(method.header("allow"), Some("GET,HEAD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_this_machine_gets_in_by_its_own_name_only() {
    let server = Server::start_with(|config, _| config.console.tokens.clear()).await;
    let page = server.ask(&Ask::get("/"));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("this machine"), "{page:?}");
    // What somebody does here is on record as done by whoever runs the console.
    let run = format!("/runs/{}", id(OWN, RUNNING));
    let csrf = server.ask(&Ask::get(&run)).form_token();
    let post = Ask::post(&format!("{run}/reconcile")).form(&[("csrf", &csrf)]);
    assert_eq!(server.ask(&post).status, 303);
    let page = server.ask(&Ask::get(&run));
    let user = Command::new("id")
        .args(["--user", "--name"])
        .output()
        .unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let said = format!("asked for by local:{}: a job was queued", user.trim());
    assert!(page.body.contains(&said), "{said}: {page:?}");
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]", 200),
        ("rebound.example", 421),
        ("127.0.0.1.rebound.example", 421),
        ("192.0.2.1", 421),
        ("", 421),
    ] {
        let answer = server.ask(&Ask::get("/api/v1/").header("host", host));
        assert_eq!(answer.status, status, "{host}");
    }
    let absolute = Ask::get("http://rebound.example/api/v1/");
    assert_eq!(server.ask(&absolute).status, 421);
    let nameless = send_to(server.address, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(nameless.status, 421);
    assert!(nameless.has_security_headers());

    let run = format!("/runs/{}", id(OWN, RUNNING));
    let page = server.ask(&Ask::get(&run));
    let ask_for = Ask::post(&format!("{run}/reconcile"));
    assert_eq!(server.ask(&ask_for).status, 403);
    let sent = ask_for.form(&[("csrf", &page.form_token())]);
    assert_eq!(server.ask(&sent).status, 303);
    let elsewhere = sent.header("origin", "http://evil.example");
    assert_eq!(server.ask(&elsewhere).status, 403);
    let login = server.ask(&Ask::get("/login"));
    assert_eq!(login.header("location"), Some("/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_too_much_is_told_so() {
    let server = Server::start().await;
    let page = Ask::get("/api/v1/").bearer(CHIEF);
    let ask = |request: &Ask| {
        let answer = server.ask(request);
        assert!(answer.has_security_headers(), "{answer:?}");
        (answer.status, answer.problem())
    };
    let said = |status: u16, kind: &str| (status, kind.to_owned());
    let long = |bytes: usize| Ask::get(&format!("/api/v1/?{}", "x".repeat(bytes))).bearer(CHIEF);
    assert_eq!(ask(&long(5_000)), said(414, "uri-too-long"));
    assert_eq!(server.ask(&long(4_000)).status, 200);

    let large = page.clone().header("x", &"y".repeat(17_000));
    assert_eq!(ask(&large), said(431, "headers-too-large"));
    let many = (0..70).fold(page.clone(), |page, n| page.header(&format!("x{n}"), "y"));
    assert_eq!(ask(&many), said(431, "headers-too-large"));
    let twice = page.header("host", "a").header("host", "a");
    assert_eq!(ask(&twice), said(400, "bad-request"));

    let post = Ask::post("/api/v1/").bearer(CHIEF);
    let body = |bytes: usize| post.clone().body(&b"x".repeat(bytes));
    assert_eq!(ask(&body(16 << 10)), said(405, "method-not-allowed"));
    assert_eq!(ask(&body((16 << 10) + 1)), said(413, "payload-too-large"));
    let chunk = format!("4400\r\n{}\r\n0\r\n\r\n", "x".repeat(0x4400));
    let chunked = post.header("transfer-encoding", "chunked");
    let chunked = chunked.body(chunk.as_bytes());
    assert_eq!(ask(&chunked), said(413, "payload-too-large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_waited_for_long() {
    let brief = Duration::from_millis(200);
    let server = Server::start_with(|_, limits| limits.request_timeout = brief).await;
    let promised = Ask::post("/api/v1/").bearer(CHIEF);
    let promised = promised.header("content-length", "10").body(b"123");
    let answer = server.ask(&promised);
    assert_eq!(answer.status, 408, "{answer:?}");

    let crowded = Server::start_with(|_, limits| limits.requests_max = 0).await;
    let answer = crowded.get("/api/v1/", CHIEF);
    answer.is_refused(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// Reads one answer whose length is known, and leaves the connection open.
fn read_one(stream: &mut std::net::TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (_, length) = head.split_once("content-length: ").expect("a length");
            let length = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return Answer::read(&bytes).unwrap();
            }
        }
        let mut some = [0; 4096];
        let read = stream.read(&mut some).expect("more");
        assert!(read > 0, "the connection has ended: {text}");
        bytes.extend_from_slice(&some[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_some_requests_and_ends_in_order() {
    let server = Server::start().await;
    let mut stream = connect(server.address);
    let request = Ask::get("/api/v1/").bearer(GUEST);
    let request = request.header("connection", "keep-alive");
    for n in 1..=32 {
        stream.write_all(&request.bytes(server.address)).unwrap();
        let answer = read_one(&mut stream);
        assert_eq!(answer.status, 200, "{n}");
        let says_end = answer.header("connection").is_some();
        assert_eq!(says_end, n == 32, "{n}: {answer:?}");
    }
    assert_eq!(stream.read(&mut [0; 1]).expect("an end"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_security_headers_and_is_kept_by_nobody() {
    let server = Server::start().await;
    let cookie = server.log_in(CHIEF);
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"] {
        for target in "/ /login /logout /assets/x /api/v1/ /api /nothing".split(' ') {
            let asked = Ask::new(method, target);
            for asked in [
                asked.clone(),
                asked.clone().bearer(GUEST),
                asked.clone().bearer("nobody's"),
                asked.cookie(&cookie),
            ] {
                let answer = server.ask(&asked);
                assert!(answer.has_security_headers(), "{asked:?}: {answer:?}");
                let kept = answer.header("cache-control").unwrap();
                let may_be_asked_again = answer.status == 200 && kept == "private, no-cache";
                let is_kept = !may_be_asked_again && kept != "private, no-store";
                assert!(!is_kept, "{asked:?}: {answer:?}");
                assert!(answer.status < 500, "{asked:?}: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_nobody_else_is_listened_to() {
    let platform = Platform::planted().await;
    let serve = async |config: Config| {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let console = console_over(&platform, config).await;
        let (limits, stop) = (ConsoleLimits::default(), CancellationToken::new());
        let serving = serve_console(listener, console, limits, monotonic(), stop.clone());
        (port, stop, tokio::spawn(serving))
    };
    let (_, _, refused) = serve(Config::default()).await;
    let refused = in_time("its end", refused).await.expect("no panic");
    let error = refused.expect_err("it must not listen").to_string();
    assert!(error.contains("without tokens"), "{error}");

    let (port, stop, serving) = serve(with_tokens()).await;
    let answer = ask(([127, 0, 0, 1], port).into(), &Ask::get("/").bearer(GUEST));
    assert_eq!(answer.status, 200);
    stop.cancel();
    let ended = in_time("its end", serving).await.expect("no panic");
    ended.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_asked_for_as_part_of_the_callers_trace() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let server = Server::start().await;
    // A run that is asked for already gets no second job.
    for (kind, given) in [(RUNNING, TRACE), (LINKED, "00-zz-zz-00")] {
        let path = format!("/api/v1/runs/{}/reconcile", id(OWN, kind));
        let post = Ask::post(&path).bearer(CHIEF);
        let asked = server.ask(&post.header("traceparent", given));
        assert_eq!(asked.status, 202, "{given}");
    }
    let file = server.platform.url.clone() + ".queue";
    let queue = SqlitePool::connect(&file).await.unwrap();
    let text =
        "SELECT CAST(job AS TEXT) FROM Jobs WHERE job_type = 'restore.execute' ORDER BY rowid";
    let jobs: Vec<String> = sqlx::query_scalar(text).fetch_all(&queue).await.unwrap();
    let traces: Vec<Value> = jobs
        .iter()
        .map(|job| serde_json::from_str::<Value>(job).unwrap()["traceparent"].clone())
        .collect();
    assert_eq!(traces, [json!(TRACE), Value::Null]);
}

/// Has the run be given up as one whose every settlement ended its process.
async fn bury(server: &Server, run: i64) -> SqlitePool {
    let pool = SqlitePool::connect(&server.platform.url).await.unwrap();
    let dead = "INSERT OR REPLACE INTO reconciler_attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, try_again_at, dead_at
        ) VALUES (?1, 1, 5, 'worker', 1, 1, 1)";
    sqlx::query(dead).bind(run).execute(&pool).await.unwrap();
    pool
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_changed_by_whoever_may_and_says_why_and_by_nobody_else() {
    let server = Server::start_with(|config, _| {
        let token = &mut config.console.tokens[2];
        token.capabilities.remove(&Capability::QueueManage);
    })
    .await;
    let run = id(OWN, RUNNING);
    let pool = bury(&server, run).await;
    let of = |action: &str| format!("/api/v1/queue/{run}/{action}");
    let why = json!({ "reason": "its tenant is gone" }).to_string();
    let told = |target: &str, token: &str, body: &str| {
        let asked = Ask::post(target).bearer(token).body(body.as_bytes());
        server.ask(&asked)
    };
    let elsewhere = format!("/api/v1/queue/{}/retry", id(ELSEWHERE, RUNNING));
    for (target, token, body, status) in [
        (&*of("retry"), MEMBER, &*why, 403),
        (&of("drop"), MEMBER, &why, 403),
        (&of("drop"), PROBE, &why, 403),
        (&elsewhere, MEMBER, &why, 404),
        ("/api/v1/queue/999999/drop", CHIEF, &why, 404),
        (&of("drop"), CHIEF, "", 400),
        (&of("drop"), CHIEF, "{\"reason\":\" \"}", 400),
        (&of("drop"), CHIEF, "{\"reason\":\"a\\u0000b\"}", 400),
        (&of("drop"), CHIEF, "{\"reason\":\"why\",\"run\":7}", 400),
        (&format!("/queue/{run}/drop"), CHIEF, "reason=", 400),
    ] {
        let answer = told(target, token, body);
        assert_eq!(answer.status, status, "{target} {body}: {answer:?}");
    }
    let long = json!({ "reason": "x".repeat(501) }).to_string();
    assert_eq!(told(&of("drop"), CHIEF, &long).status, 400);
    let count = "SELECT count(*) FROM reconciler_actions";
    let noted: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
    assert_eq!(noted, 0);

    let button = format!("action=\"/queue/{run}/retry\"");
    let member = server.log_in(MEMBER);
    let page = server.ask(&Ask::get("/queue").cookie(&member));
    assert!(page.body.contains("dead letter"), "{page:?}");
    assert!(!page.body.contains(&button), "{page:?}");
    let cookie = server.log_in(CHIEF);
    let page = server.ask(&Ask::get("/queue").cookie(&cookie));
    assert!(page.body.contains(&button), "{page:?}");
    let by_form = |action: &str, csrf: &str, reason: &str| {
        let asked = Ask::post(&format!("/queue/{run}/{action}")).cookie(&cookie);
        server.ask(&asked.form(&[("csrf", csrf), ("reason", reason)]))
    };
    assert_eq!(by_form("drop", "x", "why").status, 403);
    let csrf = page.form_token();
    let told_at = format!("/queue?about={run}");
    by_form("drop", &csrf, "<b>gone</b>").leads_to(&told_at);
    let notice = |cookie: &str| {
        let page = server.ask(&Ask::get(&told_at).cookie(cookie));
        let (_, notice) = page.body.split_once("role=\"status\">").expect("a notice");
        notice.split("</p>").next().unwrap_or_default().to_owned()
    };
    let said = notice(&cookie);
    assert!(
        said.contains("given up by chief: dropped; reason: &#60;b&#62;gone"),
        "{said}"
    );
    let said = notice(&member);
    assert!(
        said.contains(&format!(
            "No retry or drop of run {run} by you is on record"
        )),
        "{said}"
    );
    let elsewhere = format!("/queue?about={}", id(ELSEWHERE, RUNNING));
    assert_eq!(
        server.ask(&Ask::get(&elsewhere).cookie(&member)).status,
        404
    );
    let again = told(&of("drop"), CHIEF, &why);
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(again.json()["changed"], false);
    let again = told(&of("retry"), CHIEF, &why);
    assert_eq!(again.json()["changed"], true);
    assert_eq!(again.header("location"), Some("/api/v1/queue"));
    assert!(notice(&cookie).contains("retried by chief: it starts over"));
    let page = server.ask(&Ask::get(&format!("/runs/{run}")).cookie(&cookie));
    for said in [
        "given up by chief: dropped; reason: &#60;b&#62;gone&#60;/b&#62;",
        "retried by chief: it starts over; reason: its tenant is gone",
    ] {
        assert!(page.body.contains(said), "{page:?}");
    }
}

fn believing(address: &str) -> config::Proxy {
    config::Proxy {
        addresses: [address.parse().expect("an address")].into(),
        header: "x-forwarded-user".to_owned(),
        workspaces: config::Reach::Only([OWN].into()),
        capabilities: [Capability::RunsView, Capability::RunsReconcile].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_names_people_who_may_what_is_configured_and_no_more() {
    let server =
        Server::start_with(|config, _| config.console.proxy = Some(believing("127.0.0.1"))).await;
    let named = |path: &str, name: &str| Ask::get(path).header("x-forwarded-user", name);
    let answer = server.ask(&named("/api/v1/", "alice@example.org"));
    assert_eq!(answer.json()["viewer"], "proxy:alice@example.org");
    assert_eq!(
        answer.json()["capabilities"],
        json!(["runs.view", "runs.reconcile"])
    );
    let twice = named("/api/v1/", "alice").header("X-Forwarded-User", "chief");
    server.ask(&twice).is_refused(401, "unauthorized");
    for name in [
        "",
        " ",
        "a b",
        "proxy:alice",
        "a,b",
        "\u{e9}",
        "<b>",
        &"x".repeat(65),
        "rrt_alice",
    ] {
        server
            .ask(&named("/api/v1/", name))
            .is_refused(401, "unauthorized");
    }
    // A token counts first, and without the header everything is as it was.
    let chief = server.ask(&named("/api/v1/", "alice").bearer(CHIEF));
    assert_eq!(chief.json()["viewer"], "chief");
    let wrong = server.ask(&named("/api/v1/", "alice").bearer("nobody's"));
    wrong.is_refused(401, "unauthorized");
    assert_eq!(server.get("/api/v1/", GUEST).status, 200);
    server
        .ask(&Ask::get("/api/v1/"))
        .is_refused(401, "unauthorized");

    let run = id(OWN, RUNNING);
    let elsewhere = format!("/api/v1/runs/{}", id(ELSEWHERE, RUNNING));
    assert_eq!(server.ask(&named(&elsewhere, "alice")).status, 404);
    let refused = server.ask(&named(&format!("/runs/{run}/explain"), "alice"));
    assert_eq!(refused.status, 403);
    for (words, is_said) in [
        ("You have no capability evidence.view here.", true),
        ("[console.proxy]", true),
        ("console.tokens", false),
        ("another token", false),
    ] {
        assert_eq!(
            refused.body.contains(words),
            is_said,
            "{words}: {refused:?}"
        );
    }
    let page = server.ask(&named(&format!("/runs/{run}"), "alice"));
    assert!(!page.body.contains("Log out"), "{page:?}");
    let asked = |name: &str, fields: &[(&str, &str)]| {
        let post = Ask::post(&format!("/runs/{run}/reconcile")).header("x-forwarded-user", name);
        server.ask(&post.form(fields)).status
    };
    let csrf = page.form_token();
    assert_eq!(asked("alice", &[]), 403);
    assert_eq!(
        asked("bob", &[("csrf", &csrf)]),
        403,
        "it is another one's form"
    );
    assert_eq!(asked("alice", &[("csrf", &csrf)]), 303);
    let page = server.ask(&named(&format!("/runs/{run}"), "bob"));
    assert!(
        page.body
            .contains("asked for by proxy:alice: a job was queued"),
        "{page:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_elsewhere_nobody_is_named() {
    let server =
        Server::start_with(|config, _| config.console.proxy = Some(believing("192.0.2.1"))).await;
    for asked in [
        Ask::get("/api/v1/").header("x-forwarded-user", "alice"),
        Ask::get("/api/v1/")
            .header("x-forwarded-user", "alice")
            .bearer(CHIEF),
        Ask::get("/api/v1/")
            .header("X-FORWARDED-USER", "alice")
            .header("x-forwarded-for", "192.0.2.1"),
        Ask::get("/metrics").header("x-forwarded-user", "alice"),
    ] {
        server.ask(&asked).is_refused(401, "unauthorized");
    }
    assert_eq!(server.get("/api/v1/", CHIEF).status, 200);

    // Without tokens the proxy alone lets people in, and not everybody on this machine.
    let server = Server::start_with(|config, _| {
        config.console.tokens.clear();
        config.console.proxy = Some(believing("127.0.0.1"));
    })
    .await;
    server
        .ask(&Ask::get("/api/v1/"))
        .is_refused(401, "unauthorized");
    server.ask(&Ask::get("/")).leads_to("/login");
    let form = server.ask(&Ask::get("/login"));
    assert_eq!(form.status, 200);
    let named = Ask::get("/api/v1/").header("x-forwarded-user", "alice");
    assert_eq!(server.ask(&named).status, 200);
}
