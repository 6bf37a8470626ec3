//! Rows matched by what they are about, differences in the order of their causes. The first
//! difference is what the others may follow from, so it comes with the last row that still agreed
//! and with the minute of trading behind it.

use csv::StringRecord;

use crate::domain::event::EventId;
use crate::domain::time::Timestamp;

use super::book::Book;
use super::error::Error;
use super::exceptions::{Exception, Ruling};
use super::minute::{MinuteBehind, minute_behind};
use super::table::{Row, Table, TableKind};

/// What two books have in common and what not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How many rows agree, for each table that was compared.
    pub counts: Vec<Counts>,
    /// Rows that differ: by the time from which on they could be known, at one instant bars before
    /// signals before fills. Those that somebody approved are not among them.
    pub differences: Vec<Difference>,
    /// Rows that differ and may, with the exception that approves them.
    pub approved: Vec<Approved>,
    /// What is wrong with the exceptions: expired, or not needed.
    pub exception_faults: Vec<String>,
    /// Whether both books were made of the same accepted minutes, or others were approved. True
    /// where it is not known.
    pub same_inputs: bool,
    /// Whether the golden's files are those that were accepted. True for a book in memory.
    pub golden_is_intact: bool,
    /// The last row before the first difference.
    pub last_equal: Option<LastEqual>,
    /// The minute of trading behind the first difference.
    pub minute_behind: Option<MinuteBehind>,
    /// What else the reader should know.
    pub notes: Vec<String>,
}

/// A difference that somebody approved for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The row; none where the accepted minutes as a whole are others.
    pub difference: Option<Difference>,
    /// The exception.
    pub exception: Exception,
}

/// How many rows of one table agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Which table.
    pub table: TableKind,
    /// Rows that agree in every column.
    pub equal: usize,
    /// Rows of the golden.
    pub golden: usize,
    /// Rows of the replay.
    pub replay: usize,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which table.
    pub table: TableKind,
    /// The row's line in the golden's file; for a row that is not there, the line before its place.
    pub line: u64,
    /// In which way it differs.
    pub kind: DifferenceKind,
    /// The row's time: a bar's label, a signal's bar, a fill's moment.
    pub time: Timestamp,
    /// From when on the row could be known.
    pub known: Timestamp,
    /// The instrument's key.
    pub key: String,
    /// The row as the golden has it, or the replay's where the golden has none.
    pub cells: StringRecord,
    /// The replay's event, if there is one and it is known.
    pub event: EventId,
}

/// In which way a row differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The golden has the row, the replay has not.
    Missing,
    /// The replay has the row, the golden has not.
    Extra,
    /// Both have the row, with other values in these fields (one or more).
    Fields(Vec<Field>),
}

impl DifferenceKind {
    /// The kind in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Extra => "extra",
            DifferenceKind::Fields(_) => "field",
        }
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column.
    pub name: &'static str,
    /// What the golden says.
    pub golden: String,
    /// What the replay says.
    pub replay: String,
}

/// A row that agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEqual {
    /// Which table.
    pub table: TableKind,
    /// Its line in the golden's file.
    pub line: u64,
    /// Its time.
    pub time: Timestamp,
    /// Its instrument's key.
    pub key: String,
    /// Its event, if one of the sides knows it.
    pub event: EventId,
}

impl Comparison {
    /// Whether nothing differs but for what is approved, and the exceptions are in order.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
            && self.same_inputs
            && self.golden_is_intact
            && self.exception_faults.is_empty()
    }

    /// `identical`, `as approved` with the number of exceptions, or `DIFFERS`.
    pub fn verdict(&self) -> String {
        match (self.is_same(), self.approved.len()) {
            (false, _) => "DIFFERS".to_owned(),
            (true, 0) => "identical".to_owned(),
            (true, 1) => "as approved, 1 exception".to_owned(),
            (true, count) => format!("as approved, {count} exceptions"),
        }
    }
}

