//! Whether a rule for signals keeps its word: it is asked at every bar with the future hidden, and
//! again with one bar more, and so on to the end. What it takes back, it had not known.
//!
//! The bars that came need not show how far a rule reads: it may wait for a high that never came.
//! So around each signal it is also shown futures that might have come: quiet bars, and after any
//! number of them one whose price doubles or halves. These bars exist in this trial only.

use crate::domain::fact::{Bar15m, Signal};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;

/// Bars without any change after which a rule is believed to read no further: a regular session.
const QUIET_BARS: usize = 25;

/// How many bars of the future a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarsAhead {
    /// What a rule says of a bar stands once so many later bars are there. 0: it is causal.
    Exactly(usize),
    /// However many bars came, as many as all the data and more, the next one still changed
    /// something.
    All,
}

/// A bar about which the rule changed its mind later than about any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Start of the bar.
    pub bar_time: Timestamp,
    /// Start of the later bar with which the answer changed.
    pub changed_by: Timestamp,
    /// What that later bar was.
    pub with: Later,
}

/// A later bar that the rule is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// The bar that came.
    AsItCame,
    /// One that stays at the close before it.
    Quiet,
    /// One that ends at twice that price.
    Doubled,
    /// One that ends at half that price.
    Halved,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Bars at whose close the rule was asked.
    pub bars: usize,
    /// Signals that were there at the close of their bar.
    pub at_close: usize,
    /// Signals that are there in the end. A trial without any, and none at a close, says nothing.
    pub in_the_end: usize,
    /// Those that were there at the close and are not in the end.
    pub vanished: Vec<Signal>,
    /// Those that are there in the end and were not at the close.
    pub appeared: Vec<Signal>,
    /// The largest distance at which a bar changed a signal, or one of its numbers.
    pub bars_ahead: BarsAhead,
    /// Where that was; none for a causal rule.
    pub witness: Option<Witness>,
}

/// Asks `rule` for the signals of the first bar, of the first two, and so on. `bars` are those of
/// one instrument, ascending; the rule's signals ascend by bar.
pub fn prefix_consistency(bars: &[Bar15m], rule: impl Fn(&[Bar15m]) -> Vec<Signal>) -> Trial {
    let mut search = Search { rule, reach: 0, witness: None };
    let (mut before, mut at_close): (Vec<Signal>, Vec<Signal>) = (Vec::new(), Vec::new());
    for newest in 0..bars.len() {
        let now = (search.rule)(&bars[..=newest]);
        let newest_time = bars[newest].open_time;
        let (fresh, known): (Vec<Signal>, Vec<Signal>) =
            now.iter().cloned().partition(|signal| signal.bar_time == newest_time);
        search.note(&bars[..=newest], Later::AsItCame, &before, &known);
        at_close.extend(fresh);
        before = now;
    }
    let mut asked: Vec<Timestamp> =
        at_close.iter().chain(&before).map(|signal| signal.bar_time).collect();
    asked.sort_unstable();
    asked.dedup();
    for time in asked {
        let count = bars.partition_point(|bar| bar.open_time <= time);
        search.imagine(&bars[..count], bars.len());
    }
    let Search { reach, witness, .. } = search;
    let is_all = reach > 0 && reach >= bars.len();
    Trial {
        bars: bars.len(),
        at_close: at_close.len(),
        in_the_end: before.len(),
        vanished: without(&at_close, &before),
        appeared: without(&before, &at_close),
        bars_ahead: if is_all { BarsAhead::All } else { BarsAhead::Exactly(reach) },
        witness,
    }
}

/// The largest distance so far at which a bar changed anything.
struct Search<R> {
    rule: R,
    reach: usize,
    witness: Option<Witness>,
}

impl<R: Fn(&[Bar15m]) -> Vec<Signal>> Search<R> {
    /// The last of the `seen` bars made `now` of what was `before`.
    fn note(&mut self, seen: &[Bar15m], with: Later, before: &[Signal], now: &[Signal]) {
        let (Some(bar_time), Some(last)) = (first_change(before, now), seen.last()) else { return };
        let place = seen.partition_point(|bar| bar.open_time < bar_time);
        let distance = (seen.len() - 1).saturating_sub(place);
        if distance > self.reach {
            self.reach = distance;
            self.witness = Some(Witness { bar_time, changed_by: last.open_time, with });
        }
    }

    /// Shows futures that might have come after the `known` bars, until nothing has changed for a
    /// while or the rule has reached as far as `all` bars.
    fn imagine(&mut self, known: &[Bar15m], all: usize) {
        let Some(&last) = known.last() else { return };
        let mut seen = known.to_vec();
        let ask = |rule: &R, seen: &[Bar15m]| -> Vec<Signal> {
            let of_known = |signal: &Signal| signal.bar_time <= last.open_time;
            rule(seen).into_iter().filter(of_known).collect()
        };
        let mut before = ask(&self.rule, &seen);
        let mut ahead = 1;
        while ahead <= self.reach + QUIET_BARS && self.reach < all {
            for with in [Later::Doubled, Later::Halved, Later::Quiet] {
                seen.truncate(known.len() + ahead - 1);
                seen.push(with.after(&seen[seen.len() - 1]));
                let now = ask(&self.rule, &seen);
                self.note(&seen, with, &before, &now);
                // The quiet bar comes last and stays.
                if with == Later::Quiet {
                    before = now;
                }
            }
            ahead += 1;
        }
    }
}

