//! Rows of somebody's file on our ground: which instrument, which bar, and what is odd about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::instrument::{Instrument, InstrumentId};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;
use crate::golden::align::Given;
use crate::sources::import::Label;
use crate::sources::import::signals::SignalRow;

use super::ground::Ground;

/// Rows without which a ratio of prices says nothing.
const RATIO_ROWS_MIN: usize = 3;
/// How far a ratio may stray from its middle and still be one scale, and how far the middle must be
/// from 1 to be another.
const RATIO_SPREAD: f64 = 0.002;
/// Counts at which a file is suspiciously round.
const ROUND_COUNTS: [usize; 6] = [50, 100, 200, 250, 500, 1_000];

/// Why rows cannot be placed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// A symbol that neither the run nor the instrument master has.
    #[error("line {line}: there is no instrument '{symbol}'")]
    UnknownSymbol {
        /// The line.
        line: u64,
        /// The symbol.
        symbol: String,
    },
    /// The bars do not say whether times are starts or ends.
    #[error("it is not certain whether the times are starts or ends of bars: {seen}")]
    Label {
        /// What was seen.
        seen: String,
    },
    /// Nothing of the file is about this run.
    #[error("no row of the file is about the symbols and days of this run")]
    Nothing,
}

/// Rows that are placed.
#[derive(Debug)]
pub struct Placed {
    /// The signals, by instrument and bar, rows of one bar in the order of the file.
    pub golden: Vec<Given>,
    /// Which end of its bar a time named.
    pub label: Label,
    /// What is to be said loudly.
    pub notes: Vec<String>,
}

/// Places rows. `master` knows all instruments; `label` is what somebody said about the times.
///
/// # Errors
/// See [`PlaceError`].
pub fn place(
    rows: &[SignalRow],
    ground: &Ground,
    master: &[Instrument],
    label: Option<Label>,
) -> Result<Placed, PlaceError> {
    let mut known = Vec::new();
    let mut elsewhere: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        match find(&ground.run.instruments, row) {
            Some(id) => known.push((InstrumentId(id as u16), row)),
            None if find(master, row).is_some() => *elsewhere.entry(&row.symbol).or_default() += 1,
            None => {
                let (line, symbol) = (row.line, row.symbol.clone());
                return Err(PlaceError::UnknownSymbol { line, symbol });
            }
        }
    }
    let label = match label {
        Some(label) => label,
        None => detect(&known, ground)?,
    };
    let width = i64::from(ground.run.config.strategy.bar_minutes);
    let shift = if label == Label::End { -width } else { 0 };
    let first = ground.run.config.active_from;
    let end =
        ground.run.sessions.last().map_or(Timestamp::MIN, |day| day.date.plus_days(1).start());
    let all = known.len();
    let mut golden: Vec<Given> = known
        .into_iter()
        .map(|(instrument, row)| given(instrument, row, row.time.plus_minutes(shift)))
        .filter(|given| given.bar_time >= first && given.bar_time < end)
        .collect();
    golden.sort_by_key(|given| (given.instrument, given.bar_time));
    if golden.is_empty() {
        return Err(PlaceError::Nothing);
    }
    let mut notes: Vec<String> = elsewhere
        .into_iter()
        .map(|(symbol, count)| format!("{symbol}: {count} rows, but it is not in this run"))
        .collect();
    if all > golden.len() {
        notes.push(format!("{} rows lie outside the days of this run", all - golden.len()));
    }
    notes.extend(oddities(&golden, ground));
    Ok(Placed { golden, label, notes })
}

fn given(instrument: InstrumentId, row: &SignalRow, bar_time: Timestamp) -> Given {
    let SignalRow { line, side, kind, price, quantity, stop, target, .. } = *row;
    Given { line, instrument, bar_time, side, kind, price, quantity, stop, target }
}

/// The instrument of that key, or of that symbol on the row's day.
fn find(instruments: &[Instrument], row: &SignalRow) -> Option<usize> {
    let by_key = instruments.iter().position(|instrument| instrument.key == row.symbol);
    by_key.or_else(|| {
        let on = row.time.date();
        let is_it = |instrument: &Instrument| {
            instrument
                .at(on)
                .is_some_and(|listing| listing.symbol.eq_ignore_ascii_case(&row.symbol))
        };
        instruments.iter().position(is_it)
    })
}

