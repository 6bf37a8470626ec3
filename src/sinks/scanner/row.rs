//! One instrument under one strategy: what it sees, what it wants, what it holds.

use serde::{Deserialize, Serialize};

use crate::domain::config::{ExecutionProfile, Profile, RunConfig};
use crate::domain::event::{EventId, Output};
use crate::domain::fact::{Bar15m, OrderReason, RejectReason, Signal};
use crate::domain::instrument::Instrument;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::Timestamp;

/// Where the strategy stands with an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignalState {
    /// It waits for a signal.
    Pending,
    /// The newest bar made a signal, or its order is on the way.
    Triggered,
    /// The last exit is too fresh for an entry.
    Cooldown,
    /// A position is held.
    InPosition,
}

impl SignalState {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            SignalState::Pending => "PENDING",
            SignalState::Triggered => "TRIGGERED",
            SignalState::Cooldown => "COOLDOWN",
            SignalState::InPosition => "IN_POSITION",
        }
    }
}

/// How long a strategy rests after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Strategy bars that have to close before the next entry.
    pub bars: u32,
    /// Whether the bar that ends a position is counted among these, as Python does.
    pub exit_bar_counts: bool,
}

impl Rest {
    /// No rest.
    pub const NONE: Rest = Rest { bars: 0, exit_bar_counts: false };

    /// What a run's configuration says.
    pub fn of(config: &RunConfig) -> Rest {
        let is_compat = config.execution.profile == ExecutionProfile::Compat;
        // There the strategy itself stays silent, and no signal has to be refused.
        let is_mute = is_compat && config.strategy.profile == Profile::Causal;
        let bars = if is_mute { 0 } else { config.execution.cooldown_bars };
        Rest { bars, exit_bar_counts: is_compat }
    }
}

/// What is folded of one instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The instrument with all its listings: its symbol depends on the day.
    pub instrument: Instrument,
    /// The newest strategy bar.
    pub bar: Option<LastBar>,
    /// The last price with its time.
    pub price: Option<(Timestamp, Price)>,
    /// The newest bar's signal, with its event.
    pub trigger: Option<(EventId, Side)>,
    /// Which way the newest bar's signal goes, whatever became of it since.
    pub newest: Option<Side>,
    /// Which way the open position was entered.
    pub entered: Option<Side>,
    /// Stop and target of the open position or of the signal that may open one.
    pub levels: Option<(Price, Price)>,
    /// Whether an entry's order waits for its fill.
    pub is_ordered: bool,
    /// Shares held; negative for a short position.
    pub quantity: Qty,
    /// What they cost.
    pub cost: Cash,
    /// Profit of all closed shares, before fees.
    pub realized: Cash,
    /// Fees of all fills.
    pub fees: Cash,
    /// Profit of the run when the day began, open positions and fees included.
    pub before_today: Cash,
    /// The same when the last trading day was over, until the next begins.
    at_day_end: Option<Cash>,
    /// Signals since the day began.
    pub signals_today: u64,
    /// Bars that have closed since the last exit; none before the first, or once it is far enough.
    pub since_exit: Option<u32>,
    /// Whether the last fill was an exit.
    pub is_exit: bool,
    /// Why the last signal was declined, if the newest one was.
    pub declined: Option<RejectReason>,
}

/// The newest strategy bar of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBar {
    /// Its start.
    pub open_time: Timestamp,
    /// Its end.
    pub close_time: Timestamp,
    /// Its last price.
    pub close: Price,
    /// Minutes that it has.
    pub minutes: u32,
    /// Minutes that it should have.
    pub minutes_expected: u32,
}

impl LastBar {
    const fn of(bar: &Bar15m) -> LastBar {
        LastBar {
            open_time: bar.open_time,
            close_time: bar.close_time,
            close: bar.close,
            minutes: bar.minutes,
            minutes_expected: bar.minutes_expected,
        }
    }
}

impl Row {
    /// A row of which nothing is known yet.
    pub fn new(instrument: &Instrument) -> Row {
        Row {
            instrument: instrument.clone(),
            bar: None,
            price: None,
            trigger: None,
            newest: None,
            entered: None,
            levels: None,
            is_ordered: false,
            quantity: Qty::ZERO,
            cost: Cash::ZERO,
            realized: Cash::ZERO,
            fees: Cash::ZERO,
            before_today: Cash::ZERO,
            at_day_end: None,
            signals_today: 0,
            since_exit: None,
            is_exit: false,
            declined: None,
        }
    }

