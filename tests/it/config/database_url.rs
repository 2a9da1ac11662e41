//! URLs of databases, read and shown.

use restore_reconciler::internals::config::DatabaseUrl;
use restore_reconciler::internals::storage::Backend;

fn url(text: &str) -> DatabaseUrl {
    text.parse().expect(text)
}

#[test]
fn the_scheme_names_the_database() {
    for (text, backend) in [
        ("postgres://u@h/d", Backend::Postgres),
        ("postgresql:///d?host=/run/postgresql", Backend::Postgres),
        ("pgsql://u@h/d", Backend::Postgres),
        ("sqlite://runs.sqlite", Backend::Sqlite),
        ("sqlite:/var/lib/my runs.sqlite", Backend::Sqlite),
        ("sqlite::memory:", Backend::Sqlite),
    ] {
        let url = url(text);
        assert_eq!(url.backend(), backend, "{text}");
        assert_eq!(url.expose_secret(), text);
    }
    for text in [
        "mysql://u:hunter2@h/d",
        "hunter2",
        "hunter2:x",
        "POSTGRES://h/d",
        "",
    ] {
        let message = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(
            message.contains("postgres://, postgresql://, pgsql:// or sqlite:"),
            "{message}"
        );
    }
}

#[test]
fn a_url_prints_without_its_secrets() {
    for (text, redacted) in [
        (
            "postgres://user:hunter2@host/db",
            "postgres://user:***@host/db",
        ),
        (
            "postgresql://user:hunter2@[::1]:5433/db",
            "postgresql://user:***@[::1]:5433/db",
        ),
        ("postgres://user@host/db", "postgres://user@host/db"),
        ("postgres://:hunter2@host", "postgres://:***@host"),
        (
            "pgsql://user:hunter2@:5433/db?host=/run/postgresql",
            "pgsql://user:***@:5433/db?host=/run/postgresql",
        ),
        ("postgres://us%3Ahunter2@host/db", "postgres://***@host/db"),
        (
            "postgres://user:hunter2@x@host/db",
            "postgres://user:***@host/db",
        ),
        (
            "postgres://host/db?sslmode=require&password=hunter2&options[x]=hunter2",
            "postgres://host/db?sslmode=require&***&***",
        ),
        (
            "sqlite://a.db?mode=rwc&key=hunter2",
            "sqlite://a.db?mode=rwc&***",
        ),
        ("sqlite://user:hunter2@host/db", "sqlite://***"),
    ] {
        let url = url(text);
        assert_eq!(url.to_string(), redacted);
        assert_eq!(format!("{url:?}"), format!("DatabaseUrl({redacted})"));
    }
}
