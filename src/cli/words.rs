//! Arguments that are one of so many words: shells complete them, and a word that is none is answered with what is near.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, ValueHint};

use crate::config::nearest;

/// Reads one of `words`. Unlike clap's own, it lists no sixty of them in a message.
#[derive(Clone)]
pub(super) struct OneOf<T> {
    pub words: fn() -> Vec<String>,
    pub read: fn(&str) -> Option<T>,
    /// Where all of them are listed, if that is no part of the message.
    pub listed: Option<&'static str>,
}

impl<T: Clone + Send + Sync + 'static> OneOf<T> {
    fn parse(&self, text: &str) -> Result<T, String> {
        (self.read)(text).ok_or_else(|| {
            let words = (self.words)();
            let names: Vec<&str> = words.iter().map(String::as_str).collect();
            match (nearest(text, &names), self.listed) {
                (Some(near), _) => format!("it is no such word; the nearest is {near}"),
                (None, Some(listed)) => format!("it is no such word; {listed} lists all of them"),
                (None, None) => format!("it must be one of {}", words.join(", ")),
            }
        })
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let words = self.clone();
        let parse = move |text: &str| words.parse(text);
        parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter().map(PossibleValue::new)))
    }
}

/// The command, with every argument that is neither a file nor a word of ours completed by nothing: where nothing is said, a
/// shell offers the files of the directory for a number.
pub(super) fn without_files(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let is_open = argument.get_value_hint() == ValueHint::Unknown
            && argument.get_action().takes_values()
            && argument.get_possible_values().is_empty();
        if is_open {
            argument.value_hint(ValueHint::Other)
        } else {
            argument
        }
    });
    command.mut_subcommands(without_files)
}
