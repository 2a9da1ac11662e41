//! What a role may do, held against what its purpose needs.

use sqlx::FromRow;
use sqlx::postgres::PgConnection;

use super::check::Check;
use super::needs::TABLES;
use super::purpose::{
    Located, Purpose, Right, read_by_request, rights_of_request, rights_of_triggers,
};
use crate::storage::{Driver, During as _, Store, StoreError};

/// What a role needs that is no right.
const SEARCH_PATH: &str = "search path";

/// One statement that grants a right.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Grant {
    /// Whose tables it is about, as the list of needs says it.
    pub(super) part: String,
    /// The object, as checks name it.
    pub(super) subject: String,
    /// The role that owns the object and so may grant it, quoted where it must be.
    pub owner: String,
    /// The whole of it, ready for `psql`.
    pub statement: String,
    /// The statement for what of it is not granted yet; none where nothing is.
    pub missing: Option<String>,
    /// What is not granted, in a few words.
    pub(super) lack: Option<String>,
}

/// With whose rights requests are asked.
#[derive(FromRow)]
struct RequestOwner {
    name: String,
    /// As statements take it.
    quoted: String,
    /// Whether row security may hide runs from it.
    may_be_blind: bool,
}

/// What a purpose needs in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What can be granted, in the order in which it is.
    pub grants: Vec<Grant>,
    /// What is not there, and so cannot be.
    pub absent: Vec<String>,
}

/// What `role` needs for `purpose`, on the tables and functions that are there. The role need not be. Nothing on SQLite,
/// which has no roles.
pub async fn list_rights(
    store: &Store,
    purpose: Purpose,
    role: &str,
) -> Result<Option<Rights>, StoreError> {
    let Driver::Postgres(pool) = store.driver() else {
        return Ok(None);
    };
    let mut connection = pool.acquire().await.during("reach the database")?;
    let tables = locate(&mut connection).await?;
    load(&mut connection, &purpose.rights(&tables), Some(role))
        .await
        .map(Some)
}

/// What the role that `store` connects as lacks of what it needs for `purpose`, and what it does not find: what it is, in a
/// few words, and the statement that grants it. To ask for runs is left out: whoever settles can do without. Nothing on
/// SQLite.
pub async fn find_lacks(
    store: &Store,
    purpose: Purpose,
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let Driver::Postgres(pool) = store.driver() else {
        return Ok(Vec::new());
    };
    let mut connection = pool.acquire().await.during("reach the database")?;
    let tables = locate(&mut connection).await?;
    let mut rights = purpose.rights(&tables);
    rights.retain(|right| !right.is_to_ask());
    let Rights { grants, absent } = load(&mut connection, &rights, None).await?;
    let lacks = grants.into_iter().filter_map(|grant| {
        let lack = grant.lack?;
        let what = match grant.subject.as_str() {
            SEARCH_PATH => lack,
            subject => format!("{lack} of {subject}"),
        };
        Some((what, grant.missing))
    });
    let absent = absent.into_iter().map(|name| (name, None));
    Ok(lacks.chain(absent).collect())
}

/// What a role that migrates lacks of what the platform's tables have to give: what it is, in a few words, and the
/// statement that grants it. `with_triggers`: of what the platform's triggers need, too.
pub async fn find_lacks_of_migrator(
    store: &Store,
    role: &str,
    with_triggers: bool,
) -> Result<Vec<(String, String)>, StoreError> {
    let Driver::Postgres(pool) = store.driver() else {
        return Ok(Vec::new());
    };
    let mut connection = pool.acquire().await.during("reach the database")?;
    let tables = locate(&mut connection).await?;
    // Whether it may create is asked only where it has to.
    let mut rights: Vec<Right> = tables.iter().flat_map(read_by_request).collect();
    if with_triggers {
        rights.extend(rights_of_triggers(&tables));
    }
    let found = load(&mut connection, &rights, Some(role)).await?;
    let lacking = found.grants.into_iter().filter_map(|grant| {
        let what = format!("{} of {}", grant.lack?, grant.subject);
        Some((what, grant.missing?))
    });
    Ok(lacking.collect())
}

/// Whether `reconciler.request` can do what it is for, with the rights of its owner. Nothing where it is not there, and
/// on SQLite.
pub async fn examine_request(store: &Store) -> Result<Option<Check>, StoreError> {
    let Driver::Postgres(pool) = store.driver() else {
        return Ok(None);
    };
    let mut connection = pool.acquire().await.during("reach the database")?;
    let tables = locate(&mut connection).await?;
    look_at_request(&mut connection, &tables).await
}

/// As [`examine_request`], on a connection.
pub(super) async fn look_at_request(
    connection: &mut PgConnection,
    tables: &[Located],
) -> Result<Option<Check>, StoreError> {
    let runs = place_of("operation_runs", tables);
    let owner: Option<RequestOwner> = sqlx::query_as(include_str!("postgres/owner_of_request.sql"))
        .bind(runs)
        .fetch_optional(&mut *connection)
        .await
        .during("ask whose function reconciler.request is")?;
    let Some(owner) = owner else { return Ok(None) };
    let mut rights = load(connection, &rights_of_request(tables), Some(&owner.name)).await?;
    // The function names the table with its schema.
    rights.grants.retain(|grant| grant.subject != SEARCH_PATH);
    Ok(Some(judge_request(&owner, &rights)))
}

