//! How single values are read and written, each with the range that its key documents.
//!
//! **Invariant:** an error says what is allowed and never repeats the value, which may be a secret in
//! the wrong place.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::fmt::friendly::SpanParser;
use serde::Serializer;

/// What stands under a key. None for an integer that no type holds; each reader says what it takes.
pub(super) type SectionValue<'a> = Option<&'a toml::Value>;

/// Writes a duration as a friendly text, such as "1h 30m".
pub(super) fn friendly<S: Serializer, T>(duration: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + TryInto<SignedDuration>,
{
    let duration = (*duration)
        .try_into()
        .map_err(|_| serde::ser::Error::custom("the duration is too long to be written"))?;
    serializer.collect_str(&format_args!("{duration:#}"))
}

/// Reads a duration from `min` to `max`. All three are texts in jiff's friendly format.
pub(super) fn duration<T: TryFrom<SignedDuration>>(
    min: &'static str,
    max: &'static str,
) -> impl FnOnce(SectionValue<'_>) -> Result<T, String> {
    let parse = |text: &str| SpanParser::new().parse_duration(text).ok();
    move |found| {
        let duration = text_of(found).and_then(parse);
        let in_range = |duration: &SignedDuration| {
            parse(min).is_some_and(|min| *duration >= min)
                && parse(max).is_some_and(|max| *duration <= max)
        };
        let read = duration
            .filter(in_range)
            .and_then(|it| T::try_from(it).ok());
        read.ok_or_else(|| {
            let fault = match duration {
                Some(duration) if duration.is_negative() => "a duration cannot be negative",
                Some(_) => "it is out of range",
                None => "it is not a duration",
            };
            format!(
                "{fault}; allowed is a text from \"{min}\" to \"{max}\", such as \"1m 30s\", in \
                 hours, minutes, seconds and milliseconds"
            )
        })
    }
}

/// Reads a whole number from `min` to `max`.
pub(super) fn whole(min: u32, max: u32) -> impl FnOnce(SectionValue<'_>) -> Result<u32, String> {
    move |found| {
        found
            .and_then(toml::Value::as_integer)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| format!("it must be a whole number from {min} to {max}"))
    }
}

pub(super) fn yes_or_no(found: SectionValue<'_>) -> Result<bool, String> {
    found
        .and_then(toml::Value::as_bool)
        .ok_or_else(|| "it must be true or false".to_owned())
}

pub(super) fn text_of(found: SectionValue<'_>) -> Option<&str> {
    found.and_then(toml::Value::as_str)
}

/// Reads one of two words.
pub(super) fn either<T>(
    one: (&'static str, T),
    other: (&'static str, T),
) -> impl FnOnce(SectionValue<'_>) -> Result<T, String> {
    move |found| match text_of(found) {
        Some(word) if word == one.0 => Ok(one.1),
        Some(word) if word == other.0 => Ok(other.1),
        _ => Err(format!("it must be \"{}\" or \"{}\"", one.0, other.0)),
    }
}

/// A list of texts, all different.
pub(super) fn distinct_texts(found: SectionValue<'_>) -> Option<Vec<String>> {
    let texts: Vec<String> = found?
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    let distinct: BTreeSet<&String> = texts.iter().collect();
    (distinct.len() == texts.len()).then_some(texts)
}

/// The most similar of `names`, if one is similar enough to be meant.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .map(|near| {
            let likeness = strsim::jaro_winkler(&name.to_lowercase(), &near.to_lowercase());
            (likeness, *near)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, near)| near)
}
