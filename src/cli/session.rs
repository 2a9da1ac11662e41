//! What a verb works with: the screen, the settings, and the way to the database.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::record::{Attribution, Source};

use super::failure::Failure;
use super::screen::Screen;
use crate::clock;
use crate::config::{Config, DATABASE_URL_VARIABLE, DatabaseUrl, Environment, user_name};
use crate::storage::{
    self, Access, Action, ActionVerb, Backend, Distrust, Limits, Observations, Settling, Store,
    Trust,
};
use crate::telemetry::Verbosity;

/// One invocation of the program.
pub(super) struct Session<'a> {
    pub(super) screen: &'a mut Screen,
    pub(super) config: Config,
    /// The file that `--config` names.
    pub(super) config_file: Option<PathBuf>,
    pub(super) environment: Environment,
    pub(super) verbosity: Verbosity,
    /// Whether more was asked for than what needs somebody.
    pub(super) is_verbose: bool,
}

impl Session<'_> {
    /// The URL of the database; that there is none is a failure that says what to do.
    pub(super) fn database_url(&self) -> anyhow::Result<DatabaseUrl> {
        let url = self.environment.database_url()?;
        let url = url.ok_or_else(|| {
            Failure::new(
                "no database is named",
                format!(
                    "Set {DATABASE_URL_VARIABLE} to postgres://USER:PASSWORD@HOST:PORT/DATABASE or \
                     sqlite://FILE. `restore-reconciler demo` needs none."
                ),
            )
        })?;
        Ok(url)
    }

    /// That there is a URL, and that it can be followed.
    pub(super) fn check_database_url(&self) -> anyhow::Result<()> {
        let url = self.database_url()?;
        storage::check_url(url.expose_secret())?;
        Ok(())
    }

    /// Connects to the database, whatever it holds.
    pub(super) async fn connect(&self, access: Access) -> anyhow::Result<Store> {
        let url = self.database_url()?;
        let store = storage::connect(url.expose_secret(), access, &self.limits()).await;
        store.map_err(|error| match error.advice() {
            Some(_) => error.into(),
            None => anyhow::Error::from(error).context(Failure::new(
                format!("cannot open the database {url}"),
                match url.backend() {
                    Backend::Sqlite => {
                        "Check that the file exists, that it is a SQLite database, and that this \
                         user may open it."
                    }
                    Backend::Postgres => {
                        "Check RECONCILER_DATABASE_URL, and that the server accepts this user."
                    }
                },
            )),
        })
    }

    /// Connects to a database that holds the platform's tables.
    ///
    /// Asked first, so that nobody is sent to create our schema beside tables that are not the
    /// platform's.
    pub(super) async fn open(&self, access: Access) -> anyhow::Result<Store> {
        let store = self.connect(access).await?;
        if !store.has_platform().await? {
            let url = self.database_url()?;
            return Err(Failure::new(
                format!("{url} does not hold the platform's tables"),
                format!(
                    "Check {DATABASE_URL_VARIABLE}, and on PostgreSQL that the user's search path \
                     leads to operation_runs, in a schema that it may use."
                ),
            )
            .into());
        }
        Ok(store)
    }

    /// Connects to a database that holds the platform's tables and our schema, as this program knows it.
    ///
    /// A schema of a later release may mean something else by the same names, so nothing is written
    /// into it.
    pub(super) async fn open_migrated(&self, access: Access) -> anyhow::Result<Store> {
        let store = self.open(access).await?;
        self.migrated(store).await
    }

    /// The store, if our schema is there as this program knows it.
    pub(super) async fn migrated(&self, store: Store) -> anyhow::Result<Store> {
        let known = store.schema_version_known();
        match store.schema_version().await? {
            Some(found) if found == known => Ok(store),
            Some(found) if found > known => Err(Failure::new(
                format!(
                    "our schema is at version {found}; this program knows versions up to {known}"
                ),
                "Upgrade restore-reconciler on this host.",
            )
            .into()),
            _ => Err(Failure::new(
                "our schema is not in this database, or is older than this program",
                "Run `restore-reconciler migrate` first.",
            )
            .into()),
        }
    }

    /// Connects to a database in which runs may be settled, or looked at as if they were.
    ///
    /// A settlement looks by itself, but only once there is a run.
    pub(super) async fn open_to_settle(&self, access: Access) -> anyhow::Result<Store> {
        let store = self.open_migrated(access).await?;
        let store = self.trusted(store).await?;
        if self.config.settling.admission().acts {
            refuse(store.find_unheld(&self.config.rules.policy()).await?)?;
        }
        Ok(store)
    }

    /// Whether a rehearsal is in order here.
    pub(super) fn may_rehearse(&self) -> anyhow::Result<()> {
        if self.config.settling.admission().acts {
            return Ok(());
        }
        Err(Failure::new(
            "a rehearsal locks runs and writes before it undoes that, and settling.mode is \"observe\"",
            "Leave out --rehearse, or name a configuration that acts.",
        )
        .into())
    }

    /// The store, unless there is a reason to prove nothing from what it shows.
    pub(super) async fn trusted(&self, store: Store) -> anyhow::Result<Store> {
        refuse(store.find_distrust().await?)?;
        Ok(store)
    }

    /// Connects to a database that is only looked at, with the right to read the platform's tables and no other. A file
    /// must hold our tables all the same.
    pub(super) async fn open_to_observe(&self) -> anyhow::Result<Store> {
        let store = self.open(Access::Read).await?;
        match store.backend() {
            Backend::Postgres => Ok(store.alone()),
            Backend::Sqlite => self.migrated(store).await,
        }
    }

    /// Connects to a database in which is to be shown what would be decided, whether or not anything of ours is there yet.
    /// Where it is not, says so.
    pub(super) async fn open_to_look(&mut self) -> anyhow::Result<Store> {
        let store = self.open(Access::Read).await?;
        if store.backend() == Backend::Sqlite || store.schema_version().await?.is_some() {
            return Ok(store);
        }
        self.screen.note(
            "Nothing of ours is in this database yet; runs are shown as they would be judged now.\n\
             To have them judged: restore-reconciler migrate",
        );
        Ok(store.alone())
    }

    /// Connects to a database that a worker can work on: our schema and the queue's tables are there.
    pub(super) async fn open_for_work(&self) -> anyhow::Result<Store> {
        let store = self.open_migrated(Access::Write).await?;
        if !store.has_queue().await? {
            return Err(Failure::new(
                "the queue's tables are not there",
                "Run `restore-reconciler migrate` first.",
            )
            .into());
        }
        Ok(store)
    }

    /// How runs are settled by this invocation.
    pub(super) fn settling(&self, source: Source) -> Settling {
        let Config {
            rules,
            sweep,
            database,
            ..
        } = &self.config;
        Settling {
            policy: rules.policy(),
            schedule: sweep.back_off(),
            batch_runs_max: sweep.batch_runs_max,
            retries_max: database.retries_max,
            attempts_max: self.config.worker.attempts_max,
            due_only: source == Source::Sweep,
            admission: self.config.settling.admission(),
            observations: Observations::default(),
            by: Attribution {
                worker: worker_name(),
                source,
            },
            action: (source == Source::Command).then(|| self.action(ActionVerb::Reconcile, None)),
        }
    }

    /// What a person does here, as it is put on record.
    pub(super) fn action(&self, verb: ActionVerb, reason: Option<&str>) -> Action {
        Action {
            verb,
            actor: Some(user_name()),
            reason: reason.map(str::to_owned),
            trace: self.environment.trace(),
        }
    }

    /// What this program may take from the database.
    pub(super) fn limits(&self) -> Limits {
        let limits = self.config.database.limits();
        let accepted = &self.config.survey.accepted;
        Limits {
            trust: Trust {
                unheld: Leg::ALL.map(|leg| accepted.contains(&leg)),
                ..limits.trust
            },
            ..limits
        }
    }

    /// Reads the settings that are in force.
    pub(super) fn load_config(
        flag: Option<&std::path::Path>,
        environment: &Environment,
    ) -> anyhow::Result<Config> {
        Ok(Self::load_config_with_origins(flag, environment)?.0)
    }

    /// As [`Self::load_config`], with where each setting came from that is no default.
    pub(super) fn load_config_with_origins(
        flag: Option<&std::path::Path>,
        environment: &Environment,
    ) -> anyhow::Result<(Config, BTreeMap<String, String>)> {
        Config::load_with_origins(flag, environment).context(Failure::new(
            "the configuration cannot be used",
            "Correct the file or the variable, then check with `restore-reconciler config check FILE`.",
        ))
    }
}

fn refuse(distrust: Option<Distrust>) -> anyhow::Result<()> {
    match distrust {
        Some(distrust) => Err(Failure::new(distrust.to_string(), distrust.advice()).into()),
        None => Ok(()),
    }
}

/// Unique per start: two programs of one number on one machine started at different moments.
fn worker_name() -> String {
    format!(
        "command-{}-{}",
        std::process::id(),
        clock::wall().as_microsecond()
    )
}
