//! `migrate`: creates or upgrades this product's own schema.

use anyhow::Context as _;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{
    CheckShown, Document, ExtensionShown, LevelWord, Migrated, MigrationStatus, SchemaStatus,
    TriggerWord,
};
use super::progress::Progress;
use super::screen::{Output, Screen};
use super::session::Session;
use crate::doctor;
use crate::storage::{Access, Backend, Damage, Ground, NewExtension, SchemaState, Store};
use crate::worker;

/// What to do beside that.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flag of the command line each"
)]
pub(super) struct Args {
    /// Also add a trigger to the platform's tables `restore_runs` and `evidence_snapshots`, so that a run is
    /// looked at as soon as its restore has ended or its evidence is there. PostgreSQL only.
    #[arg(long, conflicts_with = "without_platform_trigger")]
    with_platform_trigger: bool,
    /// Remove those triggers.
    #[arg(long)]
    without_platform_trigger: bool,
    /// Have our schema serve the platform that the search path leads to, where that is another one than before: its schema
    /// was renamed, or it was moved. PostgreSQL only.
    #[arg(long)]
    rebind: bool,
    /// Make again what migrations have made and others have taken away: columns, functions, triggers and indexes of the
    /// queue and of our schema, and the extension hstore. PostgreSQL only.
    #[arg(long)]
    repair: bool,
    /// Only say how far the schemas were migrated, what is missing, and what stands in the way. Exit code 3 where
    /// anything is left to do. PostgreSQL only.
    #[arg(long, conflicts_with_all = ["sql", "rebind", "repair", "with_platform_trigger", "without_platform_trigger"])]
    status: bool,
    /// Only print what would be run, as a script for psql. PostgreSQL only.
    #[arg(long, conflicts_with_all = ["rebind", "repair", "with_platform_trigger", "without_platform_trigger"])]
    sql: bool,
}

impl Args {
    /// What the triggers are to be; none where they stay as they are.
    fn triggers(&self) -> Option<TriggerWord> {
        match (self.with_platform_trigger, self.without_platform_trigger) {
            (true, _) => Some(TriggerWord::Added),
            (_, true) => Some(TriggerWord::Removed),
            _ => None,
        }
    }
}

/// One step follows the other. A connection that comes back is looked at for a moment, in which a new one would be made:
/// behind a pooler with few sessions that one would wait for others that are not needed any more.
const CONNECTIONS_MAX: u32 = 2;

