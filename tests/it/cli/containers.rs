//! What containers are given: a health check, and files that start the program with arguments and variables it knows.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use restore_reconciler::internals::config::Config;
use serde_json::{Value, json};

use super::stage::{Ran, assert_says, program, ran, run};
use crate::console::Settings;
use crate::manual::read;

/// Answers one request with this head and body, and returns the address to ask.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its number");
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut request = [0; 1024];
        let _ = client.read(&mut request).expect("a request");
        client.write_all(answer.as_bytes()).expect("it reads");
    });
    format!("http://{address}/livez")
}

#[test]
fn a_probe_tells_by_its_exit_code_whether_the_answer_is_good() {
    let good = answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n");
    assert_says("", &format!("probe {good} ⇒ 0 | 200 ok"));
    let bad = answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\nnot ok\n");
    assert_says("", &format!("probe {bad} ⇒ 1 | 503 not ok"));
    let elsewhere =
        answering("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n");
    let ran = run("", &["probe", &elsewhere, "--output", "json"]).exits(1);
    let found: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(
        (&found["command"], &found["status"]),
        (&json!("probe"), &json!(302))
    );
    // Nobody listens; somebody who says nothing; and something that is no HTTP.
    let refused = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = refused.local_addr().expect("its number");
    drop(refused);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let waits = silent.local_addr().expect("its number");
    let other = answering("220 mail.example ESMTP\r\n\r\n");
    assert_says(
        "",
        &format!(
            "probe http://{nobody}/livez ⇒ 1 ! no answer from http://{nobody}/livez ! refused ! Check that the process runs
             probe http://{waits}/livez --timeout 100ms ⇒ 1 ! no answer from ! it took longer than 100ms
             probe {other} ⇒ 1 ! no answer from
             probe ftp://{nobody}/livez ⇒ 1 ! must begin with http:// ! to do: Write it as http://
             probe {nobody}/livez ⇒ 1 ! must begin with http://
             probe nonsense ⇒ 1 ! must begin with http://
             probe http://ops:hunter2@{nobody}/ ⇒ 1 ! holds no user and no password
             probe ⇒ 2 ! <URL>"
        ),
    );
}

/// The words of a line of the Dockerfile, which is a list of JSON.
fn words(dockerfile: &str, instruction: &str) -> Vec<String> {
    let mut found = dockerfile.lines().rev();
    let line = found.find_map(|line| line.trim_start().strip_prefix(instruction));
    serde_json::from_str(line.expect(instruction).trim()).expect(instruction)
}

/// How one container is started: its arguments, its variables, and the command of its own health check.
struct Container {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    probe: Option<Vec<String>>,
}

fn texts(list: &Value) -> Option<Vec<String>> {
    let texts = list
        .as_array()?
        .iter()
        .map(|it| it.as_str().map(str::to_owned));
    texts.collect()
}

impl Container {
    fn read(found: &Value) -> Self {
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let listed = found["env"].as_array().into_iter().flatten();
        let listed = listed.map(|it| (text(&it["name"]), text(&it["value"])));
        let named = found["environment"].as_object().into_iter().flatten();
        let named = named.map(|(name, value)| (name.clone(), text(value)));
        let arguments = texts(&found["args"]).or_else(|| texts(&found["command"]));
        let probe = texts(&found["healthcheck"]["test"]).map(|mut it| it.split_off(2));
        Self {
            arguments: arguments.expect("arguments"),
            variables: named.chain(listed).collect(),
            probe,
        }
    }
}

fn manifests() -> Vec<Value> {
    let text = read("config/kubernetes/restore-reconciler.yaml");
    serde_saphyr::from_multiple(&text).expect("manifests")
}

fn containers() -> Vec<Container> {
    let compose: Value = serde_saphyr::from_str(&read("config/compose.yaml")).expect("YAML");
    let services = compose["services"].as_object().expect("services").values();
    let manifests = manifests();
    let pods = manifests.iter().map(|it| &it["spec"]["template"]["spec"]);
    let pods = pods
        .filter_map(|pod| pod["containers"].as_array())
        .flatten();
    let image = Container {
        arguments: words(&read("Dockerfile"), "CMD "),
        variables: Vec::new(),
        probe: None,
    };
    let all = services.chain(pods).map(Container::read);
    all.chain([image]).collect()
}

