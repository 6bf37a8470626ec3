//! The inspection of a small made-up month, and of single oddities.

use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::domain::money::{Price, Qty};
use crate::domain::time::Date;
use crate::sources::import::fixture::{KEY, at, calendar, date, instrument};
use crate::sources::store::{Store, encode, replace_file, write_month};

fn bar(open_time: Timestamp, price: &str, volume: i64) -> Bar {
    let price = Price::parse(price).unwrap();
    let instrument = InstrumentId::default();
    let volume = Qty(volume);
    Bar { instrument, open_time, open: price, high: price, low: price, close: price, volume }
}

/// `count` minutes from `first` at one price.
fn minutes(first: &str, count: i64, price: &str) -> Vec<Bar> {
    (0..count).map(|i| bar(at(first).plus_minutes(i), price, 100)).collect()
}

/// The report on these bars over some days, one line per finding.
fn report(bars: &[Bar], from: &str, to: &str, instrument: Option<&Instrument>) -> String {
    let calendar = calendar();
    let sessions = calendar.between(date(from), date(to)).unwrap();
    lines(&inspect(KEY, &BarColumns::from_bars(bars.iter()), sessions, instrument))
}

fn lines(report: &Report) -> String {
    let mut text = format!("{} {}: {} rows\n", report.key, report.symbol, report.rows);
    for Finding { kind, range, count, detail } in &report.findings {
        let range = range.map_or("-".to_owned(), |(first, last)| format!("{first}..{last}"));
        writeln!(text, "{:?} {} {range} {count}: {detail}", kind.severity(), kind.word()).unwrap();
    }
    text
}