/// Compares all tables and the accepted minutes.
///
/// # Errors
/// When both books are empty: agreement about nothing proves nothing.
pub fn compare(golden: &Book, replay: &Book) -> Result<Comparison, Error> {
    compare_under(golden, replay, None)
}

/// Compares all tables and the accepted minutes; what the ruling's exceptions approve is told
/// apart, and what is wrong with them too.
///
/// # Errors
/// When both books are empty.
pub fn compare_under(
    golden: &Book,
    replay: &Book,
    ruling: Option<Ruling<'_>>,
) -> Result<Comparison, Error> {
    let mut comparison = compare_rows(golden, replay, &TableKind::ALL, ruling)?;
    let both = golden.inputs.as_ref().zip(replay.inputs.as_ref());
    if let Some((accepted, read)) = both.filter(|(accepted, read)| accepted != read) {
        let found = ruling.and_then(|ruling| ruling.approves_inputs(accepted, read));
        let approved =
            |exception: &Exception| Approved { difference: None, exception: exception.clone() };
        comparison.same_inputs = found.is_some();
        comparison.approved.extend(found.map(approved));
    }
    if !comparison.same_inputs && !names_a_minute(&comparison) {
        comparison.notes.push(
            "the accepted minutes differ, but none of the compared bars: look at the warm-up"
                .to_string(),
        );
    }
    if let Some(ruling) = ruling {
        let needed: Vec<_> = comparison.approved.iter().map(|one| &one.exception).collect();
        comparison.exception_faults = ruling.faults(&needed, both.is_some());
    }
    Ok(comparison)
}

/// Compares some tables only, and not the minutes that they were made of, under a ruling if there
/// is one. Whether an exception is needed cannot be said of a part.
///
/// # Errors
/// When both sides are empty there.
pub fn compare_tables(
    golden: &Book,
    replay: &Book,
    tables: &[TableKind],
    ruling: Option<Ruling<'_>>,
) -> Result<Comparison, Error> {
    let mut comparison = compare_rows(golden, replay, tables, ruling)?;
    if let Some(ruling) = ruling {
        comparison.exception_faults = ruling.faults(&[], false);
    }
    Ok(comparison)
}

fn compare_rows(
    golden: &Book,
    replay: &Book,
    tables: &[TableKind],
    ruling: Option<Ruling<'_>>,
) -> Result<Comparison, Error> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut counts = Vec::new();
    for kind in tables {
        let (ours, theirs) = (golden.table(*kind), replay.table(*kind));
        let of_table = aligned(ours, theirs);
        counts.push(Counts {
            table: *kind,
            equal: of_table.iter().filter(|pair| pair.agrees()).count(),
            golden: ours.rows.len(),
            replay: theirs.rows.len(),
        });
        pairs.extend(of_table);
    }
    if pairs.is_empty() {
        return Err(Error::NothingCompared);
    }
    pairs.sort_by_cached_key(|pair| {
        let row = pair.row();
        (row.known, pair.table.kind, pair.table.cell(row, "key"), row.line)
    });
    let (mut counting, mut approved) = (Vec::new(), Vec::new());
    for (place, difference) in differences(&pairs) {
        match ruling.and_then(|ruling| ruling.approves(&difference)) {
            None => counting.push((place, difference)),
            Some(exception) => {
                let exception = exception.clone();
                approved.push(Approved { difference: Some(difference), exception });
            }
        }
    }
    let first = counting.first().map_or(0, |(place, _)| *place);
    let last_equal = pairs[..first].iter().rfind(|pair| pair.agrees());
    Ok(Comparison {
        counts,
        last_equal: last_equal.map(Pair::last_equal),
        minute_behind: counting.first().and_then(|(_, it)| minute_behind(it, golden, replay)),
        differences: counting.into_iter().map(|(_, difference)| difference).collect(),
        approved,
        exception_faults: Vec::new(),
        same_inputs: true,
        golden_is_intact: true,
        notes: Vec::new(),
    })
}