impl Later {
    /// Such a bar after `last`, as long and as busy.
    fn after(self, last: &Bar15m) -> Bar15m {
        let width_us = last.close_time.0 - last.open_time.0;
        let open = last.close;
        let close = match self {
            Later::AsItCame | Later::Quiet => open,
            Later::Doubled => Price(open.0 * 2),
            Later::Halved => Price(open.0 / 2),
        };
        Bar15m {
            open_time: last.close_time,
            close_time: last.close_time.plus_us(width_us),
            open,
            high: open.max(close),
            low: open.min(close),
            close,
            ..*last
        }
    }
}

/// The earliest bar of which two answers differ.
fn first_change(before: &[Signal], now: &[Signal]) -> Option<Timestamp> {
    let mut pairs = before.iter().zip(now);
    let differ = pairs.find(|(one, other)| content(one) != content(other));
    match differ {
        Some((one, other)) => Some(one.bar_time.min(other.bar_time)),
        None => {
            let more = if before.len() > now.len() { before } else { now };
            more.get(before.len().min(now.len())).map(|signal| signal.bar_time)
        }
    }
}

/// Signals of `some` whose bar, side and kind none of `others` has.
fn without(some: &[Signal], others: &[Signal]) -> Vec<Signal> {
    let is_there = |signal: &Signal| others.iter().any(|other| other.origin() == signal.origin());
    some.iter().filter(|signal| !is_there(signal)).cloned().collect()
}