#[test]
fn what_starts_containers_names_arguments_and_variables_that_the_program_knows() {
    let containers = containers();
    assert_eq!(containers.len(), 7);
    let token = run(
        "",
        &["token", "ops", "--all-workspaces", "--output", "json"],
    )
    .exits(0);
    let token: Value = serde_json::from_str(&token.stdout).expect("a document");
    let hash = token["entry"]["sha256"].as_str().expect("a digest");
    let token = Settings::holding(&format!(
        "[[console.tokens]]\nname = \"ops\"\nsha256 = \"{hash}\"\nworkspaces = \"all\"\ncapabilities = [\"runs.view\"]\n"
    ));
    // Without its database and its files each gets as far as what it was given can be read.
    let starts = |arguments: &[String], variables: &[(String, String)]| -> Ran {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut program = program("", &arguments);
        ran(program.envs(variables.iter().cloned()))
    };
    for container in containers {
        let found = starts(&container.arguments, &container.variables);
        assert_eq!(found.code, 1, "{:?}: {}", container.arguments, found.all());
        // Somebody's own worker may listen there: it is well then.
        let probed = container.probe.map(|it| starts(&it, &[]).code);
        assert!(matches!(probed, None | Some(0 | 1)), "{probed:?}");
        // As where a setting came from, or as the name of what cannot be read here.
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let with_token = |verb: &str| words(&format!("--config {} {verb}", token.path()));
        let shown = starts(&with_token("config show"), &container.variables).exits(0);
        let looked = starts(&with_token("doctor"), &container.variables).exits(1);
        for (name, _) in &container.variables {
            let is_setting = shown
                .stdout
                .lines()
                .any(|line| line.ends_with(&format!("\t{name}")));
            let is_known = is_setting || looked.stderr.contains(&**name);
            assert!(is_known, "{name}: {}{}", shown.stdout, looked.stderr);
        }
    }
}

#[test]
fn a_cluster_has_a_migration_probes_and_the_time_to_finish() {
    let manifests = manifests();
    let kinds: Vec<&str> = manifests
        .iter()
        .filter_map(|it| it["kind"].as_str())
        .collect();
    for kind in [
        "Job",
        "Deployment",
        "Service",
        "NetworkPolicy",
        "PodDisruptionBudget",
    ] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let pods = manifests.iter().filter(|it| it["kind"] == "Deployment");
    let pods: Vec<&Value> = pods.map(|it| &it["spec"]["template"]["spec"]).collect();
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        let container = &pod["containers"][0];
        let port = &container["ports"][0]["name"];
        for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let asked = &container[probe]["httpGet"];
            assert_eq!((&asked["path"], &asked["port"]), (&json!(path), port));
        }
    }
    let grace = pods[0]["terminationGracePeriodSeconds"]
        .as_u64()
        .expect("a number");
    assert!(grace > Config::default().worker.drain_timeout.as_secs() + 5);
    let monitoring = read("config/kubernetes/monitoring.yaml");
    assert!(monitoring.contains("kind: ServiceMonitor") && monitoring.contains("kind: PodMonitor"));
}

#[test]
fn the_image_says_how_it_is_made_and_run() {
    let dockerfile = read("Dockerfile");
    for said in [
        "ARG BASE=debian:trixie-slim\n",
        "docker build --build-arg BASE=gcr.io/distroless/cc-debian13 ",
        "FROM ${BASE}\n",
        "strip --strip-all target/release/restore-reconciler\n",
        "THIRD-PARTY-NOTICES.txt",
        "restore-reconciler.cdx.json",
        "org.opencontainers.image.title=",
        "org.opencontainers.image.revision=\"${RECONCILER_COMMIT}\"",
        "\nUSER 10001:10001\n",
        "\nEXPOSE 9646\n",
        "\nENTRYPOINT [\"restore-reconciler\"]\n",
    ] {
        assert!(dockerfile.contains(said), "{said}");
    }
    assert!(!dockerfile.contains("sha256:"), "a digest is the release's");
    // What changes least is built first: the dependencies, before any source of ours is there.
    let (dependencies, sources) = dockerfile.split_once("\nCOPY . .\n").expect("the sources");
    assert!(dependencies.contains("cargo build --release --locked"));
    assert!(!dependencies.contains("COPY src") && sources.contains("tests/release"));
    assert_eq!(
        words(&dockerfile, "CMD "),
        ["work", "--listen", "0.0.0.0:9646"]
    );
    let (_, check) = dockerfile.split_once("\nHEALTHCHECK ").expect("a check");
    let (_, check) = check.split_once("CMD ").expect("its command");
    let check: Vec<String> =
        serde_json::from_str(check.lines().next().expect("a line")).expect("a list");
    assert_eq!(
        check,
        ["restore-reconciler", "probe", "http://127.0.0.1:9646/livez"]
    );
}
