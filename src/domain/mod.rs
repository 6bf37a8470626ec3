//! Words: what every other room speaks. Plain data and the laws of that data; no I/O, no clock, no
//! allocation beyond `alloc`. This room is compiled a second time without std by `core_wall.rs`.
//!
//! - [`time`] points in time, dates, half-open windows
//! - [`money`] prices, quantities, cash: integers with checked arithmetic
//! - [`instrument`] what is traded, with its identity at a point in time
//! - [`session`] the trading days of an exchange, as data
//! - [`config`] everything that may change a decision: strategy, execution, risk, fees
//! - [`event`] inputs, outputs and their envelope
//! - [`defect`] what bars and ticks cannot say
//! - [`fact`] what events say: bars, indicator rows, signals, orders, fills
//! - [`steps`] prices as ways from each other
//! - [`tape`] one line of text per event, both ways
#![deny(missing_docs)]

pub mod config;
pub mod defect;
pub mod event;
pub mod fact;
pub mod instrument;
pub mod money;
pub mod session;
pub mod steps;
mod tags;
pub mod tape;
pub mod time;
