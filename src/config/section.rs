//! How a section of the configuration is declared: each key once, with its meaning, default and range.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use super::fields::SectionValue;

/// Declares a section: `key: Type = default, range;`, with what the key means above it.
///
/// | Range | Accepts |
/// |---|---|
/// | `"1s" to "1h"` | a duration, written as a friendly text |
/// | `whole 1 to 100` | a whole number |
/// | `by reader` | what the function `reader` accepts |
macro_rules! section {
    ($(#[$meta:meta])* pub struct $name:ident { $($keys:tt)* }) => {
        section! { @read [$(#[$meta])* $name] [] $($keys)* }
    };
    (
        @read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* $key:ident: $type:ty = $default:expr, $min:literal to $max:literal;
        $($rest:tt)*
    ) => {
        section! {
            @read $head [
                $($done)*
                [
                    $(#[$meta])*
                    #[serde(serialize_with = "crate::config::fields::friendly")]
                    #[schemars(with = "String")]
                ] $key: $type = $default, $crate::config::fields::duration($min, $max);
            ]
            $($rest)*
        }
    };
    (
        @read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* $key:ident: $type:ty = $default:expr, whole $min:literal to $max:literal;
        $($rest:tt)*
    ) => {
        section! {
            @read $head [
                $($done)*
                [
                    $(#[$meta])*
                    #[schemars(range(min = $min, max = $max))]
                ] $key: $type = $default, $crate::config::fields::whole($min, $max);
            ]
            $($rest)*
        }
    };
    (
        @read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* $key:ident: $type:ty = $default:expr, by $reader:expr;
        $($rest:tt)*
    ) => {
        section! { @read $head [$($done)* [$(#[$meta])*] $key: $type = $default, $reader;] $($rest)* }
    };
    (
        @read [$(#[$meta:meta])* $name:ident]
        [$([$($attributes:tt)*] $key:ident: $type:ty = $default:expr, $reader:expr;)*]
    ) => {
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, default)]
        $(#[$meta])*
        pub struct $name {
            $( $($attributes)* pub $key: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut section = Self::default();
                $crate::config::section::read_keys(deserializer, |key, found| match key {
                    $( stringify!($key) => $reader(found).map(|value| section.$key = value), )*
                    _ => Err(format!("unknown key `{key}`")),
                })?;
                Ok(section)
            }
        }
    };
}
pub(super) use section;

/// Hands each key of a section to `set`, whose refusal becomes an error that knows its place in the file.
pub(super) fn read_keys<'de, D: Deserializer<'de>>(
    deserializer: D,
    set: impl FnMut(&str, SectionValue<'_>) -> Result<(), String>,
) -> Result<(), D::Error> {
    deserializer.deserialize_map(Keys(set))
}

struct Keys<F>(F);

impl<'de, F: FnMut(&str, SectionValue<'_>) -> Result<(), String>> Visitor<'de> for Keys<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let set = &mut self.0;
            map.next_value_seed(Setting { key, set })?;
        }
        Ok(())
    }
}

struct Setting<'a, F> {
    key: String,
    set: &'a mut F,
}

impl<'de, F: FnMut(&str, SectionValue<'_>) -> Result<(), String>> DeserializeSeed<'de>
    for Setting<'_, F>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let found = toml::Value::deserialize(deserializer).ok();
        (self.set)(&self.key, found.as_ref()).map_err(D::Error::custom)
    }
}
