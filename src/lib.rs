//! Lockstep runs a trading strategy live on paper or over history through one pure core, writes
//! everything that happens into one journal, and proves that both did the same.
//!
//! The rooms; what each may touch is checked by `cargo xtask tidy`:
//!
//! - [`domain`] words: events, time, money, instruments, sessions, the tape
//! - [`core`] the pure machine: inputs in, outputs out
//! - [`journal`] bytes on disk: frames, segments, writer, reader, digest
//! - [`sources`] the world in: market facts, the history store, import, the sequencer
//! - [`crew`] the threads of a run
//! - [`exchange`] a stand-in exchange: history as a feed on loopback, with faults where asked for
//! - [`sinks`] the world out: folds over the journal's records
//! - [`backtest`] the oracle: the same rules, whole columns at a time
//! - [`golden`] judgement: compare, explain, accept
//! - [`driver`] the only place where source, sequencer, journal, core and sinks meet
//! - [`web`] pages and an interface over HTTP that show a run from its journal
//! - [`cli`] words for people: one command per file
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backtest;
pub mod cli;
pub mod core;
pub mod crew;
pub mod domain;
pub mod driver;
pub mod exchange;
pub mod golden;
pub mod journal;
pub mod sinks;
pub mod sources;
pub mod web;
