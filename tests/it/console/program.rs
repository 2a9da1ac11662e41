//! The verbs `token` and `serve`, by running the real binary.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use reconciler_jobs::restore_execute::canonical::digest_of;
use restore_reconciler::internals::cli::output::{Document, TokenMade};
use restore_reconciler::internals::config::{All, Capability, Reach};
use rustix::process::Signal;
use tempfile::TempDir;

use super::platform::{OWN, PROVEN, Platform, SECRET, id};
use super::server::{Answer, Ask, ask};
use crate::support::case::restore_of;
use crate::support::process::{Process, program};
use crate::support::roles::Purpose;
use crate::support::time::eventually;

fn run(url: &str, arguments: &[&str]) -> Output {
    let output = program(url, arguments).output();
    output.expect("the binary was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

pub(crate) struct Settings(TempDir);

impl Settings {
    pub(crate) fn holding(text: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::write(directory.path().join("console.toml"), text).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().join("console.toml").display().to_string()
    }
}

pub(crate) struct Serving(Process);

impl Serving {
    pub(crate) async fn start(url: &str, settings: &Settings) -> Self {
        let serve = program(url, &["--config", &settings.path(), "serve"]);
        // What it must not say, it must not have said at any time.
        let process = Process::spawn(&serve, usize::MAX).await;
        Self(process.unwrap_or_else(|why| panic!("{why}")))
    }

    /// The same, reading from the server of another URL.
    pub(super) async fn start_reading(url: &str, read_url: &str, settings: &Settings) -> Self {
        let mut serve = program(url, &["--config", &settings.path(), "serve"]);
        serve.env("RECONCILER_READ_URL", Purpose::Console.url(read_url));
        let process = Process::spawn(&serve, usize::MAX).await;
        Self(process.unwrap_or_else(|why| panic!("{why}")))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub(crate) fn ask(&self, request: &Ask) -> Answer {
        ask(self.address(), request)
    }

    /// Has it read this as its settings from now on, and waits until it says what came of it.
    async fn reload(&self, settings: &Settings, text: &str, said: &str) {
        fs::write(settings.path(), text).unwrap();
        let before = self.0.said().matches(said).count();
        self.0.tell(Signal::HUP);
        let is_said = async || (self.0.said().matches(said).count() > before).then_some(());
        eventually(is_said, async || self.0.said()).await;
    }

    /// Tells it to stop, and returns what it logged.
    pub(crate) async fn stop(self) -> String {
        let (code, said) = self.0.terminate().await;
        assert_eq!(code, Some(0), "{said}");
        said
    }
}

/// Every page and list answers, and those that show a failed run show this one.
pub(crate) async fn assert_shows(url: &str, run: i64) {
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let serving = Serving::start(url, &settings).await;
    for path in [
        "/".to_owned(),
        "/runs".to_owned(),
        "/runs?outcome=failed".to_owned(),
        "/runs?undecided=true".to_owned(),
        "/queue".to_owned(),
        format!("/runs/{run}"),
        format!("/runs/{run}/evidence"),
        format!("/runs/{run}/explain"),
        format!("/restores/{}", restore_of(run)),
        "/api/v1/posture".to_owned(),
    ] {
        let answer = serving.ask(&Ask::get(&path));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let shown = serving.ask(&Ask::get("/runs?outcome=failed")).body;
    assert!(shown.contains(&format!("/runs/{run}\"")), "{shown}");
    serving.stop().await;
}

/// A token, and the section that knows it again.
fn made_token(line: &str) -> (String, String) {
    let made = run("", &line.split(' ').collect::<Vec<_>>());
    let shown = text(&made.stdout);
    assert!(made.status.success() && made.stderr.is_empty(), "{shown}");
    let (before, section) = shown.split_once("[[console.tokens]]").expect("a section");
    let mut words = before.split_whitespace();
    let token = words.find(|word| word.starts_with("rrt_"));
    (token.expect("a token").to_owned(), section.to_owned())
}

#[test]
fn a_token_is_shown_once_with_the_section_that_knows_it_again() {
    let (token, section) = made_token("token ops --workspace 7 --workspace 3");
    let sha256 = digest_of(&token);
    let expected = format!(
        "\nname = \"ops\"\nsha256 = \"{sha256}\"\nworkspaces = [3, 7]\ncapabilities = [\"runs.view\"]\n"
    );
    assert_eq!(section, expected);

    let all = "token ops --all-workspaces --output json --can runs.view --can runs.reconcile";
    let made = run("", &all.split(' ').collect::<Vec<_>>());
    let Ok(Document::Token(TokenMade { token, entry })) = serde_json::from_slice(&made.stdout)
    else {
        panic!("{made:?}")
    };
    assert_eq!(entry.sha256, digest_of(&token));
    assert_eq!(entry.workspaces, Reach::All(All::All));
    let can = [Capability::RunsView, Capability::RunsReconcile].into();
    assert_eq!(entry.capabilities, can);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_is_served_until_the_program_is_told_to_stop() {
    let platform = Platform::planted().await;
    let (token, section) = made_token(&format!("token ops --workspace {OWN}"));
    let settings = Settings::holding(&format!(
        "[console]\nlisten = \"127.0.0.1:0\"\n\n[[console.tokens]]{section}"
    ));
    let serving = Serving::start(&platform.url, &settings).await;
    let run = format!("/api/v1/runs/{}", id(OWN, PROVEN));
    let ask = |request: Ask| serving.ask(&request);
    assert_eq!(ask(Ask::get(&run)).status, 401);
    let answer = ask(Ask::get(&run).bearer(&token));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("own workspace"), "{answer:?}");
    let login = ask(Ask::post("/login").form(&[("token", &token)]));
    assert_eq!(login.status, 303, "{login:?}");

    let said = serving.stop().await;
    assert!(said.contains("logged in"), "{said}");
    let id = login.cookie().split_once('=').unwrap().1.to_owned();
    let digest = digest_of(&token);
    for secret in [SECRET, &token, &digest, &id] {
        assert!(!said.contains(secret), "{said}");
    }
}

/// Where it listens is said beside the verb, and its probes need no token.
#[tokio::test(flavor = "multi_thread")]
async fn probes_say_whether_it_lives_and_whether_there_is_anything_to_show() {
    let platform = Platform::planted().await;
    let nobody = "postgres://nobody@127.0.0.1:1/nothing";
    let sha256 = digest_of("rrt_x");
    let settings = Settings::holding(&format!(
        "[console]\nlisten = \"192.0.2.1:1\"\n[[console.tokens]]\nname = \"x\"\nsha256 = \"{sha256}\"\n\
         workspaces = \"all\"\ncapabilities = [\"runs.view\"]\n"
    ));
    for (url, ready, page) in [(platform.url.as_str(), 200, 303), (nobody, 503, 503)] {
        let serve = [
            "--config",
            &settings.path(),
            "serve",
            "--listen",
            "127.0.0.1:0",
        ];
        let process = Process::spawn(&program(url, &serve), usize::MAX).await;
        let process = process.unwrap_or_else(|why| panic!("{why}"));
        for (path, status) in [("/livez", 200), ("/readyz", ready), ("/", page)] {
            let answer = ask(process.address(), &Ask::get(path));
            assert_eq!(answer.status, status, "{url} {path}: {answer:?}");
        }
        process.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_cannot_be_shown_says_why_and_what_to_do() {
    let platform = Platform::planted().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = |address| Settings::holding(&format!("[console]\nlisten = \"{address}\""));
    let taken = listens(taken.local_addr().unwrap());
    let open = listens("0.0.0.0:0".parse().unwrap());
    let nothing = TempDir::new().unwrap();
    let absent = format!("sqlite://{}/x.sqlite", nothing.path().display());
    let url = platform.url.as_str();
    for (url, settings, said) in [
        ("", None, "no database is named"),
        (&absent, None, "cannot open the database"),
        (url, Some(open), "which others can reach"),
        (url, Some(taken), "cannot listen on 127.0.0.1:"),
    ] {
        let mut serve = program(url, &["serve"]);
        serve.args(
            settings
                .iter()
                .flat_map(|file| ["--config".to_owned(), file.path()]),
        );
        let ran = serve.output().expect("the binary was built");
        let errors = text(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{errors}");
        assert!(errors.contains(said), "{errors}");
        assert!(errors.contains("to do: "), "{errors}");
        assert!(ran.stdout.is_empty(), "{ran:?}");
    }
}

/// The section of a token, which expires then.
fn section_of(token: &str, expires_at: &str) -> String {
    format!(
        "[[console.tokens]]\nname = \"{token}\"\nsha256 = \"{}\"\nworkspaces = \"all\"\n\
         capabilities = [\"runs.view\"]\n{expires_at}\n",
        digest_of(token)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_the_log_filter_are_read_again_and_what_is_broken_changes_nothing() {
    const READ: &str = "were read again";
    let platform = Platform::planted().await;
    let listen = "[console]\nlisten = \"127.0.0.1:0\"\n";
    let [one, two] = ["one", "two"].map(|token| section_of(token, ""));
    let settings = Settings::holding(&format!("{listen}{one}{two}"));
    let serving = Serving::start(&platform.url, &settings).await;
    let status = |token: &str| serving.ask(&Ask::get("/api/v1/").bearer(token)).status;
    let cookie = |token: &str| {
        let login = Ask::post("/login").form(&[("token", token)]);
        serving.ask(&login).cookie()
    };
    let page = |cookie: &str| serving.ask(&Ask::get("/queue").cookie(cookie)).status;
    let [of_one, of_two] = ["one", "two"].map(cookie);
    assert_eq!(
        [status("one"), status("two"), status("three")],
        [200, 200, 401]
    );

    let three = section_of("three", "");
    let debug = "[log]\nfilter = \"debug\"\n";
    let changed = format!("{debug}{listen}{three}{two}");
    serving.reload(&settings, &changed, READ).await;
    let is_gone = async |token: &str| {
        let refused = async || (status(token) == 401).then_some(());
        eventually(refused, async || format!("{token} still opens it")).await;
    };
    is_gone("one").await;
    assert_eq!(
        [status("one"), status("two"), status("three")],
        [401, 200, 200]
    );
    assert_eq!(
        [page(&of_one), page(&of_two)],
        [303, 200],
        "sessions of one end"
    );
    for (broken, why) in [
        ("[console", "the configuration cannot be used"),
        (
            "[console]\nlisten = \"127.0.0.1:0\"\n",
            "no tokens any more",
        ),
        (
            "[console]\nlistens = 7\n",
            "the configuration cannot be used",
        ),
    ] {
        serving.reload(&settings, broken, why).await;
        assert_eq!([status("one"), status("three")], [401, 200], "{broken}");
        assert_eq!(page(&of_two), 200, "{broken}");
    }
    let ended = "expires_at = \"2026-01-01T00:00:00Z\"";
    let changed = format!("{listen}{}{three}", section_of("two", ended));
    serving.reload(&settings, &changed, READ).await;
    is_gone("two").await;
    for _ in 0..3 {
        assert_eq!([status("two"), status("three")], [401, 200]);
        assert_eq!(page(&of_two), 303);
    }
    let said = serving.stop().await;
    let expired = "token two has expired";
    assert_eq!(said.matches(expired).count(), 1, "{said}");
    assert!(said.contains("DEBUG"), "{said}");
}

#[test]
fn a_token_that_has_expired_or_soon_will_is_pointed_out() {
    let in_days = |days: i64| {
        let end = restore_reconciler::internals::clock::wall()
            + jiff::SignedDuration::from_hours(24 * days);
        format!("expires_at = \"{end}\"")
    };
    let sections = [("gone", -1), ("soon", 13), ("later", 15)]
        .map(|(token, days)| section_of(token, &in_days(days)));
    let settings = Settings::holding(&sections.concat());
    let checked = run("", &["config", "check", &settings.path()]);
    let said = text(&checked.stdout);
    for (part, is_said) in [
        ("The configuration can be used.", true),
        ("Token gone expired at", true),
        ("Token soon expires at", true),
        ("later", false),
    ] {
        assert_eq!(said.contains(part), is_said, "{part}: {said}");
    }
    let wrong = Settings::holding(&section_of("one", "expires_at = \"soon\""));
    let checked = run("", &["config", "check", &wrong.path()]);
    assert!(
        text(&checked.stderr).contains("its expires_at must be a moment"),
        "{checked:?}"
    );
}
