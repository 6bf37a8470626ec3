//! Bad input: one clear error each, the right exit code, no panic, and nothing written. The desk
//! checks all of that; the snapshots are the language that a user reads.

use std::fs;

use lockstep::domain::fact::Bar;
use lockstep::domain::money::{Price, Qty};

use crate::desk::{BSE, DATA, Desk, TATA};
use crate::raw_parquet::{RawParquet, doubles, ints, maybe_longs, time, time_ms};

/// A replay that reads the damaged month first, and would write a journal.
const REPLAY: &str = "replay --to 2024-10-01";

/// The month that is damaged: the one day before September.
const MONTH: &str = "2024-08";

/// Writes `file` as the damaged month. A replay must refuse it as damage, and `data check` must
/// find it too. Returns the replay's error.
fn refused(file: impl FnOnce(&mut RawParquet, &[Bar])) -> String {
    let desk = Desk::new();
    let bars = desk.bars(TATA, MONTH);
    let mut raw = RawParquet::of(TATA, &bars);
    file(&mut raw, &bars);
    raw.write(&desk.month(TATA, MONTH));
    let error = desk.refuses(3, REPLAY);
    let check = desk.run(&format!("data check {DATA} --format csv --to 2024-08-31")).expect(3);
    let rows = check.lines().filter(|line| line.contains(",error,"));
    assert!(rows.count() >= 1, "{error}\n{check}");
    error
}

/// The same with changed bars and everything else in order.
fn refused_bars(change: impl FnOnce(&mut Vec<Bar>)) -> String {
    refused(|raw, bars| {
        let mut bars = bars.to_vec();
        change(&mut bars);
        *raw = RawParquet::of(TATA, &bars);
    })
}

#[test]
fn a_file_as_the_store_writes_it_is_read() {
    let desk = Desk::new();
    RawParquet::of(TATA, &desk.bars(TATA, MONTH)).write(&desk.month(TATA, MONTH));
    let json = desk.run("replay --to 2024-10-01 --no-journal --format json").json(0);
    assert_eq!(json["golden"]["same"], true, "so what is refused below is refused for its fault");
}