/// All of a signal, doubles by their bits.
fn content(signal: &Signal) -> impl PartialEq {
    let &Signal { atr, vwap_dist, ema_slope, atr_pct, adx, vol_z, .. } = signal;
    let doubles = [atr, vwap_dist, ema_slope, atr_pct, adx, vol_z].map(f64::to_bits);
    let margins: Vec<u64> = signal.margins.iter().map(|margin| margin.to_bits()).collect();
    let prices: [Price; 3] = [signal.price, signal.stop, signal.target];
    (signal.origin(), signal.quantity, prices, doubles, margins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::indicators::IndicatorColumns;
    use crate::backtest::python::{batch, live};
    use crate::backtest::signals;
    use crate::backtest::testing::{reference, reference_bars, run_started, signal};
    use crate::domain::config::RunConfig;
    use crate::domain::fact::{SignalKind, SignalRef};
    use crate::domain::money::{Qty, Side};

    fn bars(count: usize) -> Vec<Bar15m> {
        reference_bars(&reference("SYNA.csv")[..count], 0)
    }

    fn config() -> RunConfig {
        run_started(&["SYNA"], &[]).config
    }

    /// A rule that buys on each bar for which `wants` holds, from all closes and a place.
    fn planted(wants: impl Fn(&[f64], usize) -> bool) -> impl Fn(&[Bar15m]) -> Vec<Signal> {
        move |bars| {
            let closes: Vec<f64> = bars.iter().map(|bar| bar.close.rupees()).collect();
            let buy = |bar: &Bar15m| {
                let (side, kind) = (Side::Buy, SignalKind::Trend);
                let origin = SignalRef { bar_time: bar.open_time, side, kind };
                signal(0, origin, bar.close_time, bar.close, Qty(1), Price(1), Price(2))
            };
            (0..bars.len()).filter(|&i| wants(&closes, i)).map(|i| buy(&bars[i])).collect()
        }
    }

    /// Mean and deviation of some closes.
    fn moments(closes: &[f64]) -> (f64, f64) {
        let mean = closes.iter().sum::<f64>() / closes.len() as f64;
        let squares: f64 = closes.iter().map(|close| (close - mean) * (close - mean)).sum();
        (mean, (squares / closes.len() as f64).sqrt())
    }

    #[test]
    fn the_batch_run_reads_exactly_five_bars_ahead() {
        let (config, bars) = (config(), bars(400));
        let trial = prefix_consistency(&bars, |bars| batch::events(&config, bars).in_hindsight());
        assert_eq!(trial.bars_ahead, BarsAhead::Exactly(5));
        assert!(!trial.vanished.is_empty(), "{trial:?}");
        let lasting = trial.at_close - trial.vanished.len();
        assert_eq!(trial.in_the_end, lasting + trial.appeared.len());
        let Witness { bar_time, changed_by, .. } = trial.witness.expect("it looks ahead");
        assert!(bar_time < changed_by);
    }

    /// That the rule says what it says and nothing else later.
    fn assert_causal(trial: &Trial) {
        assert!(trial.at_close >= 3, "{trial:?}");
        assert_eq!((trial.bars_ahead, trial.witness), (BarsAhead::Exactly(0), None));
        assert_eq!((trial.vanished.len(), trial.appeared.len()), (0, 0));
    }

    #[test]
    fn the_causal_rules_read_nothing_ahead() {
        let config = config();
        assert_causal(&prefix_consistency(&bars(300), |bars| {
            let columns = IndicatorColumns::of(bars, 5);
            signals::of(&config, bars, &columns).into_iter().flatten().collect()
        }));
    }

    #[test]
    fn the_live_path_reads_nothing_ahead() {
        let mut config = config();
        config.strategy.reversion_k = 0.5;
        let window = live::Window { bars_max: 30, bars_min: 20 };
        assert_causal(&prefix_consistency(&bars(90), |bars| {
            live::signals(&config, bars, window).into_iter().flatten().collect()
        }));
    }

    #[test]
    fn a_planted_shift_is_found_with_its_length() {
        let bars = bars(60);
        for k in 1..=10 {
            let ahead = planted(|closes, i| i + k < closes.len() && closes[i + k] > closes[i]);
            let trial = prefix_consistency(&bars, ahead);
            assert_eq!(trial.bars_ahead, BarsAhead::Exactly(k));
            assert!(trial.appeared.len() > 10 && trial.at_close == 0);
            let behind = planted(|closes, i| i >= k && closes[i - k] < closes[i]);
            assert_eq!(prefix_consistency(&bars, behind).bars_ahead, BarsAhead::Exactly(0));
        }
    }

    #[test]
    fn a_planted_centred_window_is_found_with_its_half_width() {
        let bars = bars(60);
        for k in 1..=10 {
            // Cut off where the data end, so that it always says something, if not for long.
            let centred = planted(|closes, i| {
                let window = &closes[i.saturating_sub(k)..closes.len().min(i + k + 1)];
                window.iter().all(|close| *close <= closes[i])
            });
            let trial = prefix_consistency(&bars, centred);
            assert_eq!(trial.bars_ahead, BarsAhead::Exactly(k));
            assert!(!trial.vanished.is_empty() && trial.appeared.is_empty());
            let trailing = planted(|closes, i| {
                closes[i.saturating_sub(2 * k)..=i].iter().all(|close| *close <= closes[i])
            });
            assert_eq!(prefix_consistency(&bars, trailing).bars_ahead, BarsAhead::Exactly(0));
        }
    }

    #[test]
    fn a_planted_full_sample_normalisation_has_no_end() {
        let bars = bars(40);
        for tenths in 1..=10 {
            let limit = f64::from(tenths) / 10.0;
            let sample = planted(move |closes, i| {
                let (mean, deviation) = moments(closes);
                closes[i] > mean + limit * deviation
            });
            assert_eq!(prefix_consistency(&bars, sample).bars_ahead, BarsAhead::All);
            let so_far = planted(move |closes, i| {
                let (mean, deviation) = moments(&closes[..=i]);
                closes[i] > mean + limit * deviation
            });
            assert_eq!(prefix_consistency(&bars, so_far).bars_ahead, BarsAhead::Exactly(0));
        }
    }

    /// Closes that only fall never contradict who expects them to.
    #[test]
    fn a_bar_that_might_have_come_shows_what_those_that_came_do_not() {
        let bars = bars(120);
        let falling: Vec<Bar15m> = (0..120)
            .map(|i| Bar15m { close: Price(2_000_000 - 10_000 * i64::from(i)), ..bars[i as usize] })
            .collect();
        let centred = planted(|closes, i| {
            let after = &closes[i..closes.len().min(i + 8)];
            i > 0 && after.iter().all(|close| *close <= closes[i])
        });
        let trial = prefix_consistency(&falling, centred);
        assert_eq!((trial.vanished.len(), trial.appeared.len()), (0, 0));
        assert_eq!(trial.bars_ahead, BarsAhead::Exactly(7));
        let with = trial.witness.map(|witness| witness.with);
        assert_eq!(with, Some(Later::Doubled));
    }

    #[test]
    fn a_number_that_changes_later_is_a_change() {
        let wants = planted(|_, i| i % 10 == 0);
        let trial = prefix_consistency(&bars(100), |bars| {
            let mut signals = wants(bars);
            for signal in &mut signals {
                let place = bars.partition_point(|bar| bar.open_time < signal.bar_time);
                signal.adx = bars[bars.len().min(place + 4) - 1].close.rupees();
            }
            signals
        });
        assert_eq!(trial.bars_ahead, BarsAhead::Exactly(3));
        assert_eq!((trial.vanished.len(), trial.appeared.len()), (0, 0));
    }

    #[test]
    fn a_rule_without_signals_shows_nothing() {
        let trial = prefix_consistency(&bars(50), |_| Vec::new());
        assert_eq!((trial.bars, trial.at_close, trial.in_the_end), (50, 0, 0));
        assert_eq!(prefix_consistency(&[], |_| Vec::new()).bars_ahead, BarsAhead::Exactly(0));
    }
}
