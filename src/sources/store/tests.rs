//! The store as its users meet it: written, read back, damaged, pruned.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::*;
use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{Date, Timestamp, Window};
use crate::sources::columns::BarColumns;

const KEY: &str = "NSE_EQ|INE155A01022";

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn bar(open_time: Timestamp, price: i64, volume: i64) -> Bar {
    let price = Price(price);
    let instrument = InstrumentId::default();
    Bar {
        instrument,
        open_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Qty(volume),
    }
}

/// `count` minutes from 09:15 of each of `days`, with prices that differ.
fn history(days: &[&str], count: i64) -> BarColumns {
    let mut bars = Vec::new();
    for day in days {
        let open = Timestamp::from_ist(date(day), 9, 15);
        bars.extend((0..count).map(|i| bar(open.plus_minutes(i), 3_949_500 + i % 50 * 500, i)));
    }
    BarColumns::from_bars(bars.iter())
}

fn bars(columns: &BarColumns) -> Vec<Bar> {
    (0..columns.len()).map(|row| columns.bar(row, InstrumentId::default())).collect()
}

/// The message without the directory, which differs from run to run.
fn message(error: &StoreError, dir: &Path) -> String {
    error.to_string().replace(&format!("{}/", dir.display()), "")
}

#[test]
fn a_month_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let october = history(&["2024-10-01", "2024-10-03"], 375);
    let path = write_month(dir.path(), KEY, date("2024-10-01"), &october).unwrap();
    assert_eq!(path, dir.path().join("NSE_EQ_INE155A01022/2024-10.parquet"));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.keys().unwrap(), [KEY]);
    assert_eq!(store.months(KEY).unwrap(), [date("2024-10-01")]);
    let loaded = store.load(KEY, date("2024-01-01"), date("2024-12-31")).unwrap();
    assert_eq!(bars(&loaded), bars(&october));
    assert_eq!(store.month_file(KEY, date("2024-10-01")).unwrap().rows, 750);
}

#[test]
fn the_same_bars_make_the_same_bytes() {
    let october = history(&["2024-10-01"], 375);
    let bytes = encode(KEY, &october).unwrap();
    assert_eq!(bytes, encode(KEY, &october).unwrap());
    assert!(bytes.len() < 375 * 8, "a bar takes {} bytes per 375", bytes.len());
    let leftovers = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        write_month(leftovers.path(), KEY, date("2024-10-01"), &october).unwrap();
    }
    let names = fs::read_dir(leftovers.path().join("NSE_EQ_INE155A01022")).unwrap().count();
    assert_eq!(names, 1, "no temporary file stays behind");
}

