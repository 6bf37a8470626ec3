//! History over REST as Upstox V3 serves it, quirks included: newest first, labelled by the start
//! of the candle in +05:30, today only in the intraday endpoint, a limit on the span of a request,
//! and on days with a closing auction flat rows after continuous trading and the whole auction in
//! one row.

use serde_json::{Value, json};

use crate::domain::fact::Bar;
use crate::domain::money::Qty;
use crate::domain::time::{Date, MINUTE_US, Timestamp};

use super::market::{Lane, Market};

/// Minutes after the start of the auction for which the API shows flat rows.
const FLAT_MINUTES: i64 = 13;
/// The minute after the start of the auction in which the API shows all of it.
const AUCTION_MINUTE: i64 = 14;
/// Candles of several minutes are counted from 09:15.
const GRID_START_US: i64 = (9 * 60 + 15) * MINUTE_US;

/// An answer that is an error, in the words of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Such as `UDAPI1148`.
    pub code: &'static str,
    /// A sentence.
    pub message: &'static str,
}

impl ApiError {
    /// The body of the answer.
    pub fn body(&self) -> Value {
        json!({"status": "error", "errors": [{
            "errorCode": self.code, "message": self.message,
            "propertyPath": null, "invalidValue": null,
            "error_code": self.code, "property_path": null, "invalid_value": null,
        }]})
    }
}

const fn no(code: &'static str, message: &'static str) -> ApiError {
    ApiError { status: 400, code, message }
}

pub(super) const UNAUTHORIZED: ApiError =
    ApiError { status: 401, code: "UDAPI100050", message: "Invalid token used to access API" };
pub(super) const INACTIVE: ApiError =
    ApiError { status: 403, code: "UDAPI100073", message: "Client is inactive" };
pub(super) const TOO_MANY: ApiError =
    ApiError { status: 429, code: "UDAPI10005", message: "Too Many Request Sent" };
pub(super) const NOT_FOUND: ApiError =
    ApiError { status: 404, code: "UDAPI10000", message: "This request is not supported by API" };
pub(super) const UNAVAILABLE: ApiError = ApiError {
    status: 503,
    code: "UDAPI100500",
    message: "Something went wrong; the exchange cannot be reached at the moment",
};
const KEY_FORM: ApiError = no("UDAPI1021", "Instrument key is of invalid format");
const KEY: ApiError = no("UDAPI100011", "Invalid Instrument key");
const ORDER: ApiError = no("UDAPI1015", "to_date must be greater than or equal to from_date");
const TO_DATE: ApiError = no("UDAPI1022", "to_date is required and must be like 2024-10-31");
const UNIT: ApiError = no("UDAPI1146", "Invalid unit; this exchange has minutes, hours and days");
const INTERVAL: ApiError = no("UDAPI1147", "Invalid interval for this unit");
const SPAN: ApiError = no("UDAPI1148", "Invalid date range for this unit and interval");

/// Length of a candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Minutes(i64),
    Day,
}

impl Width {
    fn parse(unit: &str, interval: &str) -> Result<Width, ApiError> {
        let most = match unit {
            "minutes" => 300,
            "hours" => 5,
            "days" => 1,
            _ => return Err(UNIT),
        };
        let plain = interval.bytes().all(|byte| byte.is_ascii_digit());
        let count = interval.parse().ok().filter(|count| plain && (1..=most).contains(count));
        match (unit, count.ok_or(INTERVAL)?) {
            ("days", _) => Ok(Width::Day),
            ("hours", count) => Ok(Width::Minutes(60 * count)),
            (_, count) => Ok(Width::Minutes(count)),
        }
    }

    /// Months that one request may span.
    const fn months_max(self) -> i32 {
        match self {
            Width::Minutes(1..=15) => 1,
            Width::Minutes(_) => 3,
            Width::Day => 120,
        }
    }

    /// The start of the candle that holds `time`.
    fn start_of(self, time: Timestamp) -> Timestamp {
        let date = time.date();
        match self {
            Width::Day => date.start(),
            Width::Minutes(minutes) => {
                let after = time.time_of_day_us() - GRID_START_US;
                let width = minutes * MINUTE_US;
                date.start().plus_us(GRID_START_US + after.div_euclid(width) * width)
            }
        }
    }
}

/// What somebody asks for, as it stands in the address.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The instrument's key.
    pub key: &'a str,
    /// `minutes`, `hours` or `days`.
    pub unit: &'a str,
    /// A number.
    pub interval: &'a str,
}

