//! A small journal with an event of each kind, built from [`samples`](super::samples): what tests
//! look into, and the fixture of this format that must open for ever.

use std::path::Path;

use crate::domain::event::{Derived, Event, EventId, Input, Output, Record};

use super::samples::{self, samples};
use super::{Identity, Limits, Writer};

/// One input of each kind, and all outputs under the first bar, each caused by the one before it.
pub fn records() -> Vec<Record> {
    let outputs: Vec<Output> = samples()
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Output(output) => Some(output),
            Event::Input(_) => None,
        })
        .collect();
    let mut records = Vec::new();
    let inputs = samples().into_iter().filter(|(_, event)| matches!(event, Event::Input(_)));
    for (seq, (_, event)) in (0..).zip(inputs) {
        let is_bar = matches!(event, Event::Input(Input::Bar(_)));
        records.push(Record {
            id: EventId::input(seq),
            cause: 0,
            received_ns: received(seq),
            event,
        });
        for (index, output) in (1..).zip(outputs.iter().filter(|_| is_bar)) {
            let (id, event) = (EventId { seq, index }, Event::Output(output.clone()));
            records.push(Record { id, cause: index - 1, received_ns: 0, event });
        }
    }
    records
}

/// When the fixture's input of that number was received, ns.
pub const fn received(seq: u64) -> i64 {
    1_727_754_300_000_000_000 + 1_000_000_007 * seq as i64
}

/// Writes [`records`] as a journal in `run_dir`.
pub fn write(run_dir: &Path, limits: Limits, seal: bool) {
    let identity = Identity::of_replay(&samples::run()).unwrap();
    let mut writer = Writer::create_with(run_dir, identity, limits).unwrap();
    for Record { id, cause, received_ns, event } in records() {
        match event {
            Event::Input(input) => writer.input(id.seq, received_ns, &input).unwrap(),
            Event::Output(output) => {
                writer.output(id.seq, id.index, &Derived { cause, output }).unwrap();
            }
        }
    }
    if seal {
        writer.seal().unwrap();
    }
}
