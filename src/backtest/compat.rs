//! Execution `compat` (rules 6): what the Python system does with the same signals, on the close of
//! strategy bars and without regard for sessions. Its live path adds a cooldown (rules 8.9).

use super::account::Account;
use super::timeline::Moment;
use super::{Frame, Outcome};
use crate::domain::config::{COMPAT_SLIPPAGE, ExecutionConfig};
use crate::domain::event::{Command, CommandKind, RunStarted};
use crate::domain::fact::{Bar15m, Halt, Order, OrderReason, RejectReason, Signal, SignalRef};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

/// What the Python system trades where its sizing gives nothing.
const QUANTITY_DEFAULT: Qty = Qty(75);
/// By how much its check supposes that a position grows.
const QUANTITY_SUPPOSED: i64 = 100;

/// Exit parameters: they outlive changes of the position's size and even of its sign.
struct Exit {
    stop: Price,
    target: Price,
    side: Side,
    held: u32,
    origin: SignalRef,
}

struct Desk<'a> {
    rules: &'a ExecutionConfig,
    time_stop_bars: u32,
    cooldown_bars: u32,
    account: Account<'a>,
    exits: Vec<Option<Exit>>,
    /// Bars that the strategy has seen, by instrument, and how many there were when the position
    /// last became flat.
    seen: Vec<u32>,
    flat_since: Vec<Option<u32>>,
    peak: Cash,
    paused: bool,
    killed: bool,
}

/// Trades the signals of `frames`. For fewer than `cooldown_bars` bars after an exit there are no
/// signals; 0 where the strategy knows no cooldown.
pub fn trade(
    run: &RunStarted,
    frames: &[Frame],
    moments: &[Moment],
    cooldown_bars: u32,
) -> Outcome {
    let rules = &run.config.execution;
    let mut desk = Desk {
        rules,
        time_stop_bars: run.config.strategy.time_stop_bars,
        cooldown_bars,
        account: Account::new(run),
        exits: run.instruments.iter().map(|_| None).collect(),
        seen: vec![0; run.instruments.len()],
        flat_since: vec![None; run.instruments.len()],
        peak: rules.capital,
        paused: false,
        killed: false,
    };
    for moment in moments {
        match *moment {
            Moment::Minute(bar) => desk.account.mark(bar.instrument, bar.close),
            Moment::Flatten(..) => {}
            Moment::Command(command) => desk.command(&command),
            Moment::Refused(rejection) => desk.account.outcome.rejections.push(rejection),
            Moment::StrategyBar(id, row) => {
                let frame = &frames[id.index()];
                let bar = desk.account.observe(frame, row);
                desk.account.mark(id, bar.close);
                desk.try_exit(bar);
                let is_mute = desk.is_cooling_down(id);
                if let Some(signal) = frame.signals[row].as_ref().filter(|_| !is_mute) {
                    desk.account.announce(signal);
                    desk.try_signal(signal);
                }
            }
            Moment::SessionOver(date, end) => desk.account.close_day(date, end),
        }
    }
    desk.account.outcome
}

