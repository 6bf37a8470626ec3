//! The minute of trading behind a difference. A strategy bar carries check digits of each of its
//! minutes, so a minute that changed is named even where the bar did not move; failing that, it is
//! the minute that printed the value in question.

use crate::domain::time::{MINUTE_US, Timestamp};

use super::book::{Book, NO_MINUTE, SLOTS};
use super::compare::{Difference, DifferenceKind, Field};
use super::table::{Row, TableKind};

/// A minute of trading and what it has to do with a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteBehind {
    /// Start of the minute.
    pub open_time: Timestamp,
    /// What it has to do with the difference.
    pub trace: Trace,
}

/// What a minute has to do with a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The minute itself is not the same on both sides.
    Changed {
        /// Its check digits in the golden, if the golden has it.
        golden: Option<String>,
        /// Its check digits in the replay, if the replay has it.
        replay: Option<String>,
        /// The field of the bar that the minute printed, with the replay's value, if it differs.
        printed: Option<(&'static str, String)>,
        /// How many other minutes of the bar are not the same.
        others: usize,
    },
    /// The minute printed the value that the replay has in this field.
    Printed(&'static str, String),
    /// The fill is at the minute's open.
    Opening,
    /// The level of the fill was touched inside the minute.
    Touched,
}

impl Trace {
    /// The trace in words, with the names of the two sides.
    pub fn words(&self, golden: &str, replay: &str) -> String {
        match self {
            Trace::Changed { golden: ours, replay: theirs, printed, others } => {
                let digits = |name: &str, check: &Option<String>| match check {
                    Some(check) => format!("check {check} in {name}"),
                    None => format!("absent in {name}"),
                };
                let mut what = format!("{}, {}", digits(golden, ours), digits(replay, theirs));
                if let Some((field, value)) = printed {
                    what = format!("{field} {value}; {what}");
                }
                if *others > 0 {
                    what.push_str(&format!("; {others} more of the bar differ"));
                }
                what
            }
            Trace::Printed(field, value) => format!("{field} {value}"),
            Trace::Opening => "the fill is at its open".to_string(),
            Trace::Touched => "the level was touched in it".to_string(),
        }
    }
}

/// The minute behind a difference between two books, where one can be named.
pub fn minute_behind(
    difference: &Difference,
    golden: &Book,
    replay: &Book,
) -> Option<MinuteBehind> {
    let sides = Sides { golden, replay, key: &difference.key };
    match difference.table {
        TableKind::Bars => sides.behind_bar(difference),
        TableKind::Signals => sides.behind_signal(difference),
        TableKind::Fills => sides.behind_fill(difference),
    }
}

/// Both books, as far as one instrument is concerned.
struct Sides<'a> {
    golden: &'a Book,
    replay: &'a Book,
    key: &'a str,
}

impl<'a> Sides<'a> {
    /// The strategy bar of `book` that holds `minute`.
    fn bar(&self, book: &'a Book, minute: Timestamp) -> Option<&'a Row> {
        let label = label_of(minute).to_string();
        let rows = &book.bars.rows;
        // Rows ascend by the time at which they are known. That is after their label and at most
        // one bar later, so this is where the bar stands if it is there.
        let from = rows.partition_point(|row| row.known <= minute);
        let until = label_of(minute).plus_minutes(SLOTS as i64);
        let mut near = rows[from..].iter().take_while(|row| row.known <= until);
        near.find(|row| {
            book.bars.cell(row, "time") == label && book.bars.cell(row, "key") == self.key
        })
    }

    /// The check digits of `minute` in `book`, if it has that minute.
    fn check(&self, book: &'a Book, minute: Timestamp) -> Option<&'a str> {
        let slot = ((minute.0 - label_of(minute).0) / MINUTE_US) as usize;
        let checks = book.bars.cell(self.bar(book, minute)?, "check");
        let digits = checks.get(slot * NO_MINUTE.len()..(slot + 1) * NO_MINUTE.len());
        digits.filter(|digits| *digits != NO_MINUTE)
    }

    /// The first of these minutes that is not the same on both sides.
    fn changed(&self, minutes: impl IntoIterator<Item = Timestamp>) -> Option<MinuteBehind> {
        let differs = |minute: &Timestamp| {
            self.check(self.golden, *minute) != self.check(self.replay, *minute)
        };
        let mut minutes = minutes.into_iter().filter(differs);
        let open_time = minutes.next()?;
        let digits = |book| self.check(book, open_time).map(str::to_string);
        let (golden, replay) = (digits(self.golden), digits(self.replay));
        let others = minutes.count();
        let trace = Trace::Changed { golden, replay, printed: None, others };
        Some(MinuteBehind { open_time, trace })
    }

    fn behind_bar(&self, difference: &Difference) -> Option<MinuteBehind> {
        let minutes = || (0..SLOTS).map(|slot| difference.time.plus_minutes(slot as i64));
        let traded = |minute: &Timestamp| self.check(self.replay, *minute).is_some();
        let fields = match &difference.kind {
            DifferenceKind::Fields(fields) => fields.as_slice(),
            DifferenceKind::Missing | DifferenceKind::Extra => &[],
        };
        // Where in the bar an extreme was printed is not part of a book.
        let printer_of = |field: &Field| match field.name {
            "open" => minutes().find(traded),
            "high" | "low" => None,
            _ => minutes().rev().find(traded),
        };
        let Some(mut changed) = self.changed(minutes()) else {
            let field = fields.first()?;
            let trace = Trace::Printed(field.name, field.replay.clone());
            return Some(MinuteBehind { open_time: printer_of(field)?, trace });
        };
        if let Trace::Changed { printed, .. } = &mut changed.trace {
            let prices = fields.iter().filter(|field| matches!(field.name, "open" | "close"));
            *printed = prices
                .filter(|field| printer_of(field) == Some(changed.open_time))
                .map(|field| (field.name, field.replay.clone()))
                .next();
        }
        Some(changed)
    }

    /// A signal is made at the close of its bar, so by the bar's last minute.
    fn behind_signal(&self, difference: &Difference) -> Option<MinuteBehind> {
        let open_time = difference.known.plus_us(-1).floor_to(MINUTE_US);
        let book = [self.replay, self.golden].into_iter().find_map(|book| {
            let bar = self.bar(book, open_time)?;
            Some(book.bars.cell(bar, "close").to_string())
        });
        Some(MinuteBehind { open_time, trace: Trace::Printed("close", book?) })
    }

    /// A market order is filled at the open of a minute, a level is touched inside the minute that
    /// then closes. The check digits tell which of the two changed.
    fn behind_fill(&self, difference: &Difference) -> Option<MinuteBehind> {
        let opening = difference.time.floor_to(MINUTE_US);
        let closing = difference.time.plus_us(-1).floor_to(MINUTE_US);
        let reason =
            TableKind::Fills.column("reason").and_then(|place| difference.cells.get(place));
        let at_level = matches!(reason, Some("stop" | "target"));
        self.changed([closing, opening]).or(Some(match at_level {
            true => MinuteBehind { open_time: closing, trace: Trace::Touched },
            false => MinuteBehind { open_time: opening, trace: Trace::Opening },
        }))
    }
}

/// The label of the strategy bar that holds `minute`.
fn label_of(minute: Timestamp) -> Timestamp {
    minute.floor_to(SLOTS as i64 * MINUTE_US)
}
