//! Minutes from the broker's archive, out of JSON. A reply comes newest or oldest first, with
//! prints from outside the session and, since there is a closing auction, with copies of the last
//! price. It is sorted and checked here; what the caller's calendar does not have is left out and
//! counted.

use serde::Deserialize;
use serde_json::Value;

use super::value::{Absurd, Minute, words};
use crate::domain::money::Qty;
use crate::domain::time::{Date, Timestamp, Window};

/// The first day whose continuous trading ends with a closing auction.
const FIRST_CLOSING_AUCTION: &str = "2026-08-03";
/// Minutes since midnight at which continuous trading stops on such a day.
const CONTINUOUS_END: u32 = 15 * 60 + 15;

/// The minutes of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candles {
    /// In order of time, no two of one minute.
    pub minutes: Vec<Minute>,
    /// Rows that [`Candles::keep_within`] left out.
    pub outside: usize,
    /// Rows that [`Candles::drop_closing_copies`] left out.
    pub copies: usize,
    /// Rows that cannot be true.
    pub refused: Vec<RefusedRow>,
}

/// A row of a reply that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Which one, counted from 0 as it came.
    pub row: usize,
    /// Why.
    pub why: String,
}

/// A reply that has no candles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reply with candles: {why}")]
pub struct CandlesError {
    /// What is wrong with it.
    pub why: String,
}

#[derive(Deserialize)]
struct Reply {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    candles: Vec<Value>,
}

/// Why a row is none.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("not a row of time, open, high, low, close, volume and open interest")]
    Shape,
    #[error("`{0}` is no time in India such as 2026-08-24T15:14:00+05:30")]
    Time(String),
    #[error(transparent)]
    Absurd(#[from] Absurd),
}

impl Candles {
    /// Reads a reply with minutes, in whatever order they come.
    ///
    /// A row that cannot be true is refused alone. Of equal rows of one minute the first counts; of
    /// rows that contradict each other, none.
    pub fn parse(json: &[u8]) -> Result<Candles, CandlesError> {
        let reply: Reply = serde_json::from_slice(json)
            .map_err(|error| CandlesError { why: words(&error.to_string()) })?;
        let mut candles = Candles::default();
        let mut rows = Vec::new();
        for (row, value) in reply.data.candles.iter().enumerate() {
            match minute_of(value) {
                Ok(minute) => rows.push((row, minute)),
                Err(fault) => candles.refuse(row, fault.to_string()),
            }
        }
        rows.sort_by_key(|(row, minute)| (minute.open_time, *row));
        for same in rows.chunk_by(|(_, a), (_, b)| a.open_time == b.open_time) {
            candles.add(same);
        }
        candles.refused.sort_by_key(|refused| refused.row);
        Ok(candles)
    }

    /// Adds the rows of one minute.
    fn add(&mut self, same: &[(usize, Minute)]) {
        let [(_, first), others @ ..] = same else { return };
        let time = first.open_time;
        if others.iter().all(|(_, other)| other == first) {
            self.minutes.push(*first);
            for (row, _) in others {
                self.refuse(*row, format!("the minute {time} once more"));
            }
        } else {
            for (row, _) in same {
                self.refuse(*row, format!("rows of the minute {time} contradict each other"));
            }
        }
    }

    fn refuse(&mut self, row: usize, why: String) {
        self.refused.push(RefusedRow { row, why });
    }

    /// Leaves out the minutes that do not lie wholly in one of `windows`, which are in order.
    pub fn keep_within(&mut self, windows: &[Window]) {
        let before = self.minutes.len();
        self.minutes.retain(|minute| {
            let after = windows.partition_point(|window| window.open <= minute.open_time);
            after > 0 && minute.close_time() <= windows[after - 1].close
        });
        self.outside += before - self.minutes.len();
    }

    /// Leaves out what [`is_closing_copy`] finds. Not for an index, whose volume is always 0.
    pub fn drop_closing_copies(&mut self) {
        let before = self.minutes.len();
        self.minutes.retain(|minute| !is_closing_copy(minute));
        self.copies += before - self.minutes.len();
    }

    /// Adds what another reply of the same instrument has. Minutes of both contradict each other
    /// or are there twice; either way the one that was there stays and the other is refused.
    pub fn merge(&mut self, other: Candles) {
        self.outside += other.outside;
        self.copies += other.copies;
        self.refused.extend(other.refused);
        for (row, minute) in other.minutes.into_iter().enumerate() {
            match self.minutes.binary_search_by_key(&minute.open_time, |it| it.open_time) {
                Ok(_) => self.refuse(row, format!("the minute {} once more", minute.open_time)),
                Err(place) => self.minutes.insert(place, minute),
            }
        }
    }
}

/// Whether a minute of a share is no trading but a copy of the last price: since the closing
/// auction the archive fills the time from 15:15 to the auction with flat minutes without volume.
pub fn is_closing_copy(minute: &Minute) -> bool {
    let time = minute.open_time;
    let is_flat = minute.low == minute.high;
    let since = Date::parse(FIRST_CLOSING_AUCTION);
    minute.volume == Qty::ZERO
        && is_flat
        && time.hour() * 60 + time.minute() >= CONTINUOUS_END
        && since.is_some_and(|first| first <= time.date())
}

