//! The path of one price: moods that last for hours or days, and minutes made of a few steps each.

use super::dice::Dice;
use super::knobs::{Knobs, Mood};
use crate::domain::money::Price;

/// Steps of the price within one minute.
const STEPS: u32 = 6;

/// What a price does at the moment.
enum Regime {
    /// Drifts by so many sigmas a minute.
    Drift(f64),
    /// Swings around `middle`, at the moment to its upper side or lower side.
    Swing { middle: f64, upward: bool, minutes_left: u32 },
}

/// First, highest, lowest and last price of a minute, on the grid, and how far it moved in sigmas.
pub(super) struct Minute {
    pub(super) open: Price,
    pub(super) high: Price,
    pub(super) low: Price,
    pub(super) close: Price,
    pub(super) moved: f64,
}

/// A price on its way.
pub(super) struct Path<'a> {
    knobs: &'a Knobs,
    dice: Dice,
    sigma: f64,
    /// In units of [`Price`], off the grid.
    price: f64,
    regime: Regime,
    noise: f64,
    minutes_left: u32,
}

impl<'a> Path<'a> {
    pub(super) fn new(knobs: &'a Knobs, dice: Dice, start: Price, sigma: f64) -> Path<'a> {
        let (regime, price) = (Regime::Drift(0.0), start.0 as f64);
        Path { knobs, dice, sigma, price, regime, noise: 1.0, minutes_left: 0 }
    }

    /// Passes a night. A range goes on around the price of the morning.
    pub(super) fn pass_night(&mut self) {
        let gap = self.knobs.gap * self.dice.normal();
        self.shift(gap);
        if let Regime::Swing { middle, .. } = &mut self.regime {
            *middle = self.price;
        }
    }

    /// The next minute. `edge` is 1 at the ends of the day and 0 at noon, `jump` is a sudden move
    /// at the minute's start in sigmas, `anchor` the price that new trends lean towards.
    pub(super) fn minute(&mut self, tick: Price, edge: f64, jump: f64, anchor: f64) -> Minute {
        if self.minutes_left == 0 {
            self.change_mood(anchor);
        }
        self.minutes_left -= 1;
        let before = self.price;
        let drift = self.drift();
        let noise = self.noise * (1.0 + self.knobs.edge_noise * edge);
        let steps = f64::from(STEPS);
        let at_close = jump == 0.0 && self.dice.chance(self.knobs.open_at_close_per_mille);
        self.shift(jump);
        let open = on_grid(self.price, tick);
        let mut minute = Minute { open, high: open, low: open, close: open, moved: 0.0 };
        for step in 0..STEPS {
            let wobble = self.dice.normal() * noise / steps.sqrt();
            self.shift(drift / steps + wobble);
            minute.close = on_grid(self.price, tick);
            if step == 0 && !at_close {
                (minute.open, minute.high, minute.low) = (minute.close, minute.close, minute.close);
            }
            minute.high = minute.high.max(minute.close);
            minute.low = minute.low.min(minute.close);
        }
        minute.moved = (self.price / before - 1.0) / self.sigma;
        minute
    }

    /// Moves the price by so many sigmas, but never by more than a fifth.
    fn shift(&mut self, sigmas: f64) {
        self.price *= 1.0 + (sigmas * self.sigma).clamp(-0.2, 0.2);
    }

    /// The drift of this minute, in sigmas.
    fn drift(&mut self) -> f64 {
        match &mut self.regime {
            Regime::Drift(drift) => *drift,
            Regime::Swing { middle, upward, minutes_left } => {
                if *minutes_left == 0 {
                    *upward = !*upward;
                    *minutes_left = self.dice.within(&self.knobs.swing_minutes);
                }
                *minutes_left -= 1;
                let side = if *upward { self.knobs.swing_size } else { -self.knobs.swing_size };
                let level = *middle * (1.0 + side * self.sigma);
                (level / self.price - 1.0) / self.sigma * self.knobs.swing_pull
            }
        }
    }

    fn change_mood(&mut self, anchor: f64) {
        let knobs = self.knobs;
        let lean = knobs.trend_lean * (anchor / self.price - 1.0);
        let upward = self.dice.unit() < (0.5 + lean).clamp(0.1, 0.9);
        let trend = Regime::Drift(if upward { knobs.trend_drift } else { -knobs.trend_drift });
        let range = Regime::Swing { middle: self.price, upward, minutes_left: 0 };
        let moods = [
            (&knobs.trend, trend),
            (&knobs.range, range),
            (&knobs.nervous, Regime::Drift(0.0)),
            (&knobs.calm, Regime::Drift(0.0)),
        ];
        let (mood, regime) = self.draw(moods);
        self.noise = mood.noise;
        self.minutes_left = self.dice.within(&mood.minutes).max(1);
        self.regime = regime;
    }

    /// One of the moods, by their weights.
    fn draw(&mut self, moods: [(&'a Mood, Regime); 4]) -> (&'a Mood, Regime) {
        let ticket = self.dice.below(moods.iter().map(|(mood, _)| mood.weight).sum());
        let mut reached = 0;
        let drawn = moods.into_iter().find(|(mood, _)| {
            reached += mood.weight;
            ticket < reached
        });
        drawn.unwrap_or((&self.knobs.calm, Regime::Drift(0.0)))
    }
}

/// The nearest price on the grid, at least one tick.
fn on_grid(price: f64, tick: Price) -> Price {
    let ticks = (price / tick.0 as f64 + 0.5) as i64;
    Price(ticks.max(1) * tick.0)
}