/// Where the table of this name is.
pub(super) fn place_of(name: &str, tables: &[Located]) -> Option<i64> {
    let found = tables.iter().find(|(table, _)| table.name == name);
    found.and_then(|(_, oid)| *oid)
}

fn judge_request(owner: &RequestOwner, rights: &Rights) -> Check {
    let subject = "rights of reconciler.request";
    let RequestOwner {
        quoted: owner,
        may_be_blind,
        ..
    } = owner;
    let of = |part: fn(&Grant) -> Option<&str>| rights.grants.iter().filter_map(part).collect();
    let missing: Vec<&str> = of(|grant| grant.missing.as_deref());
    let lacks: Vec<&str> = of(|grant| grant.lack.as_deref());
    if missing.is_empty() && *may_be_blind {
        let finding = format!(
            "It runs as {owner}, from which row security may hide runs: a request for such a run is answered with \
             false, and only sweeps find it."
        );
        return Check::problem(subject, finding, format!("ALTER ROLE {owner} BYPASSRLS;"));
    }
    if missing.is_empty() {
        let finding = format!("It runs as {owner}, which may do what it does.");
        return Check::good(subject, finding);
    }
    let finding = format!(
        "It runs as {owner}, which lacks {}: each request is answered with false, and only sweeps find runs.",
        lacks.join(" and ")
    );
    Check::problem(subject, finding, missing.join("\n"))
}

/// Where each table of the list is.
pub(super) async fn locate(connection: &mut PgConnection) -> Result<Vec<Located>, StoreError> {
    let needs = serde_json::to_string(TABLES.as_slice()).unwrap_or_default();
    let found: Vec<Option<i64>> = sqlx::query_scalar(include_str!("postgres/locate.sql"))
        .bind(needs)
        .fetch_all(connection)
        .await
        .during("look for tables")?;
    Ok(TABLES.iter().zip(found).collect())
}

/// Of `role`, or of whoever asks.
pub(super) async fn load(
    connection: &mut PgConnection,
    rights: &[Right],
    role: Option<&str>,
) -> Result<Rights, StoreError> {
    // Holds nothing but texts and numbers, so it can be written.
    let needs = serde_json::to_string(rights).unwrap_or_default();
    let grants = sqlx::query_as(include_str!("postgres/rights.sql"))
        .bind(&needs)
        .bind(role)
        .fetch_all(&mut *connection)
        .await
        .during("look for privileges")?;
    let absent = sqlx::query_scalar(include_str!("postgres/absent.sql"))
        .bind(needs)
        .fetch_all(connection)
        .await
        .during("look for what is not there")?;
    Ok(Rights { grants, absent })
}

impl Rights {
    /// A check per object of this part. `role` is quoted where it must be.
    pub(super) fn judge(&self, part: &str, role: &str) -> Vec<Check> {
        let of_part = self.grants.iter().filter(|grant| grant.part == part);
        let of_part: Vec<&Grant> = of_part.collect();
        of_part
            .chunk_by(|one, next| one.subject == next.subject)
            .filter_map(|about| judge_object(about, role))
            .collect()
    }

    /// Whether all is granted of an object that is needed.
    pub(super) fn lacks_none_of(&self, subject: &str) -> bool {
        let mut about = self.grants.iter().filter(|it| it.subject == subject);
        about.all(|grant| grant.missing.is_none())
    }

    /// What is needed and not there, with what for, and what to do.
    pub(super) fn judge_absent(&self, need: &str, action: &str) -> Option<Check> {
        (!self.absent.is_empty()).then(|| {
            let absent = self.absent.join(", ");
            let finding = format!("{absent} cannot be found, and {need}.");
            Check::problem("what is not there", finding, action)
        })
    }
}

/// Nothing where a schema may be used: what is in it is spoken of.
fn judge_object(grants: &[&Grant], role: &str) -> Option<Check> {
    let name = &grants.first()?.subject;
    let subject = match name.as_str() {
        SEARCH_PATH => name.clone(),
        _ => format!("privileges on {name}"),
    };
    let is_schema = name.starts_with("schema ");
    let missing: Vec<&str> = grants
        .iter()
        .filter_map(|grant| grant.missing.as_deref())
        .collect();
    if missing.is_empty() {
        let good = || Check::good(subject, "What is needed is granted.");
        return (!is_schema).then(good);
    }
    let lacks: Vec<&str> = grants
        .iter()
        .filter_map(|grant| grant.lack.as_deref())
        .collect();
    let finding = if is_schema {
        format!("Role {role} may not use the schema.")
    } else {
        format!("Role {role} lacks {}.", lacks.join(" and "))
    };
    Some(Check::problem(subject, finding, missing.join("\n")))
}
