//! How a live run went: what the feed repaired, how long from a message to the word of a signal.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::domain::event::{Derived, EventId, Input, Output};
use crate::domain::fact::NoticeKind;
use crate::driver::listen::Pulse;
use crate::sinks::Sink;

use super::super::clock;
use super::super::terminal::grouped;

/// Looks on for what is measured.
pub struct Watch {
    pulse: Rc<Pulse>,
    /// From receiving the message that closed the bar to telling of the signal, in microseconds,
    /// the journal's disk included.
    signal_us: Vec<i64>,
    notices: BTreeMap<&'static str, u64>,
}

impl Watch {
    /// Looks on for `pulse`.
    pub fn new(pulse: Rc<Pulse>) -> Watch {
        Watch { pulse, signal_us: Vec::new(), notices: BTreeMap::new() }
    }

    /// One line per fact.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let health = self.pulse.health.get();
        if health.frames > 0 {
            let counts = [
                ("messages", health.frames),
                ("ticks", health.ticks),
                ("repeated", health.repeated),
                ("late", health.late),
                ("refused", health.refused),
                ("gaps", health.gaps),
                ("backfilled", health.backfilled),
                ("connections", health.connections),
            ];
            let counts = counts.iter().filter(|(_, count)| *count > 0);
            let words: Vec<String> =
                counts.map(|(word, count)| format!("{word} {}", grouped(*count))).collect();
            facts.push(("Feed", words.join(" · ")));
        }
        if !self.notices.is_empty() {
            let words =
                self.notices.iter().map(|(word, count)| format!("{word} {}", grouped(*count)));
            facts.push(("Notices", words.collect::<Vec<_>>().join(" · ")));
        }
        if !self.signal_us.is_empty() {
            let mut sorted = self.signal_us.clone();
            sorted.sort_unstable();
            let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100] as f64 / 1_000.0;
            let (half, most) = (at(50), at(99));
            facts.push((
                "Signals in",
                format!("p50 {half:.2} ms · p99 {most:.2} ms after the message"),
            ));
        }
        facts
    }
}

impl Sink for Watch {
    fn input(&mut self, _: u64, input: &Input) {
        if let Input::Notice(notice) = input
            && !matches!(notice.kind, NoticeKind::Phase | NoticeKind::Repaired)
        {
            *self.notices.entry(notice.kind.word()).or_default() += 1;
        }
    }

    fn output(&mut self, _: EventId, derived: &Derived) {
        let received_ns = self.pulse.received_ns.get();
        if let Output::Signal(_) = derived.output
            && received_ns > 0
        {
            self.signal_us.push((clock::stamp().wall_ns - received_ns) / 1_000);
        }
    }
}
