//! What a query hands over as a moment, up to the ends of time.

use jiff::Timestamp;
use reconciler_jobs::stamp::{Stamp, whole_seconds};

#[test]
fn a_moment_is_told_from_none_and_from_what_cannot_be_one() {
    const LAST: i64 = 253_402_207_200_000_000;
    let at = |micros| Stamp::At(Timestamp::from_microsecond(micros).unwrap());
    for (micros, present, expected) in [
        (None, false, Stamp::Absent),
        (None, true, Stamp::Unreadable),
        (Some(i64::MIN), true, Stamp::Unreadable),
        (Some(-1), true, Stamp::Unreadable),
        (Some(0), true, at(0)),
        (Some(1), false, at(1)),
        (Some(LAST), true, at(LAST)),
        (Some(LAST + 1), true, Stamp::Far),
        (Some(i64::MAX), true, Stamp::Far),
    ] {
        let stamp = Stamp::parse(micros, present);
        assert_eq!(stamp, expected, "{micros:?}");
        let is_one = matches!(expected, Stamp::At(_));
        let moment = stamp.moment().map(Timestamp::as_microsecond);
        assert_eq!(moment, micros.filter(|_| is_one), "{micros:?}");
    }
}

#[test]
fn a_moment_lies_in_the_second_that_began_before_it() {
    for (micros, second) in [
        (0, 0),
        (999_999, 0),
        (1_000_000, 1),
        (-1, -1),
        (-1_000_000, -1),
    ] {
        let moment = Timestamp::from_microsecond(micros).unwrap();
        assert_eq!(
            whole_seconds(moment).as_nanosecond(),
            second * 1_000_000_000,
            "{micros}"
        );
    }
}
