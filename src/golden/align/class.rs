//! The kinds of causes that a difference can have, and the single change that proves one.

use std::fmt;

use crate::domain::event::Command;
use crate::domain::money::Price;
use crate::domain::time::{Date, Timestamp};

use super::Difference;

/// What kind of cause a difference has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The golden knew bars that had not happened yet.
    LookAhead,
    /// The golden's swing points are confirmed in another way.
    SwingRule,
    /// The golden's indicators look back over another number of bars.
    WindowLength,
    /// The golden's first bar that is asked, or the start of its history, is another.
    WarmUp,
    /// The bar has an event of the golden before this one.
    SecondEvent,
    /// A position or the cooldown after it silences the signal.
    Cooldown,
    /// A limit stopped trading.
    Limits,
    /// The golden's bar lacks minutes that came later.
    PartialBar,
    /// Times name another end of a bar or minute.
    Label,
    /// A parameter has another value.
    Configuration,
    /// Sizes or levels are made or rounded in another way.
    Sizing,
    /// One history has minutes that the other lacks.
    DataGap,
    /// A minute of one history has other prices than in the other.
    DataRevision,
    /// Prices are the same and volumes are not.
    FeedVolume,
    /// Nothing is traded at that time, or one side has not traded on that day.
    Calendar,
    /// Another company under the key, or its prices on another scale, as after a split.
    Instrument,
    /// The golden begins later or ends earlier.
    Coverage,
    /// No single change was found that removes it.
    Unexplained,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 18] = [
        Class::LookAhead,
        Class::SwingRule,
        Class::WindowLength,
        Class::WarmUp,
        Class::SecondEvent,
        Class::Cooldown,
        Class::Limits,
        Class::PartialBar,
        Class::Label,
        Class::Configuration,
        Class::Sizing,
        Class::DataGap,
        Class::DataRevision,
        Class::FeedVolume,
        Class::Calendar,
        Class::Instrument,
        Class::Coverage,
        Class::Unexplained,
    ];

    /// The class as people and scripts read it.
    pub const fn word(self) -> &'static str {
        match self {
            Class::LookAhead => "look-ahead",
            Class::SwingRule => "swing-rule",
            Class::WindowLength => "window-length",
            Class::WarmUp => "warm-up",
            Class::SecondEvent => "second-event",
            Class::Cooldown => "cooldown",
            Class::Limits => "limits",
            Class::PartialBar => "partial-bar",
            Class::Label => "label",
            Class::Configuration => "configuration",
            Class::Sizing => "sizing",
            Class::DataGap => "data-gap",
            Class::DataRevision => "data-revision",
            Class::FeedVolume => "feed-volume",
            Class::Calendar => "calendar",
            Class::Instrument => "instrument",
            Class::Coverage => "coverage",
            Class::Unexplained => "UNEXPLAINED",
        }
    }
}

