//! A comparison in words: the first difference as a compiler would show it, then one line for each
//! of the next. Meaning is never carried by colour alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::domain::event::EventId;

use super::book::{NO_MINUTE, SLOTS};
use super::compare::{Approved, Comparison, Counts, Difference, DifferenceKind, Field};
use super::exceptions::Exception;
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
    /// The golden: a directory with its files, or a run.
    pub place: &'a Path,
    /// Whether the golden's tables are files there, whose lines can be named.
    pub has_files: bool,
    /// The golden's name in a sentence, such as `golden`.
    pub golden: &'a str,
    /// The replay's name in a sentence, such as `replay`.
    pub replay: &'a str,
    /// What to do next, one line per hint.
    pub help: &'a [String],
}

/// A comparison in words, at most `diffs_max` differences of it (at least one) and as many approved
/// ones, with a line break at the end. For a comparison without differences, the counts.
pub fn render(comparison: &Comparison, labels: &Labels, paint: Paint, diffs_max: usize) -> String {
    let mut text = String::new();
    let block = Block { comparison, labels, paint, diffs_max };
    match comparison.differences.split_first() {
        Some((first, rest)) => {
            block.first(&mut text, first);
            block.rest(&mut text, rest);
            block.notes(&mut text);
        }
        None if comparison.is_same() => {
            let Labels { golden, replay, .. } = labels;
            let counts = counts(&comparison.counts, labels);
            let but_for = match comparison.approved.len() {
                0 => String::new(),
                1 => " but for one approved difference".to_string(),
                count => format!(" but for {count} approved differences"),
            };
            line(&mut text, format_args!("{replay} equals {golden}{but_for}: {counts}"));
            block.exceptions(&mut text);
            for note in &comparison.notes {
                block.fact(&mut text, "note", note);
            }
        }
        None => {
            let Labels { golden, replay, place, .. } = labels;
            let what = match (comparison.same_inputs, comparison.golden_is_intact) {
                (false, _) => format!("{replay} has every row of {golden}, but of other minutes"),
                (true, false) => {
                    format!("{golden} is not what was accepted, though {replay} has its rows")
                }
                (true, true) => format!("the exceptions of {golden} are not in order"),
            };
            line(&mut text, format_args!("{}: {what}", paint.error("error")));
            line(&mut text, format_args!("  {} {}", paint.frame("-->"), place.display()));
            block.notes(&mut text);
        }
    }
    text
}

/// How many rows agree, in one line: `bars_15m 6/6 · signals 0/1 (replay has 0) · fills 2/2`.
pub fn counts(counts: &[Counts], labels: &Labels) -> String {
    let one = |counts: &Counts| {
        let Counts { table, equal, golden, replay } = counts;
        let agree = format!("{} {equal}/{golden}", table.name());
        match golden == replay {
            true => agree,
            false => format!("{agree} ({} has {replay})", labels.replay),
        }
    };
    counts.iter().map(one).collect::<Vec<String>>().join(" · ")
}

/// One difference in one line, such as `golden/sample/fills.csv:12: 2024-… price: golden 1.00, …`.
pub fn one_line(difference: &Difference, labels: &Labels) -> String {
    let identity: Vec<String> = identity(difference).into_iter().map(|(_, text)| text).collect();
    format!("{}  {}  {}", place(difference, labels), identity.join("  "), what(difference, labels))
}

