//! Whether moments can be believed: time zones in which sessions begin, and evidence that is dated hours off.
//!
//! Eloquent writes moments without their zone. A column with a time zone takes them for the session's, and whatever
//! lies in another column, or was meant in another zone, is hours off it.

use reconciler_jobs::shift::Oddities;
use sqlx::FromRow;
use sqlx::postgres::PgPool;

use super::check::{Check, answer};
use crate::storage::{Distrust, During as _, Store, StoreError};

/// What else UTC is called.
const UTC: [&str; 9] = [
    "utc",
    "etc/utc",
    "gmt",
    "etc/gmt",
    "uct",
    "etc/uct",
    "universal",
    "zulu",
    "etc/universal",
];

/// Where moments come from that are hours off.
const SET_UTC: &str = "Have the application and the sessions of its database role use one time zone, UTC: \
                       'timezone' => 'UTC' in config/app.php and in the connection of config/database.php";

/// Whose sessions begin in which zone.
#[derive(FromRow)]
struct NamedZone {
    /// Whether it comes before what the server's file says.
    is_for_every_role: bool,
    whose: String,
    zone: String,
    remedy: String,
}

/// Looks at settings. Which zone an application sets for itself, nobody but it knows.
pub(super) async fn examine_zones(pool: &PgPool) -> Result<Check, StoreError> {
    let subject = "time zones";
    let named: Result<Vec<NamedZone>, _> = sqlx::query_as(include_str!("postgres/time_zones.sql"))
        .fetch_all(pool)
        .await
        .during("look for time zones");
    let mut zones = match answer(subject, named)? {
        Ok(zones) => zones,
        Err(check) => return Ok(*check),
    };
    let mut unread = None;
    if !zones.iter().any(|named| named.is_for_every_role) {
        let server: Result<Option<String>, _> =
            sqlx::query_scalar(include_str!("postgres/server_zone.sql"))
                .fetch_optional(pool)
                .await;
        if server.is_err() {
            let log: Result<String, _> = sqlx::query_scalar(include_str!("postgres/log_zone.sql"))
                .fetch_one(pool)
                .await;
            unread = Some(log.during("look for time zones")?);
        }
        zones.extend(server.ok().flatten().map(|zone| NamedZone {
            is_for_every_role: true,
            whose: "the server".to_owned(),
            zone,
            remedy:
                "ALTER SYSTEM SET TimeZone = 'UTC'; -- then SELECT pg_reload_conf();".to_owned(),
        }));
    }
    zones.retain(|named| !UTC.contains(&named.zone.trim_matches('"').to_lowercase().as_str()));
    Ok(judge_zones(subject, &zones, unread.as_deref()))
}

/// `unread`: the zone of the server's log, where its file is not for this role to read.
fn judge_zones(subject: &str, zones: &[NamedZone], unread: Option<&str>) -> Check {
    if zones.is_empty() {
        let rest = unread.map_or(".".to_owned(), |log| {
            format!(
                "; this role may not read that of the server's file, which by default has the zone of its log, {log}."
            )
        });
        return Check::good(
            subject,
            format!("No setting has sessions begin in a time zone other than UTC{rest}"),
        );
    }
    let listed = |text: &dyn Fn(&NamedZone) -> String, between: &str| {
        zones.iter().map(text).collect::<Vec<_>>().join(between)
    };
    Check::advice(
        subject,
        format!(
            "Sessions begin in a time zone other than UTC: {}; a moment that is written without its zone is taken for one \
             of that zone.",
            listed(&|it| format!("{} in {}", it.whose, it.zone), ", ")
        ),
        listed(&|it| it.remedy.clone(), "\n"),
    )
}

/// Looks at what was written last, in either database. Nothing where it cannot be read, of which other checks speak.
pub(super) async fn examine(store: &Store) -> Option<Check> {
    let (shift, oddities) = store.describe_moments().await.ok()?;
    let is_acknowledged = store.trust().time_shift;
    Some(judge(shift.as_ref(), oddities, is_acknowledged))
}

fn judge(shift: Option<&Distrust>, oddities: Oddities, is_acknowledged: bool) -> Check {
    let subject = "moments";
    if let Some(distrust) = shift {
        return if is_acknowledged {
            Check::good(
                subject,
                "Evidence is dated hours off, which the configuration acknowledges.",
            )
        } else {
            Check::problem(
                subject,
                format!("{distrust}."),
                format!(
                    "{SET_UTC}.\nThen put right what was written before; or, where the moments are right, or are from now on, \
                     write time_shift = \"acknowledged\" into [database] of the configuration."
                ),
            )
        };
    }
    if oddities.future + oddities.reversed > 0 {
        return Check::advice(
            subject,
            format!(
                "Of the latest evidence and its restores, moments that cannot be so: {} in the future, {} where the \
                 end comes before the beginning.",
                oddities.future, oddities.reversed
            ),
            format!("Compare the clocks of the hosts that write them. {SET_UTC}."),
        );
    }
    Check::good(
        subject,
        "The latest evidence is dated hours off neither the ends of its restores nor its own rows, and not in the future.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Level;

    fn zones(named: &[(&str, &str)]) -> Vec<NamedZone> {
        let zone = |(whose, zone): &(&str, &str)| NamedZone {
            is_for_every_role: false,
            whose: (*whose).to_owned(),
            zone: (*zone).to_owned(),
            remedy: format!("ALTER {whose};"),
        };
        named.iter().map(zone).collect()
    }

    #[test]
    fn zones_are_named_with_what_sets_them_right() {
        let good = judge_zones("time zones", &[], Some("US/Eastern"));
        assert_eq!(good.level, Level::Good);
        assert!(good.finding.contains("zone of its log, US/Eastern."));
        let found = zones(&[("role a", "Europe/Berlin"), ("the server", "US/Eastern")]);
        let check = judge_zones("time zones", &found, None);
        assert_eq!(check.level, Level::Advice);
        let listed = "role a in Europe/Berlin, the server in US/Eastern;";
        assert!(check.finding.contains(listed), "{check:?}");
        assert_eq!(
            check.action.as_deref(),
            Some("ALTER role a;\nALTER the server;")
        );
    }

    #[test]
    fn single_moments_that_cannot_be_so_are_advice() {
        let odd = Oddities {
            future: 2,
            reversed: 1,
        };
        let check = judge(None, odd, false);
        assert_eq!(check.level, Level::Advice);
        assert!(check.finding.contains("2 in the future"), "{check:?}");
        assert_eq!(judge(None, Oddities::default(), false).level, Level::Good);
    }
}
