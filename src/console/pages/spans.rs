//! The timeline of a run in bars: from when to when each thing lasted, and when the others happened.

use crate::views::Moment;
use crate::views::moment::in_words;
use crate::views::timeline::{Event, EventSubject};

/// How long all of it is, in numbers without a unit.
pub(super) const LENGTH: i64 = 1_000;

/// How long a bar is at least, so that it is seen.
const LENGTH_MIN: i64 = 8;

/// A line of the timeline.
pub(super) struct Lane {
    pub(super) label: &'static str,
    /// Its bars: where each begins, and how long it is.
    pub(super) bars: Vec<(i64, i64)>,
    /// How long it lasted, or how often it happened.
    pub(super) said: String,
}

/// A line for each subject of these events, which are in order. None where all happened at once.
pub(super) fn lanes(events: &[Event]) -> Vec<Lane> {
    let ends = events.first().zip(events.last());
    let Some((first, whole)) = ends
        .map(|(first, last)| (first.at, last.at.0.duration_since(first.at.0).as_secs()))
        .filter(|(_, whole)| *whole > 0)
    else {
        return Vec::new();
    };
    let place = |at: Moment| {
        let since = at.0.duration_since(first.0).as_secs();
        // Moments of people's clocks: a whole that is longer than centuries is no longer exact.
        let place = i128::from(since) * i128::from(LENGTH - LENGTH_MIN) / i128::from(whole);
        i64::try_from(place).unwrap_or_default()
    };
    let lane = |subject: EventSubject| {
        let moments: Vec<Moment> = events
            .iter()
            .filter(|event| event.subject == subject)
            .map(|event| event.at)
            .collect();
        let (first, last) = (*moments.first()?, *moments.last()?);
        let lasts = matches!(subject, EventSubject::Run | EventSubject::Restore) && first < last;
        Some(Lane {
            label: subject.label(),
            bars: if lasts {
                vec![(place(first), place(last) - place(first) + LENGTH_MIN)]
            } else {
                moments.iter().map(|at| (place(*at), LENGTH_MIN)).collect()
            },
            said: match moments.len() {
                _ if lasts => in_words(last.0.duration_since(first.0)),
                1 => "once".to_owned(),
                times => format!("{times} times"),
            },
        })
    };
    EventSubject::ALL.into_iter().filter_map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: &str, subject: EventSubject) -> Event {
        Event {
            at: Moment(at.parse().unwrap()),
            subject,
            text: String::new(),
        }
    }

    #[test]
    fn what_lasts_is_a_bar_and_what_happens_a_mark() {
        let events = [
            event("2026-11-21T10:00:00Z", EventSubject::Run),
            event("2026-11-21T10:30:00Z", EventSubject::Restore),
            event("2026-11-21T11:00:00Z", EventSubject::Audit),
            event("2026-11-21T11:30:00Z", EventSubject::Restore),
            event("2026-11-21T11:45:00Z", EventSubject::Audit),
            event("2026-11-21T12:00:00Z", EventSubject::Run),
            event("2026-11-21T12:00:00Z", EventSubject::Verdict),
        ];
        let shown = lanes(&events);
        let said: Vec<_> = shown.iter().map(|it| (it.label, &*it.said)).collect();
        let expected = [
            ("Operation", "2 h"),
            ("Restore", "1 h"),
            ("Audit", "2 times"),
            ("Verdict", "once"),
        ];
        assert_eq!(said, expected);
        let bars: Vec<_> = shown.into_iter().map(|it| it.bars).collect();
        let marks = vec![(496, LENGTH_MIN), (868, LENGTH_MIN)];
        assert_eq!(
            bars,
            [
                vec![(0, LENGTH)],
                vec![(248, 496 + LENGTH_MIN)],
                marks,
                vec![(992, LENGTH_MIN)]
            ]
        );
    }

    #[test]
    fn what_happened_at_once_and_what_spans_all_of_time_is_no_trouble() {
        let at = "2026-11-21T10:00:00Z";
        assert!(lanes(&[]).is_empty());
        let once = [
            event(at, EventSubject::Run),
            event(at, EventSubject::Verdict),
        ];
        assert!(lanes(&once).is_empty());
        let all = [
            event("-009999-01-02T01:59:59Z", EventSubject::Restore),
            event("9999-12-30T22:00:00Z", EventSubject::Restore),
        ];
        assert_eq!(lanes(&all)[0].bars, [(0, LENGTH)]);
    }
}
