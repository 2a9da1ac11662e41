//! The machine that measured, in one line.

use std::fs;

/// Processor, cores, memory and system, as far as the system tells.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut parts = vec![format!("{cores} cores")];
    parts.extend(field("/proc/cpuinfo", "model name"));
    parts.extend(field("/proc/meminfo", "MemTotal").map(|memory| format!("memory {memory}")));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    parts.extend(kernel.map(|release| format!("{} {}", std::env::consts::OS, release.trim())));
    parts.join(", ")
}

/// The first value of that name in a file of lines `name : value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let named = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_cores_are_always_told() {
        assert!(super::describe().contains(" cores"));
    }
}
