//! Tables as pictures (SVG).

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Plot, Row, Table, short};

/// Colours that can be told apart with any eyes (Okabe and Ito), by the names of columns.
const COLOURS: [(&str, RGBColor); 5] = [
    ("native", RGBColor(120, 120, 120)),
    ("upstream", RGBColor(230, 159, 0)),
    ("fork", RGBColor(86, 180, 233)),
    ("enforced", RGBColor(0, 114, 178)),
    ("wasmtime", RGBColor(204, 121, 167)),
];
const OTHERS: [RGBColor; 4] = [
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(120, 120, 120),
];
const INK: RGBColor = RGBColor(50, 50, 50);
const PALE: RGBColor = RGBColor(225, 225, 225);

const WIDTH: u32 = 960;
const FONT: &str = "system-ui, sans-serif";

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The picture of `table` that `plot` says, as SVG; nothing if no figure is there for it.
///
/// # Errors
/// What can't be drawn.
pub fn draw(table: &Table, plot: &Plot) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    let drawn = match plot {
        Plot::Bars {
            columns,
            base,
            logarithmic,
            ..
        } => Bars::of(table, columns, base, *logarithmic)
            .map(|bars| bars.draw(&mut svg))
            .transpose()?,
        Plot::Lines { columns, .. } => Lines::of(table, columns)
            .map(|lines| lines.draw(&mut svg))
            .transpose()?,
    };
    Ok(drawn.map(|()| svg))
}

fn colour(columns: &[String], column: &str) -> RGBColor {
    let known = COLOURS.iter().find(|(name, _)| *name == column);
    let number = columns.iter().position(|c| c == column).unwrap_or_default();
    known.map_or(OTHERS[number % OTHERS.len()], |(_, colour)| *colour)
}

/// A bar for each row and column.
struct Bars<'a> {
    columns: &'a [String],
    base: &'a str,
    /// The rows that have the base, and the ratio of each column.
    rows: Vec<(&'a str, Vec<Option<f64>>)>,
    logarithmic: bool,
}

const LEFT: i32 = 260;
const RIGHT: i32 = 70;
const TOP: i32 = 44;
const BAR: i32 = 11;
const BETWEEN: i32 = 8;

impl<'a> Bars<'a> {
    fn of(
        table: &'a Table,
        columns: &'a [String],
        base: &'a str,
        logarithmic: bool,
    ) -> Option<Self> {
        let columns_there = columns
            .iter()
            .any(|column| table.position(column).is_some());
        let ratios = |row: &'a Row| {
            table.median(row, base)?;
            let ratios: Vec<_> = columns
                .iter()
                .map(|column| table.ratio(row, column, base))
                .collect();
            Some((row.name.as_str(), ratios))
        };
        let rows: Vec<_> = table.rows.iter().filter_map(ratios).collect();
        (columns_there && !rows.is_empty()).then_some(Self {
            columns,
            base,
            rows,
            logarithmic,
        })
    }

    /// The least and the most that the axis shows.
    fn ends(&self) -> (f64, f64) {
        let ratios = self
            .rows
            .iter()
            .flat_map(|(_, ratios)| ratios.iter().flatten());
        let (least, most) = ratios.fold((1.0_f64, 1.0_f64), |(least, most), &ratio| {
            (least.min(ratio), most.max(ratio))
        });
        if self.logarithmic {
            let low = 10_f64.powf(least.log10().floor());
            (low, 10_f64.powf(most.log10().ceil()).max(low * 10.0))
        } else {
            (0.0, (most * 1.05 * 4.0).ceil() / 4.0)
        }
    }

    fn ticks(&self, (low, high): (f64, f64)) -> Vec<f64> {
        if self.logarithmic {
            let decades = (low.log10().round() as i32)..=(high.log10().round() as i32);
            decades.map(|power| 10_f64.powi(power)).collect()
        } else {
            let steps = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0];
            let step = steps.into_iter().find(|step| high / step <= 8.0);
            let step = step.unwrap_or(high / 8.0);
            (0..=(high / step).floor() as i32)
                .map(|number| f64::from(number) * step)
                .collect()
        }
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let group = BAR * self.columns.len() as i32 + BETWEEN;
        let bottom = TOP + group * self.rows.len() as i32;
        let height = bottom + 34;
        let area = SVGBackend::with_string(svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        let ends = self.ends();
        let (from, to) = (LEFT, WIDTH as i32 - RIGHT);
        let at = |ratio: f64| {
            let part = if self.logarithmic {
                (ratio / ends.0).log10() / (ends.1 / ends.0).log10()
            } else {
                (ratio - ends.0) / (ends.1 - ends.0)
            };
            from + (part.clamp(0.0, 1.0) * f64::from(to - from)) as i32
        };
        for tick in self.ticks(ends) {
            let x = at(tick);
            let style = if tick == 1.0 { INK } else { PALE };
            line(&area, [(x, TOP - 4), (x, bottom)], style)?;
            let label = if tick == 1.0 {
                self.base.to_owned()
            } else {
                format!("{}×", plain(tick))
            };
            words(&area, &label, (x, bottom + 8), 12, HPos::Center, VPos::Top)?;
        }
        legend(&area, self.columns)?;
        for (number, (name, ratios)) in self.rows.iter().enumerate() {
            let top = TOP + group * number as i32 + BETWEEN / 2;
            let middle = top + (group - BETWEEN) / 2;
            words(
                &area,
                name,
                (LEFT - 10, middle),
                12,
                HPos::Right,
                VPos::Center,
            )?;
            for (place, (column, ratio)) in self.columns.iter().zip(ratios).enumerate() {
                let Some(ratio) = ratio else { continue };
                let y = top + BAR * place as i32;
                let start = if self.logarithmic { at(1.0) } else { from };
                let (left, right) = (start.min(at(*ratio)), start.max(at(*ratio)).max(start + 1));
                area.draw(&Rectangle::new(
                    [(left, y), (right, y + BAR - 1)],
                    colour(self.columns, column).filled(),
                ))?;
                let label = short(*ratio);
                words(
                    &area,
                    &label,
                    (right + 4, y + BAR / 2),
                    10,
                    HPos::Left,
                    VPos::Center,
                )?;
            }
        }
        area.present()?;
        Ok(())
    }
}

