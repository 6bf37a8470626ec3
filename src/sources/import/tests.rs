//! Import as its users meet it: files in, months out, or a refusal that says where and why.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::fixture::{KEY, at, calendar, date, instrument};
use super::*;

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

/// A directory with files to import and a store to import into.
struct Desk {
    dir: TempDir,
    request: Request,
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let request = Request {
            files: Vec::new(),
            columns: ColumnNames::default(),
            label: None,
            naive: NaiveClock::India,
            out: dir.path().join("history"),
            replace: false,
            quarantine: None,
        };
        Desk { dir, request }
    }

    fn with(name: &str, text: &str) -> Desk {
        let mut desk = Desk::new();
        desk.add(name, text.as_bytes());
        desk
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        self.request.files.push(path);
    }

    fn import(&self) -> Result<Imported, ImportError> {
        import(&self.request, &instrument(), &calendar())
    }

    /// Why the import was refused, and that nothing was written.
    fn refusal(&self) -> String {
        let error = self.import().unwrap_err();
        assert!(!self.request.out.exists(), "nothing is written by a refused import");
        let mut text = error.to_string();
        if let ImportError::BadRows { first, .. } = &error {
            first.iter().for_each(|row| write!(text, "\n{row}").unwrap());
        }
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }

    /// The times of the imported bars.
    fn times(&self) -> Vec<Timestamp> {
        let store = Store::open(&self.request.out).unwrap();
        let bars = store.load(KEY, date("2024-01-01"), date("2024-12-31")).unwrap();
        bars.open_time.values().iter().map(|us| Timestamp(*us)).collect()
    }
}

/// `count` minutes from `first`, one row each.
fn minutes(first: &str, count: i64) -> String {
    let row = |i| format!("{},394.5,395,394.05,394.95,{}\n", at(first).plus_minutes(i), 100 + i);
    (0..count).map(row).collect()
}

fn label_of(rows: &str) -> Result<Option<Label>, String> {
    let desk = Desk::with("bars.csv", &format!("{HEADER}{rows}"));
    desk.import()
        .map(|done| done.files[0].label)
        .map_err(|error| error.to_string().replace(&format!("{}/", desk.dir.path().display()), ""))
}

#[test]
fn a_start_labelled_file_keeps_its_times() {
    let desk = Desk::with("bars.csv", &format!("{HEADER}{}", minutes("2024-10-01T09:15", 375)));
    let done = desk.import().unwrap();
    assert_eq!(done.files[0].label, Some(Label::Start));
    assert_eq!(done.range, (at("2024-10-01T09:15"), at("2024-10-01T15:29")));
    assert_eq!(desk.times().len(), 375);
    let path = desk.request.out.join("NSE_EQ_INE155A01022/2024-10.parquet");
    assert_eq!(done.written, [(path, 375)]);
}

#[test]
fn an_end_labelled_file_is_moved_to_the_starts() {
    let desk = Desk::with("bars.csv", &format!("{HEADER}{}", minutes("2024-10-01T09:16", 375)));
    let done = desk.import().unwrap();
    assert_eq!(done.files[0].label, Some(Label::End));
    assert_eq!(done.range, (at("2024-10-01T09:15"), at("2024-10-01T15:29")));
    assert_eq!(done.outside_hours.count, 0);
}

#[test]
fn the_evening_of_diwali_and_a_split_saturday_are_labelled_by_their_own_hours() {
    assert_eq!(label_of(&minutes("2024-11-01T18:00", 60)), Ok(Some(Label::Start)));
    assert_eq!(label_of(&minutes("2024-11-01T18:01", 60)), Ok(Some(Label::End)));
    assert_eq!(label_of(&minutes("2024-10-05T11:30", 60)), Ok(Some(Label::Start)));
    assert_eq!(label_of(&minutes("2024-10-05T09:16", 45)), Ok(Some(Label::End)));
}

#[test]
fn post_close_prints_do_not_make_a_start_label_doubtful() {
    let rows = minutes("2024-10-01T09:15", 376) + &minutes("2024-10-01T15:40", 1);
    let desk = Desk::with("bars.csv", &format!("{HEADER}{rows}"));
    let done = desk.import().unwrap();
    assert_eq!(done.files[0].label, Some(Label::Start));
    assert_eq!(done.outside_hours, Outside { count: 2, first: Some(at("2024-10-01T15:30")) });
    assert_eq!(desk.times().len(), 377, "they are kept");
}