fn names_a_minute(comparison: &Comparison) -> bool {
    let approved = comparison.approved.iter().filter_map(|one| one.difference.as_ref());
    comparison.differences.iter().chain(approved).any(|difference| match &difference.kind {
        DifferenceKind::Fields(fields) => fields.iter().any(|field| field.name == "check"),
        DifferenceKind::Missing | DifferenceKind::Extra => difference.table == TableKind::Bars,
    })
}

/// Rows of both sides that are about the same; at least one of them is there.
struct Pair<'a> {
    table: &'a Table,
    golden: Option<&'a Row>,
    replay: Option<&'a Row>,
}

impl<'a> Pair<'a> {
    fn agrees(&self) -> bool {
        matches!((self.golden, self.replay), (Some(a), Some(b)) if a.cells == b.cells)
    }

    fn row(&self) -> &'a Row {
        self.golden.or(self.replay).expect("a pair has at least one side")
    }

    fn last_equal(&self) -> LastEqual {
        let row = self.row();
        let events = [self.replay, self.golden].into_iter().flatten().map(|row| row.event);
        LastEqual {
            table: self.table.kind,
            line: row.line,
            time: time_of(self.table, row),
            key: self.table.cell(row, "key").to_string(),
            event: events.into_iter().find(|id| *id != EventId::NONE).unwrap_or(EventId::NONE),
        }
    }
}

/// The rows of both tables in the order of their identity, those with the same identity paired.
fn aligned<'a>(golden: &'a Table, replay: &'a Table) -> Vec<Pair<'a>> {
    let (ours, theirs) = (by_identity(golden), by_identity(replay));
    let (mut a, mut b) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut pairs = Vec::with_capacity(ours.len().max(theirs.len()));
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some((left, _)), Some((right, _))) => left.cmp(right),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return pairs,
        };
        let golden_row = if order.is_le() { a.next().map(|(_, row)| *row) } else { None };
        let replay_row = if order.is_ge() { b.next().map(|(_, row)| *row) } else { None };
        pairs.push(Pair { table: golden, golden: golden_row, replay: replay_row });
    }
}

/// The text that says what a row is about.
type Identity<'a> = [&'a str; 4];

fn by_identity(table: &Table) -> Vec<(Identity<'_>, &Row)> {
    let columns = table.kind.identity().iter().filter_map(|column| table.kind.column(column));
    let columns: Vec<usize> = columns.collect();
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let mut identity = [""; 4];
        for (place, column) in identity.iter_mut().zip(&columns) {
            *place = row.cells.get(*column).unwrap_or_default();
        }
        rows.push((identity, row));
    }
    rows.sort_by_key(|(identity, _)| *identity);
    rows
}

/// The pairs that differ, each with its place.
fn differences(pairs: &[Pair]) -> Vec<(usize, Difference)> {
    let mut lines = [1; TableKind::ALL.len()];
    let mut differences = Vec::new();
    for (place, pair) in pairs.iter().enumerate() {
        let row = pair.row();
        let line = &mut lines[pair.table.kind as usize];
        if pair.golden.is_some() {
            *line = row.line;
        }
        if pair.agrees() {
            continue;
        }
        let difference = Difference {
            table: pair.table.kind,
            line: *line,
            kind: match (pair.golden, pair.replay) {
                (Some(golden), Some(replay)) => {
                    DifferenceKind::Fields(fields(pair.table.kind, golden, replay))
                }
                (Some(_), None) => DifferenceKind::Missing,
                (None, _) => DifferenceKind::Extra,
            },
            time: time_of(pair.table, row),
            known: row.known,
            key: pair.table.cell(row, "key").to_string(),
            cells: row.cells.clone(),
            event: pair.replay.map_or(EventId::NONE, |row| row.event),
        };
        differences.push((place, difference));
    }
    differences
}

fn fields(kind: TableKind, golden: &Row, replay: &Row) -> Vec<Field> {
    let sides = golden.cells.iter().zip(&replay.cells);
    kind.columns()
        .iter()
        .zip(sides)
        .filter(|(_, (golden, replay))| golden != replay)
        .map(|(name, (golden, replay))| Field {
            name,
            golden: golden.to_string(),
            replay: replay.to_string(),
        })
        .collect()
}