/// Creates or upgrades our schema and the queue's, once nothing stands in the way. Doing it again does nothing.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let database = &mut session.config.database;
    database.connections_max = database.connections_max.min(CONNECTIONS_MAX);
    let store = session.open(Access::Write).await?;
    let triggers = args.triggers();
    if (args.rebind || args.repair) && store.backend() == Backend::Sqlite {
        return Err(Failure::new(
            "a SQLite file holds one platform, to which nothing has to be bound, and nobody else has a hand in it; nothing \
             was changed",
            "Leave the option out.",
        )
        .into());
    }
    if triggers.is_some() && store.backend() == Backend::Sqlite {
        return Err(Failure::new(
            "a SQLite file has no triggers that could queue jobs; nothing was changed",
            "Leave the option out: `restore-reconciler enqueue RUN` and the sweeps find runs on SQLite.",
        )
        .into());
    }
    let queue = worker::queue_migrations(store.backend());
    let ground = store.survey(&queue).await?;
    if args.status || args.sql {
        let ground = ground.ok_or_else(|| {
            Failure::new(
                "a SQLite file is migrated by whoever may write it",
                "Run `restore-reconciler migrate`; `doctor` says at which version the file is.",
            )
        })?;
        return show_plan(session, &store, &ground, args).await;
    }
    if let Some(ground) = &ground {
        refuse_obstacles(&obstacles(&store, ground, args).await?)?;
    }
    let mut repaired = Vec::new();
    let lost = ground.iter().flat_map(|ground| &ground.damage);
    let put_back = args.repair && lost.into_iter().any(Damage::is_of_platform);
    if let Some(ground) = ground.as_ref().filter(|_| args.repair) {
        repaired = repair(&store, ground).await?;
    }
    let before = store.schema_version().await?;
    migrate(&store, session.screen).await?;
    let elsewhere = ground
        .as_ref()
        .filter(|ground| ground.other_platform().is_some());
    let is_unbound = ground
        .as_ref()
        .is_some_and(|ground| ground.binding.is_none());
    if elsewhere.is_some() || (args.rebind && is_unbound) {
        store.rebind().await?;
    }
    worker::set_up(&store).await?;
    if let Some(wanted) = triggers {
        set_triggers(&store, wanted).await?;
    }
    let mut after = store.survey(&queue).await?;
    // What was yet to be migrated is looked at for the first time.
    if let Some(ground) = after
        .as_ref()
        .filter(|it| args.repair && !it.damage.is_empty())
    {
        repaired.extend(repair(&store, ground).await?);
        after = store.survey(&queue).await?;
    }
    if let Some(damaged) = after.as_ref().and_then(damage_of) {
        return Err(Failure::new(damaged.finding, damaged.action.unwrap_or_default()).into());
    }
    let bound = |ground: Option<&Ground>| ground.and_then(|ground| ground.binding.clone());
    let binding = bound(after.as_ref());
    let migrated = Migrated {
        before,
        after: store.schema_version().await?,
        queue_before: ground.as_ref().and_then(|ground| ground.queue.version),
        queue_after: after.and_then(|ground| ground.queue.version),
        bound_before: bound(elsewhere).map(|bound| bound.schema),
        platform_schema: binding.as_ref().map(|bound| bound.schema.clone()),
        install_id: binding.map(|bound| bound.install_id),
        extensions: ground.map(extensions).unwrap_or_default(),
        platform_trigger: triggers.or(put_back.then_some(TriggerWord::Added)),
        repaired: args.repair.then_some(repaired),
    };
    match session.screen.output {
        Output::Json | Output::Jsonl => session.screen.json(&Document::Migrate(migrated))?,
        Output::Table => session.screen.line(&sentence(&store, &migrated))?,
    }
    Ok(Exit::Done)
}

