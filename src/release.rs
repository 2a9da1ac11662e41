//! Which program this is.

/// How much of a commit tells it from others.
const COMMIT_CHARS: usize = 12;

/// The commit that it was built from, where whoever built it said so.
pub fn commit() -> Option<&'static str> {
    // A build argument that was declared and not given is the empty text.
    option_env!("RECONCILER_COMMIT").filter(|commit| !commit.is_empty())
}

/// The version and the commit, as short as they tell programs apart.
pub fn name() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match commit() {
        Some(commit) => format!("{version} {}", commit.get(..COMMIT_CHARS).unwrap_or(commit)),
        None => version.to_owned(),
    }
}
