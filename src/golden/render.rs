//! A comparison in words: the first difference as a compiler would show it, then one line for each
//! of the next. Meaning is never carried by colour alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::domain::event::EventId;

use super::book::{NO_MINUTE, SLOTS};
use super::compare::{Comparison, Counts, Difference, DifferenceKind, Field};
use super::table::TableKind;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// With ANSI escapes.
    Ansi,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_string(),
            Paint::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn error(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn frame(self, text: &str) -> String {
        self.with("1;34", text)
    }

    fn help(self, text: &str) -> String {
        self.with("1;36", text)
    }
}

/// What the two sides are called, and where the golden stands.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The directory with the golden's files.
    pub place: &'a Path,
    /// The golden's name in a sentence, such as `golden`.
    pub golden: &'a str,
    /// The replay's name in a sentence, such as `replay`.
    pub replay: &'a str,
    /// What to do next, one line per hint.
    pub help: &'a [String],
}

/// A comparison in words, at most `diffs_max` differences of it (at least one), with a line break
/// at the end. For a comparison without differences, the counts.
pub fn render(comparison: &Comparison, labels: &Labels, paint: Paint, diffs_max: usize) -> String {
    let mut text = String::new();
    match comparison.differences.split_first() {
        Some((first, rest)) => {
            let block = Block { comparison, labels, paint };
            block.first(&mut text, first);
            block.rest(&mut text, rest, diffs_max.saturating_sub(1));
            block.notes(&mut text);
        }
        None if comparison.same_inputs => {
            let Labels { golden, replay, .. } = labels;
            line(&mut text, format_args!("{replay} is {golden}: {}", counts(&comparison.counts)));
            for note in &comparison.notes {
                line(&mut text, format_args!("   = note: {note}"));
            }
        }
        None => {
            let Labels { golden, replay, place, .. } = labels;
            let error = paint.error("error");
            line(
                &mut text,
                format_args!("{error}: {replay} has every row of {golden}, but of other minutes"),
            );
            line(&mut text, format_args!("  {} {}", paint.frame("-->"), place.display()));
            Block { comparison, labels, paint }.notes(&mut text);
        }
    }
    text
}

/// How many rows agree, in one line: `bars_15m 3058/3058 · signals 213/214 (replay 215) · …`.
pub fn counts(counts: &[Counts]) -> String {
    let one = |counts: &Counts| {
        let Counts { table, equal, golden, replay } = counts;
        let other = if golden == replay { String::new() } else { format!(" (of {replay})") };
        format!("{} {equal}/{golden}{other}", table.name())
    };
    counts.iter().map(one).collect::<Vec<String>>().join(" · ")
}

/// One difference in one line, such as `golden/sample/fills.csv:12: 2024-… price: golden 1.00, …`.
pub fn one_line(difference: &Difference, labels: &Labels) -> String {
    let identity: Vec<String> = identity(difference).into_iter().map(|(_, text)| text).collect();
    format!("{}  {}  {}", place(difference, labels), identity.join("  "), what(difference, labels))
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

struct Block<'a> {
    comparison: &'a Comparison,
    labels: &'a Labels<'a>,
    paint: Paint,
}

impl Block<'_> {
    fn first(&self, text: &mut String, first: &Difference) {
        let Labels { golden, replay, .. } = self.labels;
        let places = match self.comparison.differences.len() {
            1 => "at one place".to_string(),
            count => format!("at the first of {count} places"),
        };
        let error = self.paint.error("error");
        line(text, format_args!("{error}: {replay} differs from {golden} {places}"));
        line(text, format_args!("  {} {}", self.paint.frame("-->"), place(first, self.labels)));
        self.excerpt(text, first);
        if let DifferenceKind::Fields(fields) = &first.kind
            && fields.len() > 1
        {
            let names: Vec<&str> = fields[1..].iter().map(|field| field.name).collect();
            self.fact(text, "differ too", &names.join(", "));
        }
        if first.event != EventId::NONE {
            self.fact(text, &format!("event in {replay}"), &first.event.to_string());
        }
        if let Some(last) = &self.comparison.last_equal {
            let row = format!("{} {}", last.table.event(), last.time);
            let row = match last.event {
                EventId::NONE => format!("{row}, {}:{}", last.table.file(), last.line),
                event => format!("{event} ({row})"),
            };
            self.fact(text, "last equal event", &row);
        }
        if let Some(minute) = &self.comparison.minute_behind {
            let time = minute.open_time.to_string().replace('T', " ");
            self.fact(
                text,
                "minute behind it",
                &format!("{time}, {}", minute.trace.words(golden, replay)),
            );
        }
    }

    /// The row with what differs underlined.
    fn excerpt(&self, text: &mut String, first: &Difference) {
        let is_extra = first.kind == DifferenceKind::Extra;
        let number = if is_extra { "+".to_string() } else { first.line.to_string() };
        let width = number.len().max(3);
        let gutter = |mark: &str| self.paint.frame(&format!("{mark:>width$}|"));
        let mut row = String::new();
        let mut marked = 0..0;
        for (column, cell) in shown(first) {
            if !row.is_empty() {
                row.push_str("  ");
            }
            let start = row.chars().count();
            row.push_str(&cell);
            if column == marked_from(first) {
                marked.start = start;
            }
            marked.end = row.chars().count();
        }
        line(text, format_args!("{}", gutter("")));
        line(text, format_args!("{} {row}", gutter(&number)));
        let carets = self.paint.error(&"^".repeat(marked.len().max(1)));
        let indent = " ".repeat(marked.start);
        line(text, format_args!("{} {indent}{carets} {}", gutter(""), what(first, self.labels)));
    }

    fn rest(&self, text: &mut String, rest: &[Difference], shown_max: usize) {
        for difference in rest.iter().take(shown_max) {
            self.fact(text, "then", &one_line(difference, self.labels));
        }
        if rest.len() > shown_max {
            self.fact(text, "then", &format!("… and {} more", rest.len() - shown_max));
        }
    }

    fn notes(&self, text: &mut String) {
        self.fact(text, "rows that agree", &counts(&self.comparison.counts));
        for note in &self.comparison.notes {
            self.fact(text, "note", note);
        }
        for help in self.labels.help {
            line(text, format_args!("   {}: {help}", self.paint.help("help")));
        }
    }

    fn fact(&self, text: &mut String, name: &str, what: &str) {
        line(text, format_args!("   {} {name}: {what}", self.paint.frame("=")));
    }
}