#[test]
fn a_made_up_month_shows_everything_that_is_odd() {
    let mut bars = minutes("2024-10-01T09:15", 375, "394.95");
    bars.remove(100);
    bars.drain(200..203);
    bars.extend(minutes("2024-10-01T15:40", 1, "394.95"));
    bars.swap(10, 11);
    bars.push(bars[300]);
    bars.push(Bar { volume: Qty(1), ..bars[301] });
    // The 2nd is a holiday, the 3rd and 4th are missing, the 5th is a Saturday in two blocks.
    bars.extend(minutes("2024-10-02T10:00", 2, "394.95"));
    bars.extend(minutes("2024-10-05T09:15", 45, "39.50"));
    bars.extend(minutes("2024-10-05T11:29", 60, "39.50"));
    let mut odd = minutes("2024-10-07T09:15", 375, "39.50");
    odd[5].volume = Qty(0);
    odd[6].high = Price(390_000);
    odd[7] = bar(odd[7].open_time, "39.52", 7);
    bars.extend(odd);
    let instrument = instrument();
    insta::assert_snapshot!(report(&bars, "2024-10-01", "2024-10-08", Some(&instrument)), @"
    NSE_EQ|INE155A01022 TATAMOTORS: 856 rows
    Error defect 2024-10-07T09:21..2024-10-07T09:21 1: row 487: ohlc-order, 39.50 39.00 39.50 39.50, volume 100
    Error duplicate 2024-10-01T14:19..2024-10-01T14:19 1: the same bar again
    Error duplicate 2024-10-01T14:20..2024-10-01T14:20 1: another bar
    Error out-of-order 2024-10-01T09:25..2024-10-01T09:25 1: row 11: after 2024-10-01T09:26
    Error out-of-order 2024-10-01T14:19..2024-10-01T14:19 1: row 372: after 2024-10-01T15:40
    Error out-of-order 2024-10-01T14:20..2024-10-01T14:20 1: row 373: after 2024-10-01T15:40
    Note missing-session 2024-10-03T09:15..2024-10-04T15:29 2: no bar from 2024-10-03 to 2024-10-04
    Note missing-session 2024-10-08T09:15..2024-10-08T15:29 1: no bar on 2024-10-08
    Note gap 2024-10-01T10:55..2024-10-01T10:55 1: no bar at 10:55
    Note gap 2024-10-01T12:36..2024-10-01T12:38 3: no bar from 12:36 to 12:38
    Note gap 2024-10-05T12:29..2024-10-05T12:29 1: no bar at 12:29
    Note gap 2024-10-07T09:21..2024-10-07T09:21 1: no bar at 09:21
    Note outside-session 2024-10-01T15:40..2024-10-01T15:40 1: after the close
    Note outside-session 2024-10-02T10:00..2024-10-02T10:01 2: no trading on that day
    Note outside-session 2024-10-05T11:29..2024-10-05T11:29 1: before the open: 0, between: 1, after the close: 0
    Note off-grid 2024-10-07T09:22..2024-10-07T09:22 1: grid 0.05; first 39.52 39.52 39.52 39.52
    Note overnight-step 2024-10-05T09:15..2024-10-05T09:15 1: open 39.50 after close 394.95: x 0.100, like 1/10, a split or bonus
    Note zero-volume 2024-10-07T09:20..2024-10-07T09:20 1: nothing traded
    ");
}

#[test]
fn a_clean_day_says_nothing() {
    let day = minutes("2024-11-01T18:00", 60, "394.95");
    insta::assert_snapshot!(report(&day, "2024-11-01", "2024-11-01", Some(&instrument())), @"NSE_EQ|INE155A01022 TATAMOTORS: 60 rows");
}

#[test]
fn overnight_steps_are_named_after_the_ratio_that_they_look_like() {
    let two_days = |before: &str, after: &str| {
        let mut bars = minutes("2024-10-03T09:15", 375, before);
        bars.extend(minutes("2024-10-04T09:15", 375, after));
        report(&bars, "2024-10-03", "2024-10-04", Some(&instrument()))
    };
    let mut text = two_days("6996.50", "2335.00");
    text += &two_days("9334.00", "936.00");
    text += &two_days("660.75", "400.00");
    text += &two_days("100.00", "80.05");
    text += &two_days("100.00", "205.00");
    insta::assert_snapshot!(text, @"
    NSE_EQ|INE155A01022 TATAMOTORS: 750 rows
    Note overnight-step 2024-10-04T09:15..2024-10-04T09:15 1: open 2335.00 after close 6996.50: x 0.334, like 1/3, a split or bonus
    NSE_EQ|INE155A01022 TATAMOTORS: 750 rows
    Note overnight-step 2024-10-04T09:15..2024-10-04T09:15 1: open 936.00 after close 9334.00: x 0.100, like 1/10, a split or bonus
    NSE_EQ|INE155A01022 TATAMOTORS: 750 rows
    Note overnight-step 2024-10-04T09:15..2024-10-04T09:15 1: open 400.00 after close 660.75: x 0.605, like no simple ratio, perhaps a demerger or news
    NSE_EQ|INE155A01022 TATAMOTORS: 750 rows
    NSE_EQ|INE155A01022 TATAMOTORS: 750 rows
    Note overnight-step 2024-10-04T09:15..2024-10-04T09:15 1: open 205.00 after close 100.00: x 2.050, like 2/1, a split or bonus
    ");
}

#[test]
fn an_unknown_key_and_a_listing_with_an_end_are_noted() {
    let day = minutes("2024-11-01T18:00", 60, "394.97");
    let mut ended = instrument();
    ended.listings[0].to = Some(date("2024-10-31"));
    let mut text = report(&day, "2024-11-01", "2024-11-01", None);
    text += &report(&day, "2024-11-01", "2024-11-01", Some(&ended));
    insta::assert_snapshot!(text, @"
    NSE_EQ|INE155A01022 NSE_EQ|INE155A01022: 60 rows
    Note unknown-key - 1: the instrument master has no NSE_EQ|INE155A01022
    NSE_EQ|INE155A01022 NSE_EQ|INE155A01022: 60 rows
    Note listing-ends - 1: TATAMOTORS was listed until 2024-10-31; bars after that: 60
    ");
}

#[test]
fn a_folder_is_inspected_past_its_damaged_files() {
    let dir = tempfile::tempdir().unwrap();
    let (october, november) = (date("2024-10-01"), date("2024-11-01"));
    let mut bars = minutes("2024-10-31T09:15", 375, "394.95");
    bars.extend(minutes("2024-11-01T18:00", 60, "394.95"));
    let store = Store::open(dir.path()).unwrap();
    let bytes = encode(KEY, &BarColumns::from_bars(bars.iter())).unwrap();
    replace_file(&store.path(KEY, october), &bytes).unwrap();
    let evening = BarColumns::from_bars(bars[375..].iter());
    let path = write_month(dir.path(), KEY, november, &evening).unwrap();
    let look = |range: (Option<Date>, Option<Date>)| {
        let folder = &store.folders().unwrap()[0];
        let report = inspect_folder(&store, folder, range, &calendar(), Some(&instrument()));
        lines(&report.unwrap()).replace(&dir.path().display().to_string(), "")
    };
    insta::assert_snapshot!(look((Some(date("2024-10-31")), None)), @"
    NSE_EQ|INE155A01022 TATAMOTORS: 435 rows
    Error wrong-month 2024-11-01T18:00..2024-11-01T18:59 60: rows in the file of 2024-10
    ");
    assert_eq!(look((Some(date("2024-11-01")), Some(date("2024-11-01")))).lines().count(), 1);
    fs::write(path, "not Parquet").unwrap();
    insta::assert_snapshot!(look((Some(date("2024-10-31")), None)), @"
    NSE_EQ|INE155A01022 TATAMOTORS: 375 rows
    Error unreadable - 1: /NSE_EQ_INE155A01022/2024-11.parquet: not readable as Parquet: Parquet error: Invalid Parquet file. Corrupt footer
    Error wrong-month 2024-11-01T18:00..2024-11-01T18:59 60: rows in the file of 2024-10
    ");
    let folder = &store.folders().unwrap()[0];
    let range = (Some(date("2023-12-31")), None);
    let error = inspect_folder(&store, folder, range, &calendar(), None).unwrap_err();
    assert_eq!(error.year, 2023);
}
