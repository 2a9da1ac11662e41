//! What brings runs to a worker before a sweep finds them: the queue, those who may ask, and triggers.
//!
//! Nothing here is a problem: verdicts are reached without any of it, by sweeps and by hand.

use super::Check;
use super::facts::{Around, Server};
use crate::storage::examine::MIGRATE;

pub(super) const SUBJECT: &str = "queue";

pub(super) fn judge(server: &Server, around: &Around) -> Vec<Check> {
    let extensions = judge_extensions(server, around);
    std::iter::once(judge_tables(around))
        .chain(extensions)
        .chain(judge_callers(around))
        .chain([judge_triggers(around)])
        .collect()
}

fn judge_tables(around: &Around) -> Check {
    if around.tables.len() < 2 {
        return Check::advice(
            SUBJECT,
            "The queue's tables (schema apalis) are not there; without them, `work` and `enqueue` do \
             not run, and sweeps do.",
            MIGRATE,
        );
    }
    if around.grants.is_empty() {
        return Check::good(SUBJECT, "The queue's tables are there and may be used.");
    }
    Check::advice(
        SUBJECT,
        "The queue's tables are there, but this role may not use them; without that, `work` and \
         `enqueue` do not run, and sweeps do.",
        around.grants.join("\n"),
    )
}

/// Needed once, when the queue's tables are made.
fn judge_extensions(server: &Server, around: &Around) -> Option<Check> {
    let subject = "extensions";
    if around.extensions_missing.is_empty() {
        return Some(Check::good(subject, "hstore and pgcrypto are there."));
    }
    // Once the tables are there, nobody asks for the extensions any more.
    if around.tables.len() == 2 {
        return None;
    }
    if around.extensions_out_of_reach.is_empty() {
        return Some(Check::good(
            subject,
            format!(
                "{} will be created by `restore-reconciler migrate`.",
                around.extensions_missing.join(" and ")
            ),
        ));
    }
    let create: Vec<String> = around
        .extensions_out_of_reach
        .iter()
        .map(|name| format!("CREATE EXTENSION IF NOT EXISTS {name};"))
        .collect();
    Some(Check::advice(
        subject,
        format!(
            "{} must be there before the queue's tables can be made, and role {} may not create that.",
            around.extensions_out_of_reach.join(" and "),
            server.role
        ),
        create.join("\n"),
    ))
}

/// Nothing where the function is not there: the schema's own check says so.
fn judge_callers(around: &Around) -> Option<Check> {
    let subject = "reconciler.request";
    let role = around.platform_role.as_deref()?;
    Some(if around.platform_may_request? {
        Check::good(
            subject,
            format!("Role {role}, which owns the platform's tables, may call it."),
        )
    } else {
        Check::advice(
            subject,
            format!(
                "Role {role}, which owns the platform's tables, may not call it, so only sweeps and \
                 operators find runs."
            ),
            format!("GRANT USAGE ON SCHEMA reconciler TO {role};"),
        )
    })
}

fn judge_triggers(around: &Around) -> Check {
    let subject = "platform trigger";
    if !around.triggers_off.is_empty() {
        return Check::advice(
            subject,
            format!("It is switched off on {}.", around.triggers_off.join(", ")),
            "Run `restore-reconciler migrate --with-platform-trigger`, or `migrate \
             --without-platform-trigger`.",
        );
    }
    match around.triggers.as_slice() {
        [] => Check::good(
            subject,
            "It is not installed; `restore-reconciler migrate --with-platform-trigger` would add it.",
        ),
        [one] => Check::advice(
            subject,
            format!("It is installed on {one} only."),
            "Run `restore-reconciler migrate --with-platform-trigger`.",
        ),
        both => Check::good(
            subject,
            format!("It is installed on {}.", both.join(" and ")),
        ),
    }
}
