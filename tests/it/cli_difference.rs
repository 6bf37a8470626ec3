//! What a user reads when something changed: one price of one minute, one line of golden, or two
//! runs that are not the same. The first difference is named with both values, the last event that
//! was equal, and the minute of trading behind it.

use lockstep::domain::money::Price;
use lockstep::domain::time::Timestamp;

use crate::desk::{BSE, Desk, TATA, without_hashes};
use crate::world::price;

/// The days around the changes, for the sake of time.
const REPLAY: &str = "replay --to 2024-10-09 --no-journal";

/// The difference after the change of one minute of the sample's history.
fn after(key: &str, minute: &str, change: impl FnOnce(&mut lockstep::domain::fact::Bar)) -> String {
    let desk = Desk::new();
    desk.change(key, minute, change);
    desk.run(REPLAY).difference()
}

#[test]
fn a_close_inside_the_bar_moves_no_bar_and_is_found_all_the_same() {
    let text = after(BSE, "2024-10-08T11:05", |bar| {
        let tick = if bar.close < bar.high { 500 } else { -500 };
        bar.close = Price(bar.close.0 + tick);
        assert_eq!(bar.defect(), None, "the change must be a price that could have been");
    });
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at one place
      --> golden/sample/bars_15m.csv:216
       |
    216| 2024-10-08T11:00  NSE_EQ|INE118H01025  9426
       |                                        ^^^^ check of 11:05: golden 9426, replay 6885
       = event in replay: 20419.1
       = last equal event: 20388.3 (bar-15m 2024-10-08T10:45 NSE_EQ|INE155A01022)
       = minute behind it: 2024-10-08 11:05, check 9426 in golden, check 6885 in replay
       = rows that agree: bars_15m 297/298 · signals 11/11 · fills 16/16
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_high_above_all_others_moves_the_bar() {
    let text = after(BSE, "2024-10-08T11:05", |bar| bar.high = bar.high.plus(Price(200_000)));
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at the first of 43 places
      --> golden/sample/bars_15m.csv:216
       |
    216| 2024-10-08T11:00  NSE_EQ|INE118H01025  4455.25
       |                                        ^^^^^^^ high: golden 4455.25, replay 4466.10
       = also: atr, vwap, check
       = event in replay: 20419.1
       = last equal event: 20388.3 (bar-15m 2024-10-08T10:45 NSE_EQ|INE155A01022)
       = minute behind it: 2024-10-08 11:05, check 9426 in golden, check 9ced in replay
       = then: golden/sample/bars_15m.csv:218  2024-10-08T11:15  NSE_EQ|INE118H01025  atr: golden 21.6603064749886, replay 22.37994933213148
       = then: golden/sample/bars_15m.csv:220  2024-10-08T11:30  NSE_EQ|INE118H01025  atr: golden 20.913141726775116, replay 21.581381522693505
       = then: golden/sample/bars_15m.csv:222  2024-10-08T11:45  NSE_EQ|INE118H01025  atr: golden 21.08720303200549, replay 21.70771141392971
       = then: golden/sample/bars_15m.csv:224  2024-10-08T12:00  NSE_EQ|INE118H01025  atr: golden 20.523831386862227, replay 21.100017741506147
         … and 38 more
       = rows that agree: bars_15m 257/298 · signals 10/11 · fills 15/16
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_close_below_the_swing_takes_a_signal_away() {
    let text = after(TATA, "2024-10-01T09:44", |bar| {
        bar.close = price("930.00");
        bar.low = bar.low.min(bar.close);
    });
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at the first of 163 places
      --> golden/sample/bars_15m.csv:5
       |
      5| 2024-10-01T09:30  NSE_EQ|INE155A01022  934.90
       |                                        ^^^^^^ close: golden 934.90, replay 930.00
       = also: ema20, ema50, vwap, check
       = event in replay: 17126.3
       = last equal event: 17126.1 (bar-15m 2024-10-01T09:30 NSE_EQ|INE118H01025)
       = minute behind it: 2024-10-01 09:44, close 930.00; check 15b7 in golden, check 73ee in replay
       = then: golden/sample/signals.csv:2  2024-10-01T09:30  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  replay has no such signal
       = then: golden/sample/fills.csv:2  2024-10-01T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  entry  BUY  replay has no such fill
       = then: golden/sample/bars_15m.csv:7  2024-10-01T09:45  NSE_EQ|INE155A01022  ema20: golden 925.4705974164752, replay 925.048375194253
       = then: golden/sample/signals.csv, after line 2  2024-10-01T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  BUY  TREND  golden has no such signal
         … and 158 more
       = rows that agree: bars_15m 149/298 · signals 4/11 · fills 12/16
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
    assert!(text.contains("signals.csv:2"), "the signal that is gone is named: {text}");
}

#[test]
fn a_minute_that_is_gone_makes_the_bar_incomplete() {
    let desk = Desk::new();
    let time = Timestamp::parse("2024-10-08T11:05").unwrap();
    desk.rewrite(BSE, "2024-10", |bars| bars.retain(|bar| bar.open_time != time));
    insta::assert_snapshot!(desk.run(REPLAY).difference(), @"
    error: replay differs from golden at the first of 42 places
      --> golden/sample/bars_15m.csv:216
       |
    216| 2024-10-08T11:00  NSE_EQ|INE118H01025  30388
       |                                        ^^^^^ volume: golden 30388, replay 29083
       = also: minutes, vwap, vol_z, check
       = event in replay: 20418.1
       = last equal event: 20388.3 (bar-15m 2024-10-08T10:45 NSE_EQ|INE155A01022)
       = minute behind it: 2024-10-08 11:05, check 9426 in golden, absent in replay
       = then: golden/sample/bars_15m.csv:218  2024-10-08T11:15  NSE_EQ|INE118H01025  vwap: golden 4419.094153539713, replay 4419.0179757772685
       = then: golden/sample/bars_15m.csv:220  2024-10-08T11:30  NSE_EQ|INE118H01025  vwap: golden 4418.86956385544, replay 4418.798115313104
       = then: golden/sample/bars_15m.csv:222  2024-10-08T11:45  NSE_EQ|INE118H01025  vwap: golden 4417.944065985661, replay 4417.874054442675
       = then: golden/sample/bars_15m.csv:224  2024-10-08T12:00  NSE_EQ|INE118H01025  vwap: golden 4415.792309345191, replay 4415.721462897249
         … and 37 more
       = rows that agree: bars_15m 257/298 · signals 10/11 · fills 16/16
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_minute_of_the_warm_up_is_told_from_the_days_that_count() {
    let desk = Desk::new();
    desk.change(BSE, "2024-09-30T11:05", |bar| bar.high = bar.high.plus(Price(10_000_000)));
    insta::assert_snapshot!(desk.run("replay --no-journal --max-diffs 1").difference(), @"
    error: replay differs from golden at the first of 633 places
      --> golden/sample/bars_15m.csv:2
       |
      2| 2024-10-01T09:15  NSE_EQ|INE118H01025  22.45696752706488
       |                                        ^^^^^^^^^^^^^^^^^ atr: golden 22.45696752706488, replay 41.169415925195324
       = also: adx, swing_high
       = event in replay: 17095.1
       = minute behind it: 2024-10-01 09:29, atr 41.169415925195324
         … and 632 more
       = rows that agree: bars_15m 2452/3051 · signals 183/212 · fills 232/236
       = note: the accepted minutes differ, but none of the compared bars: look at the warm-up
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_warm_up_minute_that_moves_nothing_is_still_another_history() {
    let desk = Desk::new();
    desk.change(BSE, "2024-09-10T11:05", |bar| {
        let tick = if bar.close < bar.high { 500 } else { -500 };
        bar.close = Price(bar.close.0 + tick);
    });
    insta::assert_snapshot!(desk.run("replay --no-journal").difference(), @"
    error: replay has every row of golden, but of other minutes
      --> golden/sample
       = rows that agree: bars_15m 3051/3051 · signals 212/212 · fills 236/236
       = note: the accepted minutes differ, but none of the compared bars: look at the warm-up
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn json_and_csv_name_the_same_difference() {
    let desk = Desk::new();
    desk.change(BSE, "2024-10-08T11:05", |bar| bar.high = bar.high.plus(Price(200_000)));
    let json = desk.run(&format!("{REPLAY} --format json")).json(1);
    let first = &json["golden"]["differences"][0];
    let facts = ["table", "line", "kind", "time", "time_utc", "key", "event"];
    let facts = facts.map(|name| format!("{name} {}", first[name]));
    insta::assert_snapshot!(facts.join("\n"), @r#"
    table "bars_15m"
    line 216
    kind "field"
    time "2024-10-08T11:00"
    time_utc "2024-10-08T05:30Z"
    key "NSE_EQ|INE118H01025"
    event "20419.1"
    "#);
    let high = &first["fields"][0];
    insta::assert_snapshot!(high, @r#"{"golden":"4455.25","name":"high","replay":"4466.10"}"#);
    assert_eq!(json["exit"], 1);
    assert_eq!(json["golden"]["differences"].as_array().unwrap().len(), 5);
    let ran = desk.run(&format!("{REPLAY} --format csv"));
    assert!(ran.stderr.contains("error: replay differs from golden"), "{}", ran.stderr);
    assert!(ran.expect(1).starts_with("time,known,key"));
}

/// The difference after an edit of one file of the golden.
fn edited(file: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let desk = Desk::new();
    desk.edit_lines(&format!("golden/sample/{file}"), change);
    desk.run(REPLAY).difference()
}

#[test]
fn a_price_in_golden_signals() {
    let text = edited("signals.csv", |lines| lines[4] = lines[4].replace("899.55", "899.60"));
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at one place
      --> golden/sample/signals.csv:5
       |
      5| 2024-10-04T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  SELL  TREND  899.60
       |                                                                  ^^^^^^ price: golden 899.60, replay 899.55
       = event in replay: 18712.5
       = last equal event: 18712.3 (bar-15m 2024-10-04T09:45)
       = minute behind it: 2024-10-04 09:59, close 899.55
       = rows that agree: bars_15m 298/298 · signals 10/11 · fills 16/16
       = note: signals.csv was edited by hand: digest says [hash], it is [hash]
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_price_in_golden_fills() {
    let text = edited("fills.csv", |lines| lines[3] = lines[3].replace("4376.00", "4376.05"));
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at one place
      --> golden/sample/fills.csv:4
       |
      4| 2024-10-03T13:15  NSE_EQ|INE118H01025 (BSE)  entry  SELL  4376.05
       |                                                           ^^^^^^^ price: golden 4376.05, replay 4376.00
       = event in replay: 18339.1
       = last equal event: 18338.3 (signal 2024-10-03T13:00)
       = minute behind it: 2024-10-03 13:15, the fill is at its open
       = rows that agree: bars_15m 298/298 · signals 11/11 · fills 15/16
       = note: fills.csv was edited by hand: digest says [hash], it is [hash]
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_line_taken_from_golden() {
    let text = edited("signals.csv", |lines| drop(lines.remove(4)));
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at one place
      --> golden/sample/signals.csv, after line 4
       |
      +| 2024-10-04T09:45  NSE_EQ|INE155A01022 (TATAMOTORS)  SELL  TREND  899.55
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ golden has no such signal
       = event in replay: 18712.5
       = last equal event: 18712.3 (bar-15m 2024-10-04T09:45)
       = minute behind it: 2024-10-04 09:59, close 899.55
       = rows that agree: bars_15m 298/298 · signals 10/10 (replay has 11) · fills 16/16
       = note: signals.csv was edited by hand: digest says [hash], it is [hash]
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_line_added_to_golden() {
    let text = edited("fills.csv", |lines| {
        let row = lines[3].replace("2024-10-03T13:15", "2024-10-03T13:45");
        lines.insert(4, row);
    });
    insta::assert_snapshot!(text, @"
    error: replay differs from golden at one place
      --> golden/sample/fills.csv:5
       |
      5| 2024-10-03T13:45  NSE_EQ|INE118H01025 (BSE)  entry  SELL  4376.00
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ replay has no such fill
       = last equal event: 18400.3 (bar-15m 2024-10-03T13:30 NSE_EQ|INE155A01022)
       = minute behind it: 2024-10-03 13:45, the fill is at its open
       = rows that agree: bars_15m 298/298 · signals 11/11 · fills 16/17 (replay has 16)
       = note: fills.csv was edited by hand: digest says [hash], it is [hash]
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn an_empty_golden_is_a_difference_and_not_an_agreement() {
    let desk = Desk::new();
    for file in ["bars_15m.csv", "signals.csv", "fills.csv"] {
        desk.edit_lines(&format!("golden/sample/{file}"), |lines| lines.truncate(1));
    }
    insta::assert_snapshot!(desk.run("replay --no-journal --max-diffs 1").difference(), @"
    error: replay differs from golden at the first of 3499 places
      --> golden/sample/bars_15m.csv, after line 1
       |
      +| 2024-10-01T09:15  NSE_EQ|INE118H01025  4494.20
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ golden has no such bar-15m
       = event in replay: 17095.1
       = minute behind it: 2024-10-01 09:15, absent in golden, check 0cc0 in replay; 14 more of the bar differ
         … and 3498 more
       = rows that agree: bars_15m 0/0 (replay has 3051) · signals 0/0 (replay has 212) · fills 0/0 (replay has 236)
       = note: bars_15m.csv was edited by hand: digest says [hash], it is [hash]
       = note: signals.csv was edited by hand: digest says [hash], it is [hash]
       = note: fills.csv was edited by hand: digest says [hash], it is [hash]
       help: `lockstep golden review --case sample` if the new behaviour is right
    ");
}

#[test]
fn a_new_behaviour_is_reviewed_and_accepted_with_a_reason() {
    let mut desk = Desk::new();
    let case = desk.read("replays/sample/case.toml");
    let case =
        case.replace("\"data\"", "\"../sample/data\"").replace("\"2024-12\"", "\"2024-10-04\"");
    desk.write("replays/small/case.toml", case);
    insta::assert_snapshot!(desk.refuses(2, "replay --case small"), @"
    error: a file of the golden is missing
      --> golden/small/digest
      help: `lockstep golden accept --case small --reason TEXT` writes a golden
    ");
    let accept = "golden accept --case small --reason planted --by tester";
    assert!(desk.run(accept).expect(0).contains("there was no golden before"));
    desk.run("replay --case small --no-journal").expect(0);
    desk.change(TATA, "2024-10-01T09:44", |bar| {
        bar.close = price("930.00");
        bar.low = bar.low.min(bar.close);
    });
    let review = desk.run("golden review --case small --max-diffs 1").expect(1);
    assert_eq!(review.matches("error:").count(), 2, "core and oracle both differ: {review}");
    desk.env = vec![("CI", "true")];
    insta::assert_snapshot!(desk.refuses(2, accept), @"
    error: the golden was not written
       = CI only checks goldens, it never writes them
    ");
    desk.env.clear();
    desk.run(accept).expect(0);
    desk.run("replay --case small --no-journal").expect(0);
    let ledger = desk.read("golden/small/accepted.toml");
    assert_eq!(ledger.matches("[[accepted]]").count(), 2, "{ledger}");
    assert_eq!(ledger.matches("reason = \"planted\"").count(), 2, "{ledger}");
    assert!(desk.run(accept).expect(0).starts_with("nothing to accept"));
}

#[test]
fn status_names_what_nothing_checks() {
    let desk = Desk::new();
    desk.run("golden status").expect(0);
    desk.write("golden/orphan/digest", "");
    desk.write("replays/unchecked/case.toml", desk.read("replays/sample/case.toml"));
    desk.edit("golden/sample/fills.csv", "4376.00", "4376.05");
    let text = desk.run("golden status").expect(1);
    let column = text.lines().next().unwrap().find("State").unwrap();
    let states: Vec<&str> = text.lines().skip(1).filter_map(|line| line.get(column..)).collect();
    insta::assert_snapshot!(without_hashes(&states.join("\n")), @"
    orphan: no such case, so nothing checks this golden
    bars_15m.csv is missing
    signals.csv is missing
    fills.csv is missing
    accepted.toml is missing
    fills.csv was edited by hand: digest says [hash], it is [hash]
    no golden, so nothing checks this case
    ");
}

#[test]
fn runs_and_goldens_are_told_apart() {
    let desk = Desk::new();
    let run = |line: &str| {
        let ran = desk.run(&format!("replay --format json {line}"));
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        json["journal"].as_str().unwrap().to_owned()
    };
    let whole = run("");
    let agree = desk.run(&format!("diff golden/sample {whole}")).expect(0);
    insta::assert_snapshot!(agree, @"B equals A: bars_15m 3051/3051 · signals 212/212 · fills 236/236");
    let before = run("--to 2024-10-03");
    desk.change(TATA, "2024-10-01T09:44", |bar| {
        bar.close = price("930.00");
        bar.low = bar.low.min(bar.close);
    });
    let after = run("--to 2024-10-03");
    let text = desk.run(&format!("diff {before} {after} --max-diffs 1")).expect(1);
    insta::assert_snapshot!(text.replace(&before, "[run]"), @"
    error: B differs from A at the first of 56 places
      --> [run], bars_15m row 4
       |
      4| 2024-10-01T09:30  NSE_EQ|INE155A01022  934.90
       |                                        ^^^^^^ close: A 934.90, B 930.00
       = also: ema20, ema50, vwap, check
       = event in B: 17126.3
       = last equal event: 17126.1 (bar-15m 2024-10-01T09:30 NSE_EQ|INE118H01025)
       = minute behind it: 2024-10-01 09:44, close 930.00; check 15b7 in A, check 73ee in B
         … and 55 more
       = rows that agree: bars_15m 51/100 · signals 1/3 · fills 2/4
    ");
    let csv = desk.run(&format!("diff {before} {after} --only signals --format csv")).expect(1);
    insta::assert_snapshot!(csv.lines().take(3).collect::<Vec<_>>().join("\n"), @"
    table,line,kind,time,key,field,golden,replay
    signals,2,missing,2024-10-01T09:30,NSE_EQ|INE155A01022,,,
    signals,2,extra,2024-10-01T09:45,NSE_EQ|INE155A01022,,,
    ");

    desk.write("nothing/here", "");
    insta::assert_snapshot!(desk.refuses(2, "diff golden/sample nothing"), @"
    error: there is nothing to compare
      --> nothing
       = it is neither a golden (signals.csv) nor a run (log/*.evl)
      help: `lockstep golden status` lists the goldens
    ");
    insta::assert_snapshot!(desk.refuses(2, "diff golden/sample golden/sample"), @"
    error: A and B are the same directory
      --> golden/sample
       = comparing a thing with itself proves nothing
    ");
    let log = desk.at(&after).join("log");
    let segment = std::fs::read_dir(&log).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = desk.refuses(3, &format!("diff {before} {after}"));
    assert!(error.contains("checksum"), "{error}");
    std::fs::remove_file(&segment).unwrap();
    desk.refuses(2, &format!("diff {before} {after}"));
}
