//! Signals out of other people's CSV and Parquet files, with the columns found by name.

use std::path::Path;
use std::sync::Arc;

use super::cell::{self, Cell, NaiveClock};
use super::error::{BAD_ROWS_SHOWN, BadRow, ImportError};
use super::table::rows;
use crate::domain::fact::SignalKind;
use crate::domain::money::{Price, Qty, Side};
use crate::domain::time::Timestamp;

/// What a column is for, whether a file must have it, and the names it is known by.
pub const ROLES: [(&str, bool, &[&str]); 8] = [
    ("symbol", true, &["symbol", "tradingsymbol", "trading_symbol", "instrument_key", "key"]),
    ("time", true, &["timestamp", "ts", "bar_ts", "bar_time", "time", "datetime", "entry_ts"]),
    ("side", true, &["side", "signal_type", "direction", "action"]),
    ("type", false, &["type", "event_type", "kind"]),
    ("price", false, &["price", "entry_price", "entry_price_at_event", "close"]),
    ("quantity", false, &["quantity", "qty"]),
    ("stop", false, &["stop", "sl", "stop_loss"]),
    ("target", false, &["target", "tp", "take_profit"]),
];

/// A signal as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalRow {
    /// The line of a CSV file, or the row of a Parquet file; both from 1.
    pub line: u64,
    /// A key or a symbol.
    pub symbol: String,
    /// The time, by whatever label the file has.
    pub time: Timestamp,
    /// Which way.
    pub side: Side,
    /// Which condition.
    pub kind: Option<SignalKind>,
    /// The price.
    pub price: Option<Price>,
    /// Shares.
    pub quantity: Option<Qty>,
    /// Level of the stop.
    pub stop: Option<Price>,
    /// Level of the target.
    pub target: Option<Price>,
}

/// The signals of a file.
#[derive(Clone, Debug, Default)]
pub struct SignalFile {
    /// In the order of the file.
    pub rows: Vec<SignalRow>,
    /// Rows that are exits or say nothing: they are no signals and were left out.
    pub exits: usize,
    /// Which column each role has; in the order of [`ROLES`].
    pub columns: [Option<String>; 8],
}

/// Reads the signals of a file. `names` gives columns by role where they are not the usual ones.
///
/// # Errors
/// When the file cannot be read, lacks a column, has several that could be one, has a row that
/// cannot be a signal (which row, which column), or has no signal at all.
pub fn read(
    path: &Path,
    names: &[(String, String)],
    naive: NaiveClock,
) -> Result<SignalFile, ImportError> {
    let shared: Arc<Path> = path.into();
    let mut file = SignalFile::default();
    let mut bad = Vec::new();
    let mut columns = [const { None }; 8];
    let choose = |header: &[String]| -> Result<[Option<usize>; 8], ImportError> {
        let places = places(path, names, header)?;
        columns = places.map(|place| place.map(|place| header[place].clone()));
        Ok(places)
    };
    rows(path, choose, |line, cells, text| {
        match cells.and_then(|cells| parse(line, &cells, naive)) {
            Ok(Some(row)) => file.rows.push(row),
            Ok(None) => file.exits += 1,
            Err(why) => bad.push(BadRow { path: shared.clone(), line, why, text: text() }),
        }
    })?;
    file.columns = columns;
    if !bad.is_empty() {
        let total = bad.len();
        bad.truncate(BAD_ROWS_SHOWN);
        return Err(ImportError::BadRows { first: bad, total });
    }
    if file.rows.is_empty() {
        return Err(ImportError::Empty { files: vec![path.to_owned()], bad: 0 });
    }
    Ok(file)
}

/// The places of the columns. A name that is given must be there; of the usual names the first that
/// is there counts, since files have `price` and `close` side by side.
fn places(
    path: &Path,
    names: &[(String, String)],
    header: &[String],
) -> Result<[Option<usize>; 8], ImportError> {
    let mut places = [None; 8];
    for (slot, (role, is_needed, usual)) in places.iter_mut().zip(ROLES) {
        let own = names.iter().find(|(of, _)| of == role).map(|(_, name)| name);
        let wanted: Vec<&str> = own.map_or_else(|| usual.to_vec(), |own| vec![own.as_str()]);
        let at = |name: &&str| {
            header.iter().position(|column| match own {
                Some(_) => column == name,
                None => column.eq_ignore_ascii_case(name),
            })
        };
        *slot = wanted.iter().find_map(at);
        if slot.is_none() && (is_needed || own.is_some()) {
            return Err(ImportError::Column {
                path: path.to_owned(),
                role,
                count: 0,
                names: wanted.into_iter().map(str::to_owned).collect(),
                found: header.to_vec(),
            });
        }
    }
    Ok(places)
}

/// The signal that eight cells name; none for an exit.
fn parse(line: u64, cells: &[Cell; 8], naive: NaiveClock) -> Result<Option<SignalRow>, String> {
    let [symbol, time, side, kind, price, quantity, stop, target] = cells;
    let word = |cell: &Cell, role: &str| match cell {
        Cell::Text(text) => Ok(text.to_ascii_uppercase()),
        Cell::Empty => Err(format!("{role} is empty")),
        other => Err(format!("{role} `{other}` is not a word")),
    };
    let side = match &*word(side, "side")? {
        "BUY" | "LONG" => Side::Buy,
        "SELL" | "SHORT" => Side::Sell,
        "EXIT" | "NEUTRAL" => return Ok(None),
        other => return Err(format!("side `{other}` is not BUY, SELL, LONG, SHORT or EXIT")),
    };
    let kind = match kind {
        Cell::Empty => None,
        cell => {
            let word = word(cell, "type")?;
            let found = SignalKind::from_word(&word);
            Some(found.ok_or_else(|| format!("type `{word}` is not TREND or REVERSION"))?)
        }
    };
    let symbol = match symbol {
        Cell::Text(text) => text.clone(),
        Cell::Empty => return Err("symbol is empty".to_owned()),
        other => other.to_string(),
    };
    let level = |cell: &Cell, role: &str| match cell {
        Cell::Empty => Ok(None),
        cell => cell::price(cell, role).map(Some),
    };
    Ok(Some(SignalRow {
        line,
        symbol,
        time: cell::time(time, naive)?,
        side,
        kind,
        price: level(price, "price")?,
        quantity: match quantity {
            Cell::Empty => None,
            cell => Some(cell::volume(cell).map_err(|why| why.replace("volume", "quantity"))?),
        },
        stop: level(stop, "stop")?,
        target: level(target, "target")?,
    }))
}
