//! Rows under a heading, for as many columns of characters as there are.
//!
//! **Invariants:**
//! - No word is ever broken, so that ids and codes can be searched for and copied.
//! - A program that reads lines has one for each row, with all its columns, unless it asks for a width.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Between two columns.
const GAP: u16 = 2;

/// Cells that are longer are folded at blanks, down to as much as can be read in one glance.
const READABLE: u16 = 24;

/// A column: its heading, and whether there must be room for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableColumn {
    heading: &'static str,
    spare: u8,
}

/// A column that is always shown.
pub(super) const fn kept(heading: &'static str) -> TableColumn {
    TableColumn { heading, spare: 0 }
}

/// A column that goes where there is not room for all: the one with the highest `rank` first.
pub(super) const fn spare(rank: u8, heading: &'static str) -> TableColumn {
    TableColumn {
        heading,
        spare: rank,
    }
}

/// Rows with as many cells as there are columns.
pub(super) struct TableRows<const N: usize> {
    columns: [TableColumn; N],
    rows: Vec<[String; N]>,
}

/// Rows as they are shown to a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LaidOut {
    /// The lines, the first of which is the heading where there are columns.
    pub(super) text: String,
    /// Whether there are columns.
    pub(super) in_columns: bool,
    /// The headings of columns for which there was no room.
    pub(super) left_out: Vec<&'static str>,
}

impl<const N: usize> TableRows<N> {
    pub(super) fn new(columns: [TableColumn; N], rows: Vec<[String; N]>) -> Self {
        Self { columns, rows }
    }

    /// A line each, with tabs between cells. A cell of several lines is one here.
    pub(super) fn in_tabs(&self) -> String {
        let heading = self.columns.map(|column| column.heading.to_owned());
        let lines = std::iter::once(&heading).chain(&self.rows);
        let lines = lines.map(|cells| cells.each_ref().map(|cell| cell.replace('\n', " ")));
        let lines: Vec<String> = lines.map(|cells| cells.join("\t")).collect();
        lines.join("\n")
    }

    /// In columns, or where there is not even room for those that are kept, with a line for each cell.
    pub(super) fn laid_out(&self, width: u16) -> LaidOut {
        let (shown, left_out) = self.fitting(width);
        let is_too_narrow = self.width_of(&shown) > width;
        LaidOut {
            in_columns: !is_too_narrow,
            text: if is_too_narrow {
                self.in_lines(&shown, width)
            } else {
                self.in_columns(&shown, width)
            },
            left_out,
        }
    }

    /// The places of columns for which there is room, and the headings of the others.
    fn fitting(&self, width: u16) -> (Vec<usize>, Vec<&'static str>) {
        let mut shown: Vec<usize> = (0..N).collect();
        let mut left_out = Vec::new();
        let rank = |at: &usize| self.columns.get(*at).map_or(0, |column| column.spare);
        while self.width_of(&shown) > width {
            let Some(first) = shown
                .iter()
                .copied()
                .max_by_key(rank)
                .filter(|at| rank(at) > 0)
            else {
                break;
            };
            shown.retain(|at| *at != first);
            left_out.extend(self.columns.get(first).map(|column| column.heading));
        }
        (shown, left_out)
    }

    /// What these columns take at least.
    fn width_of(&self, shown: &[usize]) -> u16 {
        sum(shown.iter().map(|at| self.least(*at)))
    }

    /// The heading and the cells of a column.
    fn cells(&self, at: usize) -> impl Iterator<Item = &str> {
        let heading = self.columns.get(at).map(|column| column.heading);
        let cells = self.rows.iter().filter_map(move |row| row.get(at));
        heading.into_iter().chain(cells.map(String::as_str))
    }

    /// As narrow as a column may become.
    fn least(&self, at: usize) -> u16 {
        let of_cell = |cell| {
            longest(str::lines(cell))
                .min(READABLE)
                .max(longest(str::split_whitespace(cell)))
        };
        self.cells(at).map(of_cell).max().unwrap_or(0)
    }