/// Candles of finished days: those before the day of `now`, from `from` (or as far back as one
/// request may reach) to `to`, both inclusive.
///
/// # Errors
/// What the API answers.
pub fn historical(
    market: &Market,
    now: Timestamp,
    query: Query<'_>,
    to: &str,
    from: Option<&str>,
) -> Result<Value, ApiError> {
    let (lane, width) = understood(market, query)?;
    let to = Date::parse(to).ok_or(TO_DATE)?;
    let earliest = plus_months(to, -width.months_max());
    let from = match from {
        Some(from) => Date::parse(from).ok_or(TO_DATE)?,
        None => earliest,
    };
    if from > to {
        return Err(ORDER);
    }
    if plus_months(from, width.months_max()) < to {
        return Err(SPAN);
    }
    let yesterday = now.date().plus_days(-1);
    Ok(answer(width, &rows(market, lane, from, to.min(yesterday))))
}

/// Candles of the day of `now`, as far as its minutes are over.
///
/// # Errors
/// What the API answers.
pub fn intraday(market: &Market, now: Timestamp, query: Query<'_>) -> Result<Value, ApiError> {
    let (lane, width) = understood(market, query)?;
    let mut rows = rows(market, lane, now.date(), now.date());
    rows.retain(|row| row.close_time() <= now);
    Ok(answer(width, &rows))
}

fn understood<'a>(market: &'a Market, query: Query<'_>) -> Result<(&'a Lane, Width), ApiError> {
    let form = query.key.split_once('|').filter(|(segment, name)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty()
            && name.chars().all(|c| is_word(c) || c == ' ')
            && segment.contains('_')
            && segment.chars().all(is_word)
    });
    form.ok_or(KEY_FORM)?;
    let width = Width::parse(query.unit, query.interval)?;
    let place = market.place_of(query.key).ok_or(KEY)?;
    Ok((&market.lanes[place], width))
}

/// The minutes as the API has them, oldest first.
fn rows(market: &Market, lane: &Lane, from: Date, to: Date) -> Vec<Bar> {
    let range = lane.before(from.start())..lane.before(to.plus_days(1).start());
    let mut rows = Vec::new();
    for day in lane.bars[range].chunk_by(|a, b| a.open_time.date() == b.open_time.date()) {
        let session = market.session(day[0].open_time.date());
        match session.and_then(|session| lane.auction_from(session)) {
            Some(auction) => rows.extend(with_auction(day, auction)),
            None => rows.extend_from_slice(day),
        }
    }
    rows
}

/// A day whose continuous trading ends at `auction`: after that flat rows without volume, and
/// everything that was traded until the auction was over in one row.
fn with_auction(day: &[Bar], auction: Timestamp) -> Vec<Bar> {
    let over = auction.plus_minutes(AUCTION_MINUTE + 1);
    let (before, after): (Vec<Bar>, Vec<Bar>) = day.iter().partition(|b| b.open_time < auction);
    let Some(last) = before.last().copied() else { return day.to_vec() };
    let flat = |minute| Bar {
        open_time: auction.plus_minutes(minute),
        open: last.close,
        high: last.close,
        low: last.close,
        volume: Qty::ZERO,
        ..last
    };
    let (within, later): (Vec<Bar>, Vec<Bar>) =
        after.into_iter().partition(|bar| bar.open_time < over);
    let mut rows = before;
    rows.extend((0..FLAT_MINUTES).map(flat));
    let traded: Vec<Bar> = within.into_iter().filter(|bar| bar.volume > Qty::ZERO).collect();
    let label = auction.plus_minutes(AUCTION_MINUTE);
    rows.extend(merged(&traded).map(|bar| Bar { open_time: label, ..bar }));
    rows.extend(later);
    rows
}

/// Candles out of minutes, newest first.
fn answer(width: Width, rows: &[Bar]) -> Value {
    let candles = rows.chunk_by(|a, b| width.start_of(a.open_time) == width.start_of(b.open_time));
    let candles = candles.filter_map(|rows| {
        let bar = merged(rows)?;
        let start = iso(width.start_of(bar.open_time));
        let [open, high, low, close] =
            [bar.open, bar.high, bar.low, bar.close].map(|price| price.rupees());
        Some(json!([start, open, high, low, close, bar.volume.0, 0]))
    });
    let mut candles: Vec<Value> = candles.collect();
    candles.reverse();
    json!({"status": "success", "data": {"candles": candles}})
}

