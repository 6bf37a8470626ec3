//! Whether a rule for signals keeps its word: it is asked at every bar with the future hidden, and
//! again with one bar more, and so on to the end. What it takes back, it had not known.

use crate::domain::fact::{Bar15m, Signal};
use crate::domain::money::Price;
use crate::domain::time::Timestamp;

/// How many bars of the future a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarsAhead {
    /// What a rule says of a bar stands once so many later bars are there. 0: it is causal.
    Exactly(usize),
    /// What it says of a bar of the first half changed with a bar so late that it is at least half
    /// of the data away: there is no end to it.
    All,
}

/// A bar about which the rule changed its mind later than about any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Start of the bar.
    pub bar_time: Timestamp,
    /// Start of the later bar with which the answer changed.
    pub changed_by: Timestamp,
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
    /// How far the rule reads, as far as these bars show: the largest distance at which a bar
    /// changed a signal, or one of its numbers. Data on which that never happens show less.
    pub bars_ahead: BarsAhead,
    /// Where that was; none for a causal rule.
    pub witness: Option<Witness>,
}

/// Asks `rule` for the signals of the first bar, of the first two, and so on. `bars` are those of one
/// instrument, ascending; the rule's signals ascend by bar.
pub fn prefix_consistency(bars: &[Bar15m], rule: impl Fn(&[Bar15m]) -> Vec<Signal>) -> Trial {
    let (mut before, mut at_close): (Vec<Signal>, Vec<Signal>) = (Vec::new(), Vec::new());
    let (mut reach, mut witness) = (0, None);
    for newest in 0..bars.len() {
        let now = rule(&bars[..=newest]);
        let newest_time = bars[newest].open_time;
        at_close.extend(now.iter().filter(|signal| signal.bar_time == newest_time).cloned());
        if let Some(changed) = first_change(&before, &now).filter(|time| *time < newest_time) {
            let place = bars.partition_point(|bar| bar.open_time < changed);
            if newest - place > reach {
                reach = newest - place;
                witness = Some(Witness { bar_time: changed, changed_by: newest_time });
            }
        }
        before = now;
    }
    let is_all = reach > 0 && 2 * reach >= bars.len();
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

/// The earliest bar of which two answers differ. The answer of one bar less has nothing on the newest
/// bar, so a signal on that one is a difference as well.
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
        let (config, bars) = (config(), bars(700));
        let trial = prefix_consistency(&bars, |bars| batch::events(&config, bars).in_hindsight());
        assert_eq!(trial.bars_ahead, BarsAhead::Exactly(5));
        assert!(!trial.vanished.is_empty(), "{trial:?}");
        let lasting = trial.at_close - trial.vanished.len();
        assert_eq!(trial.in_the_end, lasting + trial.appeared.len());
        let Witness { bar_time, changed_by } = trial.witness.expect("a rule that looks ahead");
        let place = |time| bars.iter().position(|bar| bar.open_time == time).unwrap();
        assert_eq!(place(changed_by) - place(bar_time), 5);
    }

    /// That the rule says what it says and nothing else later.
    fn assert_causal(trial: &Trial) {
        assert!(trial.at_close > 3, "{trial:?}");
        assert_eq!((trial.bars_ahead, trial.witness), (BarsAhead::Exactly(0), None));
        assert_eq!((trial.vanished.len(), trial.appeared.len()), (0, 0));
    }

    #[test]
    fn the_causal_rules_read_nothing_ahead() {
        let config = config();
        assert_causal(&prefix_consistency(&bars(500), |bars| {
            let columns = IndicatorColumns::of(bars, 5);
            signals::of(&config, bars, &columns).into_iter().flatten().collect()
        }));
    }

    #[test]
    fn the_live_path_reads_nothing_ahead() {
        let config = config();
        let window = live::Window { bars_max: 40, bars_min: 20 };
        assert_causal(&prefix_consistency(&bars(200), |bars| {
            live::signals(&config, bars, window).into_iter().flatten().collect()
        }));
    }

    #[test]
    fn a_planted_shift_is_found_with_its_length() {
        let bars = bars(300);
        for k in 1..=10 {
            let ahead = planted(|closes, i| i + k < closes.len() && closes[i + k] > closes[i]);
            let trial = prefix_consistency(&bars, ahead);
            assert_eq!(trial.bars_ahead, BarsAhead::Exactly(k));
            assert!(trial.appeared.len() > 50 && trial.at_close == 0);
            let behind = planted(|closes, i| i >= k && closes[i - k] < closes[i]);
            assert_eq!(prefix_consistency(&bars, behind).bars_ahead, BarsAhead::Exactly(0));
        }
    }

    #[test]
    fn a_planted_centred_window_is_found_with_its_half_width() {
        let bars = bars(300);
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
        let bars = bars(300);
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
