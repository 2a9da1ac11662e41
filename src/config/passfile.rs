//! PostgreSQL's file of passwords: `HOST:PORT:DATABASE:USER:PASSWORD` on each line, where `*` stands for any.
//!
//! **Invariant:** nothing of a file's content is ever printed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

use super::error::{ConfigError, FILE_BYTES_MAX};

/// Names the file, where it is not `.pgpass` in the home directory.
pub(super) const PASS_FILE_VARIABLE: &str = "PGPASSFILE";

/// The socket of a server is looked up by its directory, and by this name too.
const LOCALHOST: &str = "localhost";

/// The password for `login`, which is host, port, database and user. Refuses to take it from a file that others may
/// read: whoever lets it be read has lost the password. What is no regular file, such as `/dev/null`, holds none.
pub(super) fn password_in(file: &Path, login: &[String; 4]) -> Result<Option<String>, ConfigError> {
    let metadata = fs::metadata(file).map_err(|source| unreadable(file, source))?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let text = read_text(file).map_err(|source| unreadable(file, source))?;
    let password = text.lines().find_map(|line| password_of(line, login));
    if password.is_some() && is_open_to_others(&metadata) {
        return Err(ConfigError::PassFileOpen {
            file: file.display().to_string(),
        });
    }
    Ok(password)
}

fn unreadable(file: &Path, source: io::Error) -> ConfigError {
    ConfigError::SecretFile {
        file: file.display().to_string(),
        given_by: PASS_FILE_VARIABLE,
        source,
    }
}

/// The text of a file that holds a secret.
pub(super) fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut start = File::open(file)?.take(FILE_BYTES_MAX + 1);
    if start.read_to_string(&mut text)? as u64 > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

#[cfg(unix)]
fn is_open_to_others(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// What a line says of `login`. A line that is none of a password says nothing.
fn password_of(line: &str, login: &[String; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = fields_of(line).into_iter();
    for (place, wanted) in login.iter().enumerate() {
        let field = fields.next()?;
        // A URL has brackets around such an address, and the file has none.
        let wanted = match place {
            0 => wanted.trim_start_matches('[').trim_end_matches(']'),
            _ => wanted,
        };
        let is_local = place == 0 && wanted.starts_with('/') && field == LOCALHOST;
        if field != "*" && field != wanted && !is_local {
            return None;
        }
    }
    fields.next()
}

/// The fields of a line. A backslash stands before a colon or a backslash that is part of one; in a password, which
/// ends the line, a colon needs none.
fn fields_of(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let is_end = character == ':' && fields.len() < 5;
        let character = if character == '\\' {
            characters.next().unwrap_or(character)
        } else {
            character
        };
        match fields.last_mut() {
            Some(field) if !is_end => field.push(character),
            _ => fields.push(String::new()),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let login = |host: &str| [host, "5432", "platform", "worker"].map(str::to_owned);
        for (line, host, password) in [
            ("db:5432:platform:worker:secret", "db", Some("secret")),
            ("*:*:*:*:secret", "db", Some("secret")),
            (r"db:5432:platform:worker:a\:b\\c:d", "db", Some(r"a:b\c:d")),
            ("db:5433:platform:worker:secret", "db", None),
            ("DB:5432:platform:worker:secret", "db", None),
            (
                "localhost:*:*:worker:secret",
                "/run/postgresql",
                Some("secret"),
            ),
            (
                "/run/postgresql:*:*:worker:secret",
                "/run/postgresql",
                Some("secret"),
            ),
            (r"\:\:1:5432:*:worker:secret", "[::1]", Some("secret")),
            ("localhost:*:*:worker:secret", "db", None),
            ("#*:*:*:*:secret", "db", None),
            ("*:*:*:worker", "db", None),
            ("", "db", None),
        ] {
            assert_eq!(
                password_of(line, &login(host)).as_deref(),
                password,
                "{line}"
            );
        }
    }
}
