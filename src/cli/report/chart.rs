//! Charts without a script: an SVG that stretches to whatever room there is, with its labels beside
//! it as text, so that they stay readable on a phone and on paper.

use std::fmt::Write as _;

use crate::domain::money::Cash;
use crate::domain::time::Date;
use crate::web::pages::Safe;

use super::super::terminal::rupees;

/// Width and height of the drawing; only their ratio to the values matters.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 240.0;

/// A series over days.
pub(super) struct Series<'a> {
    /// What it is.
    pub name: &'a str,
    /// The class that gives it its look.
    pub class: &'a str,
    /// One value a day.
    pub values: Vec<Cash>,
}

/// Where a value stands between the lowest and the highest, from the top.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// A scale that holds all values and zero.
    fn of<'a>(values: impl Iterator<Item = &'a Cash>) -> Scale {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values {
            (low, high) = (low.min(value.rupees()), high.max(value.rupees()));
        }
        Scale { low, high: if high > low { high } else { low + 1.0 } }
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT * (self.high - value) / (self.high - self.low)
    }
}

/// Lines over days.
pub(super) fn lines(title: &str, days: &[Date], series: &[Series<'_>]) -> String {
    let scale = Scale::of(series.iter().flat_map(|series| &series.values));
    let step = WIDTH / days.len().saturating_sub(1).max(1) as f64;
    let mut drawn = zero(&scale);
    for Series { class, values, .. } in series {
        let mut points = String::new();
        for (place, value) in values.iter().enumerate() {
            let (x, y) = (step * place as f64, scale.y(value.rupees()));
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        let points = points.trim_end();
        let _ = writeln!(drawn, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }
    let legend: String = match series {
        [_] => String::new(),
        many => many
            .iter()
            .map(|Series { name, class, .. }| {
                format!("<span class=\"key {class}\">{}</span> ", Safe(name))
            })
            .collect(),
    };
    figure(title, &legend, days, &scale, &drawn)
}

/// A bar a day, up or down from zero.
pub(super) fn bars(title: &str, days: &[Date], values: &[Cash]) -> String {
    let scale = Scale::of(values.iter());
    let slot = WIDTH / values.len().max(1) as f64;
    let mut drawn = String::new();
    for (place, value) in values.iter().enumerate() {
        let (zero, y) = (scale.y(0.0), scale.y(value.rupees()));
        let (top, height) = (zero.min(y), (zero - y).abs());
        let class = if value.0 < 0 { "down" } else { "up" };
        let (x, width) = (slot * (place as f64 + 0.12), slot * 0.76);
        let _ = writeln!(
            drawn,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"/>"
        );
    }
    drawn += &zero(&scale);
    figure(title, "", days, &scale, &drawn)
}

/// Shares of a whole, one line each: the name, a bar, the count.
pub(super) fn shares(title: &str, parts: &[(String, u64, String)]) -> String {
    let most = parts.iter().map(|(_, count, _)| *count).max().unwrap_or_default().max(1);
    let rows: String = parts
        .iter()
        .map(|(name, count, words)| {
            let width = 100.0 * *count as f64 / most as f64;
            format!(
                "<div class=\"share\"><span>{}</span><span class=\"track\"><span class=\"fill\" \
                 style=\"width:{width:.1}%\"></span></span>{words}</div>\n",
                Safe(name)
            )
        })
        .collect();
    format!("<figure><figcaption>{}</figcaption>\n{rows}</figure>\n", Safe(title))
}

fn zero(scale: &Scale) -> String {
    let y = scale.y(0.0);
    format!("<line class=\"zero\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n")
}

/// The drawing in its frame: highest and lowest value at the left, first and last day below.
fn figure(title: &str, legend: &str, days: &[Date], scale: &Scale, drawn: &str) -> String {
    let amount = |value: f64| rupees(Cash((value * 10_000.0).round() as i64));
    let day = |day: Option<&Date>| day.map_or_else(String::new, ToString::to_string);
    let (first, last) = (day(days.first()), day(days.last()));
    let (high, low) = (amount(scale.high), amount(scale.low));
    let title = Safe(title);
    format!(
        "<figure><figcaption>{title} {legend}</figcaption>\n<div class=\"plot\">\
         <div class=\"axis\"><span>{high}</span><span>{low}</span></div>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{title}, {first} to {last}, between {low} and {high}\">\n{drawn}</svg>\n\
         <div class=\"days\"><span>{first}</span><span>{last}</span></div></div></figure>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days() -> Vec<Date> {
        ["2024-10-01", "2024-10-03"].into_iter().map(|day| Date::parse(day).unwrap()).collect()
    }

    fn series(values: &[i64]) -> Series<'static> {
        let values = values.iter().map(|rupees| Cash::from_rupees(*rupees)).collect();
        Series { name: "Paper", class: "paper", values }
    }

    #[test]
    fn the_highest_value_is_at_the_top_and_the_lowest_at_the_bottom() {
        let drawn = lines("Net", &days(), &[series(&[300, -100])]);
        assert!(drawn.contains("points=\"0.0,0.0 1000.0,240.0\""), "{drawn}");
        assert!(drawn.contains("y1=\"180.0\""), "zero is three quarters down\n{drawn}");
        assert!(drawn.contains("<span>₹ 300.00</span><span>₹ -100.00</span>"), "{drawn}");
        assert!(drawn.contains("<span>2024-10-01</span><span>2024-10-03</span>"), "{drawn}");
    }

    #[test]
    fn nothing_but_zeros_is_a_flat_line_and_no_division_by_zero() {
        let drawn = lines("Net", &days(), &[series(&[0, 0])]) + &bars("Net", &days(), &[]);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }

    #[test]
    fn a_loss_hangs_from_zero() {
        let values = [Cash::from_rupees(100), Cash::from_rupees(-100)];
        let drawn = bars("Net", &days(), &values);
        assert!(drawn.contains("class=\"up\" x=\"60.0\" y=\"0.0\""), "{drawn}");
        assert!(drawn.contains("class=\"down\" x=\"560.0\" y=\"120.0\""), "{drawn}");
    }
}
