//! How far a run is, for those who wait for it: a bar on stderr that moves by one with each session
//! that is over.

use indicatif::ProgressBar;

use crate::domain::event::{Derived, EventId, Input};
use crate::domain::time::Date;
use crate::sinks::Sink;

use super::terminal;

/// The bar, from the run's description on.
pub struct Progress {
    label: &'static str,
    bar: ProgressBar,
    date: Date,
}

impl Progress {
    /// No bar yet.
    pub fn new(label: &'static str) -> Progress {
        Progress { label, bar: ProgressBar::hidden(), date: Date::default() }
    }

    /// Moves with an input.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::RunStarted(run) => {
                self.bar = terminal::progress(self.label, run.sessions.len() as u64, "sessions");
            }
            Input::Watermark(time) if time.date() != self.date => {
                self.date = time.date();
                self.bar.inc(1);
            }
            Input::RunEnded(_) => self.bar.finish_and_clear(),
            _ => {}
        }
    }

    /// Clears the bar, wherever it stands.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Sink for Progress {
    fn input(&mut self, _: u64, input: &Input) {
        Progress::input(self, input);
    }

    fn output(&mut self, _: EventId, _: &Derived) {}

    fn note(&mut self, text: &str) {
        terminal::say(format!("note: {text}"));
    }
}
