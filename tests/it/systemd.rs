//! The unit file for systemd: what it must say, and, where systemd's programs are, what they say of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use restore_reconciler::internals::config::Config;
use tempfile::TempDir;

use crate::manual::is_taken;

const UNIT: &str = include_str!("../../config/systemd/restore-reconciler.service");
const PROGRAM: &str = "/usr/local/bin/restore-reconciler";
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
const LIFE: &str = "EnvironmentFile ExecStart KillSignal Restart RestartPreventExitStatus RestartSec TimeoutStopSec Type";

/// Directives by section and name; the values of one that is repeated are joined by `;`.
fn directives() -> BTreeMap<(String, String), String> {
    let mut section = String::new();
    let mut found = BTreeMap::<_, String>::new();
    for line in UNIT.lines().filter(|line| !line.starts_with('#')) {
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
    let found = directives().remove(&(section.to_owned(), name.to_owned()));
    found.unwrap_or_else(|| panic!("[{section}] {name}= is missing"))
}

fn duration_of(section: &str, name: &str) -> Duration {
    let value = value_of(section, name);
    let duration: jiff::SignedDuration = value.parse().expect(&value);
    duration.unsigned_abs()
}

#[test]
fn the_service_is_confined_as_far_as_it_can_be() {
    let mut all = directives();
    all.retain(|(section, _), _| section == "Service");
    let service = all.into_iter().map(|((_, name), value)| (name, value));
    let mut service: BTreeMap<_, _> = service.collect();
    let switched_on = SWITCHED_ON.split_whitespace().map(|name| (name, "yes"));
    for (name, value) in SANDBOX.iter().copied().chain(switched_on) {
        assert_eq!(service.remove(name).as_deref(), Some(value), "{name}");
    }
    let rest: Vec<_> = service.into_keys().collect();
    assert_eq!(rest.join(" "), LIFE, "known, each named in this test");
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
    let environment = value_of("Service", "EnvironmentFile");
    assert_eq!(environment, "/etc/restore-reconciler/environment");
    let command = value_of("Service", "ExecStart");
    let (program, arguments) = command.split_once(' ').unwrap();
    assert_eq!(program, PROGRAM);
    let is_local = arguments.contains("work --listen 127.0.0.1:");
    assert!(is_local, "{arguments}");
    assert!(!command.contains("://"), "{command}");
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
    fs::write(&path, unit.replace(PROGRAM, program)).unwrap();
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
    let command = value_of("Service", "ExecStart");
    let (_, arguments) = command.split_once(' ').unwrap();
    assert!(is_taken(arguments), "{command}");
}
