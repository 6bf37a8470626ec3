//! The core's indicators against what the first user's Python system printed, bit for bit. The
//! facts and where they come from are in `tests/fixtures/reference/README.md`.

use lockstep::core::indicator::IndicatorSet;
use lockstep::domain::fact::{Bar15m, Indicators};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::time::Timestamp;

/// One row of the reference: a bar and the values after it.
struct Row {
    bar: Bar15m,
    values: [f64; 5],
    vol_z: f64,
}

fn rows(symbol: &str) -> Vec<Row> {
    let path = format!("{}/tests/fixtures/reference/{symbol}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(path).expect("the fixture is there");
    reader.records().map(|record| row(&record.expect("the fixture is CSV"))).collect()
}

/// Columns: bar_time, open, high, low, close, volume, ema20, ema50, atr, adx, vwap, vol_z.
fn row(record: &csv::StringRecord) -> Row {
    let double = |column: usize| match &record[column] {
        "" => f64::NAN,
        text => text.parse::<f64>().expect("a number"),
    };
    let price = |column: usize| Price::from_rupees(double(column)).expect("a price");
    let open_time = Timestamp::parse(&record[0]).expect("a time");
    let bar = Bar15m {
        instrument: InstrumentId(0),
        open_time,
        close_time: open_time.plus_minutes(15),
        open: price(1),
        high: price(2),
        low: price(3),
        close: price(4),
        volume: Qty(record[5].parse().expect("a volume")),
        minutes: 15,
        minutes_expected: 15,
    };
    Row { bar, values: [6, 7, 8, 9, 10].map(double), vol_z: double(11) }
}

fn bits(values: [f64; 5]) -> [u64; 5] {
    values.map(|value| if value.is_nan() { f64::NAN } else { value }.to_bits())
}

#[test]
fn indicators_have_the_bits_that_pandas_has() {
    for symbol in ["SYNA", "SYNB"] {
        let mut set = IndicatorSet::new(5);
        let rows = rows(symbol);
        assert!(rows.len() > 1_500, "{symbol} has {} rows", rows.len());
        for Row { bar, values, vol_z } in rows {
            let Indicators { ema20, ema50, atr, adx, vwap, vol_z: ours, .. } = set.update(&bar);
            let place = bar.open_time;
            assert_eq!(bits([ema20, ema50, atr, adx, vwap]), bits(values), "{symbol} {place}");
            assert!((ours - vol_z).abs() <= 1e-12, "{symbol} {place}: {ours} against {vol_z}");
        }
    }
}