#[test]
fn an_uncertain_label_is_refused_with_what_was_seen() {
    let neither = minutes("2024-10-01T09:20", 10);
    insta::assert_snapshot!(label_of(&neither).unwrap_err(), @"bars.csv: start or end label is not certain: windows doing neither: 1 (such as 2024-10-01T09:20 to 2024-10-01T09:29)");
    let both = minutes("2024-10-01T09:15", 375) + &minutes("2024-10-03T09:16", 375);
    insta::assert_snapshot!(label_of(&both).unwrap_err(), @"bars.csv: start or end label is not certain: windows beginning at the open: 1 (such as 2024-10-01T09:15 to 2024-10-01T15:29), windows beginning a minute later and reaching the close: 1 (such as 2024-10-03T09:16 to 2024-10-03T15:30)");
    let holiday = minutes("2024-10-02T09:15", 375);
    insta::assert_snapshot!(label_of(&holiday).unwrap_err(), @"bars.csv: start or end label is not certain: no bar from 2024-10-02T09:15 to 2024-10-02T15:29 lies inside a session");
    let mut desk = Desk::with("bars.csv", &format!("{HEADER}{neither}"));
    desk.request.label = Some(Label::End);
    assert_eq!(desk.import().unwrap().range.0, at("2024-10-01T09:19"));
}

#[test]
fn rows_of_days_without_trading_are_kept_and_counted() {
    let rows = minutes("2024-10-01T09:15", 2) + &minutes("2024-10-12T09:15", 3);
    let desk = Desk::with("bars.csv", &format!("{HEADER}{rows}"));
    let done = desk.import().unwrap();
    assert_eq!(done.outside_days, Outside { count: 3, first: Some(at("2024-10-12T09:15")) });
}