fn merged(rows: &[Bar]) -> Option<Bar> {
    let (first, last) = (rows.first()?, rows.last()?);
    Some(Bar {
        high: rows.iter().map(|row| row.high).max()?,
        low: rows.iter().map(|row| row.low).min()?,
        close: last.close,
        volume: Qty(rows.iter().map(|row| row.volume.0).sum()),
        ..*first
    })
}

/// `2024-10-01T09:15:00+05:30`.
fn iso(time: Timestamp) -> String {
    let second = time.time_of_day_us() % MINUTE_US / 1_000_000;
    format!("{}T{:02}:{:02}:{second:02}+05:30", time.date(), time.hour(), time.minute())
}

/// The same day so many months later, or the last day of a month that is shorter.
fn plus_months(date: Date, months: i32) -> Date {
    let (year, month, day) = date.ymd();
    let count = year * 12 + month as i32 - 1 + months;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) as u32 + 1);
    let fitting = (1..=day).rev().find_map(|day| Date::from_ymd(year, month, day));
    fitting.unwrap_or_else(|| date.plus_days(months.saturating_mul(30)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{TATA, at, date, history, market};
    use super::*;

    fn query(interval: &str) -> Query<'_> {
        Query { key: TATA, unit: "minutes", interval }
    }

    fn candles(answer: Result<Value, ApiError>) -> Vec<Value> {
        let answer = answer.unwrap();
        assert_eq!(answer["status"], "success");
        answer["data"]["candles"].as_array().unwrap().clone()
    }

    fn code(answer: Result<Value, ApiError>) -> String {
        let error = answer.unwrap_err();
        assert_eq!(error.body()["errors"][0]["errorCode"], error.code);
        error.code.to_owned()
    }

    /// A row as the API has it.
    fn row(bar: &Bar) -> Value {
        let clock = format!("{:02}:{:02}", bar.open_time.hour(), bar.open_time.minute());
        let label = format!("{}T{clock}:00+05:30", bar.open_time.date());
        let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(|p| p.rupees());
        json!([label, open, high, low, close, bar.volume.0, 0])
    }

    #[test]
    fn finished_days_newest_first_and_not_today() {
        let market = market();
        let now = at("2024-10-03T11:00");
        let got = candles(historical(&market, now, query("1"), "2024-10-03", Some("2024-09-30")));
        let lane = &market.lanes[1];
        let want: Vec<Value> =
            lane.bars[..lane.before(at("2024-10-03T00:00"))].iter().rev().map(row).collect();
        assert!(want.len() > 700);
        assert_eq!(got, want);
        let all = candles(historical(&market, now, query("1"), "2024-10-03", None));
        assert_eq!(all, want, "without a from it reaches back as far as it may");
        let one = candles(historical(&market, now, query("1"), "2024-09-30", Some("2024-09-30")));
        assert_eq!(one.last().unwrap()[0], "2024-09-30T09:15:00+05:30");
    }

    #[test]
    fn today_as_far_as_it_is_over() {
        let market = market();
        let got = candles(intraday(&market, at("2024-10-01T09:20:59"), query("1")));
        let lane = &market.lanes[1];
        let day = &lane.bars[lane.on(date("2024-10-01"))];
        let until = at("2024-10-01T09:20");
        let want: Vec<Value> =
            day.iter().filter(|bar| bar.open_time < until).rev().map(row).collect();
        assert!(!want.is_empty());
        assert_eq!(got, want);
        assert!(candles(intraday(&market, at("2024-10-01T09:15:59"), query("1"))).is_empty());
        assert!(candles(intraday(&market, at("2024-10-02T12:00"), query("1"))).is_empty());
    }

    #[test]
    fn quarters_are_made_of_their_minutes() {
        let market = market();
        let now = at("2024-10-03T09:00");
        let day = |interval| {
            candles(historical(&market, now, query(interval), "2024-10-01", Some("2024-10-01")))
        };
        let (quarters, minutes) = (day("15"), day("1"));
        let second = quarters.iter().find(|row| row[0] == "2024-10-01T09:30:00+05:30").unwrap();
        let within = |row: &&Value| {
            let label = row[0].as_str().unwrap();
            ("2024-10-01T09:30".."2024-10-01T09:45").contains(&label)
        };
        let within: Vec<&Value> = minutes.iter().filter(within).collect();
        let volume: i64 = within.iter().map(|row| row[5].as_i64().unwrap()).sum();
        assert_eq!(second[5], volume);
        assert_eq!((&second[1], &second[4]), (&within[within.len() - 1][1], &within[0][4]));
        let high = within.iter().map(|row| row[2].as_f64().unwrap()).fold(0.0, f64::max);
        assert_eq!(second[2], high);
        let query = Query { key: TATA, unit: "days", interval: "1" };
        let days = candles(historical(&market, now, query, "2024-10-01", Some("2024-09-30")));
        let labels: Vec<&Value> = days.iter().map(|row| &row[0]).collect();
        assert_eq!(labels, ["2024-10-01T00:00:00+05:30", "2024-09-30T00:00:00+05:30"]);
    }

    #[test]
    fn what_cannot_be_answered() {
        let market = market();
        let now = at("2024-10-03T11:00");
        let ask = |key, unit, interval, to, from| {
            code(historical(&market, now, Query { key, unit, interval }, to, Some(from)))
        };
        let (to, from) = ("2024-10-01", "2024-09-30");
        let lines = [
            ask("TATAMOTORS", "minutes", "1", to, from),
            ask("NSE_EQ|INE000000000", "minutes", "1", to, from),
            ask(TATA, "weeks", "1", to, from),
            ask(TATA, "minutes", "0", to, from),
            ask(TATA, "minutes", "+1", to, from),
            ask(TATA, "minutes", "301", to, from),
            ask(TATA, "days", "2", to, from),
            ask(TATA, "minutes", "1", "01-10-2024", from),
            ask(TATA, "minutes", "1", from, to),
            ask(TATA, "minutes", "1", "2024-10-02", "2024-09-01"),
            ask(TATA, "minutes", "30", "2024-10-02", "2024-07-01"),
        ];
        insta::assert_snapshot!(lines.join(" "), @"UDAPI1021 UDAPI100011 UDAPI1146 UDAPI1147 UDAPI1147 UDAPI1147 UDAPI1147 UDAPI1022 UDAPI1015 UDAPI1148 UDAPI1148");
        let fits = historical(&market, now, query("1"), "2024-10-01", Some("2024-09-01"));
        assert!(fits.is_ok(), "a month and not a day more");
    }

    #[test]
    fn months_have_their_own_lengths() {
        let later = |text, months| plus_months(date(text), months).to_string();
        assert_eq!(later("2024-01-31", 1), "2024-02-29");
        assert_eq!(later("2024-03-31", -1), "2024-02-29");
        assert_eq!(later("2024-11-15", 3), "2025-02-15");
        assert_eq!(later("2024-01-15", -120), "2014-01-15");
    }

    #[test]
    fn a_closing_auction_is_flat_rows_and_one_row() {
        let (lanes, sessions) = history("2026-08-03", "2026-08-04");
        let market = Market::new(lanes, sessions, date("2026-08-03")).unwrap();
        let now = at("2026-08-04T09:00");
        let day = historical(&market, now, query("1"), "2026-08-03", Some("2026-08-03"));
        let after: Vec<Value> = candles(day)
            .into_iter()
            .rev()
            .filter(|row| row[0].as_str().unwrap() >= "2026-08-03T15:14")
            .collect();
        let close = &after[0][4];
        for (minute, row) in (15..28).zip(&after[1..14]) {
            assert_eq!(row[0], format!("2026-08-03T15:{minute}:00+05:30"));
            assert_eq!([&row[1], &row[2], &row[3], &row[4]], [close; 4]);
            assert_eq!(row[5], 0);
        }
        assert_eq!(after.len(), 15);
        assert_eq!(after[14][0], "2026-08-03T15:29:00+05:30");
        assert!(after[14][5].as_i64().unwrap() > 0);
        let lane = &market.lanes[1];
        let traded: i64 = lane.bars[lane.before(at("2026-08-03T15:15"))..]
            .iter()
            .filter(|bar| bar.open_time.date() == date("2026-08-03"))
            .map(|bar| bar.volume.0)
            .sum();
        assert_eq!(after[14][5], traded, "all of the auction is in one row");
        let early = candles(intraday(&market, at("2026-08-03T15:20:30"), query("1")));
        assert_eq!(early[0][0], "2026-08-03T15:19:00+05:30");
    }
}
