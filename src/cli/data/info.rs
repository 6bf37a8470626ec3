//! `lockstep data info`: what a store holds.

use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::store_failure;
use crate::domain::time::{Date, Timestamp};
use crate::sources::market::Market;
use crate::sources::store::{Store, StoreError};

/// Lists the files of a store.
pub(super) fn run(dir: &Path, market: &Market) -> Result<(String, Exit), Failure> {
    let store = Store::open(dir).map_err(store_failure)?;
    let (text, files) = listing(&store, market).map_err(store_failure)?;
    if files == 0 {
        return Err(Failure::new(Exit::Nothing, "the history is empty")
            .at(dir.display())
            .hint("`lockstep data import` brings bars in"));
    }
    Ok((text, Exit::Same))
}

/// One line per file, and how many there are.
fn listing(store: &Store, market: &Market) -> Result<(String, usize), StoreError> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["key", "symbol", "month", "rows", "first", "last", "bytes", "blake3"]);
    let mut files = 0;
    for key in store.keys()? {
        for month in store.months(&key)? {
            let file = store.month_file(&key, month)?;
            let symbol = symbol(market, &key, month);
            let (first, last) = range(store, &key, month)?;
            table.add_row([
                key.clone(),
                symbol,
                month.month_name(),
                file.rows.to_string(),
                first,
                last,
                file.bytes.to_string(),
                file.hash.blake3[..12].to_owned(),
            ]);
            files += 1;
        }
    }
    for right in [3, 6] {
        if let Some(column) = table.column_mut(right) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok((format!("{}\n", table.trim_fmt()), files))
}

/// The symbol at the month's end, or `?` for what the master does not know.
fn symbol(market: &Market, key: &str, month: Date) -> String {
    let listing =
        market.instrument(key).and_then(|known| known.at(month.next_month().plus_days(-1)));
    listing.map_or("?", |listing| &listing.symbol).to_owned()
}

/// The earliest and the latest minute of a month's file.
fn range(store: &Store, key: &str, month: Date) -> Result<(String, String), StoreError> {
    let bars = store.load_month_raw(key, month)?;
    let times = || bars.open_time.values().iter().copied();
    let show = |us: Option<i64>| us.map_or_else(String::new, |us| Timestamp(us).to_string());
    Ok((show(times().min()), show(times().max())))
}