#[test]
fn every_kind_of_bad_row_is_named_with_its_line() {
    let good = minutes("2024-10-01T09:15", 2);
    let bad = [
        "2024-10-01T09:17,NaN,395,394,394,1",
        "2024-10-01T09:18,394,395,394,394",
        "yesterday,394,395,394,394,1",
        "2024-10-01T09:20,,395,394,394,1",
        "2024-10-01T09:21,394,395,394,394,1.5",
    ];
    let desk = Desk::with("bars.csv", &format!("{HEADER}{good}{}\n", bad.join("\n")));
    insta::assert_snapshot!(desk.refusal(), @"
    rows that are no bars: 5
    bars.csv:4: open `NaN` is not a price of at most four decimals in `2024-10-01T09:17,NaN,395,394,394,1`
    bars.csv:5: 5 fields where the header has 6 in `2024-10-01T09:18,394,395,394,394`
    bars.csv:6: time `yesterday` is not a time in `yesterday,394,395,394,394,1`
    bars.csv:7: open is empty in `2024-10-01T09:20,,395,394,394,1`
    bars.csv:8: volume `1.5` is not a whole number in `2024-10-01T09:21,394,395,394,394,1.5`
    ");
    let defects = [
        "2024-10-01T09:17,-394,395,394,394,1",
        "2024-10-01T09:18,394,393,394,394,1",
        "2024-10-01T09:19,0,395,0,394,1",
        "2024-10-01T09:20:30,394,395,394,394,1",
        "2024-10-01T09:21,394,395,394,394,-1",
        "1970-01-01T05:30,394,395,394,394,1",
    ];
    let desk = Desk::with("bars.csv", &format!("{HEADER}{good}{}\n", defects.join("\n")));
    insta::assert_snapshot!(desk.refusal(), @"
    rows that are no bars: 6
    bars.csv:4: open `-394` is not a price of at most four decimals in `2024-10-01T09:17,-394,395,394,394,1`
    bars.csv:5: ohlc-order in `2024-10-01T09:18,394.00,393.00,394.00,394.00,1`
    bars.csv:6: price-out-of-range in `2024-10-01T09:19,0.00,395.00,0.00,394.00,1`
    bars.csv:7: not-a-whole-minute in `2024-10-01T09:20:30,394.00,395.00,394.00,394.00,1`
    bars.csv:8: volume-out-of-range in `2024-10-01T09:21,394.00,395.00,394.00,394.00,-1`
    ");
}

#[test]
fn bad_rows_go_into_quarantine_when_there_is_one() {
    let bad = "2024-10-01T09:17,\"39,4\",395,394,394,1\n1970-01-01T05:30,394,395,394,394,1\n";
    let rows = format!("{HEADER}{}{bad}", minutes("2024-10-01T09:15", 2));
    let mut desk = Desk::with("bars.csv", &rows);
    let path = desk.dir.path().join("bad.csv");
    desk.request.quarantine = Some(path.clone());
    let done = desk.import().unwrap();
    assert_eq!((done.quarantined, desk.times().len()), (2, 2));
    let text = fs::read_to_string(path).unwrap();
    insta::assert_snapshot!(text.replace(&desk.dir.path().display().to_string(), ""), @r#"
    file,line,reason,text
    /bars.csv,4,"open `39,4` is not a price of at most four decimals","2024-10-01T09:17,39,4,395,394,394,1"
    /bars.csv,5,the calendar does not list the year 1970,"1970-01-01T05:30,394.00,395.00,394.00,394.00,1"
    "#);
}

#[test]
fn shuffled_and_repeated_rows_are_set_right_and_counted() {
    let mut rows: Vec<String> =
        minutes("2024-10-01T09:15", 20).lines().map(|line| format!("{line}\n")).collect();
    rows.swap(3, 4);
    rows.push(rows[7].clone());
    let desk = Desk::with("bars.csv", &format!("{HEADER}{}", rows.concat()));
    let done = desk.import().unwrap();
    assert_eq!((done.out_of_order, done.duplicates), (2, 1));
    let times = desk.times();
    assert_eq!(times.len(), 20);
    assert!(times.is_sorted());
}

#[test]
fn rows_that_contradict_each_other_are_all_bad() {
    let rows = minutes("2024-10-01T09:15", 3) + "2024-10-01T09:16,394.5,395,394.05,394.9,101\n";
    let desk = Desk::with("bars.csv", &format!("{HEADER}{rows}"));
    insta::assert_snapshot!(desk.refusal(), @"
    rows that are no bars: 2
    bars.csv:3: conflicts with bars.csv:5, the same minute in `2024-10-01T09:16,394.50,395.00,394.05,394.95,101`
    bars.csv:5: conflicts with bars.csv:3, the same minute in `2024-10-01T09:16,394.50,395.00,394.05,394.90,101`
    ");
}

#[test]
fn files_that_overlap_become_one_history_over_months() {
    let mut desk = Desk::with("b.csv", &format!("{HEADER}{}", minutes("2024-11-01T18:00", 60)));
    let october = format!("{HEADER}{}", minutes("2024-10-31T09:15", 375));
    desk.add("a.csv", (october + &minutes("2024-11-01T18:00", 60)).as_bytes());
    let done = desk.import().unwrap();
    assert_eq!((done.duplicates, done.out_of_order), (60, 0));
    let rows: Vec<usize> = done.written.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(rows, [375, 60]);
}

#[test]
fn a_month_is_replaced_only_when_told() {
    let mut desk = Desk::with("bars.csv", &format!("{HEADER}{}", minutes("2024-10-01T09:15", 9)));
    desk.import().unwrap();
    let error = desk.import().unwrap_err().to_string();
    let error = error.replace(&format!("{}/", desk.dir.path().display()), "");
    insta::assert_snapshot!(error, @"history/NSE_EQ_INE155A01022/2024-10.parquet: there already (files in the way: 1)");
    desk.request.replace = true;
    assert_eq!(desk.import().unwrap().written.len(), 1);
}

#[test]
fn columns_are_found_by_their_usual_names_or_by_the_given_ones() {
    let rows = minutes("2024-10-01T09:15", 3);
    let desk = Desk::with("kite.csv", &format!("\u{feff}Date,OPEN,High,low,Close,Vol\n{rows}"));
    assert_eq!(desk.import().unwrap().files[0].rows, 3);
    let desk = Desk::with("bars.csv", &format!("when,open,high,low,close,volume\n{rows}"));
    insta::assert_snapshot!(desk.refusal(), @"bars.csv: 0 columns for time (wanted one of timestamp, datetime, date, time, open_time; found when, open, high, low, close, volume)");
    let mut desk = Desk::with("bars.csv", &format!("when,open,high,low,close,volume\n{rows}"));
    desk.request.columns.time = Some("when".into());
    assert_eq!(desk.import().unwrap().files[0].rows, 3);
    let desk = Desk::with("bars.csv", "date,time,open,high,low,close,volume\n");
    insta::assert_snapshot!(desk.refusal(), @"bars.csv: 2 columns for time (wanted one of timestamp, datetime, date, time, open_time; found date, time, open, high, low, close, volume)");
}

#[test]
fn a_file_without_rows_is_nothing_to_import() {
    let desk = Desk::with("bars.csv", HEADER);
    insta::assert_snapshot!(desk.refusal(), @"no bar to import (files: 1, bad rows: 0)");
}

/// A Parquet file of two minutes with these columns.
fn parquet(time: ArrayRef, price: ArrayRef, volume: ArrayRef) -> Vec<u8> {
    let names = ["timestamp", "open", "high", "low", "close", "volume"];
    let prices = std::iter::repeat_n(price, 4);
    let columns = std::iter::once(time).chain(prices).chain([volume]);
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn typed_columns_say_the_same_as_text() {
    let utc_ns = [0, 60].map(|s| (at("2024-10-01T09:15").0 + s * 1_000_000) * 1_000).to_vec();
    let naive_ns = utc_ns.iter().map(|ns| ns + 19_800_000_000_000).collect::<Vec<i64>>();
    let times: [ArrayRef; 3] = [
        Arc::new(TimestampNanosecondArray::from(utc_ns).with_timezone("Asia/Kolkata")),
        Arc::new(TimestampNanosecondArray::from(naive_ns)),
        Arc::new(StringArray::from(vec!["2024-10-01 09:15:00", "2024-10-01 09:16:00"])),
    ];
    let prices: [ArrayRef; 3] = [
        Arc::new(Float64Array::from(vec![394.95, 394.95])),
        Arc::new(Float32Array::from(vec![394.95, 394.95])),
        Arc::new(StringArray::from(vec!["394.95", "394.9500"])),
    ];
    let volumes: [ArrayRef; 3] = [
        Arc::new(Int32Array::from(vec![7, 7])),
        Arc::new(Float64Array::from(vec![7.0, 7.0])),
        Arc::new(StringArray::from(vec!["7", "7.0"])),
    ];
    for ((time, price), volume) in times.into_iter().zip(prices).zip(volumes) {
        let mut desk = Desk::new();
        desk.add("bars.parquet", &parquet(time, price, volume));
        desk.import().unwrap();
        let bars = Store::open(&desk.request.out)
            .and_then(|store| store.load(KEY, date("2024-10-01"), date("2024-10-01")))
            .unwrap();
        assert_eq!(desk.times(), [at("2024-10-01T09:15"), at("2024-10-01T09:16")]);
        assert_eq!((bars.close.value(1), bars.volume.value(1)), (3_949_500, 7));
    }
}

#[test]
fn an_empty_parquet_value_or_an_odd_type_is_refused() {
    let time: ArrayRef = Arc::new(StringArray::from(vec!["2024-10-01 09:15", "2024-10-01 09:16"]));
    let volume: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
    let price: ArrayRef = Arc::new(Float64Array::from(vec![394.95, f64::NAN]));
    let mut desk = Desk::new();
    desk.add("bars.parquet", &parquet(time.clone(), price.clone(), volume.clone()));
    insta::assert_snapshot!(desk.refusal(), @"
    rows that are no bars: 1
    bars.parquet:2: open `NaN` is not a price of at most four decimals in `2024-10-01 09:16,NaN,NaN,NaN,NaN,`
    ");
    let dates: ArrayRef = Arc::new(arrow::array::Date32Array::from(vec![19_997, 19_997]));
    let mut desk = Desk::new();
    desk.add("bars.parquet", &parquet(dates, price, volume));
    insta::assert_snapshot!(desk.refusal(), @"bars.parquet: column timestamp has the type Date32");
    let mut desk = Desk::new();
    desk.add("bars.parquet", b"PAR1 and then nothing");
    assert!(matches!(desk.import(), Err(ImportError::Unreadable { .. })));
}
