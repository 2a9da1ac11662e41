//! The variables that are read, and that none of them is repeated.

use std::ffi::OsString;

use restore_reconciler::internals::config::{
    Config, ConfigError, DATABASE_URL_VARIABLE, DatabaseUrl, Environment, LISTEN_URL_VARIABLE,
};

use super::environment;

const SECRET: &str = "hunter2";

#[test]
fn an_absent_url_is_none_and_an_empty_one_is_refused() {
    assert_eq!(environment(None, None).database_url().unwrap(), None);
    let empty = environment(None, Some("")).database_url().unwrap_err();
    assert_eq!(
        empty.to_string(),
        "the environment variable RECONCILER_DATABASE_URL is empty; give it a value, or unset it"
    );
}

#[test]
fn a_broken_url_stops_nobody_who_does_not_ask_for_it() {
    let environment = environment(None, Some("nonsense"));
    assert!(Config::load(None, &environment).is_ok());
    assert!(environment.database_url().is_err());
}

#[test]
fn no_color_counts_when_it_is_not_empty() {
    let no_color = |value: Option<&'static str>| {
        Environment::from_lookup(|name| value.filter(|_| name == "NO_COLOR").map(OsString::from))
            .terminal()
            .no_color
    };
    assert!(no_color(Some("1")) && no_color(Some("0")));
    assert!(!no_color(Some("")) && !no_color(None));
}

#[test]
fn a_trace_context_counts_where_it_is_one() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = |value: Option<&'static str>| {
        Environment::from_lookup(|name| value.filter(|_| name == "TRACEPARENT").map(OsString::from))
            .trace()
    };
    assert_eq!(trace(Some(TRACE)).unwrap().to_string(), TRACE);
    assert_eq!((trace(Some("nonsense")), trace(None)), (None, None));
}

#[test]
fn no_refused_url_is_repeated() {
    for text in [
        "postgres://user@host/db?pwd=hunter2",
        "postgres://user@host/db?hunter2",
        "postgres://user:hunter2/x@host/db",
        "postgres://user:12/hunter2@host/db",
        "postgres://user:12?hunter2@host/db",
        "postgres://user:12#hunter2",
        "postgres://user:hunter2",
        "postgres://user:hunter2@h1,h2/db",
        "postgres://user@host/db?sslmode=hunter2",
        "postgres://user@host/db?channel_binding=hunter2",
        "postgres://user@host/db?connect_timeout=hunter2",
        "postgres://user@host/db?port=hunter2",
        "postgres://user:hunter2@host:port/db",
        "postgres:user:hunter2@host/db",
        "postgres://user:hunter2@host/db\n",
        "postgres://user:hunter2 @host/db",
        "sqlite://hunter2\n",
        "sqlite://",
        "sqlite:?key=hunter2",
        "hunter2://host/db",
        "user:hunter2@host/db",
    ] {
        let error = environment(None, Some(text))
            .database_url()
            .expect_err(text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{text:?}: {shown}");
        assert!(shown.contains(DATABASE_URL_VARIABLE), "{text:?}: {shown}");
    }
}

#[expect(
    clippy::result_large_err,
    reason = "a test looks at the error and drops it"
)]
fn listen_url(text: &'static str) -> Result<Option<DatabaseUrl>, ConfigError> {
    let lookup = |name: &str| (name == LISTEN_URL_VARIABLE).then(|| OsString::from(text));
    Environment::from_lookup(lookup).listen_url()
}

#[test]
fn notifications_are_listened_for_on_postgresql_alone() {
    assert_eq!(environment(None, None).listen_url().unwrap(), None);
    let url = listen_url("postgres://user:hunter2@host/db")
        .unwrap()
        .unwrap();
    assert_eq!(url.to_string(), "postgres://user:***@host/db");
    for text in ["sqlite:hunter2", "sqlite:", "mysql://hunter2@h", "hunter2"] {
        assert_eq!(
            listen_url(text).unwrap_err().to_string(),
            "the environment variable RECONCILER_LISTEN_URL cannot be used: it must begin with \
             postgres:// or postgresql://: only PostgreSQL notifies",
            "{text}"
        );
    }
    for text in ["", "postgres://user:hunter2", "postgres://u@h/d?hunter2"] {
        let error = listen_url(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{text:?}: {shown}");
        assert!(shown.contains(LISTEN_URL_VARIABLE), "{text:?}: {shown}");
    }
}

#[cfg(unix)]
#[test]
fn a_url_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let environment = Environment::from_lookup(|name| {
        (name == DATABASE_URL_VARIABLE).then(|| OsString::from_vec(b"sqlite://\xff".to_vec()))
    });
    let error = environment.database_url().unwrap_err();
    assert!(matches!(error, ConfigError::DatabaseUrl { .. }));
    assert!(
        error.to_string().contains("bytes that no URL holds"),
        "{error}"
    );
}

#[test]
fn a_standby_is_for_reading_alone() {
    const STANDBY: &str = "postgres://u@h/d?target_session_attrs=standby";
    let given = |name: &'static str| {
        Environment::from_lookup(move |asked| (asked == name).then(|| OsString::from(STANDBY)))
    };
    let read = given("RECONCILER_READ_URL")
        .read_url()
        .expect("it is followed");
    assert_eq!(
        read.map(|url| url.expose_secret().to_owned()).as_deref(),
        Some(STANDBY)
    );
    for refused in [
        given(DATABASE_URL_VARIABLE).database_url(),
        given(LISTEN_URL_VARIABLE).listen_url(),
    ] {
        let told = refused.expect_err("it is refused").to_string();
        assert!(
            told.contains("verdicts are written; RECONCILER_READ_URL may ask for a standby"),
            "{told}"
        );
    }
}
