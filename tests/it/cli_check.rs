//! `lockstep data check` and `data info`: what is remarkable in the sample is a note, what was
//! planted is an error that names itself.

use std::fs;

use lockstep::domain::fact::Bar;
use lockstep::domain::money::Price;

use crate::desk::{BSE, DATA, Desk, TATA};
use crate::raw_parquet::RawParquet;

/// The findings of a check as `kind` and how often, after it ended so.
fn kinds(desk: &Desk, code: i32, severity: &str) -> Vec<String> {
    let text = desk.run(&format!("data check {DATA} --format json")).expect(code);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let instruments = json["instruments"].as_array().unwrap();
    let findings = instruments.iter().flat_map(|it| it["findings"].as_array().unwrap());
    let wanted = findings.filter(|finding| finding["severity"] == severity);
    let mut kinds: Vec<String> =
        wanted.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn the_sample_has_notes_and_no_errors() {
    let desk = Desk::new();
    assert_eq!(kinds(&desk, 0, "error"), [""; 0]);
    assert_eq!(kinds(&desk, 0, "note"), ["gap", "outside-session"]);
    let line = format!("data check {DATA} --symbol {TATA} --from 2024-11-01 --to 2024-11-01");
    insta::assert_snapshot!(desk.run(&line).expect(0), @"NSE_EQ|INE155A01022 TATAMOTORS: 60 bars from 2024-11-01T18:00 to 2024-11-01T18:59, 0 errors, 0 notes");
    desk.run(&format!("data check {DATA} --from 2024-11-02 --to 2024-11-03")).expect(4);
}

#[test]
fn what_is_planted_is_found() {
    let desk = Desk::new();
    desk.rewrite(TATA, "2024-10", |bars| {
        bars.insert(100, bars[99]);
        bars.swap(500, 501);
        let twin = Bar { close: bars[700].high, ..bars[700] };
        bars.insert(701, twin);
    });
    let mut bars = desk.bars(BSE, "2024-11");
    bars[300].low = Price(bars[300].high.0 + 500);
    bars[400].close = Price(-1);
    let strange = Bar { open_time: bars[0].open_time.plus_minutes(-24 * 60), ..bars[0] };
    bars.push(strange);
    RawParquet::of(BSE, &bars).write(&desk.month(BSE, "2024-11"));
    fs::write(desk.month(BSE, "2024-12"), "not Parquet").unwrap();
    let csv = desk.run(&format!("data check {DATA} --format csv")).expect(3);
    let errors = csv.lines().filter(|line| line.contains(",error,"));
    insta::assert_snapshot!(errors.collect::<Vec<_>>().join("\n"), @r#"
    NSE_EQ|INE118H01025,BSE,error,unreadable,,,1,replays/sample/data/NSE_EQ_INE118H01025/2024-12.parquet: not readable as Parquet: Parquet error: Invalid Parquet file. Corrupt footer
    NSE_EQ|INE118H01025,BSE,error,wrong-month,2024-10-31T18:00,2024-10-31T18:00,1,rows in the file of 2024-11
    NSE_EQ|INE118H01025,BSE,error,defect,2024-11-04T13:15,2024-11-04T13:15,1,"row 16783: ohlc-order, 4347.85 4347.85 4347.90 4339.00, volume 1318"
    NSE_EQ|INE118H01025,BSE,error,defect,2024-11-04T14:55,2024-11-04T14:55,1,"row 16883: price-out-of-range, 4321.10 4321.10 4316.35 -0.0001, volume 4687"
    NSE_EQ|INE155A01022,TATAMOTORS,error,duplicate,2024-10-01T10:54,2024-10-01T10:54,1,the same bar again
    NSE_EQ|INE155A01022,TATAMOTORS,error,duplicate,2024-10-03T14:37,2024-10-03T14:37,1,another bar
    NSE_EQ|INE155A01022,TATAMOTORS,error,out-of-order,2024-10-03T11:17,2024-10-03T11:17,1,row 8777: after 2024-10-03T11:18
    "#);
}

#[test]
fn what_may_be_right_is_only_a_note() {
    let desk = Desk::new();
    let mut factor = 1;
    desk.rewrite(TATA, "2024-11", |bars| {
        let day = bars[2000].open_time.date();
        for bar in bars.iter_mut() {
            // From that day on at a fifth, as after a split, and off the grid of five paise.
            factor = if bar.open_time.date() >= day { 5 } else { factor };
            for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
                *price = Price(price.0 / factor);
            }
        }
        bars[10].volume.0 = 0;
        let day = bars[5000].open_time.date();
        bars.retain(|bar| bar.open_time.date() != day);
    });
    let expected =
        ["gap", "missing-session", "off-grid", "outside-session", "overnight-step", "zero-volume"];
    assert_eq!(kinds(&desk, 0, "note"), expected);
    let csv = desk.run(&format!("data check {DATA} --format csv")).expect(0);
    let rare = csv.lines().filter(|line| !line.contains(",gap,") && !line.contains(",outside-"));
    insta::assert_snapshot!(rare.collect::<Vec<_>>().join("\n"), @r#"
    key,symbol,severity,kind,from,to,count,detail
    NSE_EQ|INE155A01022,TATAMOTORS,note,missing-session,2024-11-25T09:15,2024-11-25T15:29,1,no bar on 2024-11-25
    NSE_EQ|INE155A01022,TATAMOTORS,note,off-grid,2024-11-11T09:15,2024-11-29T15:29,4473,grid 0.05; first 181.21 181.27 181.17 181.17
    NSE_EQ|INE155A01022,TATAMOTORS,note,overnight-step,2024-11-11T09:15,2024-11-11T09:15,1,"open 181.21 after close 907.05: x 0.200, like 1/5, a split or bonus"
    NSE_EQ|INE155A01022,TATAMOTORS,note,overnight-step,2024-12-02T09:15,2024-12-02T09:15,1,"open 834.80 after close 167.35: x 4.988, like 5/1, a split or bonus"
    NSE_EQ|INE155A01022,TATAMOTORS,note,zero-volume,2024-11-01T18:10,2024-11-01T18:10,1,nothing traded
    "#);
}

#[test]
fn a_key_that_nobody_knows_is_imported_with_a_word_and_noted() {
    let desk = Desk::new();
    let bars = desk.bars(TATA, "2024-11");
    RawParquet::of("x", &bars).write(&desk.at("bars.parquet"));
    let line = "data import bars.parquet --symbol NSE_EQ|UNKNOWN --out new";
    insta::assert_snapshot!(desk.run(line).expect(0), @"
    NSE_EQ|UNKNOWN is not in the instrument master: the hours of ordinary stocks were assumed
    bars.parquet: 6833 rows, bars labelled by their start
    bars from 2024-11-01T18:00 to 2024-11-29T15:40
    34 bars outside the session's hours kept, the first at 2024-11-04T15:40
    wrote new/NSE_EQ_UNKNOWN/2024-11.parquet with 6833 bars
    ");
    let check = desk.run("data check new --format csv").expect(0);
    assert!(check.contains(",note,unknown-key,"), "{check}");
    desk.refuses(2, "replay --data new --from 2024-11 --to 2024-11");
}

#[test]
fn info_lists_every_file() {
    let desk = Desk::new();
    let text = desk.run(&format!("data info {DATA}")).expect(0);
    assert_eq!(text.lines().count(), 11, "a header and ten months: {text}");
    for word in [BSE, TATA, "TATAMOTORS", "2024-08", "2024-12", "2024-12-31T15:40"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}