fn time_of(table: &Table, row: &Row) -> Timestamp {
    Timestamp::parse(table.cell(row, "time")).unwrap_or(row.known)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Facts, TATA, at, facts, folded, price};
    use super::*;
    use crate::domain::fact::OrderReason;
    use crate::golden::minute::Trace;
    use proptest::prelude::*;

    fn against_golden(change: impl FnOnce(&mut Facts)) -> Comparison {
        let (golden, mut facts) = (facts().book(), facts());
        change(&mut facts);
        compare(&golden, &folded(&facts.run, &facts.steps())).unwrap()
    }

    fn kinds(comparison: &Comparison) -> Vec<(TableKind, &'static str)> {
        comparison.differences.iter().map(|found| (found.table, found.kind.word())).collect()
    }

    #[test]
    fn the_same_facts_are_the_same() {
        let comparison = against_golden(|_| {});
        assert!(comparison.is_same());
        assert_eq!(comparison.last_equal, None);
        assert_eq!(comparison.counts.iter().map(|c| c.equal).collect::<Vec<_>>(), [6, 1, 2]);
    }

    #[test]
    fn agreement_about_nothing_is_an_error() {
        let empty = Facts { bars: vec![], signals: vec![], fills: vec![], ..facts() }.book();
        assert!(matches!(compare(&empty, &empty), Err(Error::NothingCompared)));
        let full = facts().book();
        assert!(!compare(&empty, &full).unwrap().is_same());
        let no_fills = Facts { fills: vec![], ..facts() }.book();
        let only_fills = compare_tables(&no_fills, &no_fills, &[TableKind::Fills], None);
        assert!(matches!(only_fills, Err(Error::NothingCompared)));
    }

    #[test]
    fn causes_come_first() {
        let comparison = against_golden(|facts| {
            facts.fills[0].price = price("974.60");
            facts.signals[0].price = price("974.60");
            let place = facts.place(TATA, "2024-11-04T09:30");
            facts.bars[place].close = price("974.60");
        });
        use TableKind::{Bars, Fills, Signals};
        assert_eq!(kinds(&comparison), [(Bars, "field"), (Signals, "field"), (Fills, "field")]);
        let last = comparison.last_equal.unwrap();
        assert_eq!((last.table, last.time), (Bars, at("2024-11-04T09:30")), "the other instrument");
        assert_ne!(last.event, EventId::NONE, "the fold knows its events");
    }

    #[test]
    fn a_changed_minute_is_named_even_where_the_bar_stays() {
        let comparison = against_golden(|facts| {
            facts.minute(TATA, "2024-11-04T09:37").close.0 += 100;
        });
        let DifferenceKind::Fields(fields) = &comparison.differences[0].kind else { panic!() };
        assert_eq!(fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["check"]);
        let minute = comparison.minute_behind.unwrap();
        assert_eq!(minute.open_time, at("2024-11-04T09:37"));
        assert!(matches!(minute.trace, Trace::Changed { others: 0, .. }));
    }

    #[test]
    fn a_missing_minute_is_named() {
        let comparison = against_golden(|facts| {
            facts.minutes.retain(|bar| bar.open_time != at("2024-11-04T09:31"));
        });
        let minute = comparison.minute_behind.unwrap();
        assert_eq!(minute.open_time, at("2024-11-04T09:31"));
        assert!(matches!(minute.trace, Trace::Changed { golden: Some(_), replay: None, .. }));
    }

    #[test]
    fn a_price_that_a_bar_has_wrong_is_traced_to_the_minute_that_printed_it() {
        let traced = |change: fn(&mut crate::domain::fact::Bar15m)| {
            let comparison = against_golden(|facts| {
                let place = facts.place(TATA, "2024-11-04T09:30");
                change(&mut facts.bars[place]);
            });
            comparison.minute_behind.map(|minute| minute.open_time)
        };
        assert_eq!(traced(|bar| bar.open.0 += 1), Some(at("2024-11-04T09:30")));
        assert_eq!(traced(|bar| bar.close.0 += 1), Some(at("2024-11-04T09:44")));
        assert_eq!(traced(|bar| bar.high.0 += 1), None);
    }

    #[test]
    fn behind_a_signal_is_the_close_of_its_bar_and_behind_a_fill_its_minute() {
        let behind = |change: fn(&mut Facts)| against_golden(change).minute_behind.unwrap();
        let signal = behind(|facts| facts.signals[0].stop = price("1.00"));
        assert_eq!(signal.open_time, at("2024-11-04T09:44"));
        let entry = behind(|facts| facts.fills[0].price = price("1.00"));
        assert_eq!((entry.open_time, entry.trace), (at("2024-11-04T09:45"), Trace::Opening));
        let stop = behind(|facts| facts.fills[1].price = price("1.00"));
        assert_eq!((stop.open_time, stop.trace), (at("2024-11-04T09:52"), Trace::Touched));
        // A stop at the open of a minute that changed: the check digits know better.
        let gap = behind(|facts| {
            facts.fills[1].price = price("1.00");
            facts.minute(TATA, "2024-11-04T09:53").open.0 += 1;
        });
        assert_eq!(gap.open_time, at("2024-11-04T09:53"));
    }

    #[test]
    fn a_warm_up_that_changed_is_a_difference_though_every_row_agrees() {
        let comparison = against_golden(|facts| {
            facts.minute(TATA, "2024-11-01T15:20").volume.0 += 1;
        });
        assert!(comparison.differences.is_empty());
        assert!(!comparison.is_same());
        assert_eq!(comparison.notes.len(), 1);
    }

    #[test]
    fn equal_identities_are_paired_in_order() {
        let comparison = against_golden(|facts| {
            let twin = facts.fills[1];
            facts.fills.push(twin);
            facts.fills[2].price = price("961.00");
        });
        assert_eq!(kinds(&comparison), [(TableKind::Fills, "extra")]);
        assert_eq!(comparison.differences[0].cells.get(5), Some("961.00"));
        assert_eq!(comparison.differences[0].line, 3, "after the last line of the golden");
        let moved = against_golden(|facts| facts.fills[1].reason = OrderReason::Target);
        let words: Vec<_> = moved.differences.iter().map(|found| found.kind.word()).collect();
        assert_eq!(words, ["missing", "extra"]);
    }

    proptest! {
        /// Any one cell of a book that changes is found, and it is the only difference.
        #[test]
        fn one_changed_cell_is_one_difference(
            (table, row, column) in (0..3_usize, 0..6_usize, 0..19_usize)
        ) {
            let golden = facts().book();
            let mut replay = golden.clone();
            let kind = TableKind::ALL[table];
            let rows = match kind {
                TableKind::Bars => &mut replay.bars.rows,
                TableKind::Signals => &mut replay.signals.rows,
                TableKind::Fills => &mut replay.fills.rows,
            };
            let (row, column) = (row % rows.len(), column % kind.columns().len());
            let name = kind.columns()[column];
            let changed = rows[row].cells.iter().enumerate().map(|(place, cell)| {
                if place == column { format!("{cell}0") } else { cell.to_string() }
            });
            rows[row].cells = changed.collect();
            let comparison = compare(&golden, &replay).unwrap();
            if kind.identity().contains(&name) {
                prop_assert_eq!(comparison.differences.len(), 2);
            } else {
                prop_assert_eq!(comparison.differences.len(), 1);
                let DifferenceKind::Fields(fields) = &comparison.differences[0].kind else {
                    return Err(TestCaseError::fail("a changed field is a field that differs"));
                };
                prop_assert_eq!(fields.len(), 1);
                prop_assert_eq!(fields[0].name, name);
                prop_assert_eq!(comparison.differences[0].line, row as u64 + 2);
            }
        }
    }
}
