//! The unit file for systemd: what it must say, and, where systemd's programs are, what they say of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use restore_reconciler::internals::config::Config;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::manual::is_taken;
use crate::support::process::{Process, program};
use crate::support::scene::until_ready;
use crate::support::store::Fixture;
use crate::support::time::TIMEOUT;

const UNIT: &str = include_str!("../../config/systemd/restore-reconciler.service");
const CONSOLE: &str = include_str!("../../config/systemd/restore-reconciler-console.service");
/// Found in /usr/local/bin or /usr/bin, whichever there is.
const PROGRAM: &str = "ExecStart=restore-reconciler ";
/// The highest exposure that is accepted, in tenths of systemd's points; releases differ a little.
const EXPOSURE_MAX: u32 = 15;

/// What confines the service, value by value.
const SANDBOX: &[(&str, &str)] = &[
    ("AmbientCapabilities", ""),
    ("CapabilityBoundingSet", ""),
    ("DevicePolicy", "closed"),
    ("KeyringMode", "private"),
    ("ProcSubset", "pid"),
    ("ProtectProc", "invisible"),
    ("ProtectSystem", "strict"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallErrorNumber", "EPERM"),
    (
        "SystemCallFilter",
        "@system-service;~@privileged @resources",
    ),
    ("UMask", "0077"),
];

/// What it is confined by that is simply switched on.
const SWITCHED_ON: &str = "
    DynamicUser LockPersonality MemoryDenyWriteExecute NoNewPrivileges PrivateDevices PrivateMounts
    PrivateTmp PrivateUsers ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs
    ProtectKernelModules ProtectKernelTunables RemoveIPC RestrictNamespaces RestrictRealtime
    RestrictSUIDSGID";

/// What starts and stops it.
const LIFE: &str = "EnvironmentFile ExecReload ExecStart KillSignal Restart RestartPreventExitStatus RestartSec TimeoutStopSec Type WatchdogSec";

/// Directives by section and name; the values of one that is repeated are joined by `;`.
fn directives(unit: &str) -> BTreeMap<(String, String), String> {
    let mut section = String::new();
    let mut found = BTreeMap::<_, String>::new();
    for line in unit.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            name.strip_suffix(']').expect(line).clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=') {
            found
                .entry((section.clone(), name.to_owned()))
                .and_modify(|before| *before = format!("{before};{value}"))
                .or_insert_with(|| value.to_owned());
        } else {
            assert_eq!(line, "", "neither a section nor a directive");
        }
    }
    found
}

fn value_of(section: &str, name: &str) -> String {
    value_in(UNIT, section, name)
}

fn value_in(unit: &str, section: &str, name: &str) -> String {
    let found = directives(unit).remove(&(section.to_owned(), name.to_owned()));
    found.unwrap_or_else(|| panic!("[{section}] {name}= is missing"))
}

fn duration_of(section: &str, name: &str) -> Duration {
    let value = value_of(section, name);
    let duration: jiff::SignedDuration = value.parse().expect(&value);
    duration.unsigned_abs()
}

#[test]
fn the_service_is_confined_as_far_as_it_can_be() {
    for (unit, life) in [
        (UNIT, LIFE),
        (CONSOLE, LIFE.trim_end_matches(" WatchdogSec")),
    ] {
        let mut all = directives(unit);
        all.retain(|(section, _), _| section == "Service");
        let service = all.into_iter().map(|((_, name), value)| (name, value));
        let mut service: BTreeMap<_, _> = service.collect();
        let switched_on = SWITCHED_ON.split_whitespace().map(|name| (name, "yes"));
        for (name, value) in SANDBOX.iter().copied().chain(switched_on) {
            assert_eq!(service.remove(name).as_deref(), Some(value), "{name}");
        }
        let rest: Vec<_> = service.into_keys().collect();
        assert_eq!(rest.join(" "), life, "known, each named in this test");
    }
}

#[test]
fn a_stopped_worker_has_the_time_that_it_was_promised() {
    assert_eq!(value_of("Service", "KillSignal"), "SIGTERM");
    let drain = Config::default().worker.drain_timeout;
    let stop = duration_of("Service", "TimeoutStopSec");
    assert!(stop > drain + Duration::from_secs(5), "{stop:?}, {drain:?}");
}

