//! What a made-up market is like. All amounts of movement are in *sigmas*: multiples of what the
//! instrument usually moves in one minute (`Subject::volatility`). For a sense of scale: the true
//! range of a quarter hour is about 6 sigmas, of a day about 25.

use std::ops::RangeInclusive;

use crate::domain::instrument::Instrument;
use crate::domain::money::Price;

/// One instrument to be made up.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its key, and its price grid by date.
    pub instrument: &'a Instrument,
    /// The price before the first session.
    pub start: Price,
    /// The price that trends lean towards by the last session.
    pub finish: Price,
    /// One sigma: the standard deviation of a minute's return, such as 0.0006.
    pub volatility: f64,
    /// Shares that trade in an average minute.
    pub volume: u32,
}

/// How one kind of market behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Mood {
    /// How often it is drawn, relative to the others.
    pub weight: u32,
    /// How many trading minutes it lasts.
    pub minutes: RangeInclusive<u32>,
    /// Noise of a minute, in sigmas.
    pub noise: f64,
}

/// Everything that can be turned. The defaults make the sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Knobs {
    /// Prices go one way, up or down.
    pub trend: Mood,
    /// Prices swing between two levels.
    pub range: Mood,
    /// Prices are nervous and go nowhere.
    pub nervous: Mood,
    /// Prices hardly move.
    pub calm: Mood,
    /// Drift of a trend, in sigmas a minute.
    pub trend_drift: f64,
    /// How strongly the direction of a new trend leans towards the line from start to finish: the
    /// shift of its probability per unit of relative distance.
    pub trend_lean: f64,
    /// Distance of each of a range's two levels from its middle, in sigmas.
    pub swing_size: f64,
    /// How many minutes a range heads for one level before it heads for the other.
    pub swing_minutes: RangeInclusive<u32>,
    /// The share of the way to the level that a range makes in a minute.
    pub swing_pull: f64,
    /// Standard deviation of the overnight gap, in sigmas.
    pub gap: f64,
    /// How much noisier (1.0: twice as noisy) the first and last minutes of a day are than noon.
    pub edge_noise: f64,
    /// How much busier the first and last minutes of a day are than noon.
    pub edge_volume: f64,
    /// In how many of 1000 minutes the first price is the last price of the minute before.
    pub open_at_close_per_mille: u32,
    /// Sudden moves in 100 sessions.
    pub shocks_per_100: u32,
    /// How many minutes in a row jump in a sudden move.
    pub shock_minutes: RangeInclusive<u32>,
    /// How far a sudden move goes in all, in sigmas.
    pub shock_size: f64,
    /// Single minutes without a bar in 100 sessions.
    pub lone_holes_per_100: u32,
    /// Stretches without bars in 100 sessions.
    pub stretches_per_100: u32,
    /// How many minutes a stretch lasts.
    pub stretch_minutes: RangeInclusive<u32>,
    /// Long outages in 100 sessions.
    pub outages_per_100: u32,
    /// How many minutes an outage lasts; from 29 on it swallows a whole quarter hour.
    pub outage_minutes: RangeInclusive<u32>,
    /// In how many of 1000 full sessions a small print follows in the minute after the end.
    pub late_print_per_mille: u32,
}

impl Default for Knobs {
    fn default() -> Knobs {
        Knobs {
            trend: Mood { weight: 30, minutes: 150..=600, noise: 0.9 },
            range: Mood { weight: 36, minutes: 300..=1000, noise: 0.8 },
            nervous: Mood { weight: 14, minutes: 45..=150, noise: 1.7 },
            calm: Mood { weight: 24, minutes: 150..=320, noise: 0.35 },
            trend_drift: 0.06,
            trend_lean: 6.0,
            swing_size: 14.0,
            swing_minutes: 50..=120,
            swing_pull: 0.035,
            gap: 8.0,
            edge_noise: 0.6,
            edge_volume: 2.0,
            open_at_close_per_mille: 440,
            shocks_per_100: 14,
            shock_minutes: 2..=4,
            shock_size: 30.0,
            lone_holes_per_100: 24,
            stretches_per_100: 6,
            stretch_minutes: 2..=8,
            outages_per_100: 3,
            outage_minutes: 29..=41,
            late_print_per_mille: 820,
        }
    }
}
