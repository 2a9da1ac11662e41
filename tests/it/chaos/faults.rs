//! What goes wrong, when, and for how long.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::crew::Crew;
use super::dice::Dice;
use crate::support::cluster::Cluster;

/// Between two faults.
const PACE: Duration = Duration::from_millis(550);
/// How long a network fault lasts.
const FAULT: Duration = Duration::from_secs(1);
/// How long a worker is suspended: longer than it takes for its jobs to be given to others.
const SUSPENSION: Duration = Duration::from_millis(4_500);
/// How long the server is away before it is started again.
const OUTAGE: Duration = Duration::from_millis(300);

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A worker is killed, and another one started.
    WorkerKilled,
    /// The server is killed with all its backends, and started again.
    ServerKilled,
    /// A worker stands still until it is taken for dead.
    WorkerSuspended,
    /// Every connection of a worker is reset.
    Reset,
    /// The same, and new connections are refused for a while.
    Refused,
    /// Nothing passes for a while.
    Stalled,
}

/// How much goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amount {
    pub(super) worker_kills: usize,
    pub(super) server_kills: usize,
}

impl Amount {
    /// So many kills, and other faults in proportion, in an order that chance gives.
    fn faults(self, dice: &mut Dice) -> Vec<Fault> {
        let share = |percent: usize| (self.worker_kills * percent / 100).max(1);
        let mut faults = Vec::new();
        for (fault, count) in [
            (Fault::WorkerKilled, self.worker_kills),
            (Fault::ServerKilled, self.server_kills),
            (Fault::WorkerSuspended, share(10)),
            (Fault::Reset, share(15)),
            (Fault::Refused, share(10)),
            (Fault::Stalled, share(10)),
        ] {
            faults.extend(std::iter::repeat_n(fault, count));
        }
        dice.shuffle(&mut faults);
        faults
    }
}

/// Lets everything go wrong, and returns once all that can be mended is mended. Reports every hundredth fault.
pub(super) async fn cause(
    amount: Amount,
    mut dice: Dice,
    crew: &Arc<Crew>,
    cluster: &Arc<Mutex<Cluster>>,
    report: impl Fn(&dyn Display),
) {
    let faults = amount.faults(&mut dice);
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lasting = JoinSet::new();
    for (fault, number) in faults.iter().zip(1_usize..) {
        pace.tick().await;
        let where_to = dice.below(6);
        if *fault == Fault::ServerKilled {
            crash(cluster).await;
        } else {
            lasting.spawn(befall(*fault, where_to, Arc::clone(crew)));
        }
        while let Some(ended) = lasting.try_join_next() {
            ended.expect("a fault that was caused in full");
        }
        if number % 100 == 0 {
            report(&format_args!("{number} of {} faults", faults.len()));
        }
    }
    while let Some(ended) = lasting.join_next().await {
        ended.expect("a fault that was caused in full");
    }
    crew.heal();
}

async fn befall(fault: Fault, place: usize, crew: Arc<Crew>) {
    let proxies = crew.proxies();
    let proxy = proxies[place % proxies.len()];
    match fault {
        Fault::WorkerKilled => crew.replace(place).await,
        Fault::WorkerSuspended => crew.suspend(place, lasts(SUSPENSION)).await,
        Fault::Reset => proxy.reset_connections(),
        Fault::Refused => {
            proxy.refuse();
            proxy.reset_connections();
            lasts(FAULT).await;
            proxy.heal();
        }
        Fault::Stalled => {
            proxy.stall();
            lasts(FAULT).await;
            proxy.heal();
        }
        Fault::ServerKilled => panic!("the server has no place among the workers"),
    }
}

async fn crash(cluster: &Arc<Mutex<Cluster>>) {
    let order = async |order: fn(&mut Cluster)| {
        let cluster = Arc::clone(cluster);
        let obey = move || order(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner));
        spawn_blocking(obey).await.expect("tests/postgres obeys");
    };
    order(Cluster::kill).await;
    lasts(OUTAGE).await;
    order(Cluster::start_again).await;
}

/// As long as a fault lasts; there is nothing else to wait for.
async fn lasts(duration: Duration) {
    let end = Instant::now() + duration;
    interval_at(end, duration).tick().await;
}

mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_occurs_as_often_as_asked() {
        let amount = Amount {
            worker_kills: 30,
            server_kills: 3,
        };
        let mut faults = amount.faults(&mut Dice::from(7));
        let count = |fault| faults.iter().filter(|other| **other == fault).count();
        assert_eq!(count(Fault::WorkerKilled), 30);
        assert_eq!(count(Fault::ServerKilled), 3);
        assert_eq!(faults.len(), 30 + 3 + 3 + 4 + 3 + 3);
        assert!(!faults.is_sorted(), "they come in no order");
        faults.sort_unstable();
        faults.dedup();
        assert_eq!(faults.len(), 6, "{faults:?}");
    }
}
