//! A file that is removed or replaced under a running program: an open one would go on being shown for ever.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::program::Settings;
use super::server::{Ask, CHIEF, Server};
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
    let gone = || (503, Some("database-replaced".to_owned()));
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
        let is_concerned =
            |path: &str| file == database || path == reconcile || path.ends_with("queue");
        fs::rename(file, &away).unwrap();
        for (method, path) in paths {
            let expected = is_concerned(path).then(gone);
            let found = ask(method, path);
            assert_eq!(
                Some(&found).filter(|found| found.0 == 503),
                expected.as_ref(),
                "{file} {path}"
            );
        }
        fs::copy(&away, file).unwrap();
        assert_eq!(ask("POST", reconcile), gone(), "a copy is another file");
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
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_restore-reconciler"))
        .args(["--config", &settings.path(), "demo", "--serve"])
        .env_remove("RECONCILER_DATABASE_URL")
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
    let mut complaint = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut complaint).await.unwrap();
    assert!(
        complaint.contains("the worker of the demonstration stopped"),
        "{complaint}"
    );
    assert!(complaint.contains("was removed or replaced"), "{complaint}");
}