#[test]
fn a_worker_that_a_run_keeps_ending_is_started_until_the_run_is_given_up() {
    assert_eq!(value_of("Service", "Restart"), "always");
    let starts: u32 = value_of("Unit", "StartLimitBurst").parse().unwrap();
    assert!(starts > 3 * Config::default().worker.attempts_max);
    // What cannot start at all must reach the limit within its interval.
    let pause = duration_of("Service", "RestartSec");
    assert!(pause * starts < duration_of("Unit", "StartLimitIntervalSec"));
}

#[test]
fn no_secret_has_a_place_in_the_unit_and_probes_are_local() {
    for (unit, file, verb) in [
        (UNIT, "environment", "work --listen 127.0.0.1:"),
        (CONSOLE, "console.environment", "serve"),
    ] {
        let environment = value_in(unit, "Service", "EnvironmentFile");
        assert_eq!(environment, format!("/etc/restore-reconciler/{file}"));
        let command = value_in(unit, "Service", "ExecStart");
        assert!(command.contains(verb), "{command}");
        assert!(
            unit.contains(PROGRAM) && !command.contains("://"),
            "{command}"
        );
    }
}

/// Runs systemd-analyze on the unit, with a program that is there. None without systemd-analyze.
fn analyze(arguments: &[&str], unit: &str) -> Option<Output> {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if version.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return None;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("restore-reconciler.service");
    let program = env!("CARGO_BIN_EXE_restore-reconciler");
    fs::write(
        &path,
        unit.replace(PROGRAM, &format!("ExecStart={program} ")),
    )
    .unwrap();
    let mut command = Command::new("systemd-analyze");
    Some(command.args(arguments).arg(path).output().unwrap())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let verify = |unit: &str| analyze(&["verify", "--man=no"], unit);
    // Units of the machine that it reads besides may have faults of their own.
    let faults = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours = text.lines().filter(|line| line.contains("restore-rec"));
        ours.map(str::to_owned).collect::<Vec<_>>()
    };
    let Some(output) = verify(UNIT) else {
        return eprintln!("systemd-analyze is not installed; the other tests have read the unit");
    };
    assert_eq!(faults(&output), [""; 0]);
    assert_eq!(faults(&verify(CONSOLE).unwrap()), [""; 0]);
    let mistyped = UNIT.replace("ProtectHome=", "ProtectHouse=");
    let found = faults(&verify(&mistyped).unwrap()).concat();
    assert!(found.contains("ProtectHouse"), "it would say so: {found}");
}

#[test]
fn systemd_finds_the_service_little_exposed() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = analyze(&arguments, UNIT) else {
        return eprintln!("systemd-analyze is not installed; the other tests have read the unit");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unrecognized option") {
        return eprintln!("this systemd-analyze is older than 250 and judges no files");
    }
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{table}");
    assert!(table.contains("Overall exposure level"), "{table}");
}

#[test]
fn its_command_line_is_one_that_the_program_takes() {
    for unit in [UNIT, CONSOLE] {
        let command = value_in(unit, "Service", "ExecStart");
        let (_, arguments) = command.split_once(' ').unwrap();
        assert!(is_taken(arguments), "{command}");
    }
}

/// A supervisor that listens as systemd does.
struct Supervisor {
    socket: UnixDatagram,
    heard: Vec<String>,
    _directory: TempDir,
}

impl Supervisor {
    /// With a process on this database.
    async fn over(url: &str, verb: &[&str]) -> (Self, Process) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut command = program(url, verb);
        command.env("NOTIFY_SOCKET", &path);
        let process = Process::spawn(&command, 50).await;
        let process = process.unwrap_or_else(|why| panic!("{why}"));
        let supervisor = Self {
            socket,
            heard: Vec::new(),
            _directory: directory,
        };
        (supervisor, process)
    }

    /// Listens until it is told this.
    async fn hears(&mut self, words: &str) {
        let mut buffer = [0; 4096];
        while !self.heard.iter().any(|said| said.contains(words)) {
            let received = timeout(TIMEOUT, self.socket.recv(&mut buffer)).await;
            let length = received.unwrap_or_else(|_| panic!("no {words}: {:?}", self.heard));
            let said = String::from_utf8_lossy(&buffer[..length.unwrap()]);
            self.heard.push(said.into_owned());
        }
    }
}