/// Which end of a bar the times name: the one whose close is the row's price.
fn detect(rows: &[(InstrumentId, &SignalRow)], ground: &Ground) -> Result<Label, PlaceError> {
    let width = i64::from(ground.run.config.strategy.bar_minutes);
    let closes_at = |id: InstrumentId, time: Timestamp, price: Option<Price>| {
        let close = ground.place(id, time).map(|place| ground.bars[id.index()][place].close);
        close.is_some() && close == price
    };
    let count = |shift: i64| {
        let is_it = |(id, row): &&(InstrumentId, &SignalRow)| {
            closes_at(*id, row.time.plus_minutes(shift), row.price)
        };
        rows.iter().filter(is_it).count()
    };
    let (starts, ends) = (count(0), count(-width));
    if starts > 3 * ends {
        return Ok(Label::Start);
    }
    if ends > 3 * starts {
        return Ok(Label::End);
    }
    // Without prices: no bar starts at the close of a session, and none ends at its open.
    let on_bar = |shift: i64| {
        let is_it = |(id, row): &&(InstrumentId, &SignalRow)| {
            ground.place(*id, row.time.plus_minutes(shift)).is_some()
        };
        rows.iter().filter(is_it).count()
    };
    let (as_starts, as_ends) = (on_bar(0), on_bar(-width));
    match (as_starts == rows.len(), as_ends == rows.len()) {
        (true, false) => Ok(Label::Start),
        (false, true) => Ok(Label::End),
        _ => Err(PlaceError::Label {
            seen: format!(
                "of {} rows {starts} have the close of the bar that starts there and {ends} of the \
                 one that ends there; {as_starts} stand on a start and {as_ends} on an end",
                rows.len()
            ),
        }),
    }
}

/// What is odd about a golden, each with its numbers.
fn oddities(golden: &[Given], ground: &Ground) -> Vec<String> {
    let mut notes = Vec::new();
    if ROUND_COUNTS.contains(&golden.len()) {
        notes.push(format!("the file has exactly {} signals: cut off at a limit?", golden.len()));
    }
    let doubles = golden
        .windows(2)
        .filter(|two| (two[0].instrument, two[0].bar_time) == (two[1].instrument, two[1].bar_time));
    match doubles.count() {
        0 => {}
        count => notes.push(format!("{count} rows stand on a bar that has one already")),
    }
    let is_off = |given: &&Given| ground.place(given.instrument, given.bar_time).is_none();
    if let Some(first) = golden.iter().find(is_off) {
        notes.push(format!(
            "{} rows stand on no bar of the history, the first at {} (line {})",
            golden.iter().filter(is_off).count(),
            first.bar_time,
            first.line
        ));
    }
    for (id, instrument) in (0..).map(InstrumentId).zip(&ground.run.instruments) {
        let rows: Vec<&Given> = golden.iter().filter(|given| given.instrument == id).collect();
        notes.extend(of_symbol(&rows, &instrument.key, id, ground));
    }
    notes
}

fn of_symbol(rows: &[&Given], key: &str, id: InstrumentId, ground: &Ground) -> Vec<String> {
    let bars = &ground.bars[id.index()];
    let active: Vec<_> =
        bars.iter().filter(|bar| bar.close_time > ground.run.config.active_from).collect();
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return vec![format!("{key}: no signal in the file, {} bars in the history", active.len())];
    };
    let mut notes = Vec::new();
    if ROUND_COUNTS.contains(&rows.len()) {
        notes.push(format!("{key}: exactly {} signals: cut off at a limit?", rows.len()));
    }
    let has: BTreeSet<String> =
        rows.iter().map(|given| given.bar_time.date().month_name()).collect();
    let months: BTreeSet<String> =
        active.iter().map(|bar| bar.open_time.date().month_name()).collect();
    let empty: Vec<&str> = months.difference(&has).map(String::as_str).collect();
    if !empty.is_empty() {
        notes.push(format!(
            "{key}: no signal in {} of {} months ({}) · the file's go from {} to {}",
            empty.len(),
            months.len(),
            empty.join(", "),
            first.bar_time.date(),
            last.bar_time.date()
        ));
    }
    notes.extend(scale(rows, id, ground).map(|ratio| {
        format!("{key}: the file's prices are {ratio:.4} times those of the history: adjusted?")
    }));
    notes
}

/// The one ratio that all prices have to the closes of their bars, if it is not 1.
fn scale(rows: &[&Given], id: InstrumentId, ground: &Ground) -> Option<f64> {
    let ratio = |given: &&Given| {
        let close = ground.bars[id.index()][ground.place(id, given.bar_time)?].close;
        Some(given.price?.rupees() / close.rupees())
    };
    let mut ratios: Vec<f64> = rows.iter().filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = *ratios.get(ratios.len() / 2)?;
    let near = ratios.iter().filter(|ratio| (**ratio / middle - 1.0).abs() < RATIO_SPREAD).count();
    let is_one = ratios.len() >= RATIO_ROWS_MIN && near * 10 >= ratios.len() * 9;
    (is_one && (middle - 1.0).abs() > 5.0 * RATIO_SPREAD).then_some(middle)
}
