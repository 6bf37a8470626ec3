//! The pure machine: one input in, its outputs out, and nothing else. No clock, no I/O, no threads,
//! no `Result`, no way to tell a live run from a replay. Time arrives as an input.
//!
//! The rules are those of `docs/rules.md`, section by section:
//!
//! - [`lanes`] (1, 2) one lane per instrument; the boundaries that a watermark reaches, in order
//! - [`aggregate`] (1.4, 1.5, 2) ticks and minutes into strategy bars
//! - [`indicator`] (3) exactly the pandas kernels, one bar at a time
//! - [`strategy`] (4) the four conditions and the size
//! - [`broker`] (5, 6) orders, fills and limits, honest or compat
//! - [`portfolio`] positions, cash, the day's profit
//! - [`outbox`] what a step derived, with causes
#![deny(missing_docs)]

pub mod aggregate;
pub mod broker;
pub mod indicator;
pub mod lanes;
pub mod outbox;
pub mod portfolio;
pub mod strategy;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::event::{Derived, Input, RunStarted};
use crate::domain::fact::{Bar, Bar15m, RejectReason, Rejection, Tick};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;

use broker::{Broker, PriceEvent};
use lanes::{Boundary, Lanes};
use outbox::{INPUT, Outbox};
use portfolio::Portfolio;
use strategy::Strategy;

/// The machine. Equal inputs lead to equal states and equal outputs, whatever the machine it runs
/// on, the build, the number of threads around it or the time of day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Core {
    lanes: Lanes,
    strategy: Strategy,
    broker: Broker,
    portfolio: Portfolio,
}

impl Core {
    /// The machine before its first market event, as the run's first record describes it.
    pub fn new(run: &RunStarted) -> Core {
        Core {
            lanes: Lanes::new(run),
            strategy: Strategy::new(run),
            broker: Broker::new(run),
            portfolio: Portfolio::new(run),
        }
    }

    /// Takes input number `seq` and appends what it leads to, in order, to `out`.
    ///
    /// # Panics
    /// When an input comes that no source may send: a second RunStarted, or an instrument that the
    /// run did not declare.
    pub fn step(&mut self, seq: u64, input: &Input, out: &mut Vec<Derived>) {
        let mut out = Outbox::new(seq, out);
        match input {
            Input::Bar(bar) => self.bar(bar, &mut out),
            Input::Watermark(time) => self.watermark(*time, &mut out),
            Input::Tick(tick) => self.tick(tick, &mut out),
            Input::Command(command) => {
                self.broker.command(command, &mut self.portfolio, &mut out);
            }
            Input::RunStarted(_) => panic!("RunStarted is record 0 and makes the core"),
            Input::RunEnded(_) => {}
        }
    }

    #[inline]
    fn bar(&mut self, bar: &Bar, out: &mut Outbox<'_>) {
        match self.lanes.admit_bar(bar) {
            Ok(()) => {
                let event = PriceEvent::of_bar(bar);
                self.broker.price(&event, &self.lanes, &mut self.portfolio, out);
            }
            Err(reason) => reject(bar.instrument, bar.open_time, reason, out),
        }
    }

    fn tick(&mut self, tick: &Tick, out: &mut Outbox<'_>) {
        match self.lanes.admit_tick(tick) {
            Ok(()) => {
                let event = PriceEvent::of_tick(tick);
                self.broker.price(&event, &self.lanes, &mut self.portfolio, out);
            }
            Err(reason) => reject(tick.instrument, tick.time, reason, out),
        }
    }

    #[inline]
    fn watermark(&mut self, time: Timestamp, out: &mut Outbox<'_>) {
        if time < self.lanes.next_boundary() {
            self.lanes.set_watermark(time);
            return;
        }
        while let Some(boundary) = self.lanes.pop_boundary(time, out) {
            match boundary {
                Boundary::Bar(bar) => self.strategy_bar(&bar, out),
                Boundary::Flatten(instrument, at) => {
                    self.broker.flatten(instrument, at, &self.portfolio, out);
                }
                Boundary::SessionOver(date, at) => {
                    self.broker.session_over(date, at, &mut self.portfolio, out);
                }
            }
        }
        self.lanes.set_watermark(time);
    }

    fn strategy_bar(&mut self, bar: &Bar15m, out: &mut Outbox<'_>) {
        let cause = out.push(INPUT, *bar);
        let (row, signal) = self.strategy.bar(bar);
        out.push(cause, row);
        self.broker.bar(bar, cause, &mut self.portfolio, out);
        if let Some(signal) = signal {
            let cause = out.push(cause, signal.clone());
            self.broker.signal(&signal, bar, cause, &self.lanes, &mut self.portfolio, out);
        }
    }
}

fn reject(instrument: InstrumentId, time: Timestamp, reason: RejectReason, out: &mut Outbox<'_>) {
    out.push(INPUT, Rejection { instrument, time, reason });
}
