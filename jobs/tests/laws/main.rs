//! The rulebook as tests: the decision table row by row, the six laws, the parsers.
//!
//! | Module | Story |
//! |---|---|
//! | `backup_health` | what could be restored: a row per fault and per finding, and laws |
//! | `bundle` | the rows that the benches judge |
//! | `support` | one complete proven case, made of rows, and how rows become a decision |
//! | `counterfactual` | what a verdict lacks, and what a success hangs on: rows, and over the whole space |
//! | `closer` | who closed a run, and which traces are the closer's own |
//! | `decision_table` | one named row per edge of a rule and per reason code |
//! | `fuzz` | the platform's documents, bent by chance |
//! | `generate` | rows in which any column may hold anything |
//! | `golden` | ten thousand verdicts of both rulesets, decided again byte for byte |
//! | `gates` | what stands before an execution: a row per reason, and laws |
//! | `laws` | the laws over generated rows |
//! | `now` | a verdict beside what would be said today |
//! | `opinion` | second opinions on runs that somebody else closed |
//! | `past` | what was known of a run at earlier moments |
//! | `reading` | what operators are shown: a row per state and trigger, and laws |
//! | `readings` | what single columns and sets of rows are read as |
//! | `record` | what a verdict writes |
//! | `review` | a recorded verdict judged again, and what makes it fall |
//! | `rulesets` | what the second ruleset decides otherwise than the first |
//! | `sentences` | no sentence shown to people claims what nobody can prove |
//! | `simulate` | what another policy would have said of a verdict |
//! | `space` | laws 1 and 2 over every cell of the abstract space |
//! | `table` | the decision tables as they are written |
//! | `attempt` | tries of a run whose settlement ended its process |
//! | `canonical` | the canonical form of facts |
//! | `json` | the platform's JSON, value by value |
//! | `reason` | reason codes read back, and claim nothing |
//! | `request` | what a job says |
//! | `shard` | parts of a sweep |
//! | `stamp` | what a query hands over as a moment |
//! | `trace` | trace contexts of others |
//! | `turns` | workspaces take turns in a sweep |
//! | `parser` | odd documents in every column |

// Each module is marked as test code, because Clippy's leave to unwrap in tests looks for the mark.
#[cfg(test)]
mod attempt;
#[cfg(test)]
mod backup_health;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod closer;
#[cfg(test)]
mod counterfactual;
#[cfg(test)]
mod decision_table;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod json;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod now;
#[cfg(test)]
mod opinion;
#[cfg(test)]
mod parser;
#[cfg(test)]
mod past;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod readings;
#[cfg(test)]
mod reason;
#[cfg(test)]
mod record;
#[cfg(test)]
mod request;
#[cfg(test)]
mod review;
#[cfg(test)]
mod rulesets;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod shard;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod space;
#[cfg(test)]
mod stamp;
#[cfg(test)]
mod support;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod table;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod turns;
