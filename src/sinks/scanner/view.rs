//! The state as it is shown: what was folded, with words, ages and times beside it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::event::EventId;
use crate::domain::money::{Price, Side};
use crate::domain::time::{IST_OFFSET_US, SECOND_US, Timestamp};

use super::row::Row;
use super::{About, Feed, Scanner};

/// The confidence that the Python system writes for every signal it has no model for.
const CONFIDENCE: f64 = 0.5;

/// The whole state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct View {
    /// Number of the last input.
    pub position: u64,
    /// The market's clock (the last watermark or price), India.
    pub clock: Option<String>,
    /// The same in UTC.
    pub clock_utc: Option<String>,
    /// The same in microseconds since 1970, for those who count.
    pub clock_us: Option<i64>,
    /// Whether anything trades at that time.
    pub is_open: bool,
    /// When the next strategy bar is over, India.
    pub next_bar: Option<String>,
    /// Seconds from the market's clock until then.
    pub next_bar_seconds: Option<i64>,
    /// Whether new positions are entered.
    pub status: &'static str,
    /// What is known of the feed.
    pub feed: FeedView,
    /// How often trading was stopped.
    pub halts: u64,
    /// How often the core said no, by reason.
    pub rejections: BTreeMap<String, u64>,
    /// The latest events that people care for, newest first.
    pub last_events: Vec<String>,
    /// One row for each instrument and strategy, by key.
    pub rows: Vec<RowView>,
}

/// What is known of the feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeedView {
    /// `up`, `down`, or `unknown` where the journal says nothing of it.
    pub state: &'static str,
    /// How long the last trade was on its way, ms.
    pub lag_ms: Option<i64>,
    /// The last trade or bar, India.
    pub last_market: Option<String>,
    /// The last word from the feed.
    pub last_notice: Option<String>,
}

/// One instrument under one strategy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowView {
    /// The exchange's symbol on the day of the clock.
    pub symbol: String,
    /// The company on that day.
    pub name: String,
    /// The stable key.
    pub key: String,
    /// The strategy.
    pub strategy_id: String,
    /// Width of its bars.
    pub timeframe: String,
    /// `BUY`, `SELL` or `NEUTRAL`: the position's way, or that of the newest bar's signal.
    pub bias: &'static str,
    /// `PENDING`, `TRIGGERED`, `COOLDOWN` or `IN_POSITION`.
    pub signal_state: &'static str,
    /// 0.5 while there is a bias, 0 otherwise.
    pub confidence: f64,
    /// Start of the newest bar, India: `2024-10-01 09:15:00`.
    pub last_bar: Option<String>,
    /// Whether every minute of it was there.
    pub is_complete: bool,
    /// Its minutes, such as `15/15`.
    pub minutes: Option<String>,
    /// Trading time since that bar was over, in seconds.
    pub age_seconds: Option<i64>,
    /// Whether that is more than a bar and a half.
    pub is_stale: bool,
    /// Last price, rupees.
    pub ltp: Option<f64>,
    /// When it was seen, India.
    pub ltp_time: Option<String>,
    /// Shares held.
    pub quantity: i64,
    /// Profit of these, rupees, before fees.
    pub open_profit: f64,
    /// Profit of the day, rupees, open positions and fees included.
    pub today: f64,
    /// Where the position is given up, rupees.
    pub stop: Option<f64>,
    /// Where the profit is taken, rupees.
    pub target: Option<f64>,
    /// Signals of the day.
    pub signals_today: u64,
    /// Why the newest signal was declined.
    pub declined: Option<&'static str>,
    /// Whether new positions are entered.
    pub status: &'static str,
    /// The same as the table `runner_state` has it.
    #[serde(skip)]
    pub runner: RunnerView,
}

/// What the table `runner_state` says where the page says more: there a position has no bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunnerView {
    /// `BUY` or `SELL` of the newest bar's signal, `NEUTRAL` without one.
    pub bias: &'static str,
    /// `TRIGGERED` for one bar, `IN_POSITION`, `COOLDOWN` or `PENDING`.
    pub signal_state: &'static str,
    /// 0.5 with a signal, 0 without one.
    pub confidence: f64,
}