    /// A price was seen, unless a later one was.
    pub fn see_price(&mut self, time: Timestamp, price: Price) {
        if self.price.is_none_or(|(last, _)| last <= time) {
            self.price = Some((time, price));
        }
    }

    /// Profit of what is held at the last price, before fees.
    pub fn open_profit(&self) -> Cash {
        match self.price {
            Some((_, price)) if self.quantity != Qty::ZERO => {
                price.times(self.quantity).minus(self.cost)
            }
            _ => Cash::ZERO,
        }
    }

    /// Profit since the day began, open positions and fees included.
    pub fn today(&self) -> Cash {
        self.profit().minus(self.before_today)
    }

    fn profit(&self) -> Cash {
        self.realized.plus(self.open_profit()).minus(self.fees)
    }

    /// The trading day is over: its profit stays to be seen until the next begins.
    pub fn end_day(&mut self) {
        self.at_day_end = Some(self.profit());
    }

    /// The calendar shows another day.
    pub fn new_day(&mut self) {
        self.before_today = self.at_day_end.take().unwrap_or_else(|| self.profit());
        self.signals_today = 0;
    }

    /// Which way the strategy leans: with its position, or with the signal of the newest bar.
    pub fn bias(&self) -> Option<Side> {
        match self.quantity {
            Qty::ZERO => self.trigger.map(|(_, side)| side),
            _ => self.entered,
        }
    }

    /// Where the strategy stands.
    pub const fn signal_state(&self) -> SignalState {
        match () {
            () if self.quantity.0 != 0 => SignalState::InPosition,
            () if self.trigger.is_some() || self.is_ordered => SignalState::Triggered,
            () if self.since_exit.is_some() => SignalState::Cooldown,
            () => SignalState::Pending,
        }
    }

    /// What the table `runner_state` says of the strategy here: bias and state. There a signal is
    /// told until the next bar, whatever became of it, and a position has no bias.
    pub const fn runner_state(&self) -> (Option<Side>, SignalState) {
        match () {
            () if self.newest.is_some() => (self.newest, SignalState::Triggered),
            () if self.quantity.0 != 0 => (None, SignalState::InPosition),
            () if self.since_exit.is_some() => (None, SignalState::Cooldown),
            () => (None, SignalState::Pending),
        }
    }

    /// What the core derived for this instrument.
    pub fn output(&mut self, id: EventId, output: &Output, rest: Rest) {
        match output {
            Output::Bar1m(bar) => self.see_price(bar.close_time(), bar.close),
            Output::Bar15m(bar) => self.bar(bar, rest),
            // A bar that an archive completed is the same bar: nothing begins or ends with it.
            Output::BarRevised(bar)
                if self.bar.is_some_and(|last| last.open_time == bar.open_time) =>
            {
                self.bar = Some(LastBar::of(bar));
            }
            Output::Signal(signal) => self.signal(id, signal),
            Output::Order(order) if order.reason == OrderReason::Entry => self.is_ordered = true,
            Output::Fill(fill) => {
                self.fees = self.fees.plus(fill.fee);
                self.is_exit = fill.reason != OrderReason::Entry;
                if fill.reason == OrderReason::Entry {
                    self.is_ordered = false;
                    self.entered = Some(fill.origin.side);
                    // From here on the position speaks, and when it is over nobody does.
                    self.trigger = None;
                }
            }
            Output::Position(position) => {
                self.quantity = position.quantity;
                self.cost = position.cost;
                self.realized = position.realized;
                if position.quantity == Qty::ZERO {
                    self.entered = None;
                    self.levels = None;
                    let closed = u32::from(rest.exit_bar_counts && self.is_exit);
                    self.since_exit = (closed < rest.bars).then_some(closed);
                }
            }
            _ => {}
        }
    }

    fn bar(&mut self, bar: &Bar15m, rest: Rest) {
        self.bar = Some(LastBar::of(bar));
        self.trigger = None;
        self.newest = None;
        self.declined = None;
        let closed = self.since_exit.map(|bars| bars + 1);
        self.since_exit = closed.filter(|bars| *bars < rest.bars);
    }

    fn signal(&mut self, id: EventId, signal: &Signal) {
        self.trigger = Some((id, signal.side));
        self.newest = Some(signal.side);
        self.signals_today += 1;
        if self.quantity == Qty::ZERO {
            self.levels = Some((signal.stop, signal.target));
        }
    }

    /// The core said no to a signal or an order.
    pub fn reject(&mut self, reason: RejectReason) {
        self.declined = Some(reason);
        self.is_ordered = false;
        if self.quantity == Qty::ZERO {
            self.levels = None;
        }
    }
}
