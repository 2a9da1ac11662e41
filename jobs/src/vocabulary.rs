//! Closed vocabularies: enums whose variants carry the words that are said of them.

/// Declares an enum as a table: one row per variant, one method per column.
///
/// Each enum gets `ALL`, in the order of the rows, and for each column a method of that name. A row does not compile
/// while one of its cells is missing, so a new variant cannot be added without everything that is said of it.
///
/// The first column may stand without a type. It is a text then, given right beside the variant, and is the variant's
/// documentation as well.
///
/// ```
/// reconciler_jobs::vocabulary! {
///     /// How far something has come.
///     pub enum Progress {
///         /// For people.
///         label,
///         /// Whether it is over.
///         is_over: bool,
///     }
///     Running = "Still running" { is_over: false }
///     Ended = "Ended" { is_over: true }
/// }
/// assert_eq!(Progress::ALL.map(Progress::label), ["Still running", "Ended"]);
/// assert!(Progress::Ended.is_over());
/// ```
#[macro_export]
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(#[$first_doc:meta])*
            $first:ident,
            $( $(#[$doc:meta])* $column:ident: $type:ty, )*
        }
        $( $variant:ident = $text:literal $({ $($cells:tt)* })? )+
    ) => {
        $crate::vocabulary! {
            $(#[$meta])*
            $vis enum $name {
                $(#[$first_doc])*
                $first: &'static str,
                $( $(#[$doc])* $column: $type, )*
            }
            $( #[doc = $text] $variant { $first: $text, $($($cells)*)? } )+
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$doc:meta])* $column:ident: $type:ty, )*
        }
        $( $(#[$about:meta])* $variant:ident { $($cells:tt)* } )+
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $( $(#[$about])* $variant, )+
        }

        const _: () = {
            struct Row {
                $( $column: $type, )*
            }

            impl $name {
                /// Every one, in the order of the table.
                $vis const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

                const fn row(self) -> Row {
                    match self {
                        $( Self::$variant => Row { $($cells)* }, )+
                    }
                }

                $(
                    $(#[$doc])*
                    #[must_use]
                    $vis const fn $column(self) -> $type {
                        self.row().$column
                    }
                )*
            }
        };
    };
}

/// So many of one thing, in words: `1 item`, `2 items`.
#[must_use]
pub fn quantity(count: u64, one: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {one}{many}")
}
