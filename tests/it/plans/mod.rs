//! How each statement finds its rows beside a million settled runs.
//!
//! A statement that reads a table from end to end is quick on the day it is written and slow years later. So a
//! store is asked for everything that it can do, beside rows of years, and the server says what it read for
//! each statement: with the indexes that `doctor` advises, with plans that were made for any values, and with
//! no index but the platform's own. Nothing is measured in seconds: rows are the same on every machine.

mod advice;
mod day;
mod looks;
mod place;
mod server;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use self::day::{BATCH, PAGE};
use self::looks::Pages;
use self::place::{OPEN_FIRST, Place};
use self::server::{Executed, Notices, Read};
use self::statements::{LARGE, STATEMENTS, Statement};

/// The numbers of one day's runs are far from those of the next day's.
const DAY: i64 = 10_000;

/// What the settlement of one run may read of each large table.
const ROWS_OF_ONE_RUN: u64 = 4;

/// How many partitions are looked into for one run: that of its month, and what belongs to no month.
const PARTITIONS_OF_ONE_RUN: usize = 2;

const GENERIC: &str = "
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET plan_cache_mode = force_generic_plan', current_database());
END $$";

const CUSTOM: &str = "
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET plan_cache_mode', current_database());
END $$";

/// What was executed on one day.
struct Day {
    all: Vec<Executed>,
    /// For the settlement of one run.
    single: Vec<Executed>,
}

impl Day {
    async fn spent(place: &Place, number: i64, depth: Pages) -> Self {
        let first = OPEN_FIRST + number * DAY;
        day::prepare(place, first).await;
        let notices = Notices::default();
        let listening = notices.listen();
        let day = day::spend(place, first, depth).await;
        day.expect("a day without errors");
        let all = notices.take();
        day::settle_one(place, first).await.expect("one more run");
        drop(listening);
        let single = notices.take();
        Self { all, single }
    }

    /// The executions of one statement.
    fn of<'d>(&'d self, statement: &'d Statement) -> impl Iterator<Item = &'d Executed> {
        let all = self.all.iter().chain(&self.single);
        all.filter(|executed| executed.name() == Some(statement.name))
    }