/// A line for each column, over the numbers that the rows are named by.
struct Lines<'a> {
    head: &'a str,
    unit: &'a str,
    columns: &'a [String],
    lines: Vec<Vec<(f64, f64)>>,
}

impl<'a> Lines<'a> {
    fn of(table: &'a Table, columns: &'a [String]) -> Option<Self> {
        let point = |row: &Row, column: &str| {
            Some((
                row.name.replace(',', "").parse::<f64>().ok()?,
                table.median(row, column)?,
            ))
        };
        let line = |column: &String| {
            let points = table.rows.iter().filter_map(|row| point(row, column));
            points.filter(|(x, y)| *x > 0.0 && *y > 0.0).collect()
        };
        let lines: Vec<Vec<_>> = columns.iter().map(line).collect();
        let unit = &table.columns[table.position(columns.first()?)?].unit;
        lines.iter().any(|line| line.len() > 1).then_some(Self {
            head: &table.head,
            unit,
            columns,
            lines,
        })
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let area = SVGBackend::with_string(svg, (WIDTH, 360)).into_drawing_area();
        legend(&area, self.columns)?;
        let all = || self.lines.iter().flatten();
        let ends = |numbers: &mut dyn Iterator<Item = f64>| {
            let (low, high) = numbers.fold((f64::MAX, f64::MIN), |(low, high), number| {
                (low.min(number), high.max(number))
            });
            (low, high)
        };
        let (left, right) = ends(&mut all().map(|point| point.0));
        let (low, high) = ends(&mut all().map(|point| point.1));
        // Whole decades, so that the steepness of two pictures can be compared.
        let (low, high) = (
            10_f64.powf(low.log10().floor()),
            10_f64.powf(high.log10().ceil()),
        );
        let chart_area = area.margin(TOP, 4, 10, 20);
        let mut chart = ChartBuilder::on(&chart_area)
            .x_label_area_size(42)
            .y_label_area_size(74)
            .build_cartesian_2d(
                (left..right * 1.02).log_scale(),
                (low..high.max(low * 10.0)).log_scale(),
            )?;
        chart
            .configure_mesh()
            .bold_line_style(PALE)
            .light_line_style(TRANSPARENT)
            .axis_style(PALE)
            .x_desc(self.head)
            .y_desc(self.unit)
            .label_style((FONT, 13).into_font().color(&INK))
            .x_label_formatter(&|number| plain(*number))
            .y_label_formatter(&|number| plain(*number))
            .draw()?;
        for (column, line) in self.columns.iter().zip(&self.lines) {
            let colour = colour(self.columns, column);
            chart.draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?;
            let dots = line
                .iter()
                .map(|point| Circle::new(*point, 4, colour.filled()));
            chart.draw_series(dots)?;
        }
        area.present()?;
        Ok(())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn legend(area: &Area<'_>, columns: &[String]) -> Drawn {
    let mut x = LEFT;
    for column in columns {
        let square = [(x, 10), (x + 12, 22)];
        area.draw(&Rectangle::new(square, colour(columns, column).filled()))?;
        words(area, column, (x + 18, 16), 13, HPos::Left, VPos::Center)?;
        x += 40 + 8 * column.chars().count() as i32;
    }
    Ok(())
}

fn line(area: &Area<'_>, ends: [(i32, i32); 2], colour: RGBColor) -> Drawn {
    area.draw(&PathElement::new(ends, colour))?;
    Ok(())
}

fn words(area: &Area<'_>, text: &str, at: (i32, i32), size: u32, h: HPos, v: VPos) -> Drawn {
    let style = (FONT, size).into_font().color(&INK).pos(Pos::new(h, v));
    area.draw(&Text::new(text, at, style))?;
    Ok(())
}

/// Without zeros that say nothing.
fn plain(number: f64) -> String {
    if number >= 1.0 {
        let text = format!("{number:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{}", (number * 1e4).round() / 1e4)
    }
}