/// Every field that differs with both values, such as `price: A 974.50, B 975.00; stop: …`; for a
/// row that one side lacks, which side that is.
pub fn values(difference: &Difference, labels: &Labels) -> String {
    let DifferenceKind::Fields(fields) = &difference.kind else { return what(difference, labels) };
    let one = |field: &Field| {
        let (name, ours, theirs) = readable(field, difference);
        format!("{name}: {} {ours}, {} {theirs}", labels.golden, labels.replay)
    };
    fields.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

struct Block<'a> {
    comparison: &'a Comparison,
    labels: &'a Labels<'a>,
    paint: Paint,
    diffs_max: usize,
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
            self.fact(text, "also", &names.join(", "));
        }
        if first.event != EventId::NONE {
            self.fact(text, &format!("event in {replay}"), &first.event.to_string());
        }
        if let Some(last) = &self.comparison.last_equal {
            let other = if last.key == first.key { "" } else { &format!(" {}", last.key) };
            let row = format!("{} {}{other}", last.table.event(), last.time);
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
        let number = match is_extra {
            true => "+".to_string(),
            false => first.line.saturating_sub(u64::from(!self.labels.has_files)).to_string(),
        };
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

    fn rest(&self, text: &mut String, rest: &[Difference]) {
        let shown_max = self.diffs_max.saturating_sub(1);
        for difference in rest.iter().take(shown_max) {
            self.fact(text, "then", &one_line(difference, self.labels));
        }
        if rest.len() > shown_max {
            line(text, format_args!("     … and {} more", rest.len() - shown_max));
        }
    }

    fn notes(&self, text: &mut String) {
        self.fact(text, "rows that agree", &counts(&self.comparison.counts, self.labels));
        self.exceptions(text);
        for note in &self.comparison.notes {
            self.fact(text, "note", note);
        }
        for help in self.labels.help {
            line(text, format_args!("   {}: {help}", self.paint.help("help")));
        }
    }

    /// What is approved, until when, by whom and why; and what is wrong with that.
    fn exceptions(&self, text: &mut String) {
        let Comparison { approved, exception_faults, .. } = self.comparison;
        for Approved { exception, .. } in approved.iter().take(self.diffs_max) {
            let Exception { fact, reason, by, expires } = exception;
            self.fact(
                text,
                &format!("approved until {expires}"),
                &format!("{fact} ({by}: {reason})"),
            );
        }
        self.more(text, approved.len(), "approved");
        for fault in exception_faults.iter().take(self.diffs_max) {
            self.fact(text, "not in order", fault);
        }
        self.more(text, exception_faults.len(), "not in order");
    }

    /// How many of a list are not shown, and of which.
    fn more(&self, text: &mut String, count: usize, which: &str) {
        if count > self.diffs_max {
            line(text, format_args!("     … and {} more {which}", count - self.diffs_max));
        }
    }

    fn fact(&self, text: &mut String, name: &str, what: &str) {
        line(text, format_args!("   {} {name}: {what}", self.paint.frame("=")));
    }
}