    /// Every statement was executed, and none that the list does not know.
    fn assert_is_complete(&self) {
        for statement in STATEMENTS {
            assert!(self.of(statement).next().is_some(), "{}", statement.name);
        }
        let listed: BTreeSet<&str> = STATEMENTS.iter().map(|known| known.name).collect();
        let executed = self.all.iter().chain(&self.single);
        let others = executed
            .filter_map(Executed::name)
            .filter(|name| !listed.contains(name));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    /// No large table was read from end to end, and of none more than was asked for.
    fn assert_reads_little(&self, when: &str) {
        for statement in STATEMENTS {
            for executed in self.of(statement) {
                let name = statement.name;
                for (table, read) in large(executed) {
                    assert!(
                        read.rows <= statement.rows_max && !read.is_sequential,
                        "{when}: {name} reads {table}: {executed:#?}",
                    );
                }
            }
        }
        for executed in &self.single {
            for (table, read) in large(executed) {
                let is_little = read.rows <= ROWS_OF_ONE_RUN;
                assert!(is_little, "{when}: {table}: {executed:#?}");
            }
        }
        let verdict = |executed: &&Executed| executed.name() == Some("load_verdict");
        for executed in self.single.iter().chain(self.all.iter().filter(verdict)) {
            for partitions in executed.partitions.values() {
                let are_few = partitions.len() <= PARTITIONS_OF_ONE_RUN;
                assert!(are_few, "{when}: {executed:#?}");
            }
        }
    }

    /// Statements inside of functions that hold these words.
    fn inner(&self, words: &str) -> Vec<&Executed> {
        let nameless = self.all.iter().filter(|executed| executed.name().is_none());
        nameless
            .filter(|executed| executed.text.contains(words))
            .collect()
    }

    /// Statements of the feed's functions: a batch, and what a consumer is given.
    fn assert_feeds_quickly(&self, when: &str) {
        let batch = u64::from(BATCH);
        for (words, table, rows_max) in [
            (
                "INSERT INTO reconciler.ledger_positions",
                "ledger_unplaced",
                3 * batch,
            ),
            (
                "INSERT INTO reconciler.ledger_positions",
                "ledger_positions",
                batch,
            ),
            ("max(position)", "ledger_positions", 1),
            ("reconciler.verdict_feed AS feed", "ledger_positions", 100),
            ("reconciler.verdict_feed AS feed", "ledger", 100),
        ] {
            let executed = self.inner(words);
            assert!(!executed.is_empty(), "{when}: {words}");
            for executed in executed {
                let read = executed.reads.get(table).copied().unwrap_or_default();
                assert!(
                    read.rows <= rows_max && !read.is_sequential,
                    "{when}: {table}: {executed:#?}"
                );
            }
        }
    }

    /// Statements inside of `reconciler.request`, which its callers wait for.
    fn assert_asks_quickly(&self, when: &str) {
        let inner = |words: &str| self.inner(words);
        let least = usize::try_from(PAGE).unwrap();
        let looks = inner("operation_runs AS run");
        assert!(looks.len() >= least, "{when}: {}", looks.len());
        for look in looks {
            let read = look.reads["operation_runs"];
            assert!(read.rows == 1 && !read.is_sequential, "{when}: {look:#?}");
        }
        let queued = inner("INSERT INTO apalis.jobs");
        assert!(queued.len() >= least, "{when}: {}", queued.len());
        let read_nothing = queued.iter().all(|queued| queued.reads.is_empty());
        assert!(read_nothing, "{when}");
    }

    /// The tables that each statement reads a good part of.
    fn reads_through(&self, place: &Place) -> BTreeMap<&'static str, BTreeSet<String>> {
        let mut through = BTreeMap::new();
        for statement in STATEMENTS {
            let reads = self.of(statement).flat_map(|executed| &executed.reads);
            let much = |table: &str| place.rows_of(table) / 10;
            let tables: BTreeSet<String> = reads
                .filter(|(table, read)| read.rows > much(table))
                .map(|(table, _)| table.clone())
                .collect();
            if !tables.is_empty() {
                through.insert(statement.name, tables);
            }
        }
        through
    }

    /// One line per statement, for whoever asks for the output.
    fn print(&self, when: &str) {
        for statement in STATEMENTS {
            let slowest = self
                .of(statement)
                .max_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
            if let Some(slowest) = slowest {
                let (took, paths) = (slowest.milliseconds, slowest.paths.join(", "));
                println!("{when}: {took:>9.3} ms  {}: {paths}", statement.name);
            }
        }
    }
}

/// What was read of large tables.
fn large(executed: &Executed) -> impl Iterator<Item = (&String, &Read)> {
    let reads = executed.reads.iter();
    reads.filter(|(table, _)| LARGE.contains(&table.as_str()))
}

#[tokio::test]
async fn no_statement_reads_what_was_settled_long_ago() {
    let mut place = Place::furnished().await;
    place.standin.set_advised_indexes(true).await.unwrap();
    place.execute("ANALYZE").await;
    let advised = Day::spent(&place, 0, Pages::All).await;
    place.reopen_after(GENERIC).await;
    let generic = Day::spent(&place, 1, Pages::All).await;
    place.reopen_after(CUSTOM).await;
    place.standin.set_advised_indexes(false).await.unwrap();
    let own = Day::spent(&place, 2, Pages::First).await;

    let days = [
        ("advised indexes", &advised),
        ("plans for any values", &generic),
        ("own indexes", &own),
    ];
    for (when, day) in days {
        day.print(when);
    }
    for (when, day) in days {
        day.assert_is_complete();
        day.assert_asks_quickly(when);
        day.assert_feeds_quickly(when);
    }
    advised.assert_reads_little("advised indexes");
    generic.assert_reads_little("plans for any values");
    let slow = STATEMENTS.iter().filter(|it| !it.through.is_empty());
    let tables = |it: &Statement| it.through.iter().map(ToString::to_string).collect();
    let expected: BTreeMap<_, BTreeSet<String>> = slow.map(|it| (it.name, tables(it))).collect();
    let found = own.reads_through(&place);
    assert_eq!(found, expected, "with the platform's own indexes");
}
