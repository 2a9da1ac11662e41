//! The figures as a drawing: one panel for each unit of rate, time and memory, one bar for each figure, with a line from the least value to
//! the most.

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Color as _, DrawingArea, DrawingBackend, IntoDrawingArea as _, IntoFont as _,
    PathElement, RGBColor, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::TextStyle;

use super::BenchError;
use super::report::{BenchReport, Figure, Unit};

const WIDTH: u32 = 960;
const MARGIN: i32 = 16;

/// Height of a heading, and of a bar with the space below it.
const HEADING: i32 = 34;
const ROW: i32 = 22;
const BAR: i32 = 13;

/// Where bars begin, and how long the longest is.
const BAR_LEFT: i32 = 430;
const BAR_WIDTH: f64 = 380.0;

const BAR_COLOUR: RGBColor = RGBColor(70, 122, 167);

/// In the order of the panels.
const PANELS: [(Unit, &str); 4] = [
    (
        Unit::VerdictsPerSecond,
        "Verdicts per second: more is better",
    ),
    (
        Unit::TransactionsPerSecond,
        "Transactions per second: more is better",
    ),
    (Unit::Milliseconds, "Milliseconds: less is better"),
    (Unit::Mebibytes, "Mebibytes: less is better"),
];

impl BenchReport {
    /// An SVG document.
    pub fn chart(&self) -> Result<String, BenchError> {
        let panels: Vec<(&str, Vec<&Figure>)> = PANELS
            .iter()
            .map(|(unit, heading)| {
                let of_unit = |figure: &&Figure| figure.unit == *unit;
                (*heading, self.figures.iter().filter(of_unit).collect())
            })
            .filter(|(_, figures): &(_, Vec<_>)| !figures.is_empty())
            .collect();
        let rows: usize = panels.iter().map(|(_, figures)| figures.len()).sum();
        let height = pixels(rows) * ROW + pixels(panels.len() + 2) * HEADING;
        let mut svg = String::new();
        let root =
            SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        self.draw(&root, &panels)
            .map_err(|error| BenchError::Chart(error.to_string()))?;
        drop(root);
        Ok(svg)
    }

    fn draw<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        panels: &[(&str, Vec<&Figure>)],
    ) -> Drawn<B> {
        root.fill(&WHITE)?;
        let mut top = MARGIN / 2;
        write(root, &self.machine, (MARGIN, top), 13)?;
        write(root, &self.database, (MARGIN, top + ROW), 13)?;
        top += 2 * ROW;
        for (heading, figures) in panels {
            write(root, heading, (MARGIN, top + 10), 16)?;
            top += HEADING;
            let most = figures
                .iter()
                .map(|figure| figure.max)
                .fold(f64::MIN_POSITIVE, f64::max);
            for figure in figures {
                draw_bar(root, figure, most, top)?;
                top += ROW;
            }
        }
        root.present()
    }
}

type Drawn<B> =
    Result<(), plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw_bar<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    figure: &Figure,
    most: f64,
    top: i32,
) -> Drawn<B> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most as many as the drawing is wide"
    )]
    let at = |value: f64| BAR_LEFT + (BAR_WIDTH * value / most) as i32;
    let middle = top + BAR / 2;
    write(root, &figure.name(), (MARGIN, top), 13)?;
    let bar = [(BAR_LEFT, top), (at(figure.median), top + BAR)];
    root.draw(&Rectangle::new(bar, BAR_COLOUR.filled()))?;
    let span = [(at(figure.min), middle), (at(figure.max), middle)];
    root.draw(&PathElement::new(span, BLACK.stroke_width(1)))?;
    write(root, &figure.value(), (at(figure.max) + 6, top), 13)
}

fn write<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    text: &str,
    place: (i32, i32),
    size: i32,
) -> Drawn<B> {
    let style = TextStyle::from(("sans-serif", size).into_font());
    root.draw(&Text::new(text.to_owned(), place, style))
}

fn pixels(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