impl RunnerView {
    fn of(row: &Row) -> RunnerView {
        let (bias, state) = row.runner_state();
        RunnerView {
            bias: bias.map_or("NEUTRAL", Side::word),
            signal_state: state.word(),
            confidence: if bias.is_some() { CONFIDENCE } else { 0.0 },
        }
    }
}

impl Scanner {
    /// The state as it is shown.
    pub fn view(&self) -> View {
        let hours = self.run.as_ref().map(|run| &run.hours);
        let next = self.clock.and_then(|clock| hours?.next_bar(clock)).filter(|_| !self.is_ended);
        let seconds = |to: Timestamp, from: Timestamp| (to.0 - from.0) / SECOND_US;
        View {
            position: self.position.unwrap_or(0),
            clock: self.clock.map(india),
            clock_utc: self.clock.map(utc),
            clock_us: self.clock.map(|clock| clock.0),
            is_open: self.clock.zip(hours).is_some_and(|(clock, hours)| hours.is_open(clock)),
            next_bar: next.map(india),
            next_bar_seconds: next.zip(self.clock).map(|(next, clock)| seconds(next, clock)),
            status: self.status().word(),
            feed: self.feed.view(),
            halts: self.halts,
            rejections: self.rejections.clone(),
            last_events: self.last.iter().rev().map(EventId::to_string).collect(),
            rows: self.rows(),
        }
    }

    fn rows(&self) -> Vec<RowView> {
        let Some(run) = &self.run else { return Vec::new() };
        self.rows.iter().enumerate().map(|(place, row)| self.row(run, place, row)).collect()
    }

    fn row(&self, run: &About, place: usize, row: &Row) -> RowView {
        let last = self.clock.or(row.price.map(|(time, _)| time));
        let day = last.unwrap_or(run.active_from).date();
        let listing = row.instrument.at(day);
        let age = row
            .bar
            .zip(self.clock)
            .map(|(bar, clock)| run.hours.traded_us(place, bar.close_time, clock));
        let bias = row.bias();
        RowView {
            symbol: row.instrument.symbol_at(day).to_owned(),
            name: listing.map_or_else(String::new, |listing| listing.name.clone()),
            key: row.instrument.key.clone(),
            strategy_id: run.strategy_id.clone(),
            timeframe: format!("{}m", run.bar_minutes),
            bias: bias.map_or("NEUTRAL", Side::word),
            signal_state: row.signal_state().word(),
            confidence: if bias.is_some() { CONFIDENCE } else { 0.0 },
            last_bar: row.bar.map(|bar| india(bar.open_time)),
            is_complete: row.bar.is_some_and(|bar| bar.minutes == bar.minutes_expected),
            minutes: row.bar.map(|bar| format!("{}/{}", bar.minutes, bar.minutes_expected)),
            age_seconds: age.map(|age| age / SECOND_US),
            is_stale: age.is_some_and(|age| age > run.hours.bar_us() * 3 / 2),
            ltp: row.price.map(|(_, price)| price.rupees()),
            ltp_time: row.price.map(|(time, _)| india(time)),
            quantity: row.quantity.0,
            open_profit: row.open_profit().rupees(),
            today: row.today().rupees(),
            stop: row.levels.map(|(stop, _)| Price::rupees(stop)),
            target: row.levels.map(|(_, target)| Price::rupees(target)),
            signals_today: row.signals_today,
            declined: row.declined.map(|reason| reason.word()),
            status: self.status().word(),
            runner: RunnerView::of(row),
        }
    }
}

impl Feed {
    fn view(&self) -> FeedView {
        FeedView {
            state: match self.is_up {
                Some(true) => "up",
                Some(false) => "down",
                None => "unknown",
            },
            lag_ms: self.lag_ms,
            last_market: self.last_market.map(india),
            last_notice: self
                .last_notice
                .as_ref()
                .map(|(time, word)| format!("{} {word}", india(*time))),
        }
    }
}

/// An instant as people in India read it: `2024-10-01 09:15:00`.
pub fn india(time: Timestamp) -> String {
    let second = time.time_of_day_us() / SECOND_US % 60;
    format!("{} {:02}:{:02}:{second:02}", time.date(), time.hour(), time.minute())
}

/// An instant for machines: `2024-10-01T03:45:00Z`.
pub fn utc(time: Timestamp) -> String {
    india(time.plus_us(-IST_OFFSET_US)).replacen(' ', "T", 1) + "Z"
}
