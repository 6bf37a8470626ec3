//! `lockstep golden import` and `lockstep golden align` as somebody has them who brings the signals
//! of a program of his own.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};

use crate::desk::{BSE, Desk, TATA};
use crate::raw_parquet::RawParquet;

const MAP: &str = "--map symbol=SCRIP,time=WHEN,side=ACTION,type=RULE,price=PX,stop=LO,target=HI";

/// The sample's causal signals as another program might write them: other names, times with
/// seconds, symbols for keys, and exits among them.
fn foreign(desk: &Desk) -> Vec<String> {
    let own = desk.read("golden/sample/signals.csv");
    let mut lines = vec!["SCRIP,WHEN,ACTION,RULE,PX,N,LO,HI".to_owned()];
    for line in own.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (time, rest) = (fields[0].replace('T', " "), fields[4..10].join(","));
        lines.push(format!("{},{time}:00,{rest}", fields[3]));
    }
    lines
}

fn bring(desk: &Desk, lines: &[String]) {
    desk.write("his.csv", lines.join("\n") + "\n");
}

#[test]
fn signals_under_any_names_that_are_ours_agree_in_both_numbers() {
    let desk = Desk::new();
    bring(&desk, &foreign(&desk));
    let ran = desk.run(&format!("golden align his.csv {MAP}"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let numbers: Vec<&str> =
        ran.stdout.lines().filter(|line| line.starts_with(" golden ")).collect();
    assert_eq!(numbers.len(), 2, "{}", ran.stdout);
    assert!(numbers.iter().all(|line| line.contains("100.0 %")), "{numbers:?}");
    assert!(ran.stdout.contains("UNEXPLAINED 0"), "{}", ran.stdout);
}

#[test]
fn rows_that_were_tampered_with_are_classified_one_by_one() {
    let desk = Desk::new();
    let mut lines = foreign(&desk);
    // A bar later; another company; at night.
    lines[5] = moved(&lines[5], 15);
    lines[9] = match lines[9].contains("TATAMOTORS") {
        true => lines[9].replace("TATAMOTORS", BSE),
        false => lines[9].replacen(lines[9].split(',').next().expect("a symbol"), TATA, 1),
    };
    let time = lines[12].split(',').nth(1).expect("a time");
    let night = time.split(' ').next().expect("a date").to_owned();
    let rest = lines[12].split(',').skip(2).collect::<Vec<_>>().join(",");
    let symbol = lines[12].split(',').next().expect("a symbol").to_owned();
    lines.push(format!("{symbol},{night} 20:00:00,{rest}"));
    bring(&desk, &lines);
    let ran = desk.run(&format!("golden align his.csv {MAP} --format json"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let classes = &found["classes"];
    assert_eq!(
        (&classes["label"], &classes["instrument"], &classes["calendar"]),
        (&2.into(), &2.into(), &1.into()),
        "{}",
        ran.stdout
    );
}

/// The line with its time so many minutes later; it stays within the hour or takes the next.
fn moved(line: &str, minutes: u32) -> String {
    let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
    let (date, clock) = fields[1].split_once(' ').expect("a time");
    let parts: Vec<u32> = clock.split(':').map(|part| part.parse().expect("digits")).collect();
    let total = parts[0] * 60 + parts[1] + minutes;
    fields[1] = format!("{date} {:02}:{:02}:00", total / 60, total % 60);
    fields.join(",")
}

#[test]
fn times_that_are_ends_of_bars_are_found_out_by_the_closes() {
    let desk = Desk::new();
    let mut lines = foreign(&desk);
    for line in lines.iter_mut().skip(1) {
        *line = moved(line, 15);
    }
    bring(&desk, &lines);
    let ran = desk.run(&format!("golden import his.csv {MAP} --out imported"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("times are ends of bars"), "{}", ran.stdout);
    let ran = desk.run("golden align imported/his.csv --by month --format csv");
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1), "{}", ran.stdout);
}

#[test]
fn what_proves_nothing_or_cannot_be_read_is_refused() {
    let desk = Desk::new();
    let lines = foreign(&desk);
    let error = desk.refuses(2, "golden align golden/sample/signals.csv");
    assert!(error.contains("a golden or a run of lockstep itself"), "{error}");
    bring(&desk, &lines[..1]);
    let error = desk.refuses(4, &format!("golden align his.csv {MAP}"));
    assert!(error.contains("holds no signal"), "{error}");
    bring(&desk, &lines);
    let error = desk.refuses(2, "golden align his.csv");
    assert!(error.contains("no column is the symbol"), "{error}");
    let mut unknown = lines.clone();
    unknown[3] = unknown[3].replacen(unknown[3].split(',').next().expect("a symbol"), "NOSUCH", 1);
    bring(&desk, &unknown);
    let error = desk.refuses(2, &format!("golden align his.csv {MAP}"));
    assert!(error.contains("line 4: there is no instrument 'NOSUCH'"), "{error}");
    let mut unreadable = lines;
    unreadable[2] = unreadable[2].replace(",BUY,", ",UP,").replace(",SELL,", ",UP,");
    bring(&desk, &unreadable);
    let error = desk.refuses(3, &format!("golden align his.csv {MAP}"));
    assert!(error.contains("his.csv:3: side `UP` is not"), "{error}");
}

#[test]
fn what_is_odd_about_a_file_is_said_with_numbers() {
    let desk = Desk::new();
    let mut lines = foreign(&desk);
    lines.truncate(101);
    for line in lines.iter_mut().skip(1) {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let price: f64 = fields[4].parse().expect("a price");
        fields[4] = format!("{:.2}", price * 2.0);
        *line = fields.join(",");
    }
    bring(&desk, &lines);
    let ran = desk.run(&format!("golden import his.csv {MAP} --time start"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for note in ["exactly 100 signals", "no signal in ", "are 2.0000 times those of the history"] {
        assert!(ran.stdout.contains(note), "{note}: {}", ran.stdout);
    }
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{}", ran.stdout);
}

#[test]
fn a_parquet_file_is_read_like_a_csv_file() {
    let desk = Desk::new();
    let lines = foreign(&desk);
    let column = |place: usize| -> ArrayRef {
        let cells = lines.iter().skip(1).map(|line| line.split(',').nth(place));
        Arc::new(cells.collect::<StringArray>())
    };
    let names = ["tradingsymbol", "ts", "direction", "event_type", "close", "qty", "sl", "tp"];
    let columns = names.into_iter().enumerate().map(|(place, name)| (name, column(place)));
    let file = RawParquet { columns: columns.collect(), metadata: Vec::new(), nullable: true };
    file.write(&desk.at("his.parquet"));
    let ran = desk.run("golden align his.parquet --by symbol");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    assert!(ran.stdout.contains("BSE NSE_EQ|INE118H01025"), "{}", ran.stdout);
}

/// Fourteen unfinished bars would each have been silent by accident: none of them is a cause.
#[test]
fn a_row_that_somebody_took_out_is_unexplained_and_that_is_said() {
    let desk = Desk::new();
    let mut lines = foreign(&desk);
    lines.remove(8);
    bring(&desk, &lines);
    let ran = desk.run(&format!("golden align his.csv {MAP}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("Causes   UNEXPLAINED 1\n"), "{}", ran.stdout);
}

/// Whoever trades is silent where live declined a signal, but one row that is gone does not make a
/// list one of who trades: all the other declined ones are in it.
#[test]
fn a_row_that_somebody_took_out_is_unexplained_though_it_was_declined() {
    let desk = Desk::new();
    let (signals, fills) =
        (desk.read("golden/sample/signals.csv"), desk.read("golden/sample/fills.csv"));
    let id = |line: &str| line.split(',').next_back().expect("a signal's id").to_owned();
    let entered: Vec<String> = fills.lines().map(id).collect();
    let rows = signals.lines().enumerate().skip(1);
    let mut declined = rows.filter(|(_, line)| !entered.contains(&id(line)));
    let (place, _) = declined.nth(40).expect("a row in the middle of the list");
    let mut lines = foreign(&desk);
    lines.remove(place);
    bring(&desk, &lines);
    let ran = desk.run(&format!("golden align his.csv {MAP}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("Causes   UNEXPLAINED 1\n"), "{}", ran.stdout);
}