#[test]
fn columns_must_be_those_of_the_schema() {
    let missing = refused(|raw, _| raw.replace("low", None));
    insta::assert_snapshot!(missing, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = low is missing (wanted INT64 decimal(14,4) required)
      help: bring foreign files in with `lockstep data import`
    ");
    let renamed = refused(|raw, _| {
        let (_, array) = raw.columns[4].clone();
        raw.replace("close", Some(("ltp", array)));
    });
    insta::assert_snapshot!(renamed, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = close is missing (wanted INT64 decimal(14,4) required)
       = ltp (INT64 decimal(14,4) required) is surplus
      help: bring foreign files in with `lockstep data import`
    ");
    let surplus = refused(|raw, bars| raw.columns.push(("oi", ints(vec![0; bars.len()]))));
    insta::assert_snapshot!(surplus, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = oi (INT32 required) is surplus
      help: bring foreign files in with `lockstep data import`
    ");
    // Not a number has no place in a column of decimals, so its type gives it away.
    let not_a_number = refused(|raw, bars| {
        let mut prices: Vec<f64> = bars.iter().map(|bar| bar.close.rupees()).collect();
        prices[3] = f64::NAN;
        raw.replace("close", Some(("close", doubles(prices))));
    });
    insta::assert_snapshot!(not_a_number, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = close is DOUBLE required, wanted INT64 decimal(14,4) required
      help: bring foreign files in with `lockstep data import`
    ");
    let milliseconds =
        refused(|raw, bars| raw.replace("open_time", Some(("open_time", time_ms(bars)))));
    insta::assert_snapshot!(milliseconds, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = open_time is INT64 timestamp(ms, UTC) required, wanted INT64 timestamp(us, UTC) required
      help: bring foreign files in with `lockstep data import`
    ");
    let nulls = refused(|raw, bars| {
        let mut volumes: Vec<Option<i64>> = bars.iter().map(|bar| Some(bar.volume.0)).collect();
        volumes[0] = None;
        raw.replace("volume", Some(("volume", maybe_longs(volumes))));
    });
    insta::assert_snapshot!(nulls, @"
    error: a history file has the wrong columns
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = volume is INT64 optional, wanted INT64 required
      help: bring foreign files in with `lockstep data import`
    ");
    refused(|raw, bars| raw.replace("volume", Some(("volume", ints(vec![1; bars.len()])))));
    refused(|raw, _| raw.nullable = true);
    refused(|raw, _| raw.columns.truncate(1));
}

#[test]
fn metadata_must_say_what_the_place_says() {
    insta::assert_snapshot!(refused(|raw, _| raw.metadata[2].1 = BSE.to_owned()), @"
    error: a history file is not what its place says
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = its metadata lockstep.key is `NSE_EQ|INE118H01025`, not `NSE_EQ|INE155A01022`
      help: bring foreign files in with `lockstep data import`
    ");
    insta::assert_snapshot!(refused(|raw, _| raw.metadata[1].1 = "end".to_owned()), @"
    error: a history file is not what its place says
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = its metadata lockstep.label is `end`, not `start`
      help: bring foreign files in with `lockstep data import`
    ");
    insta::assert_snapshot!(refused(|raw, _| raw.metadata[0].1 = "2".to_owned()), @"
    error: a history file is not what its place says
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = its metadata lockstep.schema is `2`, not `1`
      help: bring foreign files in with `lockstep data import`
    ");
    refused(|raw, _| raw.metadata.clear());
}

#[test]
fn rows_must_be_bars_of_their_month() {
    insta::assert_snapshot!(refused_bars(|bars| bars[7].low = Price(-9_000_000)), @"
    error: a history has a row that is no bar
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet, row 7
       = the bar of 2024-08-30T09:22: price-out-of-range, 890.20 890.30 -900.00 889.90, volume 8482
      help: `lockstep data check` lists all such rows
    ");
    insta::assert_snapshot!(refused_bars(|bars| bars[0].high = Price(bars[0].low.0 - 500)), @"
    error: a history has a row that is no bar
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet, row 0
       = the bar of 2024-08-30T09:15: ohlc-order, 891.00 890.65 890.70 890.85, volume 29255
      help: `lockstep data check` lists all such rows
    ");
    insta::assert_snapshot!(refused_bars(|bars| bars[9].volume = Qty(-1)), @"
    error: a history has a row that is no bar
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet, row 9
       = the bar of 2024-08-30T09:24: volume-out-of-range, 891.25 891.25 890.75 890.75, volume -1
      help: `lockstep data check` lists all such rows
    ");
    let half_minute = refused(|raw, bars| {
        let mut times: Vec<i64> = bars.iter().map(|bar| bar.open_time.0).collect();
        times[5] += 30_000_000;
        raw.replace("open_time", Some(("open_time", time(times))));
    });
    insta::assert_snapshot!(half_minute, @"
    error: a history has a row that is no bar
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet, row 5
       = the bar of 2024-08-30T09:20:30: not-a-whole-minute, 891.00 891.50 891.00 891.50, volume 8583
      help: `lockstep data check` lists all such rows
    ");
    let stranger = refused_bars(|bars| {
        let other = Bar { open_time: bars[0].open_time.plus_minutes(3 * 24 * 60), ..bars[0] };
        bars.push(other);
    });
    insta::assert_snapshot!(stranger, @"
    error: a history has a row that is no bar
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet, row 377
       = the bar of 2024-09-02T09:15: outside 2024-08, the month of the file
      help: `lockstep data check` lists all such rows
    ");
    refused_bars(|bars| bars[1].low = Price(0));
    refused_bars(|bars| bars[1].high = Price(i64::MAX));
}

#[test]
fn bytes_must_be_parquet() {
    let desk = Desk::new();
    let path = desk.month(TATA, MONTH);
    let sound = fs::read(&path).unwrap();
    let half = &sound[..sound.len() / 2];
    let mut flipped = sound.clone();
    flipped[sound.len() / 3..][..32].fill(0xff);
    let damaged = [half, &sound[..sound.len() - 1], &sound[..4], &[], b"open,high\n", &flipped];
    let mut errors = Vec::new();
    for bytes in damaged {
        fs::write(&path, bytes).unwrap();
        errors.push(desk.refuses(3, REPLAY));
        let check = desk.run(&format!("data check {DATA} --to 2024-08-31 --format csv"));
        assert!(check.expect(3).contains("unreadable"));
    }
    insta::assert_snapshot!(errors[0], @"
    error: a history file is damaged
      --> replays/sample/data/NSE_EQ_INE155A01022/2024-08.parquet
       = Parquet error: Invalid Parquet file. Corrupt footer
      help: import it again with `lockstep data import --replace`
    ");
    let info = desk.refuses(3, &format!("data info {DATA}"));
    assert!(info.contains("a history file is damaged"), "{info}");
}

#[test]
fn files_must_be_where_they_belong() {
    let desk = Desk::new();
    let path = desk.month(BSE, "2024-09");
    fs::remove_file(&path).unwrap();
    insta::assert_snapshot!(desk.refuses(2, REPLAY), @"
    error: NSE_EQ|INE118H01025 has no history for 2024-09
      --> replays/sample/data/NSE_EQ_INE118H01025/2024-09.parquet
       = that is needed to warm the indicators up
      help: `lockstep data info replays/sample/data` shows what is there
      help: a later --from or fewer --warmup-sessions need less
    ");
    fs::create_dir(&path).unwrap();
    insta::assert_snapshot!(desk.refuses(74, REPLAY), @"
    error: failed to read or write a history
      --> replays/sample/data/NSE_EQ_INE118H01025/2024-09.parquet
       = Is a directory (os error 21)
    ");

    let desk = Desk::new();
    desk.write(&format!("{DATA}/NSE_EQ_INE118H01025/october.parquet"), "");
    insta::assert_snapshot!(desk.refuses(3, REPLAY), @"
    error: a history file has a name that is no month
      --> replays/sample/data/NSE_EQ_INE118H01025/october.parquet
      help: rename it to YYYY-MM.parquet or move it away
    ");

    let desk = Desk::new();
    fs::remove_dir_all(desk.month(BSE, MONTH).parent().unwrap()).unwrap();
    insta::assert_snapshot!(desk.refuses(2, REPLAY), @"
    error: the history has nothing of NSE_EQ|INE118H01025
      --> replays/sample/data
       = it has NSE_EQ|INE155A01022
      help: name one of these, or import what is missing
    ");
    fs::remove_dir_all(desk.at(DATA)).unwrap();
    insta::assert_snapshot!(desk.refuses(2, REPLAY), @"
    error: there is no such directory
      --> replays/sample/data
      help: `lockstep data import` makes a history
    ");
    fs::create_dir(desk.at(DATA)).unwrap();
    desk.refuses(2, REPLAY);
    let nothing = desk.refuses(4, &format!("replay --data {DATA} --from 2024-10 --to 2024-10"));
    insta::assert_snapshot!(nothing, @"
    error: the history holds no symbols
      --> replays/sample/data
      help: `lockstep data import` fills it
    ");
    insta::assert_snapshot!(desk.refuses(4, &format!("data info {DATA}")), @"
    error: the history is empty
      --> replays/sample/data
      help: `lockstep data import` brings bars in
    ");
}

#[test]
fn history_must_reach_from_the_warm_up_to_the_last_day() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.refuses(2, "replay --warmup-sessions 23"), @"
    error: NSE_EQ|INE118H01025 has no history for 2024-08-29
      --> replays/sample/data/NSE_EQ_INE118H01025/2024-08.parquet
       = that is needed to warm the indicators up
      help: `lockstep data info replays/sample/data` shows what is there
      help: a later --from or fewer --warmup-sessions need less
    ");
    desk.rewrite(BSE, "2024-12", |bars| {
        let last = bars.last().unwrap().open_time.date();
        bars.retain(|bar| bar.open_time.date() < last);
    });
    insta::assert_snapshot!(desk.refuses(2, "replay"), @"
    error: NSE_EQ|INE118H01025 has no history for 2024-12-31
      --> replays/sample/data/NSE_EQ_INE118H01025/2024-12.parquet
      help: `lockstep data info replays/sample/data` shows what is there
    ");
    let before = desk.run("replay --to 2024-12-30 --no-journal --format json").json(0);
    assert_eq!(before["golden"]["same"], true);
}

#[test]
fn ranges_must_hold_sessions_that_are_known() {
    let desk = Desk::new();
    let weekend = desk.refuses(4, "replay --from 2024-11-02 --to 2024-11-03");
    insta::assert_snapshot!(weekend, @"
    error: nothing to replay
       = there is no session from 2024-11-02 to 2024-11-03
    ");
    let own = format!("replay --data {DATA}");
    desk.refuses(4, &format!("{own} --from 2024-11-02 --to 2024-11-03"));
    insta::assert_snapshot!(desk.refuses(2, "replay --from 2024-12 --to 2024-11"), @"error: the range runs backwards: from 2024-12-01 to 2024-11-30");
    insta::assert_snapshot!(desk.refuses(2, "replay --from 2024-09 --to 2024-10"), @"
    error: case 'sample' does not cover that
       = asked for 2024-09-01 to 2024-10-31
       = the case covers 2024-10-01 to 2024-12-31
      help: give days within the case, or `--data DIR` with a history of your own
    ");
    insta::assert_snapshot!(desk.refuses(2, &format!("{own} --from 2030-01 --to 2030-02")), @"
    error: the calendar does not list 2030, only 2023, 2024, 2025, 2026
       = holidays are announced a year at a time; a guess would invent sessions
      help: choose listed years, or add the year to market/nse_calendar.toml
    ");
    insta::assert_snapshot!(desk.refuses(2, &format!("{own} --from 2025-01 --to 2025-01")), @"
    error: NSE_EQ|INE118H01025 has no history for 2025-01
      --> replays/sample/data/NSE_EQ_INE118H01025/2025-01.parquet
      help: `lockstep data info replays/sample/data` shows what is there
    ");
    insta::assert_snapshot!(desk.refuses(2, "replay --from 2024"), @"error: from is '2024', but must be a month like 2024-10 or a day like 2024-10-31");
    for date in ["2024-13", "2024-02-30", "yesterday", "2024-10-1", "0000-00", "99999-01"] {
        desk.refuses(2, &format!("replay --from {date}"));
    }
    desk.refuses(2, &format!("{own} --from 2024-10 --to 9999-12"));
    desk.refuses(2, &format!("{own} --from 2024-10"));
    desk.refuses(2, "replay --warmup-sessions 5000");
}

#[test]
fn names_must_be_known() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.refuses(2, "replay --symbols NSE_EQ|INE155A01029"), @"
    error: the instrument master has no NSE_EQ|INE155A01029
      help: keys look like NSE_EQ|INE155A01022; check it for a typing error
      help: `lockstep config market` lists the instruments
    ");
    insta::assert_snapshot!(desk.refuses(2, "replay --symbols NSE_EQ|INE245A01021"), @"
    error: the history has nothing of NSE_EQ|INE245A01021
      --> replays/sample/data
       = it has NSE_EQ|INE118H01025, NSE_EQ|INE155A01022
      help: name one of these, or import what is missing
    ");
    insta::assert_snapshot!(desk.refuses(2, "replay --case nope"), @"
    error: there is no such case
      --> replays/nope/case.toml
       = No such file or directory (os error 2)
      help: the cases are: sample
    ");
    insta::assert_snapshot!(desk.refuses(2, "replay --fees none"), @"error: there is no fee schedule 'none', only nse, plan, compat");
    desk.refuses(2, "replay --execution magic");
    desk.refuses(2, "replay --profile magic");
    desk.refuses(2, "replay --threads 0");
    desk.refuses(2, "replay --max-diffs 0");
    desk.refuses(2, "replay --format xml");
    desk.refuses(2, "replay --nonsense");
    desk.refuses(2, "golden review --case nope");
    desk.refuses(2, "golden accept --case ../sample --reason x");
    desk.refuses(2, &format!("data check {DATA} --symbol NSE_EQ|INE155A01029"));
    desk.refuses(2, "data check nowhere");
    desk.refuses(2, "data info nowhere");
}

/// The refusal of a case whose file was changed.
fn refused_case(code: i32, old: &str, new: &str) -> String {
    let desk = Desk::new();
    desk.edit("replays/sample/case.toml", old, new);
    desk.refuses(code, "replay")
}

#[test]
fn a_case_must_say_what_it_means() {
    insta::assert_snapshot!(refused_case(2, "fees = ", "fee = "), @"
    error: the case's file is wrong
      --> replays/sample/case.toml
       = line 8, column 1: unknown setting 'fee'; a case has data, from, to, warmup_sessions, fees, symbols, strategy, execution, commands
    ");
    insta::assert_snapshot!(refused_case(2, "warmup_sessions = 22", "warmup_sessions = -1"), @"
    error: the case's file is wrong
      --> replays/sample/case.toml
       = line 7, column 19: warmup_sessions is -1, but must be a whole number from 0 to 10000
    ");
    insta::assert_snapshot!(refused_case(2, "to = \"2024-12\"", "to = \"December\""), @r#"
    error: the case's file is wrong
      --> replays/sample/case.toml
       = line 6, column 6: to is "December", but must be a month like "2024-10" or a day like "2024-10-31"
    "#);
    let loss = "daily_loss_max = 800";
    insta::assert_snapshot!(refused_case(2, loss, "daily_loss_max = -5"), @"
    error: the case's file is wrong
      --> replays/sample/case.toml
       = line 23, column 18: execution.daily_loss_max is -5, but must be whole rupees from 1 to 1000000000
    ");
    for bad in [
        "daily_loss_max = \"many\"",
        "position_max = -1",
        "position_max = 9999999999999",
        "profile = \"nice\"",
        "trades_max = 99999999999",
        "slippage_ticks = 1001",
        "capital = 0",
        "[strategy]\nreversion_k = nan",
        "[strategy]\nswing_period = 0",
        "[strategy]\nadx_gate = 0",
        "[strategy]\nrisk = 5",
    ] {
        refused_case(2, loss, bad);
    }
    refused_case(2, "fees = \"nse\"", "fees = \"none\"");
    refused_case(2, "data = \"data\"", "data = \"elsewhere\"");
    refused_case(2, "[execution]", "[execution");
    insta::assert_snapshot!(refused_case(2, "kind = \"flatten\"", "kind = \"sell\""), @r#"
    error: the case's file is wrong
      --> replays/sample/case.toml
       = line 29, column 8: commands.kind is "sell", but must be pause, resume, flatten, kill, release
    "#);
    refused_case(2, "time = \"2024-12-27T12:30\"", "time = \"lunch\"");
}

#[test]
fn a_case_must_be_there_and_readable() {
    let desk = Desk::new();
    let path = "replays/sample/case.toml";
    for bytes in [&b""[..], b"\xff\xfe", b"\0\0\0"] {
        desk.write(path, bytes);
        desk.refuses(2, "replay");
    }
    let range = "from = \"2024-10\"\nto = \"2024-10\"\nwarmup_sessions = 2";
    desk.write(path, format!("data = \"data\"\n{range}\nsymbols = []\n"));
    insta::assert_snapshot!(desk.refuses(4, "replay"), @"
    error: no symbols are selected
      help: name keys with --symbols or in the case's file
    ");
    fs::remove_file(desk.at(path)).unwrap();
    desk.refuses(2, "replay");
    fs::create_dir(desk.at(path)).unwrap();
    insta::assert_snapshot!(desk.refuses(74, "replay"), @"
    error: failed to read the case
      --> replays/sample/case.toml
       = Is a directory (os error 21)
    ");
}

#[test]
fn a_golden_must_be_there_and_whole() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.refuses(2, "replay --golden nowhere"), @"
    error: a file of the golden is missing
      --> nowhere/digest
      help: `lockstep golden accept --case sample --reason TEXT` writes a golden
    ");
    for file in ["signals.csv", "fills.csv", "bars_15m.csv", "digest", "accepted.toml"] {
        let desk = Desk::new();
        fs::remove_file(desk.at("golden/sample").join(file)).unwrap();
        let error = desk.refuses(2, "replay");
        assert!(error.contains(&format!("--> golden/sample/{file}")), "{error}");
        desk.write(&format!("golden/sample/{file}"), "");
        if file != "accepted.toml" {
            desk.refuses(3, "replay");
        }
        desk.write(&format!("golden/sample/{file}"), b"\xff\xfe\xfd");
        desk.refuses(3, "replay");
    }
    let desk = Desk::new();
    desk.edit_lines("golden/sample/fills.csv", |lines| lines[3] = lines[3].replace(',', ";"));
    insta::assert_snapshot!(desk.refuses(3, "replay"), @"
    error: the golden is damaged
      --> golden/sample/fills.csv:4
       = CSV error: record 3 (line: 4, byte: 277): found record with 1 fields, but the previous record has 9 fields
      help: take the file from version control, or accept a new golden
    ");
    let desk = Desk::new();
    desk.edit("golden/sample/signals.csv", "time,known,key", "when,known,key");
    insta::assert_snapshot!(desk.refuses(3, "replay"), @"
    error: the golden is damaged
      --> golden/sample/signals.csv:1
       = expected the columns time,known,key,symbol,side,type,price,quantity,stop,target,atr,vwap_dist,ema_slope,atr_pct,adx,vol_z,margins,signal_id
      help: take the file from version control, or accept a new golden
    ");
    let desk = Desk::new();
    desk.edit("golden/sample/digest", "rows ", "rows x");
    insta::assert_snapshot!(desk.refuses(3, "replay"), @"
    error: the golden is damaged
      --> golden/sample/digest:5
       = expected three counts
      help: take the file from version control, or accept a new golden
    ");
}