/// The file and line of a difference; the table and row where there is no file.
fn place(difference: &Difference, labels: &Labels) -> String {
    let Difference { table, line, .. } = difference;
    let is_extra = difference.kind == DifferenceKind::Extra;
    if labels.has_files {
        let path = labels.place.join(table.file()).display().to_string();
        return if is_extra {
            format!("{path}, after line {line}")
        } else {
            format!("{path}:{line}")
        };
    }
    let (after, row) = (if is_extra { "after " } else { "" }, line.saturating_sub(1));
    format!("{}, {} {after}row {row}", labels.place.display(), table.name())
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

#[cfg(test)]
mod tests {
    use super::super::compare::{compare, compare_under};
    use super::super::exceptions::{Ruling, fact};
    use super::super::fixture::{Facts, TATA, at, facts, folded, price};
    use super::*;
    use crate::domain::time::Date;

    fn rendered(change: impl FnOnce(&mut Facts), paint: Paint, diffs_max: usize) -> String {
        let (golden, mut facts) = (facts().book(), facts());
        change(&mut facts);
        let replay = folded(&facts.run, &facts.steps());
        let help = ["`lockstep golden review --case sample` if the replay is right".to_string()];
        let place = Path::new("golden/sample");
        let has_files = true;
        let labels = Labels { place, has_files, golden: "golden", replay: "replay", help: &help };
        render(&compare(&golden, &replay).unwrap(), &labels, paint, diffs_max)
    }

    fn shown(change: impl FnOnce(&mut Facts)) -> String {
        rendered(change, Paint::Plain, 5)
    }

    #[test]
    fn a_bar_missing_and_extra() {
        let missing = shown(|facts| {
            let place = facts.place(TATA, "2024-11-04T09:30");
            facts.bars.remove(place);
            facts.indicators.remove(place);
            facts.minutes.retain(|bar| bar.instrument != TATA || bar.open_time.minute() / 15 != 2);
        });
        let extra = shown(|facts| {
            facts.run.config.active_from = at("2024-11-01T00:00");
        });
        insta::assert_snapshot!([missing, extra].join("\n"), @"
        error: replay differs from golden at one place
          --> golden/sample/bars_15m.csv:5
           |
          5| 2024-11-04T09:30  NSE_EQ|INE155A01022  1063.41
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ replay has no such bar-15m
           = last equal event: 120.1 (bar-15m 2024-11-04T09:30 NSE_EQ|INE118H01025)
           = minute behind it: 2024-11-04 09:30, check 6fe5 in golden, absent in replay; 14 more of the bar differ
           = rows that agree: bars_15m 5/6 (replay has 5) · signals 1/1 · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at the first of 2 places
          --> golden/sample/bars_15m.csv, after line 1
           |
          +| 2024-11-01T15:15  NSE_EQ|INE118H01025  966.86
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ golden has no such bar-15m
           = event in replay: 45.1
           = minute behind it: 2024-11-01 15:15, absent in golden, check c2b4 in replay; 14 more of the bar differ
           = then: golden/sample/bars_15m.csv, after line 1  2024-11-01T15:15  NSE_EQ|INE155A01022  golden has no such bar-15m
           = rows that agree: bars_15m 6/6 (replay has 8) · signals 1/1 · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right
        ");
    }

    #[test]
    fn a_bar_with_other_fields_and_with_another_minute_only() {
        let field = shown(|facts| {
            facts.minute(TATA, "2024-11-04T09:44").close = price("1064.00");
            let place = facts.place(TATA, "2024-11-04T09:30");
            facts.bars[place].close = price("1064.00");
            facts.indicators[place].adx = f64::NAN;
        });
        let check = shown(|facts| facts.minute(TATA, "2024-11-04T09:37").volume.0 += 1);
        insta::assert_snapshot!([field, check].join("\n"), @"
        error: replay differs from golden at one place
          --> golden/sample/bars_15m.csv:5
           |
          5| 2024-11-04T09:30  NSE_EQ|INE155A01022  1063.41
           |                                        ^^^^^^^ close: golden 1063.41, replay 1064.00
           = also: adx, check
           = event in replay: 135.3
           = last equal event: 135.1 (bar-15m 2024-11-04T09:30 NSE_EQ|INE118H01025)
           = minute behind it: 2024-11-04 09:44, close 1064.00; check 8756 in golden, check dd54 in replay
           = rows that agree: bars_15m 5/6 · signals 1/1 · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at one place
          --> golden/sample/bars_15m.csv:5
           |
          5| 2024-11-04T09:30  NSE_EQ|INE155A01022  533d
           |                                        ^^^^ check of 09:37: golden 533d, replay 5639
           = event in replay: 135.3
           = last equal event: 135.1 (bar-15m 2024-11-04T09:30 NSE_EQ|INE118H01025)
           = minute behind it: 2024-11-04 09:37, check 533d in golden, check 5639 in replay
           = rows that agree: bars_15m 5/6 · signals 1/1 · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right
        ");
    }

    #[test]
    fn a_signal_missing_extra_and_with_other_fields() {
        let missing = shown(|facts| facts.signals.clear());
        let extra = shown(|facts| {
            let mut signal = facts.signals[0].clone();
            signal.bar_time = at("2024-11-04T09:15");
            signal.time = at("2024-11-04T09:30");
            facts.signals.push(signal);
        });
        let field = shown(|facts| facts.signals[0].price = price("975.00"));
        insta::assert_snapshot!([missing, extra, field].join("\n"), @"
        error: replay differs from golden at one place
          --> golden/sample/signals.csv:2
           |
          2| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  974.50
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ replay has no such signal
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 (replay has 0) · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at one place
          --> golden/sample/signals.csv, after line 1
           |
          +| 2024-11-04T09:15  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  974.50
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ golden has no such signal
           = event in replay: 90.5
           = last equal event: 90.3 (bar-15m 2024-11-04T09:15)
           = minute behind it: 2024-11-04 09:29, close 1063.26
           = rows that agree: bars_15m 6/6 · signals 1/1 (replay has 2) · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at one place
          --> golden/sample/signals.csv:2
           |
          2| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  974.50
           |                                                                 ^^^^^^ price: golden 974.50, replay 975.00
           = event in replay: 135.5
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 2/2
           help: `lockstep golden review --case sample` if the replay is right
        ");
    }

    #[test]
    fn a_fill_missing_extra_and_with_other_fields() {
        let missing = shown(|facts| facts.fills.truncate(1));
        let extra = shown(|facts| {
            let fill = crate::domain::fact::Fill { time: at("2024-11-04T09:55"), ..facts.fills[0] };
            facts.fills.push(fill);
        });
        let field = shown(|facts| facts.fills[1].price = price("961.95"));
        insta::assert_snapshot!([missing, extra, field].join("\n"), @"
        error: replay differs from golden at one place
          --> golden/sample/fills.csv:3
           |
          3| 2024-11-04T09:53  NSE_EQ|INE155A01022 (TATAMOTORS)  stop  SELL  962.00
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ replay has no such fill
           = last equal event: 135.6 (fill 2024-11-04T09:45)
           = minute behind it: 2024-11-04 09:52, the level was touched in it
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 1/2 (replay has 1)
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at one place
          --> golden/sample/fills.csv, after line 3
           |
          +| 2024-11-04T09:55  NSE_EQ|INE155A01022 (TATAMOTORS)  entry  BUY  974.55
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ golden has no such fill
           = event in replay: 165.1
           = last equal event: 159.1 (fill 2024-11-04T09:53)
           = minute behind it: 2024-11-04 09:55, the fill is at its open
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 2/2 (replay has 3)
           help: `lockstep golden review --case sample` if the replay is right

        error: replay differs from golden at one place
          --> golden/sample/fills.csv:3
           |
          3| 2024-11-04T09:53  NSE_EQ|INE155A01022 (TATAMOTORS)  stop  SELL  962.00
           |                                                                 ^^^^^^ price: golden 962.00, replay 961.95
           = event in replay: 159.1
           = last equal event: 135.6 (fill 2024-11-04T09:45)
           = minute behind it: 2024-11-04 09:52, the level was touched in it
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 1/2
           help: `lockstep golden review --case sample` if the replay is right
        ");
    }

    #[test]
    fn further_differences_are_listed_and_then_counted() {
        let many = |diffs_max| {
            let change = |facts: &mut Facts| {
                facts.signals[0].quantity.0 = 41;
                facts.fills.iter_mut().for_each(|fill| fill.quantity.0 = 41);
            };
            rendered(change, Paint::Plain, diffs_max)
        };
        insta::assert_snapshot!(many(2), @"
        error: replay differs from golden at the first of 3 places
          --> golden/sample/signals.csv:2
           |
          2| 2024-11-04T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  40
           |                                                                 ^^ quantity: golden 40, replay 41
           = event in replay: 135.5
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:44, close 1063.41
           = then: golden/sample/fills.csv:2  2024-11-04T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  entry  BUY  quantity: golden 40, replay 41
             … and 1 more
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 0/2
           help: `lockstep golden review --case sample` if the replay is right
        ");
        assert!(!many(3).contains("more"));
    }

    /// Two of three differences are approved, and two exceptions more match nothing.
    fn mostly_approved() -> Comparison {
        let (golden, mut facts) = (facts().book(), facts());
        facts.signals[0].quantity.0 = 41;
        facts.fills.iter_mut().for_each(|fill| fill.quantity.0 = 41);
        let replay = folded(&facts.run, &facts.steps());
        let exception = |fact: String| Exception {
            fact,
            reason: "a larger lot".to_string(),
            by: "asha".to_string(),
            expires: "2026-12-31".to_string(),
        };
        let found = compare(&golden, &replay).unwrap();
        let facts = found.differences[..2].iter().map(fact);
        let idle = ["bars_15m: none", "fills: none"].map(str::to_string);
        let exceptions: Vec<Exception> = facts.chain(idle).map(exception).collect();
        let today = Date::from_ymd(2026, 11, 23).unwrap();
        let ruling = Ruling { exceptions: &exceptions, today, is_turned: false };
        compare_under(&golden, &replay, Some(ruling)).unwrap()
    }

    #[test]
    fn approved_differences_are_listed_and_then_counted() {
        let place = Path::new("golden/sample");
        let (golden, replay) = ("golden", "replay");
        let labels = Labels { place, has_files: true, golden, replay, help: &[] };
        let comparison = mostly_approved();
        insta::assert_snapshot!(render(&comparison, &labels, Paint::Plain, 1), @"
        error: replay differs from golden at one place
          --> golden/sample/fills.csv:3
           |
          3| 2024-11-04T09:53  NSE_EQ|INE155A01022 (TATAMOTORS)  stop  SELL  40
           |                                                                 ^^ quantity: golden 40, replay 41
           = event in replay: 159.1
           = last equal event: 135.3 (bar-15m 2024-11-04T09:30)
           = minute behind it: 2024-11-04 09:52, the level was touched in it
           = rows that agree: bars_15m 6/6 · signals 0/1 · fills 0/2
           = approved until 2026-12-31: signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: quantity 40 -> 41 (asha: a larger lot)
             … and 1 more approved
           = not in order: an exception matches no difference: bars_15m: none
             … and 1 more not in order
        ");
        let all = render(&comparison, &labels, Paint::Plain, 2);
        assert!(!all.contains("more"), "{all}");
        assert_eq!(all.matches("approved until").count(), 2);
    }

    #[test]
    fn rows_that_agree_on_other_minutes() {
        let text = shown(|facts| facts.minute(TATA, "2024-11-01T15:20").volume.0 += 1);
        insta::assert_snapshot!(text, @"
        error: replay has every row of golden, but of other minutes
          --> golden/sample
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 2/2
           = note: the accepted minutes differ, but none of the compared bars: look at the warm-up
           help: `lockstep golden review --case sample` if the replay is right
        ");
        insta::assert_snapshot!(shown(|_| {}), @"replay equals golden: bars_15m 6/6 · signals 1/1 · fills 2/2");
    }

    #[test]
    fn rows_that_agree_though_the_golden_was_edited() {
        let golden = facts().book();
        let mut comparison = compare(&golden, &golden).unwrap();
        comparison.golden_is_intact = false;
        comparison.notes.push("fills.csv was edited by hand".to_string());
        let place = Path::new("golden/sample");
        let (golden, replay) = ("golden", "replay");
        let labels = Labels { place, has_files: true, golden, replay, help: &[] };
        insta::assert_snapshot!(render(&comparison, &labels, Paint::Plain, 5), @"
        error: golden is not what was accepted, though replay has its rows
          --> golden/sample
           = rows that agree: bars_15m 6/6 · signals 1/1 · fills 2/2
           = note: fills.csv was edited by hand
        ");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let change = |facts: &mut Facts| facts.signals[0].price = price("975.00");
        let painted = rendered(change, Paint::Ansi, 5);
        assert!(painted.contains("\x1b[1;31merror\x1b[0m"));
        let mut plain = String::new();
        for (place, part) in painted.split("\x1b[").enumerate() {
            let text = if place == 0 { part } else { part.split_once('m').unwrap().1 };
            plain.push_str(text);
        }
        assert_eq!(plain, rendered(change, Paint::Plain, 5));
    }
}
