//! The pure machine: one input in, its outputs out, and nothing else. No clock, no I/O, no threads,
//! no `Result`, no way to tell a live run from a replay. Time arrives as an input.
//!
//! The rules are those of `docs/rules.md`, section by section; 7 is what the profile `compat-live`
//! does otherwise:
//!
//! - [`lanes`] (1, 2, 7.1) one lane per instrument; the boundaries that a watermark reaches
//! - [`aggregate`] (1.4 to 1.6, 2) ticks and minutes into strategy bars
//! - [`indicator`] (3, 7.2) exactly the pandas kernels, one bar at a time or over a window
//! - [`strategy`] (4, 7.3) the four conditions and the size
//! - [`broker`] (5, 6, 7.4, 9) orders, fills and limits: honest, compat or none
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

use crate::domain::event::{Derived, Input, Output, RunStarted};
use crate::domain::fact::{Bar, RejectReason, Rejection, Tick};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;

use aggregate::Known;
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
            Input::Backfill(minute) => self.backfill(&minute.bar, &mut out),
            Input::Gap(gap) => self.lanes.gap(gap),
            Input::Notice(_) => {}
            Input::RunStarted(_) => panic!("RunStarted is record 0 and makes the core"),
            Input::RunEnded(_) => {}
        }
    }

    #[inline]
    fn bar(&mut self, bar: &Bar, out: &mut Outbox<'_>) {
        match self.lanes.admit_bar(bar) {
            Ok(()) => {
                let event = PriceEvent::of_bar(bar, INPUT);
                self.broker.price(&event, &self.lanes, &mut self.portfolio, out);
            }
            Err(reason) => reject(bar.instrument, bar.open_time, reason, out),
        }
    }

    fn tick(&mut self, tick: &Tick, out: &mut Outbox<'_>) {
        self.strategy.keep_days();
        if let Err(reason) = self.lanes.admit_tick(tick) {
            reject(tick.instrument, tick.time, reason, out);
        }
    }

    fn backfill(&mut self, bar: &Bar, out: &mut Outbox<'_>) {
        self.strategy.keep_days();
        match self.lanes.admit_backfill(bar) {
            Ok(Some(revised)) => self.strategy.revise(&revised),
            Ok(None) => {}
            Err(reason) => reject(bar.instrument, bar.open_time, reason, out),
        }
    }

    #[inline]
    fn watermark(&mut self, time: Timestamp, out: &mut Outbox<'_>) {
        if self.strategy.is_revised() {
            self.retell(out);
        }
        if time < self.lanes.next_boundary() {
            self.lanes.set_watermark(time);
            return;
        }
        while let Some(boundary) = self.lanes.pop_boundary(time) {
            match boundary {
                Boundary::Minute(bar) => {
                    let event = PriceEvent::of_bar(&bar, out.push(INPUT, bar));
                    self.broker.price(&event, &self.lanes, &mut self.portfolio, out);
                }
                Boundary::NoMinute(rejection) => {
                    out.push(INPUT, rejection);
                }
                Boundary::Bar(known, at) => self.strategy_bar(&known, at, out),
                Boundary::Flatten(instrument, at) => {
                    self.broker.flatten(instrument, at, &self.portfolio, out);
                }
                Boundary::SessionOver(date, at) => {
                    self.broker.session_over(date, at, &mut self.portfolio, out);
                    self.strategy.session_over();
                }
            }
        }
        self.lanes.set_watermark(time);
    }

    /// Strategy bars that an archive completed after they were known (rule 2.5).
    #[cold]
    fn retell(&mut self, out: &mut Outbox<'_>) {
        self.strategy.retell(|bar, row| {
            let cause = out.push(INPUT, Output::BarRevised(*bar));
            out.push(cause, row);
        });
    }

    fn strategy_bar(&mut self, known: &Known, time: Timestamp, out: &mut Outbox<'_>) {
        let bar = &known.bar;
        let cause = out.push(INPUT, *bar);
        let (row, signal) = self.strategy.bar(known, time);
        out.push(cause, row);
        self.broker.bar(bar, time, cause, &mut self.portfolio, out);
        if let Some(signal) = signal
            && !self.broker.is_resting(bar.instrument)
        {
            let cause = out.push(cause, signal.clone());
            self.broker.signal(&signal, bar, cause, &self.lanes, &mut self.portfolio, out);
        }
    }
}

fn reject(instrument: InstrumentId, time: Timestamp, reason: RejectReason, out: &mut Outbox<'_>) {
    out.push(INPUT, Rejection { instrument, time, reason });
}
