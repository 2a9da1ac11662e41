//! Which indexes our queries want, and whether an index that is there serves as one of them.
//!
//! The platform chooses its own names and shapes, so an index is recognised by what it covers: its
//! leading columns and its predicate. A predicate that is not understood counts as not serving; the
//! worst that follows is advice that was not needed.

use std::collections::BTreeSet;

/// An index that a query wants.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What is said to be examined.
    pub(super) subject: &'static str,
    pub(super) table: &'static str,
    /// The name that the advised statement gives the index.
    pub(super) name: &'static str,
    /// The columns and the predicate that the advised statement gives the index.
    pub(super) definition: &'static str,
    /// What is slow without it, as the end of a sentence.
    pub(super) purpose: &'static str,
    /// The column that narrows the search: a leading column, or settled by the predicate.
    key: &'static str,
    /// The columns that the query compares with values, so that they may lead.
    compared: &'static [&'static str],
    /// What the query demands of every row, so that a predicate may demand it too.
    demanded: &'static [Demand],
}

#[derive(Debug)]
enum Demand {
    IsNull(&'static str),
    OneOf(&'static str, &'static [&'static str]),
}

/// When a restore was executed, as PostgreSQL prints it.
const EXECUTED_AT: &str = "COALESCE(GREATEST(completed_at, started_at), created_at)";

/// The indexes without which a query reads a whole table.
pub(super) const WANTED: [Wanted; 6] = [
    Wanted {
        subject: "index on operation_runs",
        table: "operation_runs",
        name: "operation_runs_open_restores_index",
        definition: "(workspace_id, id) WHERE type = 'restore.execute' AND status IN ('queued', 'running')",
        purpose: "every look for due runs reads the open runs of all other types as well; and where \
            the two indexes over open runs that the platform creates are missing, all runs there ever were",
        key: "status",
        compared: &["type", "status"],
        demanded: &[
            Demand::OneOf("type", &["restore.execute"]),
            Demand::OneOf("status", &["queued", "running"]),
        ],
    },
    Wanted {
        subject: "index on restore_runs",
        table: "restore_runs",
        name: "restore_runs_live_operation_run_id_index",
        definition: "(operation_run_id) WHERE deleted_at IS NULL",
        purpose: "every batch reads all restores to find those that point at its runs",
        key: "operation_run_id",
        compared: &["operation_run_id", "workspace_id", "managed_environment_id"],
        demanded: &[Demand::IsNull("deleted_at")],
    },
    Wanted {
        subject: "index on restore_runs by environment",
        table: "restore_runs",
        name: "restore_runs_executed_last_index",
        definition: "(managed_environment_id, COALESCE(GREATEST(completed_at, started_at), created_at))",
        purpose: "every page of environments reads all of their restores to find the one that was executed last",
        key: EXECUTED_AT,
        compared: &["managed_environment_id", "workspace_id", EXECUTED_AT],
        demanded: &[Demand::IsNull("deleted_at")],
    },
    Wanted {
        subject: "index on evidence_snapshots",
        table: "evidence_snapshots",
        name: "evidence_snapshots_operation_run_id_index",
        definition: "(operation_run_id)",
        purpose: "every batch reads all evidence snapshots to find those of its runs",
        key: "operation_run_id",
        compared: &["operation_run_id", "workspace_id", "managed_environment_id"],
        demanded: &[],
    },
    Wanted {
        subject: "index on audit_logs",
        table: "audit_logs",
        name: "audit_logs_resource_index",
        definition: "(resource_type, resource_id)",
        purpose: "every batch reads the whole audit log to find the entries about its restores",
        key: "resource_id",
        compared: &[
            "resource_type",
            "resource_id",
            "workspace_id",
            "managed_environment_id",
            "action",
        ],
        demanded: &[],
    },
    Wanted {
        subject: "index on backup_items",
        table: "backup_items",
        name: "backup_items_backup_set_id_index",
        definition: "(backup_set_id)",
        purpose: "a batch with a restore of a whole backup set reads all backup items, and so does a page that shows one",
        key: "backup_set_id",
        compared: &["backup_set_id"],
        demanded: &[],
    },
];

/// What a predicate demands of a row, in one of its conjuncts.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    IsNull(String),
    IsNotNull(String),
    OneOf(String, BTreeSet<String>),
}

impl Wanted {
    /// Whether an index over `columns`, in this order, with this predicate, serves the query.
    pub(super) fn is_served_by(&self, columns: &[String], predicate: Option<&str>) -> bool {
        let Some(conditions) = predicate.map_or(Some(Vec::new()), parse_predicate) else {
            return false;
        };
        let leads = columns
            .iter()
            .map(|column| column.trim_matches('"'))
            .take_while(|column| self.compared.contains(column))
            .any(|column| column == self.key);
        let settled = conditions
            .iter()
            .any(|condition| self.settles_key(condition));
        (leads || settled) && conditions.iter().all(|condition| self.demands(condition))
    }

    /// Whether the query demands what the condition does, or more.
    fn demands(&self, condition: &Condition) -> bool {
        match condition {
            Condition::IsNull(column) => self
                .demanded
                .iter()
                .any(|demand| matches!(demand, Demand::IsNull(name) if name == column)),
            Condition::IsNotNull(column) => self.compared.contains(&column.as_str()),
            Condition::OneOf(column, values) => self.demanded.iter().any(|demand| {
                matches!(demand, Demand::OneOf(name, wanted)
                    if name == column && wanted.iter().all(|value| values.contains(*value)))
            }),
        }
    }

    /// Whether the condition leaves exactly the rows that the query wants, as far as the key goes.
    fn settles_key(&self, condition: &Condition) -> bool {
        let Condition::OneOf(column, values) = condition else {
            return false;
        };
        self.demanded.iter().any(|demand| {
            matches!(demand, Demand::OneOf(name, wanted)
                if name == column && *name == self.key && wanted.len() == values.len())
        })
    }
}

/// Reads the conjunction that a predicate is. Nothing for whatever else it may be.
fn parse_predicate(predicate: &str) -> Option<Vec<Condition>> {
    let plain = simplified(predicate);
    plain.split(" and ").map(parse_condition).collect()
}

/// Lower case outside of quotes, without brackets, casts and doubled blanks.
fn simplified(predicate: &str) -> String {
    let outside = |text: &str| {
        let mut text = text.to_lowercase();
        for noise in ["::character varying", "::text", "[]", "\"", "(", ")", "]"] {
            text = text.replace(noise, "");
        }
        text.replace('[', " ")
    };
    let parts: Vec<String> = predicate
        .split('\'')
        .zip([false, true].into_iter().cycle())
        .map(|(part, is_quoted)| {
            if is_quoted {
                part.to_owned()
            } else {
                outside(part)
            }
        })
        .collect();
    let joined = parts.join("'");
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse_condition(text: &str) -> Option<Condition> {
    let (column, rest) = text.trim().split_once([' ', '='])?;
    let column = column.to_owned();
    match rest.trim_start_matches([' ', '=']) {
        "is null" => Some(Condition::IsNull(column)),
        "is not null" => Some(Condition::IsNotNull(column)),
        values => {
            let values = ["any array ", "in"]
                .iter()
                .find_map(|opening| values.strip_prefix(opening))
                .unwrap_or(values);
            let values: Option<BTreeSet<String>> = values
                .split(',')
                .map(|value| quoted(value.trim()))
                .collect();
            Some(Condition::OneOf(column, values?))
        }
    }
}

fn quoted(value: &str) -> Option<String> {
    let inner = value.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inner.contains('\'')).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serves(table: &str, columns: &[&str], predicate: Option<&str>) -> bool {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        WANTED
            .iter()
            .find(|wanted| wanted.table == table)
            .unwrap()
            .is_served_by(&columns, predicate)
    }

    /// A partial index's condition as PostgreSQL prints it for `varchar` columns.
    const OPEN_VARCHAR: &str = "(((type)::text = 'restore.execute'::text) AND ((status)::text = ANY \
        ((ARRAY['queued'::character varying, 'running'::character varying])::text[])))";
    /// A partial index's condition as PostgreSQL prints it for `text` columns.
    const OPEN_TEXT: &str = "((type = 'restore.execute'::text) AND (status = ANY \
        (ARRAY['running'::text, 'queued'::text])))";
    /// A partial index's condition as somebody writes it.
    const OPEN_TERSE: &str = "type='restore.execute' and status in('queued','running')";

    #[test]
    fn an_index_over_open_runs_serves_whatever_leads_it() {
        for predicate in [OPEN_VARCHAR, OPEN_TEXT, OPEN_TERSE] {
            assert!(
                serves("operation_runs", &["id"], Some(predicate)),
                "{predicate}"
            );
            assert!(serves("operation_runs", &["created_at"], Some(predicate)));
        }
        let open = "status IN ('queued', 'running')";
        assert!(serves("operation_runs", &["id"], Some(open)));
        assert!(serves("operation_runs", &["type", "status"], None));
        assert!(serves("operation_runs", &["status", "created_at"], None));
        assert!(serves(
            "operation_runs",
            &["status"],
            Some("type = 'restore.execute'")
        ));
    }

    #[test]
    fn an_index_that_cannot_find_open_runs_does_not_serve() {
        assert!(!serves("operation_runs", &["id"], None), "the primary key");
        assert!(!serves(
            "operation_runs",
            &["workspace_id", "type", "status"],
            None
        ));
        for predicate in [
            "((managed_environment_id IS NOT NULL) AND ((status)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[])))",
            "status = 'queued'",
            "type = 'restore.verify' AND status IN ('queued', 'running')",
            "status IN ('queued', 'running') OR type = 'restore.execute'",
            "NOT status IN ('queued', 'running')",
            "status NOT IN ('queued', 'running')",
            "status <> 'completed'",
            "status IN ('queued', 'running', 'completed')",
            "status IN ('Queued', 'running')",
            "lower(status) IN ('queued', 'running')",
        ] {
            assert!(
                !serves("operation_runs", &["id"], Some(predicate)),
                "{predicate}"
            );
        }
    }

    #[test]
    fn columns_that_are_compared_may_lead_and_others_may_not() {
        let restores = |columns: &[&str], predicate| serves("restore_runs", columns, predicate);
        assert!(restores(&["operation_run_id"], None));
        assert!(restores(
            &["operation_run_id", "status"],
            Some("(deleted_at IS NULL)")
        ));
        assert!(restores(
            &["workspace_id", "managed_environment_id", "operation_run_id"],
            None
        ));
        assert!(restores(
            &["operation_run_id"],
            Some("(operation_run_id IS NOT NULL)")
        ));
        assert!(!restores(&["status", "operation_run_id"], None));
        assert!(!restores(
            &["operation_run_id"],
            Some("(deleted_at IS NOT NULL)")
        ));
        assert!(!restores(
            &["operation_run_id"],
            Some("(is_dry_run = false)")
        ));

        let audits = |columns: &[&str], predicate| serves("audit_logs", columns, predicate);
        assert!(audits(&["resource_type", "resource_id"], None));
        assert!(audits(
            &["resource_id", "resource_type", "recorded_at"],
            None
        ));
        let about = Some("((resource_type)::text = 'restore_run'::text)");
        // What a restore is called there is a setting, so no index of one name serves.
        assert!(!audits(&["resource_id"], about));
        assert!(!audits(&["resource_type", "recorded_at"], None));
        assert!(!audits(&["resource_type"], about));
    }

    #[test]
    fn what_is_advised_serves() {
        for wanted in &WANTED {
            let (columns, predicate) = match wanted.definition.split_once(" WHERE ") {
                Some((columns, predicate)) => (columns, Some(predicate)),
                None => (wanted.definition, None),
            };
            let columns = columns.trim_start_matches('(').strip_suffix(')').unwrap();
            // What is computed keeps its commas.
            let columns = columns.replace(EXECUTED_AT, "*");
            let columns = columns.split(", ");
            let columns: Vec<String> = columns.map(|it| it.replace('*', EXECUTED_AT)).collect();
            assert!(wanted.is_served_by(&columns, predicate), "{columns:?}");
        }
    }
}
