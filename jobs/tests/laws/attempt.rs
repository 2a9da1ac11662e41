//! Tries of a run whose settlement ended its process.

use jiff::Timestamp;
use reconciler_jobs::attempt::{Attempts, Trial};
use reconciler_jobs::sweep::Schedule;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn after(tries: u32, try_again_at: i64) -> Attempts {
    Attempts {
        tries,
        try_again_at: at(try_again_at),
        dead: false,
    }
}

#[test]
fn each_try_is_counted_before_it_begins_and_waits_longer() {
    let mut seen = after(0, 0);
    let mut waits = Vec::new();
    let mut now = at(0);
    while let Trial::Begin(next) = seen.next(now, 4, &Schedule::default()) {
        waits.push(next.try_again_at.duration_since(now).as_secs());
        seen = next;
        now = seen.try_again_at;
    }
    assert_eq!(waits, [30, 60, 120, 240]);
    assert_eq!(seen.tries, 4);
}

#[test]
fn the_last_try_is_followed_by_a_dead_letter_and_that_by_nothing() {
    let schedule = Schedule::default();
    let Trial::GiveUp(dead) = after(4, 10).next(at(10), 4, &schedule) else {
        panic!("a fifth try");
    };
    assert_eq!((dead.tries, dead.dead), (4, true));
    assert_eq!(dead.next(at(1_000_000), 4, &schedule), Trial::Dead);
    assert_eq!(
        dead.next(at(1_000_000), 9, &schedule),
        Trial::Dead,
        "a raised limit revives nobody: that is an operator's decision"
    );
}

#[test]
fn nothing_begins_before_its_time() {
    let waiting = after(1, 60);
    let schedule = Schedule::default();
    assert_eq!(waiting.next(at(59), 4, &schedule), Trial::Wait(at(60)));
    assert!(matches!(
        waiting.next(at(60), 4, &schedule),
        Trial::Begin(_)
    ));
}