fn minute_of(row: &Value) -> Result<Minute, Fault> {
    let row = row.as_array().map(Vec::as_slice).ok_or(Fault::Shape)?;
    let [time, open, high, low, close, volume, ..] = row else { return Err(Fault::Shape) };
    let text = time.as_str().ok_or(Fault::Shape)?;
    let open_time = text.strip_suffix("+05:30").and_then(Timestamp::parse);
    let open_time = open_time.ok_or_else(|| Fault::Time(words(text)))?;
    let mut ohlc = [0.0; 4];
    for (price, value) in ohlc.iter_mut().zip([open, high, low, close]) {
        *price = value.as_f64().ok_or(Fault::Shape)?;
    }
    let volume = volume.as_i64().ok_or(Fault::Shape)?;
    Ok(Minute::new(open_time, ohlc, volume)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn reply(rows: &[String]) -> Vec<u8> {
        format!(r#"{{"status":"success","data":{{"candles":[{}]}}}}"#, rows.join(",")).into_bytes()
    }

    fn row(time: &str, close: &str, volume: i64) -> String {
        format!(r#"["{time}:00+05:30",{close},{close},{close},{close},{volume},0]"#)
    }

    fn refused(candles: &Candles) -> String {
        let lines = candles.refused.iter().map(|it| format!("{}: {}", it.row, it.why));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_reply_is_read_newest_or_oldest_first() {
        let newest_first = br#"{"status":"success","data":{"candles":[
            ["2026-08-24T15:14:00+05:30",1305.0,1305.1,1302.9,1304.1,68944,0],
            ["2026-08-24T15:13:00+05:30",1305,1305.55,1304.9,1305,20100,0]]}}"#;
        let candles = Candles::parse(newest_first).unwrap();
        let shown: Vec<String> = candles
            .minutes
            .iter()
            .map(|it| {
                let Minute { open_time, open, high, low, close, volume } = it;
                format!("{open_time} {open} {high} {low} {close} {volume}")
            })
            .collect();
        let want = [
            "2026-08-24T15:13 1305.00 1305.55 1304.90 1305.00 20100",
            "2026-08-24T15:14 1305.00 1305.10 1302.90 1304.10 68944",
        ];
        assert_eq!(shown, want);
        assert_eq!((candles.outside, candles.refused.len()), (0, 0));
        let rows = [row("2026-08-24T15:13", "5", 1), row("2026-08-24T15:14", "6", 2)];
        let turned = [rows[1].clone(), rows[0].clone()];
        assert_eq!(Candles::parse(&reply(&rows)), Candles::parse(&reply(&turned)));
    }

    #[test]
    fn a_row_that_cannot_be_true_is_refused_alone() {
        let rows = [
            row("2026-08-24T09:15", "5.5", 1),
            r#"["2026-08-24T09:16:00+05:30",5,4,5,5,1,0]"#.to_owned(),
            row("2026-08-24T09:17", "0", 1),
            row("2026-08-24T09:18", "5.5", -1),
            r#"["2026-08-24T09:19:00Z",5,5,5,5,1,0]"#.to_owned(),
            r#"["2026-08-24T09:20:30+05:30",5,5,5,5,1,0]"#.to_owned(),
            r#"[1787542800000,5,5,5,5,1,0]"#.to_owned(),
            r#"["2026-08-24T09:21:00+05:30",5,5,5]"#.to_owned(),
            r#"["2026-08-24T09:22:00+05:30",5,5,5,5,1.5,0]"#.to_owned(),
            r#"["2026-08-24T09:23:00+05:30","5",5,5,5,1,0]"#.to_owned(),
            "null".to_owned(),
            row("2026-08-24T09:24", "5.5", 0),
        ];
        let candles = Candles::parse(&reply(&rows)).unwrap();
        assert_eq!(candles.minutes.len(), 2);
        insta::assert_snapshot!(refused(&candles), @r"
        1: low 5.00 <= open 5.00, close 5.00 <= high 4.00 does not hold
        2: open 0.0 is no price; prices are above 0 and at most 100000000.00 rupees
        3: volume -1 is no number of shares; it is 0 to 1000000000000
        4: `2026-08-24T09:19:00Z` is no time in India such as 2026-08-24T15:14:00+05:30
        5: a minute begins at 2026-08-24T09:20:30, which is not a whole minute
        6: not a row of time, open, high, low, close, volume and open interest
        7: not a row of time, open, high, low, close, volume and open interest
        8: not a row of time, open, high, low, close, volume and open interest
        9: not a row of time, open, high, low, close, volume and open interest
        10: not a row of time, open, high, low, close, volume and open interest
        ");
    }

    #[test]
    fn of_a_minute_that_is_there_twice_one_counts_or_none() {
        let rows = [
            row("2026-08-24T09:17", "7", 1),
            row("2026-08-24T09:16", "6", 1),
            row("2026-08-24T09:17", "7", 1),
            row("2026-08-24T09:18", "8", 1),
            row("2026-08-24T09:18", "8", 2),
        ];
        let candles = Candles::parse(&reply(&rows)).unwrap();
        let times: Vec<String> =
            candles.minutes.iter().map(|minute| minute.open_time.to_string()).collect();
        assert_eq!(times, ["2026-08-24T09:16", "2026-08-24T09:17"]);
        insta::assert_snapshot!(refused(&candles), @r"
        2: the minute 2026-08-24T09:17 once more
        3: rows of the minute 2026-08-24T09:18 contradict each other
        4: rows of the minute 2026-08-24T09:18 contradict each other
        ");
    }

    #[test]
    fn what_the_calendar_does_not_have_is_left_out_and_counted() {
        let window = |open, close| Window { open: at(open), close: at(close) };
        let windows = [
            window("2026-08-24T09:15", "2026-08-24T15:15"),
            window("2026-08-25T09:15", "2026-08-25T15:15"),
        ];
        let inside = ["2026-08-24T09:15", "2026-08-24T15:14", "2026-08-25T09:15"];
        let outside =
            ["2026-08-24T09:14", "2026-08-24T15:15", "2026-08-24T15:59", "2026-08-26T10:00"];
        let rows: Vec<String> = inside.iter().chain(&outside).map(|it| row(it, "5", 1)).collect();
        let mut candles = Candles::parse(&reply(&rows)).unwrap();
        candles.keep_within(&windows);
        let times: Vec<String> =
            candles.minutes.iter().map(|minute| minute.open_time.to_string()).collect();
        assert_eq!((times.as_slice(), candles.outside), (inside.map(str::to_owned).as_slice(), 4));
        candles.keep_within(&[]);
        assert_eq!((candles.minutes.len(), candles.outside), (0, 7));
    }

    #[test]
    fn copies_of_the_last_price_before_the_auction_are_no_trading() {
        let rows = [
            row("2026-07-31T15:20", "5", 0),
            row("2026-08-03T15:14", "5", 0),
            row("2026-08-03T15:15", "5", 0),
            row("2026-08-03T15:27", "5", 0),
            row("2026-08-03T15:29", "5.1", 377_584),
            r#"["2026-08-04T15:20:00+05:30",5,5.05,5,5,0,0]"#.to_owned(),
        ];
        let mut candles = Candles::parse(&reply(&rows)).unwrap();
        candles.drop_closing_copies();
        let times: Vec<String> =
            candles.minutes.iter().map(|minute| minute.open_time.to_string()).collect();
        let want = ["2026-07-31T15:20", "2026-08-03T15:14", "2026-08-03T15:29", "2026-08-04T15:20"];
        assert_eq!((times, candles.copies), (want.map(str::to_owned).to_vec(), 2));
    }

    #[test]
    fn replies_of_two_months_become_one() {
        let july = [row("2026-07-31T15:29", "5", 1), row("2026-07-31T15:28", "5", 1)];
        let august = [row("2026-08-03T09:15", "6", 1), row("2026-07-31T15:29", "7", 1)];
        let mut candles = Candles::parse(&reply(&august)).unwrap();
        candles.merge(Candles::parse(&reply(&july)).unwrap());
        let shown: Vec<String> =
            candles.minutes.iter().map(|it| format!("{} {}", it.open_time, it.close)).collect();
        let want = ["2026-07-31T15:28 5.00", "2026-07-31T15:29 7.00", "2026-08-03T09:15 6.00"];
        assert_eq!((shown, candles.refused.len()), (want.map(str::to_owned).to_vec(), 1));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "null", "{}", r#"{"data":{"candles":7}}"#, "\u{FF}", deep.as_str()] {
            let error = Candles::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("not a reply with candles: "), "{error}");
        }
        let endless = br#"{"data":{"candles":[["2026-08-24T09:16:00+05:30",1e999,1,1,1,1,0]]}}"#;
        assert!(Candles::parse(endless).is_err());
        let none = br#"{"status":"success","data":{"candles":[]}}"#;
        assert_eq!(Candles::parse(none), Ok(Candles::default()));
    }

    proptest! {
        /// The order of the rows does not matter, and no row gets lost without a word.
        #[test]
        fn every_row_is_a_minute_or_refused(
            rows in prop::collection::vec((0..8_u32, 1..4_i32, 0..3_i64), 0..20),
        ) {
            let text: Vec<String> = rows
                .iter()
                .map(|(minute, close, volume)| {
                    row(&format!("2026-08-24T09:1{minute}"), &close.to_string(), *volume)
                })
                .collect();
            let candles = Candles::parse(&reply(&text)).unwrap();
            prop_assert_eq!(candles.minutes.len() + candles.refused.len(), rows.len());
            prop_assert!(candles.minutes.is_sorted_by(|a, b| a.open_time < b.open_time));
            let turned: Vec<String> = text.into_iter().rev().collect();
            let again = Candles::parse(&reply(&turned)).unwrap();
            prop_assert_eq!(candles.minutes, again.minutes);
        }
    }
}