impl Desk<'_> {
    /// Step 5: commands never trade.
    fn command(&mut self, command: &Command) {
        let reason = match command.kind {
            CommandKind::Resume => {
                self.paused = false;
                return;
            }
            CommandKind::Release => {
                self.killed = false;
                return;
            }
            CommandKind::Kill => RejectReason::Killed,
            CommandKind::Pause | CommandKind::Flatten => RejectReason::Paused,
        };
        self.killed |= reason == RejectReason::Killed;
        self.paused |= reason == RejectReason::Paused;
        let (time, day_profit) = (command.time, self.account.day_profit());
        self.account.outcome.halts.push(Halt { time, reason, day_profit });
    }

    /// Step 1: stop, target and time stop.
    fn try_exit(&mut self, bar: &Bar15m) {
        let id = bar.instrument;
        let Some(exit) = &mut self.exits[id.index()] else { return };
        exit.held += 1;
        let Some((reason, price)) = exit.reached(bar, self.time_stop_bars) else { return };
        let (origin, held) = (exit.origin, self.account.quantity(id));
        if self.may_trade(id, price, bar.close_time) {
            let side = if held > Qty::ZERO { Side::Sell } else { Side::Buy };
            let time = bar.close_time;
            let order = Order { instrument: id, time, side, quantity: held.abs(), reason, origin };
            self.fill(&order, price);
        }
    }

    /// The strategy sees the next bar of the instrument: whether the last exit is too fresh for a
    /// signal. An exit on this very bar was recorded before the bar was counted.
    fn is_cooling_down(&mut self, id: InstrumentId) -> bool {
        let seen = &mut self.seen[id.index()];
        *seen += 1;
        self.flat_since[id.index()].is_some_and(|since| *seen - since < self.cooldown_bars)
    }

    /// Step 2: the bar's signal.
    fn try_signal(&mut self, signal: &Signal) {
        let &Signal { instrument, time, side, .. } = signal;
        if self.killed {
            self.account.reject(instrument, time, RejectReason::Killed);
            return;
        }
        if self.paused {
            self.account.reject(instrument, time, RejectReason::Paused);
            return;
        }
        if !self.may_trade(instrument, signal.price, time) {
            return;
        }
        let held = self.account.quantity(instrument).0;
        let supposed = match side {
            Side::Buy => held + QUANTITY_SUPPOSED,
            Side::Sell => (held - QUANTITY_SUPPOSED).abs(),
        };
        if supposed > self.rules.position_max.0 {
            self.account.reject(instrument, time, RejectReason::PositionMax);
            return;
        }
        let quantity = match signal.quantity {
            Qty::ZERO => QUANTITY_DEFAULT,
            quantity => quantity.min(self.rules.position_max),
        };
        let (reason, origin) = (OrderReason::Entry, signal.origin());
        self.fill(&Order { instrument, time, side, quantity, reason, origin }, signal.price);
        let &Signal { stop, target, .. } = signal;
        if self.account.quantity(instrument) != Qty::ZERO {
            self.exits[instrument.index()].get_or_insert(Exit {
                stop,
                target,
                side,
                held: 0,
                origin,
            });
        }
    }

    /// The checks before every trade at `price`; one that fails kills the account.
    fn may_trade(&mut self, id: InstrumentId, price: Price, time: Timestamp) -> bool {
        if self.killed {
            return false;
        }
        let equity = self.account.cash().plus(price.times(self.account.quantity(id)));
        let too_many = self.account.outcome.fills.len() >= self.rules.trades_max as usize;
        if too_many || self.is_drawdown(equity) {
            self.killed = true;
            let day_profit = equity.minus(self.rules.capital);
            self.account.outcome.halts.push(Halt {
                time,
                reason: RejectReason::Killed,
                day_profit,
            });
        }
        !self.killed
    }

    /// Whether `equity` has fallen too far from its peak, itself included.
    fn is_drawdown(&mut self, equity: Cash) -> bool {
        let wide = |cash: Cash| i128::from(cash.0);
        self.peak = self.peak.max(equity);
        let drawdown = wide(self.peak.minus(equity)) * wide(self.rules.capital);
        drawdown >= wide(self.rules.daily_loss_max) * wide(self.peak)
    }

    /// Executes `order` at a paisa worse than `price`. Exit parameters end with the position.
    fn fill(&mut self, order: &Order, price: Price) {
        let slippage = match order.side {
            Side::Buy => COMPAT_SLIPPAGE,
            Side::Sell => Price(-COMPAT_SLIPPAGE.0),
        };
        self.account.outcome.orders.push(*order);
        self.account.fill(order, order.time, price.plus(slippage));
        if self.account.quantity(order.instrument) == Qty::ZERO {
            let place = order.instrument.index();
            self.exits[place] = None;
            self.flat_since[place] = Some(self.seen[place]);
        }
    }
}