/// What the module's page says of decimals: others see rupees, we see the integer behind them.
#[test]
fn decimal_prices_are_rupees_to_others_and_integers_to_us() {
    use arrow::array::AsArray;
    use arrow::datatypes::Decimal64Type;
    use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
    let dir = tempfile::tempdir().unwrap();
    let october = history(&["2024-10-01"], 375);
    let path = write_month(dir.path(), KEY, date("2024-10-01"), &october).unwrap();
    let options = ArrowReaderOptions::new().with_schema(schema::arrow_schema());
    let file = fs::File::open(path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let batch = builder.build().unwrap().next().unwrap().unwrap();
    let decimals = batch.column_by_name("open").unwrap().as_primitive::<Decimal64Type>();
    assert_eq!(decimals.value_as_string(1), "395.0000");
    let store = Store::open(dir.path()).unwrap();
    let loaded = store.load(KEY, date("2024-10-01"), date("2024-10-01")).unwrap();
    assert_eq!(loaded.open.value(1), 3_950_000);
}

#[test]
fn rows_outside_the_range_are_cut_and_their_row_groups_not_even_read() {
    let dir = tempfile::tempdir().unwrap();
    let days: Vec<String> = (1..=20).map(|day| format!("2024-10-{day:02}")).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let path = write_month(dir.path(), KEY, date("2024-10-01"), &history(&days, 375)).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let day = store.load(KEY, date("2024-10-17"), date("2024-10-17")).unwrap();
    assert_eq!(bars(&day), bars(&history(&["2024-10-17"], 375)));

    // The first row group is overwritten: who needs it fails, who does not need it never notices.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..200].fill(0xff);
    fs::write(&path, bytes).unwrap();
    assert_eq!(store.load(KEY, date("2024-10-17"), date("2024-10-20")).unwrap().len(), 4 * 375);
    let error = store.load(KEY, date("2024-10-01"), date("2024-10-17")).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

/// Numbers of rows of the parts, and all of their bars.
fn parts(dir: &Path, first: &str, last: &str) -> (Vec<usize>, Vec<Bar>) {
    let mut parts = Store::open(dir).unwrap().parts(KEY, date(first), date(last));
    let (mut lengths, mut all) = (Vec::new(), Vec::new());
    let mut decoded = Decoded::default();
    while let Some(part) = parts.next_part(&mut decoded).unwrap() {
        lengths.push(part.len());
        all.extend(bars(&part.into()));
    }
    (lengths, all)
}

#[test]
fn a_history_is_read_part_by_part() {
    let dir = tempfile::tempdir().unwrap();
    let days: Vec<String> = (1..=12).map(|day| format!("2024-10-{day:02}")).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    write_month(dir.path(), KEY, date("2024-10-01"), &history(&days, 375)).unwrap();
    write_month(dir.path(), KEY, date("2024-11-01"), &history(&["2024-11-01"], 375)).unwrap();
    let all = Store::open(dir.path()).unwrap().load(KEY, date("2024-10-05"), date("2024-11-30"));
    let (lengths, bars_of_parts) = parts(dir.path(), "2024-10-05", "2024-11-30");
    assert_eq!(lengths, [375, 5 * 375, 2 * 375, 375], "row groups of five sessions");
    assert_eq!(bars_of_parts, bars(&all.unwrap()));
    assert!(parts(dir.path(), "2024-12-01", "2024-12-31").0.is_empty());
}

#[test]
fn row_groups_that_overlap_in_time_are_one_part() {
    let dir = tempfile::tempdir().unwrap();
    let days = ["2024-10-01", "2024-10-04", "2024-10-03", "2024-10-02", "2024-10-07", "2024-10-08"];
    // A row of the first row group and one of the second change places.
    let mut rows = bars(&history(&days, 375));
    rows.extend(bars(&history(&["2024-10-09", "2024-10-10", "2024-10-11", "2024-10-14"], 375)));
    let late = rows.iter().position(|bar| bar.open_time.date() == date("2024-10-08")).unwrap();
    rows.swap(0, late);
    rows.extend(bars(&history(&["2024-10-15"], 375)));
    write_month(dir.path(), KEY, date("2024-10-01"), &BarColumns::from_bars(rows.iter())).unwrap();
    let (lengths, bars_of_parts) = parts(dir.path(), "2024-10-01", "2024-10-31");
    assert_eq!(lengths, [10 * 375, 375]);
    assert_eq!(bars_of_parts, rows);
}

#[test]
fn a_bad_row_in_a_later_part_is_named_by_its_place_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let days = ["2024-10-01", "2024-10-02", "2024-10-03", "2024-10-04", "2024-10-07", "2024-10-08"];
    let mut rows = bars(&history(&days, 375));
    rows[5 * 375 + 3].low = Price(0);
    let columns = BarColumns::from_bars(rows.iter());
    let path = Store::open(dir.path()).unwrap().path(KEY, date("2024-10-01"));
    replace_file(&path, &encode(KEY, &columns).unwrap()).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut parts = store.parts(KEY, date("2024-10-01"), date("2024-10-31"));
    let mut decoded = Decoded::default();
    assert_eq!(parts.next_part(&mut decoded).unwrap().unwrap().len(), 5 * 375);
    let error = parts.next_part(&mut decoded).unwrap_err();
    assert!(matches!(error, StoreError::BadRow { row: 1_878, .. }), "{error}");
}

#[test]
fn rows_stay_in_the_order_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let open = Timestamp::from_ist(date("2024-10-01"), 9, 15);
    let shuffled = [3, 1, 2, 0].map(|i| bar(open.plus_minutes(i), 100 + i, i));
    let columns = BarColumns::from_bars(shuffled.iter());
    write_month(dir.path(), KEY, date("2024-10-01"), &columns).unwrap();
    let window = Window { open, close: open.plus_minutes(3) };
    let store = Store::open(dir.path()).unwrap();
    let loaded = store.load_month(KEY, date("2024-10-01"), window).unwrap();
    assert_eq!(bars(&loaded), shuffled[1..]);
}