/// One change, to live or to the golden, that can be made again.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Live sees the swing points that this many later bars make.
    ShowBars(usize),
    /// Live takes a swing as soon as the bars that are there allow it, or waits for all of them.
    TruncateSwings(bool),
    /// Live looks back over the last 100 bars, or over the whole history.
    Window(Option<usize>),
    /// Live asks its rule from this bar on, counted from 0.
    FirstIndex(usize),
    /// Live's history begins at the start of this bar.
    HistoryFrom(Timestamp),
    /// Of the golden's events on one bar only the first counts.
    FirstOfBar,
    /// Live trades its signals: open positions and the cooldown silence it.
    Execute,
    /// Live trades each symbol by itself and stops for good after this many fills.
    LimitFills(u32),
    /// The bar is made of its first minutes only.
    CutBar(usize),
    /// The golden's row moves by this many bars.
    MoveBars(i64),
    /// A setting of live has this value.
    Set(&'static str, f64),
    /// The golden's levels are taken as rounded to this many 1/10,000 rupees.
    RoundLevels(i64),
    /// The golden's quantities are taken as rounded down to lots of so many shares.
    RoundShares(i64),
    /// The golden's row is left out: there is no bar that it could be about.
    LeaveOut,
    /// The golden's row belongs to this key.
    OtherKey(String),
    /// The golden's prices are so many times ours, and its quantities as many times less: a
    /// numerator and a denominator.
    Rescale(i64, i64),
    /// The bar that begins then closes at this price.
    ReviseClose(Timestamp, Price),
    /// Live makes no more than so many signals a day, over all symbols.
    CapDay(usize),
    /// Live has this part of the golden's world.
    Take(Piece),
    /// Live's signals before this bar are left out.
    BeginAt(Timestamp),
    /// Live's signals after this bar are left out.
    EndAt(Timestamp),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::ShowBars(1) => write!(f, "show live 1 later bar"),
            Change::ShowBars(count) => write!(f, "show live {count} later bars"),
            Change::TruncateSwings(true) => write!(f, "live takes swings before they are whole"),
            Change::TruncateSwings(false) => write!(f, "live waits until swings are whole"),
            Change::Window(None) => write!(f, "live looks back over the whole history"),
            Change::Window(Some(bars)) => write!(f, "live looks back over {bars} bars"),
            Change::FirstIndex(index) => write!(f, "live asks from bar {index} on"),
            Change::HistoryFrom(time) => write!(f, "live's history begins at {time}"),
            Change::FirstOfBar => write!(f, "the first event of a bar counts"),
            Change::Execute => write!(f, "live trades its signals"),
            Change::LimitFills(fills) => write!(f, "live stops after {fills} fills"),
            Change::CutBar(minutes) => write!(f, "the bar has its first {minutes} minutes"),
            Change::MoveBars(bars) => write!(f, "the row moves by {bars} bar"),
            Change::Set(name, value) => write!(f, "{name} = {value}"),
            Change::RoundLevels(units) => {
                write!(f, "levels rounded to {:.2}", *units as f64 / 10_000.0)
            }
            Change::RoundShares(lot) => write!(f, "shares rounded down to lots of {lot}"),
            Change::LeaveOut => write!(f, "the row is left out"),
            Change::OtherKey(key) => write!(f, "the row is one of {key}"),
            Change::Rescale(up, down) => write!(f, "the golden's prices times {down}/{up}"),
            Change::ReviseClose(time, price) => write!(f, "the bar of {time} closes at {price}"),
            Change::CapDay(count) => write!(f, "live stops after {count} signals a day"),
            Change::Take(piece) => write!(f, "{piece}"),
            Change::BeginAt(time) => write!(f, "compare from {time} on"),
            Change::EndAt(time) => write!(f, "compare until {time}"),
        }
    }
}

/// A part in which the worlds of two runs differ: what one run was told, by whom and under which
/// rules. Live takes it from the golden's.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// These minutes of a key, whether they are there or not; ascending, at least one.
    Minutes {
        /// The instrument's key.
        key: String,
        /// Starts of the minutes.
        times: Vec<Timestamp>,
    },
    /// These days of all symbols, hours and minutes; ascending, at least one.
    Days(Vec<Date>),
    /// What a bar holds was there in time, and not completed later.
    InTime,
    /// A setting, with the golden's value.
    Setting(String, String),
    /// A command, which the golden has or has not.
    Command(Command, bool),
    /// What is listed under a key: name, price grid, lot.
    Listing(String),
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Minutes { key, times } => match times[..] {
                [time] => write!(f, "live has the golden's minute {time} of {key}"),
                _ => {
                    let (first, last) = (times[0], times[times.len() - 1]);
                    let count = times.len();
                    write!(f, "live has the golden's {count} minutes {first} to {last} of {key}")
                }
            },
            Piece::Days(dates) => match dates[..] {
                [date] => write!(f, "live has the golden's {date}"),
                _ => {
                    let (first, last) = (dates[0], dates[dates.len() - 1]);
                    write!(f, "live has the golden's {} days {first} to {last}", dates.len())
                }
            },
            Piece::InTime => write!(f, "live's minutes come in time"),
            Piece::Setting(name, value) => write!(f, "{name} = {value}"),
            Piece::Command(Command { time, kind }, true) => {
                write!(f, "live hears {kind} at {time}")
            }
            Piece::Command(Command { time, kind }, false) => {
                write!(f, "live does not hear {kind} at {time}")
            }
            Piece::Listing(key) => write!(f, "{key} is listed as in the golden"),
        }
    }
}

/// A difference with its cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Where golden and live part.
    pub difference: Difference,
    /// The kind of its cause.
    pub class: Class,
    /// The change that removes it; none where it is unexplained.
    pub witness: Option<Change>,
}