    fn in_columns(&self, shown: &[usize], width: u16) -> String {
        let row =
            |cells: [&str; N]| Row::from(shown.iter().filter_map(|at| cells.get(*at).copied()));
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width + GAP)
            .set_header(row(self.columns.map(|column| column.heading)));
        for cells in &self.rows {
            table.add_row(row(cells.each_ref().map(String::as_str)));
        }
        let has_room = sum(shown.iter().map(|at| self.whole(*at))) <= width;
        for (column, at) in table.column_iter_mut().zip(shown) {
            column.set_padding((0, GAP));
            column.set_constraint(self.constraint(*at, has_room));
            if self.cells(*at).skip(1).all(is_number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// What is short is never folded; only long text shares what is left, where not all of it has room.
    fn constraint(&self, at: usize, has_room: bool) -> ColumnConstraint {
        let (least, whole) = (self.least(at), self.whole(at));
        if has_room || whole <= least {
            ColumnConstraint::Absolute(Width::Fixed(whole + GAP))
        } else {
            ColumnConstraint::LowerBoundary(Width::Fixed(least + GAP))
        }
    }

    /// How wide a column is where nothing is folded.
    fn whole(&self, at: usize) -> u16 {
        let cells = self.cells(at).map(|cell| longest(cell.lines()));
        cells.max().unwrap_or(0)
    }

    fn in_lines(&self, shown: &[usize], width: u16) -> String {
        let headings = shown.iter().filter_map(|at| self.columns.get(*at));
        let margin = usize::from(longest(headings.map(|column| column.heading)) + GAP);
        let entry = |row: &[String; N]| {
            let cells = shown
                .iter()
                .filter_map(|at| Some((self.columns.get(*at)?, row.get(*at)?)));
            let lines = cells.flat_map(|(column, cell)| {
                let headings = std::iter::once(column.heading).chain(std::iter::repeat(""));
                let named = headings.zip(cell.lines());
                named.map(|(heading, line)| {
                    fold(&format!("{heading:<margin$}{line}"), width, margin)
                })
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        self.rows.iter().map(entry).collect::<Vec<_>>().join("\n\n")
    }
}

/// What columns of these widths take together.
fn sum(widths: impl Iterator<Item = u16>) -> u16 {
    let all = widths.fold(0_u16, |sum, width| {
        sum.saturating_add(width).saturating_add(GAP)
    });
    all.saturating_sub(GAP)
}

/// The text in lines of at most `width`, all but the first of them behind a margin. A longer word has a line of its own.
pub(super) fn fold(text: &str, width: u16, margin: usize) -> String {
    let margin = " ".repeat(margin);
    let options = Options::new(usize::from(width))
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .subsequent_indent(&margin);
    textwrap::fill(text, options)
}

fn longest<'a>(parts: impl Iterator<Item = &'a str>) -> u16 {
    let longest = parts.map(display_width).max();
    u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Whether a cell is a number, or stands for none.
fn is_number(cell: &str) -> bool {
    cell == "-" || !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "restore.evidence_predates_restore";
    const SENTENCE: &str = "A sentence that takes all the room there is, and then some more.";

    fn rows() -> TableRows<4> {
        let columns = [
            kept("RUN"),
            spare(2, "WORKSPACE"),
            spare(1, "WHAT"),
            kept("REASON"),
        ];
        let row = |run: &str, place: &str| [run, place, SENTENCE, CODE].map(str::to_owned);
        TableRows::new(
            columns,
            vec![row("9007199254740993", "3 Harbour"), row("7", "12 Contoso")],
        )
    }

    fn widest(text: &str) -> usize {
        text.lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn columns_go_by_rank_until_the_rest_has_room() {
        let all = rows().laid_out(120);
        assert!(
            all.left_out.is_empty() && widest(&all.text) <= 120,
            "{}",
            all.text
        );
        let without_place = rows().laid_out(80);
        assert_eq!(
            without_place.left_out,
            ["WORKSPACE"],
            "{}",
            without_place.text
        );
        let narrow = rows().laid_out(60);
        assert_eq!(narrow.left_out, ["WORKSPACE", "WHAT"]);
        assert_eq!(
            narrow.text,
            format!("             RUN  REASON\n9007199254740993  {CODE}\n               7  {CODE}")
        );
        for laid in [all, without_place, narrow] {
            assert!(widest(&laid.text) <= 120, "{}", laid.text);
            assert!(
                laid.text.contains("9007199254740993") && laid.text.contains(CODE),
                "{}",
                laid.text
            );
        }
    }

    #[test]
    fn what_has_no_room_beside_another_stands_below_it() {
        let narrow = rows().laid_out(40);
        assert_eq!(
            narrow.text,
            format!(
                "RUN     9007199254740993\nREASON\n        {CODE}\n\nRUN     7\nREASON\n        {CODE}"
            )
        );
    }

    #[test]
    fn a_program_reads_a_line_a_row() {
        let rows = TableRows::new(
            [kept("A"), spare(1, "B")],
            vec![["1\n2".to_owned(), SENTENCE.to_owned()]],
        );
        assert_eq!(rows.in_tabs(), format!("A\tB\n1 2\t{SENTENCE}"));
    }
}
