//! A file that is removed or replaced under a running program: an open one would go on being shown for ever.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::program::Settings;
use super::server::{Ask, CHIEF, Server};
use crate::support::process::program;
use crate::support::time::in_time;

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_that_their_file_is_not_there_any_more() {
    let server = Server::start().await;
    let database = server.platform.url.strip_prefix("sqlite://").unwrap();
    let queue = format!("{database}.queue");
    let ask = |method: &str, path: &str| {
        let answer = server.ask(&Ask::new(method, path).bearer(CHIEF));
        let is_refused = answer.status == 503;
        (answer.status, is_refused.then(|| answer.problem()))
    };
    let gone = (503, Some("database-replaced".to_owned()));
    let reconcile = "/api/v1/runs/1003/reconcile";
    let paths = [
        ("GET", "/api/v1/runs"),
        ("GET", "/api/v1/runs/1001"),
        ("GET", "/api/v1/posture"),
        ("GET", "/api/v1/queue"),
        ("POST", reconcile),
    ];
    let away = format!("{database}-away");
    for file in [database, &queue] {
        fs::rename(file, &away).unwrap();
        for (method, path) in paths {
            let is_concerned = file == database || path == reconcile || path.ends_with("queue");
            let found = ask(method, path);
            assert_eq!(found == gone, is_concerned, "{file} {path}: {found:?}");
            assert_eq!(found.0 == 503, is_concerned, "{file} {path}");
        }
        let probe = |path: &str| server.ask(&Ask::get(path)).status;
        let ready = if file == database { 503 } else { 200 };
        assert_eq!((probe("/livez"), probe("/readyz")), (200, ready), "{file}");
        fs::copy(&away, file).unwrap();
        assert_eq!(ask("POST", reconcile), gone, "a copy is another file");
        fs::rename(&away, file).unwrap();
        for (method, path) in paths {
            let (status, problem) = ask(method, path);
            assert!([200, 202].contains(&status), "{path}: {status} {problem:?}");
        }
    }
}

#[tokio::test]
async fn a_demonstration_ends_with_its_database() {
    let directory = TempDir::new().unwrap();
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"\n");
    let demo = program("", &["--config", &settings.path(), "demo", "--serve"]);
    let mut child = Command::from(demo)
        .env("TMPDIR", directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary was built");
    let mut stdout = child.stdout.take().unwrap();
    let mut said = String::new();
    let listening = async {
        let mut bytes = [0; 4096];
        while !said.contains("listening on http://") {
            let read = stdout.read(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "{said}");
            said.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    in_time("an address", listening).await;
    for place in fs::read_dir(directory.path()).unwrap() {
        fs::remove_dir_all(place.unwrap().path()).unwrap();
    }
    let ended = in_time("its end", child.wait()).await;
    assert_eq!(ended.unwrap().code(), Some(1));
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).await.unwrap();
    let has_stopped = said.contains("the worker of the demonstration stopped");
    assert!(has_stopped, "{said}");
    assert!(said.contains("was removed or replaced"), "{said}");
}
