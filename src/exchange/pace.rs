//! How fast market time goes, and which time it is after so much of it was played: the days one
//! after the other, without the nights.

use std::fmt;

use crate::domain::time::Timestamp;

/// How fast market time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// As fast as whoever listens reads; it stands while nobody listens.
    Max,
    /// So many times as fast as time; it goes on by itself.
    Times(u32),
}

impl Speed {
    /// Reads `max` or a number with an `x`, such as `60x`.
    ///
    /// # Errors
    /// Says what it must be.
    pub fn parse(text: &str) -> Result<Speed, String> {
        let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
        match (text, times) {
            ("max", _) => Ok(Speed::Max),
            (_, Some(times @ 1..=100_000)) => Ok(Speed::Times(times)),
            _ => {
                Err("must be max, 1x, 60x or another number from 1 to 100000 with an x".to_owned())
            }
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speed::Max => f.write_str("max"),
            Speed::Times(times) => write!(f, "{times}x"),
        }
    }
}

/// The days that are played, without the nights.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Begin and end of each, ascending.
    days: Vec<(Timestamp, Timestamp)>,
}

impl Timeline {
    /// A timeline of days that ascend and do not overlap.
    pub fn new(days: Vec<(Timestamp, Timestamp)>) -> Timeline {
        Timeline { days }
    }

    /// When it begins, if there is a day.
    pub fn start(&self) -> Option<Timestamp> {
        self.days.first().map(|(begin, _)| *begin)
    }

    /// How much was played at market time `time`, in microseconds.
    pub fn played_at(&self, time: Timestamp) -> i64 {
        let part = |(begin, end): &(Timestamp, Timestamp)| time.0.clamp(begin.0, end.0) - begin.0;
        self.days.iter().map(part).sum()
    }

    /// Market time after so much was played. A night is over at once; after the last day it is the
    /// end of that day.
    pub fn time_at(&self, played_us: i64) -> Timestamp {
        let mut rest = played_us.max(0);
        for (begin, end) in &self.days {
            if rest < end.0 - begin.0 {
                return begin.plus_us(rest);
            }
            rest -= end.0 - begin.0;
        }
        self.days.last().map_or(Timestamp::MIN, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_and_shown() {
        for text in ["max", "1x", "60x"] {
            assert_eq!(Speed::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "x", "0x", "60", "-1x", "fast"] {
            assert!(Speed::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nights_take_no_time() {
        let day = |begin, end| (Timestamp(begin), Timestamp(end));
        let timeline = Timeline::new(vec![day(100, 110), day(200, 230)]);
        let times = [0, 9, 10, 39, 40, 99].map(|played| timeline.time_at(played).0);
        assert_eq!(times, [100, 109, 200, 229, 230, 230]);
        let played = [0, 100, 109, 110, 150, 200, 229, 230, 500];
        let played = played.map(|time| timeline.played_at(Timestamp(time)));
        assert_eq!(played, [0, 0, 9, 10, 10, 10, 39, 40, 40]);
    }
}
