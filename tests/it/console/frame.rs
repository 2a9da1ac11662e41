//! What stands around the pages: whether they look again, in which time zone, and what follows on what was done.

use restore_reconciler::internals::clock;
use sqlx::SqlitePool;

use super::platform::{FAILED, OWN, PROVEN, RUNNING, id};
use super::server::{Answer, Ask, GUEST, MEMBER, PROBE, Server};

fn main_of(answer: &Answer) -> &str {
    let (_, main) = answer.body.split_once("<main").expect("a page");
    main.split("</main>").next().expect("its end")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_change_by_themselves_look_again_until_they_are_stopped() {
    let server = Server::start().await;
    let (open, closed) = (id(OWN, RUNNING), id(OWN, FAILED));
    let stop = "<a href=\"?refresh=off\">Stop</a>";
    for (path, seconds) in [
        ("/", Some("30")),
        ("/queue", Some("30")),
        (&*format!("/runs/{open}"), Some("30")),
        (&*format!("/runs/{closed}"), None),
        ("/runs", None),
        // Somebody uses a form, or reads on.
        ("/?workspace=1", None),
        ("/reasons", None),
    ] {
        let answer = server.get(path, MEMBER);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("refresh"), seconds, "{path}");
        assert_eq!(answer.body.contains(stop), seconds.is_some(), "{path}");
        if seconds.is_some() {
            let stopped = server.get(&format!("{path}?refresh=off"), MEMBER);
            assert_eq!((stopped.status, stopped.header("refresh")), (200, None));
            let start = format!("<a href=\"{path}\">Start</a>");
            assert!(stopped.body.contains(&start), "{path}: {stopped:?}");
        }
    }
    assert_eq!(server.get("/?refresh=on", MEMBER).status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_say_how_many_and_in_which_state() {
    let server = Server::start().await;
    let title = |path: String| {
        let page = server.get(&path, MEMBER).body;
        let (_, title) = page.split_once("<title>").expect("a title");
        title.split(" – ").next().expect("its end").to_owned()
    };
    let failed = id(OWN, FAILED);
    assert_eq!(title("/".to_owned()), "Overview: 2 to look at");
    assert_eq!(title("/runs".to_owned()), "Runs: 5");
    assert_eq!(title("/runs?limit=2".to_owned()), "Runs: 2+");
    assert_eq!(
        title(format!("/runs/{failed}")),
        format!("Failed: run {failed}")
    );
    assert!(title("/queue".to_owned()).starts_with("Queue and sweeps: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_moments_in_the_zone_that_is_configured_and_nothing_else_does() {
    let server = Server::start_with(|config, _| {
        config.console.time_zone = "Asia/Kolkata".to_owned();
    })
    .await;
    let run = id(OWN, PROVEN);
    let page = server.get(&format!("/runs/{run}"), MEMBER).body;
    assert!(page.contains("time zone Asia/Kolkata"), "{page}");
    let shown = page.split("<time ").skip(1);
    for time in shown {
        let (stamp, rest) = time.split_once("\">").expect(time);
        let (text, _) = rest.split_once("</time>").expect(time);
        assert!(stamp.contains('Z'), "machines read UTC: {time}");
        assert!(text.ends_with(" IST") || time.contains(" IST\""), "{time}");
    }
    for path in [format!("/api/v1/runs/{run}"), "/runs.csv".to_owned()] {
        assert!(!server.get(&path, MEMBER).body.contains("IST"), "{path}");
    }
    let version = format!("restore-reconciler {}, ruleset", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&version), "{page}");
    // Nobody is told before the login.
    let login = server.ask(&Ask::get("/login")).body;
    assert!(!login.contains(env!("CARGO_PKG_VERSION")), "{login}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_a_run_is_told_that_it_waits_and_the_page_looks_again_soon() {
    let server = Server::start().await;
    let cookie = server.log_in(MEMBER);
    let get = |path: &str| server.ask(&Ask::get(path).cookie(&cookie));
    let (open, closed) = (id(OWN, RUNNING), id(OWN, FAILED));
    let token = get(&format!("/runs/{open}")).form_token();
    let ask = |run: i64| {
        let form = Ask::post(&format!("/runs/{run}/reconcile")).cookie(&cookie);
        let asked = server.ask(&form.form(&[("csrf", &token)]));
        assert_eq!(asked.status, 303, "{asked:?}");
        asked
            .header("location")
            .expect("a place")
            .replace("#decision", "")
    };
    let answer = get(&ask(open));
    assert_eq!(answer.header("refresh"), Some("5"), "{answer:?}");
    let told = main_of(&answer);
    assert!(told.contains("role=\"status\">Asked at 20"), "{told}");
    assert!(told.contains("by member. It waits for a worker"), "{told}");
    assert!(told.contains("this page looks again in 5 s."), "{told}");
    // Whoever stopped it stays where they are.
    let stopped = get(&format!("/runs/{open}?refresh=off"));
    assert_eq!(stopped.header("refresh"), None, "{stopped:?}");
    let told = main_of(&stopped);
    assert!(told.contains("does not look again"), "{told}");
    assert!(told.contains("It waits for a worker.</p>"), "{told}");
    // Whoever else follows the address, or writes another one, has asked for nothing.
    let others = server.get(&format!("/runs/{open}"), GUEST);
    assert_eq!(others.header("refresh"), Some("30"));
    assert!(!main_of(&others).contains("Asked at"), "{others:?}");
    let now = clock::wall().as_second();
    let forged = get(&format!("{}?asked={now}", ask(closed)));
    assert_eq!((forged.status, forged.header("refresh")), (200, None));
    assert!(!main_of(&forged).contains("Asked at"), "{forged:?}");

    let pool = SqlitePool::connect(&server.platform.url).await.unwrap();
    // Nine minutes ago it is told, and eleven minutes ago not.
    for (run, ago, is_told) in [(id(OWN, PROVEN), 540, true), (closed, 660, false)] {
        sqlx::query(
            "INSERT INTO reconciler_actions
                (acted_at, action, actor, workspace_id, managed_environment_id, operation_run_id, run_created_at)
             SELECT (unixepoch('now') - ?1) * 1000000, 'request', 'member', workspace_id, managed_environment_id, id,
                created_at
             FROM operation_runs WHERE id = ?2",
        )
        .bind(ago)
        .bind(run)
        .execute(&pool)
        .await
        .unwrap();
        let answer = get(&format!("/runs/{run}"));
        assert_eq!(
            main_of(&answer).contains("Asked at"),
            is_told,
            "{ago}: {answer:?}"
        );
    }
    let end = "UPDATE operation_runs SET status = 'completed', outcome = 'failed' WHERE id = 1003";
    sqlx::query(end).execute(&pool).await.unwrap();
    let answer = get(&format!("/runs/{open}"));
    assert_eq!(answer.header("refresh"), None);
    assert!(main_of(&answer).contains("by member. The run is closed."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_understood_stays_in_its_form() {
    let server = Server::start().await;
    let answer = server.get(
        "/runs?outcome=failed&older_than=%3Csoon&undecided=true&created_from=2026-11-01T00:00:00Z&created_before=never",
        GUEST,
    );
    assert_eq!(answer.status, 400);
    let main = main_of(&answer);
    assert!(main.contains("role=\"alert\""), "{main}");
    assert!(main.contains("`older_than` must be an age"), "{main}");
    assert!(main.contains("value=\"&#60;soon\""), "{main}");
    assert!(
        main.contains("<option value=\"failed\" selected>failed</option>"),
        "{main}"
    );
    assert!(
        main.contains("type=\"hidden\" name=\"undecided\" value=\"true\""),
        "{main}"
    );
    assert!(main.contains("value=\"2026-11-01T00:00:00Z\""), "{main}");
    assert!(!main.contains("value=\"never\""), "{main}");
    for (path, said, kept) in [
        (
            "/restores?kind=imported&environment=1",
            "`kind` must be executed, preparing or without_run",
            "<option value=\"1\" selected>",
        ),
        (
            "/?window=1y&order=urgent",
            "`window` must be 1d, 7d or 30d",
            "<option value=\"urgent\" selected>",
        ),
        (
            "/?posture=fine&x=1",
            "`posture` must be a recovery posture",
            "name=\"window\"",
        ),
    ] {
        let answer = server.get(path, GUEST);
        assert_eq!(answer.status, 400, "{path}");
        let main = main_of(&answer);
        for said in ["role=\"alert\"", said, kept, "Correct the filters"] {
            assert!(main.contains(said), "{path}: {said}: {main}");
        }
    }
    // A program is told as before.
    let refused = server.get("/runs.csv?older_than=soon", GUEST);
    assert_eq!(refused.status, 400);
    assert_eq!(server.get("/runs?x=1", PROBE).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_what_is_lacking_and_led_in_no_circle() {
    let server = Server::start().await;
    for path in ["/", "/runs", "/queue", "/reasons", "/find?q=1"] {
        let refused = server.get(path, PROBE);
        assert_eq!(refused.status, 403, "{path}");
        let main = main_of(&refused);
        assert!(main.contains("no capability runs.view"), "{path}: {main}");
        assert!(main.contains("<strong>probe</strong>"), "{path}: {main}");
        assert!(!refused.body.contains("<nav"), "{path}: {refused:?}");
        assert!(!main.contains("href=\"/\""), "{path}: {main}");
    }
    let missing = server.get("/runs/7777", MEMBER);
    assert_eq!(missing.status, 404);
    assert!(
        main_of(&missing).contains("action=\"/find\""),
        "{missing:?}"
    );
    let nobody = server.ask(&Ask::get("/assets/none"));
    assert!(!nobody.body.contains("action=\"/find\""), "{nobody:?}");
}