#[test]
fn months_are_joined_and_a_hole_between_them_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (month, day) in [("2024-10-01", "2024-10-31"), ("2024-12-01", "2024-12-02")] {
        write_month(dir.path(), KEY, date(month), &history(&[day], 2)).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    let error = store.load(KEY, date("2024-10-15"), date("2024-12-15")).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"NSE_EQ_INE155A01022/2024-11.parquet: no such file, but the history goes from 2024-10 to 2024-12");
    write_month(dir.path(), KEY, date("2024-11-01"), &history(&["2024-11-04"], 2)).unwrap();
    let loaded = store.load(KEY, date("2024-10-15"), date("2024-12-15")).unwrap();
    assert_eq!(bars(&loaded), bars(&history(&["2024-10-31", "2024-11-04", "2024-12-02"], 2)));
    assert_eq!(store.load(KEY, date("2025-01-01"), date("2025-01-31")).unwrap().len(), 0);
    let names = store.hashes(KEY, date("2024-11-30"), date("2024-12-01")).unwrap();
    let names: Vec<&str> = names.iter().map(|hash| hash.name.as_str()).collect();
    assert_eq!(
        names,
        ["NSE_EQ_INE155A01022/2024-11.parquet", "NSE_EQ_INE155A01022/2024-12.parquet"]
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    for key in ["NSE_INDEX|Nifty 50", KEY] {
        write_month(dir.path(), key, date("2024-10-01"), &history(&["2024-10-01"], 1)).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    match store.load("NSE_EQ|INE245A01021", date("2024-10-01"), date("2024-10-01")) {
        Err(StoreError::UnknownKey { available, .. }) => {
            assert_eq!(available, [KEY, "NSE_INDEX|Nifty 50"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(Store::open(dir.path().join("x")), Err(StoreError::NoStore { .. })));
}

#[test]
fn every_wrong_column_is_named_with_both_types() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("NSE_EQ_INE155A01022");
    fs::create_dir(&folder).unwrap();
    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
    let schema = Arc::new(Schema::new(vec![
        Field::new("open_time", naive, false),
        Field::new("open", DataType::Float64, true),
        Field::new("vol", DataType::Int64, false),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(TimestampMicrosecondArray::from(vec![0])),
            Arc::new(Float64Array::from(vec![1.0])),
            Arc::new(Int64Array::from(vec![1])),
        ],
    )
    .unwrap();
    let file = fs::File::create(folder.join("2024-10.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let error = store.load(KEY, date("2024-10-01"), date("2024-10-01")).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()).replace("; ", "\n"), @"
    NSE_EQ_INE155A01022/2024-10.parquet: wrong columns: open_time is INT64 timestamp(us, local) required, wanted INT64 timestamp(us, UTC) required
    open is DOUBLE optional, wanted INT64 decimal(14,4) required
    high is missing (wanted INT64 decimal(14,4) required)
    low is missing (wanted INT64 decimal(14,4) required)
    close is missing (wanted INT64 decimal(14,4) required)
    volume is missing (wanted INT64 required)
    vol (INT64 required) is surplus
    ");
}

#[test]
fn a_file_under_the_name_of_another_instrument_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        write_month(dir.path(), KEY, date("2024-10-01"), &history(&["2024-10-01"], 1)).unwrap();
    let folder = dir.path().join("NSE_EQ_INE245A01021");
    fs::create_dir(&folder).unwrap();
    fs::rename(path, folder.join("2024-10.parquet")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let error = store.load("NSE_EQ|INE245A01021", date("2024-10-01"), date("2024-10-01"));
    insta::assert_snapshot!(message(&error.unwrap_err(), dir.path()), @"NSE_EQ_INE245A01021/2024-10.parquet: metadata lockstep.key is `NSE_EQ|INE155A01022`, not `NSE_EQ|INE245A01021`");
}

#[test]
fn a_parquet_file_that_is_no_month_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("NSE_EQ_INE155A01022");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("2024-1.parquet"), "x").unwrap();
    let error = Store::open(dir.path()).unwrap().months(KEY).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"NSE_EQ_INE155A01022/2024-1.parquet: the name of a history file is YYYY-MM.parquet");
}

#[test]
fn a_row_that_is_no_bar_is_refused_but_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let october = date("2024-10-01");
    let mut columns = history(&["2024-10-01"], 3);
    columns.high = Int64Array::from(vec![3_949_500, 1, 3_950_500]);
    let path = Store::open(dir.path()).unwrap().path(KEY, october);
    let error = write_month(dir.path(), KEY, october, &columns).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"NSE_EQ_INE155A01022/2024-10.parquet: row 1 (2024-10-01T09:16): ohlc-order, 395.00 0.0001 395.00 395.00, volume 1");
    replace_file(&path, &encode(KEY, &columns).unwrap()).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let error = store.load(KEY, october, october).unwrap_err();
    assert!(error.is_damage());
    assert_eq!(store.load_month_raw(KEY, october).unwrap().len(), 3);
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let october = date("2024-10-01");
    let path = write_month(dir.path(), KEY, october, &history(&["2024-10-01"], 375)).unwrap();
    let bytes = fs::read(&path).unwrap();
    let store = Store::open(dir.path()).unwrap();
    for length in (0..bytes.len()).step_by(97) {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = store.load_month_raw(KEY, october).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{length} bytes: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever byte is changed, the answer is bars or an error, never a panic.
    #[test]
    fn damaged_bytes_never_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let dir = tempfile::tempdir().unwrap();
        let october = date("2024-10-01");
        let mut bytes = encode(KEY, &history(&["2024-10-01"], 30)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let store = Store::open(dir.path()).unwrap();
        replace_file(&store.path(KEY, october), &bytes).unwrap();
        let always = Window { open: Timestamp::MIN, close: Timestamp::MAX };
        match store.load_month(KEY, october, always) {
            Ok(columns) => prop_assert!(bars(&columns).iter().all(|bar| bar.defect().is_none())),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        let mut parts = store.parts(KEY, october, date("2024-10-31"));
        let mut decoded = Decoded::default();
        while let Ok(Some(part)) = parts.next_part(&mut decoded) {
            prop_assert!(bars(&part.into()).iter().all(|bar| bar.defect().is_none()));
        }
    }
}