/// The file and line of a difference.
fn place(difference: &Difference, labels: &Labels) -> String {
    let path = labels.place.join(difference.table.file());
    match difference.kind {
        DifferenceKind::Extra => format!("{}, after line {}", path.display(), difference.line),
        _ => format!("{}:{}", path.display(), difference.line),
    }
}

/// The columns that say what the row is about, for people: the symbol stands beside the key.
fn identity(difference: &Difference) -> Vec<(&'static str, String)> {
    let kind = difference.table;
    let cell = |name| kind.column(name).and_then(|place| difference.cells.get(place));
    let text = |name: &&'static str| {
        let cell_text = cell(name).unwrap_or_default();
        match (*name, cell("symbol")) {
            ("key", Some(symbol)) => (*name, format!("{cell_text} ({symbol})")),
            _ => (*name, cell_text.to_string()),
        }
    };
    kind.identity().iter().map(text).collect()
}

/// What of the row is shown: what it is about, and its price or the first field that differs.
fn shown(difference: &Difference) -> Vec<(&'static str, String)> {
    let mut cells = identity(difference);
    let (name, value) = match &difference.kind {
        DifferenceKind::Fields(fields) => match fields.first() {
            Some(field) => (field.name, readable(field, difference).1),
            None => return cells,
        },
        DifferenceKind::Missing | DifferenceKind::Extra => {
            let name = match difference.table {
                TableKind::Bars => "close",
                TableKind::Signals | TableKind::Fills => "price",
            };
            let place = difference.table.column(name);
            (name, place.and_then(|place| difference.cells.get(place)).unwrap_or_default().into())
        }
    };
    cells.push((name, value));
    cells
}

/// The column from which on the row is underlined.
fn marked_from(difference: &Difference) -> &'static str {
    match &difference.kind {
        DifferenceKind::Fields(fields) => fields.first().map_or("time", |field| field.name),
        DifferenceKind::Missing | DifferenceKind::Extra => "time",
    }
}

/// What differs, in words.
fn what(difference: &Difference, labels: &Labels) -> String {
    let Labels { golden, replay, .. } = labels;
    let event = difference.table.event();
    match &difference.kind {
        DifferenceKind::Missing => format!("{replay} has no such {event}"),
        DifferenceKind::Extra => format!("{golden} has no such {event}"),
        DifferenceKind::Fields(fields) => fields.first().map_or_else(String::new, |field| {
            let (name, ours, theirs) = readable(field, difference);
            format!("{name}: {golden} {ours}, {replay} {theirs}")
        }),
    }
}

/// A field's name and both values for people. Of the check digits only the first minute that
/// differs, and nothing is written as `-`.
fn readable(field: &Field, difference: &Difference) -> (String, String, String) {
    let or_dash = |text: &str| if text.is_empty() { "-".to_string() } else { text.to_string() };
    if field.name == "check" {
        let width = NO_MINUTE.len();
        for slot in 0..SLOTS {
            let digits = |text: &str| {
                text.get(slot * width..(slot + 1) * width).unwrap_or_default().to_string()
            };
            let (golden, replay) = (digits(&field.golden), digits(&field.replay));
            if golden != replay {
                let minute = difference.time.plus_minutes(slot as i64);
                let name = format!("check of {:02}:{:02}", minute.hour(), minute.minute());
                return (name, or_dash(&golden), or_dash(&replay));
            }
        }
    }
    (field.name.to_string(), or_dash(&field.golden), or_dash(&field.replay))
}