/// A worker that was started before its tables uses up none of its starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_is_told_what_a_worker_is_doing() {
    let on = Fixture::empty_postgres().await;
    let (mut supervisor, worker) =
        Supervisor::over(&on.url, &["work", "--listen", "127.0.0.1:0"]).await;
    supervisor.hears("READY=1").await;
    supervisor.hears("WATCHDOG=1").await;
    supervisor.hears("STATUS=").await;
    assert!(
        !supervisor.heard.concat().contains("STATUS=working"),
        "{:?}",
        supervisor.heard
    );
    on.furnish().await;
    on.set_up_queue().await;
    supervisor.hears("STATUS=working").await;
    worker.tell(Signal::TERM);
    supervisor.hears("STOPPING=1").await;
    assert_eq!(worker.ended().await.0, Some(0));
}

/// The console is ready from its start: whoever asks it then is told what it waits for.
#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_is_told_what_a_console_is_doing() {
    let on = Fixture::empty_postgres().await;
    let (mut supervisor, console) =
        Supervisor::over(&on.url, &["serve", "--listen", "127.0.0.1:0"]).await;
    supervisor.hears("STATUS=waiting for its database").await;
    assert!(supervisor.heard.concat().starts_with("READY=1"));
    on.furnish().await;
    on.set_up_queue().await;
    supervisor.hears("STATUS=answering").await;
    console.tell(Signal::TERM);
    supervisor.hears("STOPPING=1").await;
    assert_eq!(console.ended().await.0, Some(0));
}

/// The program, as systemd starts it: the journal's stream is the one that standard error leads to.
fn into_journal(program: &Command, log: &str) -> Command {
    let line = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("RECONCILER_LOG__FORMAT", log);
    let given = program.get_envs();
    shell.envs(given.filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// The line that somebody looks for first is the last one of a process that could not start.
#[test]
fn what_ends_a_process_is_an_error_in_the_journal() {
    for (arguments, code, said) in [
        (
            &["work"][..],
            1,
            "<3>error: no database is named\n<3>  to do: Set RECONCILER_DATABASE_URL",
        ),
        (
            &["serve", "--nothing"],
            2,
            "<3>error: unexpected argument '--nothing' found",
        ),
        (
            &["--config", "nowhere.toml", "work"],
            1,
            "<3>error: the configuration cannot be used\n<3>  because: ",
        ),
    ] {
        let ended = into_journal(&program("", arguments), "text")
            .output()
            .unwrap();
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{text}");
        assert!(text.starts_with(said), "{text}");
        assert!(text.lines().all(|line| line.starts_with("<3>")), "{text}");
    }
    let elsewhere = program("", &["work"])
        .env("JOURNAL_STREAM", "1:1")
        .output()
        .unwrap();
    assert!(
        elsewhere.stderr.starts_with(b"error: "),
        "standard error leads elsewhere"
    );
}

/// Whoever looks at the journal of warnings sees warnings.
#[tokio::test(flavor = "multi_thread")]
async fn lines_for_the_journal_have_their_priorities_and_lines_of_json_are_json() {
    let on = Fixture::postgres_with_queue().await;
    let worker = program(&on.url, &["--verbose", "work", "--listen", "127.0.0.1:0"]);
    for (format, is_so) in [
        (
            "text",
            (|line: &str| line.starts_with("<6>") || line.starts_with("<4>")) as fn(&str) -> bool,
        ),
        ("json", |line| {
            serde_json::from_str::<serde_json::Value>(line).is_ok()
        }),
    ] {
        let worker = Process::spawn(&into_journal(&worker, format), 200).await;
        let worker = worker.unwrap_or_else(|why| panic!("{why}"));
        until_ready(&worker).await;
        let (code, said) = worker.terminate().await;
        assert_eq!(code, Some(0), "{said}");
        let lines: Vec<&str> = said.lines().map(str::trim_start).collect();
        let are_so = lines.len() > 2 && lines.iter().all(|line| is_so(line));
        assert!(are_so, "{format}: {said}");
    }
}