/// An older ledger may take a while, and says so.
async fn migrate(store: &Store, screen: &mut Screen) -> anyhow::Result<()> {
    const WHAT: &str = "copying the ledger";
    let mut begun: Option<(u64, Progress<'_>)> = None;
    let mut screen = Some(screen);
    let mut show = |left: u64| {
        if let Some(screen) = screen.take() {
            begun = Some((left, Progress::new(screen, WHAT, left)));
        }
        if let Some((total, progress)) = &mut begun {
            progress.show(WHAT, total.saturating_sub(left), *total);
        }
    };
    Ok(store.migrate_showing(&mut show).await?)
}

/// Makes again what was taken away, and says what that was.
async fn repair(store: &Store, ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut repaired = store.repair(ground).await?;
    let lost: Vec<&Damage> = ground
        .damage
        .iter()
        .filter(|it| it.is_of_platform())
        .collect();
    if !lost.is_empty() {
        set_triggers(store, TriggerWord::Added).await?;
        repaired.extend(lost.into_iter().map(Damage::subject));
    }
    Ok(repaired)
}

/// What is missing or different of what migrations made, and migrating does not make by itself.
fn damage_of(ground: &Ground) -> Option<CheckShown> {
    let damage = ground.damage.iter();
    let damage = damage.filter(|it| !(it.is_said_elsewhere() || it.is_made_by_migrating()));
    let mut actions: Vec<&str> = damage.clone().map(Damage::action).collect();
    actions.dedup();
    let findings: Vec<String> = damage
        .map(|it| format!("{}: {}", it.subject(), it.finding()))
        .collect();
    (!findings.is_empty()).then(|| {
        let finding = format!(
            "Of what migrations made, some is missing or different. {}",
            findings.join(" ")
        );
        shown(finding, actions.join("\n"))
    })
}

fn shown(finding: String, action: String) -> CheckShown {
    CheckShown {
        level: LevelWord::Problem,
        subject: "migrate".to_owned(),
        finding,
        action: Some(action),
    }
}

/// What stands in the way: of the schemas, of what `reconciler.request` is to read, and of triggers that are wanted. That
/// another platform is served is in the way unless that is to change, and so is what was taken away unless that is to be
/// made again.
async fn obstacles(store: &Store, ground: &Ground, args: &Args) -> anyhow::Result<Vec<CheckShown>> {
    let other_platform = ground.other_platform().filter(|_| !args.rebind);
    let of_schemas = ground.obstacles.iter().chain(&other_platform);
    let mut obstacles: Vec<_> = of_schemas
        .map(|it| shown(it.finding.clone(), it.action.clone()))
        .collect();
    if !args.repair {
        obstacles.extend(damage_of(ground));
    }
    let lost_triggers = args.repair && ground.damage.iter().any(Damage::is_of_platform);
    let with_triggers = args.with_platform_trigger || lost_triggers;
    if !ground.is_migrated() || with_triggers || args.rebind {
        let role = &ground.role_name;
        let lacking = doctor::find_lacks_of_migrator(store, role, with_triggers).await?;
        obstacles.extend(lacking.into_iter().map(|(what, statement)| {
            let finding = format!("Role {role} lacks {what}, and so no run could be asked for.");
            shown(finding, statement)
        }));
    }
    Ok(obstacles)
}

fn refuse_obstacles(obstacles: &[CheckShown]) -> anyhow::Result<()> {
    if obstacles.is_empty() {
        return Ok(());
    }
    let findings: Vec<&str> = obstacles.iter().map(|it| it.finding.as_str()).collect();
    let actions: Vec<&str> = obstacles
        .iter()
        .filter_map(|it| it.action.as_deref())
        .collect();
    let what = format!("nothing was migrated: {}", findings.join(" "));
    Err(Failure::new(what.trim_end_matches('.').to_owned(), actions.join("\n")).into())
}

fn extensions(ground: Ground) -> Vec<ExtensionShown> {
    let created = ground.extensions.into_iter();
    created
        .map(|NewExtension { name, schema }| ExtensionShown { name, schema })
        .collect()
}

/// What would be run, or how far it was. Writes nothing to the database.
async fn show_plan(
    session: &mut Session<'_>,
    store: &Store,
    ground: &Ground,
    args: &Args,
) -> anyhow::Result<Exit> {
    if args.sql {
        let script = ground.script(&worker::queue_migrations(Backend::Postgres));
        session.screen.text(&script)?;
        return Ok(Exit::Done);
    }
    let schema = |state: &SchemaState| SchemaStatus {
        version: state.version,
        pending: state.pending.clone(),
    };
    let status = MigrationStatus {
        up_to_date: ground.is_migrated(),
        own: schema(&ground.own),
        queue: schema(&ground.queue),
        extensions: extensions(ground.clone()),
        platform_schema: ground.binding.as_ref().map(|bound| bound.schema.clone()),
        install_id: ground
            .binding
            .as_ref()
            .map(|bound| bound.install_id.clone()),
        obstacles: obstacles(store, ground, args).await?,
    };
    let exit = if status.up_to_date && status.obstacles.is_empty() {
        Exit::Done
    } else {
        Exit::ProblemFound
    };
    match session.screen.output {
        Output::Json | Output::Jsonl => session.screen.json(&Document::MigrateStatus(status))?,
        Output::Table => show_status(&status, session)?,
    }
    Ok(exit)
}

fn show_status(status: &MigrationStatus, session: &mut Session<'_>) -> anyhow::Result<()> {
    let screen = &mut *session.screen;
    let schemas = [("reconciler", &status.own), ("apalis", &status.queue)];
    for (name, SchemaStatus { version, pending }) in schemas {
        let version = version.map_or("not there".to_owned(), |it| format!("at version {it}"));
        let missing: Vec<String> = pending.iter().map(ToString::to_string).collect();
        let missing = match missing.as_slice() {
            [] => "nothing is missing".to_owned(),
            missing => format!("to be run: {}", missing.join(", ")),
        };
        screen.line(&format!("schema {name}: {version}; {missing}"))?;
    }
    if let (Some(schema), Some(id)) = (&status.platform_schema, &status.install_id) {
        screen.line(&format!(
            "serves the platform in schema {schema}; install id {id}"
        ))?;
    }
    for ExtensionShown { name, schema } in &status.extensions {
        screen.line(&format!(
            "extension {name}: to be created in schema {schema}"
        ))?;
    }
    for obstacle in &status.obstacles {
        screen.line(&format!("in the way: {}", obstacle.finding))?;
        for line in obstacle.action.iter().flat_map(|action| action.lines()) {
            screen.action(line)?;
        }
    }
    Ok(())
}

async fn set_triggers(store: &Store, wanted: TriggerWord) -> anyhow::Result<()> {
    let (what, advice) = match wanted {
        TriggerWord::Added => (
            "our schema is in place, but the triggers could not be added",
            "As the owner of the tables: GRANT TRIGGER ON restore_runs, evidence_snapshots, audit_logs, and \
             GRANT SELECT (id, operation_run_id) ON restore_runs, TO the role that migrates. Then run the command again.",
        ),
        TriggerWord::Removed => (
            "our schema is in place, but the triggers could not be removed",
            "Run the command again as the role that added them.",
        ),
    };
    store
        .set_platform_triggers(wanted == TriggerWord::Added)
        .await
        .with_context(|| Failure::new(what, advice))
}

fn sentence(store: &Store, migrated: &Migrated) -> String {
    let own = match store.backend() {
        Backend::Postgres => "The schema `reconciler`",
        Backend::Sqlite => "The schema (tables `reconciler_…`)",
    };
    let mut sentences = vec![changed(own, migrated.before, migrated.after)];
    if migrated.queue_after.is_some() {
        let queue = "The queue's schema `apalis`";
        sentences.push(changed(queue, migrated.queue_before, migrated.queue_after));
    }
    sentences.extend(migrated.extensions.iter().map(created));
    sentences.extend(rebound(migrated));
    sentences.extend(
        migrated
            .repaired
            .as_ref()
            .map(|repaired| put_right(repaired)),
    );
    sentences.push(match migrated.platform_trigger {
        None => "Platform tables were not touched.".to_owned(),
        Some(TriggerWord::Added) => {
            "The trigger `restore_reconciler_request` was added to the platform's tables restore_runs, \
             evidence_snapshots and audit_logs; nothing else of the platform was touched. `migrate \
             --without-platform-trigger` removes it."
                .to_owned()
        }
        Some(TriggerWord::Removed) => {
            "The platform's tables restore_runs, evidence_snapshots and audit_logs have no trigger of ours; nothing \
             else of the platform was touched."
                .to_owned()
        }
    });
    sentences.join(" ")
}

/// Verdicts are found by their run alone: those of another platform's runs are about none of this one's.
fn rebound(migrated: &Migrated) -> Option<String> {
    let (before, now) = (
        migrated.bound_before.as_ref()?,
        migrated.platform_schema.as_ref()?,
    );
    Some(format!(
        "It serves the platform in schema {now} from now on, and not the one in {before} as before. Every verdict on record \
         is kept; one about a run that is not in {now} is shown for none."
    ))
}

/// Whoever could call a function that is made again was granted that, and nobody knows any more who it was.
fn put_right(repaired: &[String]) -> String {
    if repaired.is_empty() {
        return "Nothing that migrations made was missing or different.".to_owned();
    }
    let grants = if repaired
        .iter()
        .any(|it| it.starts_with("function reconciler."))
    {
        " Where a function was gone, what was granted on it is to be granted again: `restore-reconciler doctor`, as each role, \
         says what."
    } else {
        ""
    };
    format!("Put right: {}.{grants}", repaired.join(", "))
}

fn changed(schema: &str, before: Option<i64>, after: Option<i64>) -> String {
    let after = after.unwrap_or_default();
    match before {
        None => format!("{schema} was created, at version {after}."),
        Some(before) if before == after => {
            format!("{schema} is at version {after} already; nothing was changed.")
        }
        Some(before) => format!("{schema} was upgraded from version {before} to {after}."),
    }
}

/// hstore is found by the search path alone, by whoever takes jobs.
fn created(ExtensionShown { name, schema }: &ExtensionShown) -> String {
    let found = if name == "hstore" && schema == "reconciler" {
        ", because this role may create nothing beside the platform's tables; workers find it by their search path, \
         which `restore-reconciler grants worker` prints"
    } else {
        ""
    };
    format!("The extension {name} was created in schema {schema}{found}.")
}