impl Exit {
    /// Why and at what price the bar closes the position, if it does.
    fn reached(&self, bar: &Bar15m, time_stop_bars: u32) -> Option<(OrderReason, Price)> {
        let (stop_hit, target_hit) = match self.side {
            Side::Buy => (bar.low <= self.stop, bar.high >= self.target),
            Side::Sell => (bar.high >= self.stop, bar.low <= self.target),
        };
        // A signal without quantity has levels of 0.00, which are none.
        let is_level = |price: Price| price != Price(0);
        let (stop_hit, target_hit) =
            (stop_hit && is_level(self.stop), target_hit && is_level(self.target));
        if stop_hit {
            Some((OrderReason::Stop, self.stop))
        } else if target_hit {
            Some((OrderReason::Target, self.target))
        } else {
            (self.held >= time_stop_bars).then_some((OrderReason::TimeStop, bar.close))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::testing::{DAY, Scenario, log, time};
    use crate::domain::config::ExecutionProfile;

    /// Four bars at 100, 101, 102 and 103, on close.
    fn rising() -> Scenario {
        Scenario::new()
            .with(|config| config.execution.profile = ExecutionProfile::Compat)
            .minute(0, "09:15", "100 100 100 100")
            .minute(0, "09:30", "101 101 101 101")
            .minute(0, "09:45", "102 102 102 102")
            .minute(0, "10:00", "103 103 103 103")
    }

    #[test]
    fn an_opposite_signal_nets_and_leaves_the_first_exit_in_force() {
        let mut scenario = rising().signal(0, "09:15", Side::Buy, "90", "103").signal(
            0,
            "09:30",
            Side::Sell,
            "110",
            "80",
        );
        scenario.signals_mut()[1].quantity = Qty(40);
        let outcome = scenario.trade();
        insta::assert_snapshot!(log(&outcome), @r"
        order  09:30 A BUY 100 entry
        order  09:45 A SELL 40 entry
        order  10:15 A SELL 60 target
        fill   09:30 A BUY 100 @ 100.01 entry
        fill   09:45 A SELL 40 @ 99.99 entry
        fill   10:15 A SELL 60 @ 102.99 target
        day    2024-10-01 gross 178.00 fees 0.00 equity 100178.00
        ");
        let held = outcome
            .positions
            .iter()
            .map(|held| format!("{} cost {} realized {}", held.quantity, held.cost, held.realized));
        insta::assert_snapshot!(held.collect::<Vec<_>>().join("\n"), @r"
        100 cost 10001.00 realized 0.00
        60 cost 6000.60 realized -0.80
        0 cost 0.00 realized 178.00
        ");
    }

    #[test]
    fn a_flip_keeps_the_exit_of_the_side_that_is_gone() {
        let mut scenario = rising().signal(0, "09:15", Side::Buy, "90", "103").signal(
            0,
            "09:30",
            Side::Sell,
            "110",
            "80",
        );
        scenario.signals_mut()[1].quantity = Qty(150);
        // The short is bought back at the target of the long: a loss.
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  09:45 A SELL 150 entry
        order  10:15 A BUY 50 target
        fill   09:30 A BUY 100 @ 100.01 entry
        fill   09:45 A SELL 150 @ 99.99 entry
        fill   10:15 A BUY 50 @ 103.01 target
        day    2024-10-01 gross -153.00 fees 0.00 equity 99847.00
        ");
    }

    /// The labels of signals of a scenario's first instrument that are not silenced.
    fn heard(scenario: &Scenario) -> String {
        let signals = scenario.trade_as_live().signals;
        let label = |signal: &Signal| signal.bar_time.to_string()[11..].to_owned();
        signals.iter().map(label).collect::<Vec<_>>().join(" ")
    }

    /// Seven bars at 100, and buys on the first and on each of those from `from` on.
    fn flat_bars(from: usize) -> Scenario {
        let labels = ["09:15", "09:30", "09:45", "10:00", "10:15", "10:30", "10:45"];
        let mut scenario = Scenario::new()
            .with(|config| config.execution.profile = ExecutionProfile::Compat)
            .signal(0, labels[0], Side::Buy, "90", "103");
        for (place, label) in labels.iter().enumerate() {
            scenario = scenario.minute(0, label, "100 100 100 100");
            if place >= from {
                scenario = scenario.signal(0, label, Side::Buy, "90", "110");
            }
        }
        scenario
    }

    #[test]
    fn after_an_exit_its_own_bar_and_the_next_are_mute() {
        // The time stop comes on the second bar after the entry, 09:45.
        let scenario = flat_bars(2).with(|config| config.strategy.time_stop_bars = 2);
        assert_eq!(heard(&scenario), "09:15 10:15 10:30");
        let longer = scenario.with(|config| config.execution.cooldown_bars = 4);
        assert_eq!(heard(&longer), "09:15 10:30 10:45");
    }

    #[test]
    fn after_a_signal_that_closed_the_position_two_bars_are_mute() {
        let scenario = flat_bars(2).signal(0, "09:30", Side::Sell, "110", "90");
        assert_eq!(heard(&scenario), "09:15 09:30 10:15 10:30 10:45");
    }

    #[test]
    fn a_time_stop_comes_at_the_close() {
        let short = rising().signal(0, "09:15", Side::Sell, "110", "80");
        let scenario = short.with(|config| config.strategy.time_stop_bars = 2);
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A SELL 100 entry
        order  10:00 A BUY 100 time-stop
        fill   09:30 A SELL 100 @ 99.99 entry
        fill   10:00 A BUY 100 @ 102.01 time-stop
        day    2024-10-01 gross -202.00 fees 0.00 equity 99798.00
        ");
    }

    #[test]
    fn a_drawdown_kills_and_a_later_signal_is_refused() {
        // Cash after buying A does not count the shares when B looks at it.
        let scenario = rising()
            .signal(0, "09:15", Side::Buy, "90", "110")
            .minute(1, "09:30", "100 100 100 100")
            .minute(1, "09:45", "100 100 100 100")
            .signal(1, "09:30", Side::Buy, "90", "110")
            .signal(1, "09:45", Side::Buy, "90", "110");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        fill   09:30 A BUY 100 @ 100.01 entry
        no     10:00 B killed
        halt   09:45 killed at -10001.00
        day    2024-10-01 gross 299.00 fees 0.00 equity 100299.00
        ");
    }

    #[test]
    fn a_position_may_not_be_supposed_to_grow_too_large() {
        let scenario = rising()
            .with(|config| config.execution.position_max = Qty(150))
            .signal(0, "09:15", Side::Buy, "90", "110")
            .signal(0, "09:30", Side::Buy, "90", "110")
            .signal(0, "09:45", Side::Sell, "110", "90");
        insta::assert_snapshot!(scenario.log(), @r"
        order  09:30 A BUY 100 entry
        order  10:00 A SELL 100 entry
        fill   09:30 A BUY 100 @ 100.01 entry
        fill   10:00 A SELL 100 @ 99.99 entry
        no     09:45 A position-max
        day    2024-10-01 gross -2.00 fees 0.00 equity 99998.00
        ");
    }

    #[test]
    fn a_signal_without_quantity_trades_75() {
        for side in Side::ALL {
            let mut scenario = rising().signal(0, "09:15", *side, "0", "0");
            scenario.signals_mut()[0].quantity = Qty::ZERO;
            let scenario = scenario.with(|config| config.strategy.time_stop_bars = 3);
            let fills = scenario.trade().fills;
            assert_eq!(fills.len(), 2);
            assert_eq!((fills[0].quantity, fills[0].side), (Qty(75), *side));
            assert_eq!(fills[0].time, time(&format!("{DAY}T09:30")));
            // Its levels of 0.00 are never reached, whatever its side.
            assert_eq!(fills[1].reason, OrderReason::TimeStop);
        }
    }
}
