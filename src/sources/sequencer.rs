//! One total order for everything a run hears (rules 1.2 and 1.3): bars by close time, then by
//! instrument; a watermark wherever time brings something to an end, whether anybody trades or not.
//! Two runs over the same rows see the same inputs, however the rows were read.

use std::collections::VecDeque;
use std::mem::replace;
use std::vec::Drain;

use crate::domain::event::{Command, Input};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;

use super::rows::Rows;

/// Merges the bars of all instruments, which come part by part.
#[derive(Debug)]
pub struct Sequencer {
    lanes: Vec<Lane>,
    /// Watermarks that were not told yet, ascending, the next one last.
    watermarks: Vec<Timestamp>,
    /// Commands that were not given yet, ascending, the next one last.
    commands: Vec<Command>,
    /// Close time of the next minute that holds a bar; [`UNKNOWN`] where a lane has no bar and is
    /// not at its end, `Timestamp::MAX` where all lanes are.
    next: Timestamp,
    /// The last watermark.
    watermark: Timestamp,
    /// Rows whose bars were all told.
    spent: Vec<Rows>,
}

/// The bars of one instrument that are still to come.
#[derive(Debug)]
struct Lane {
    instrument: InstrumentId,
    bars: Rows,
    /// Row of the next of these.
    row: usize,
    /// Its close time.
    next: Timestamp,
    /// What follows these bars in time.
    parts: VecDeque<Rows>,
    is_ended: bool,
}

/// The close time of a bar that was not handed in yet.
const UNKNOWN: Timestamp = Timestamp::MIN;

/// Inputs that are taken at a time, but for the rest of the last minute: enough to be taken in one
/// go, and not too many to stay in the processor's first cache.
const INPUTS_AT_A_TIME: usize = 128;

impl Sequencer {
    /// A sequencer for `instruments` lanes, the watermarks of the run, and what somebody wants
    /// during it. Watermarks and commands ascend in time.
    pub fn new(instruments: usize, watermarks: &[Timestamp], commands: &[Command]) -> Sequencer {
        let ids = (0..=u16::MAX).map(InstrumentId).take(instruments);
        Sequencer {
            lanes: ids.map(Lane::new).collect(),
            watermarks: watermarks.iter().rev().copied().collect(),
            commands: commands.iter().rev().copied().collect(),
            next: UNKNOWN,
            watermark: Timestamp::MIN,
            spent: Vec::new(),
        }
    }

    /// Adds bars to a lane, in any order, all of them later than those that were added before.
    ///
    /// # Panics
    /// When there is no such lane.
    pub fn add(&mut self, lane: usize, bars: impl Into<Rows>) {
        let lane = &mut self.lanes[lane];
        lane.parts.push_back(bars.into());
        if lane.next == UNKNOWN {
            lane.begin_part(&mut self.spent);
        }
    }

    /// Says that no bars follow in a lane.
    ///
    /// # Panics
    /// When there is no such lane.
    pub fn end(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.is_ended = true;
        if lane.next == UNKNOWN {
            lane.begin_part(&mut self.spent);
        }
    }

    /// Rows whose bars were all told: memory to be used again.
    pub fn spent(&mut self) -> Drain<'_, Rows> {
        self.spent.drain(..)
    }

    /// Appends the inputs that come next to `inputs`: none while a lane that was not ended wants
    /// rows, and when all is said.
    pub fn take(&mut self, inputs: &mut Vec<Input>) {
        if self.next == UNKNOWN {
            self.next = self.lanes.iter().map(|lane| lane.next).min().unwrap_or(Timestamp::MAX);
        }
        let enough = inputs.len() + INPUTS_AT_A_TIME;
        while inputs.len() < enough {
            let due = self.watermarks.last().copied().filter(|time| *time < self.next);
            if let Some(command) = self.due_command(due.unwrap_or(self.next)) {
                inputs.push(Input::Command(command));
            } else if let Some(time) = due {
                self.watermarks.pop();
                self.watermark = time;
                inputs.push(Input::Watermark(time));
            } else if self.next == UNKNOWN || self.next == Timestamp::MAX {
                return;
            } else {
                self.take_minute(inputs);
            }
        }
    }

    /// All bars of the next minute. Of each lane the row after it is looked at, which is far away
    /// in memory: nothing here depends on what it says, so the processor waits for many at once.
    fn take_minute(&mut self, inputs: &mut Vec<Input>) {
        let minute = replace(&mut self.next, Timestamp::MAX);
        for lane in &mut self.lanes {
            while lane.next == minute {
                inputs.push(Input::Bar(lane.bars.bar(lane.row, lane.instrument)));
                lane.advance(&mut self.spent);
            }
            self.next = self.next.min(lane.next);
        }
    }

    /// The command that was given before `next`, the next thing that closes, if there is one.
    fn due_command(&mut self, next: Timestamp) -> Option<Command> {
        self.commands.pop_if(|command| command.time < next)
    }

    /// The last watermark.
    pub const fn watermark(&self) -> Timestamp {
        self.watermark
    }
}

impl Lane {
    fn new(instrument: InstrumentId) -> Lane {
        Lane {
            instrument,
            bars: Rows::default(),
            row: 0,
            next: UNKNOWN,
            parts: VecDeque::new(),
            is_ended: false,
        }
    }

    /// Goes on to the next bar.
    #[inline]
    fn advance(&mut self, spent: &mut Vec<Rows>) {
        self.row += 1;
        match self.bars.open_time(self.row) {
            Some(next) => self.next = next.plus_minutes(1),
            None => self.begin_part(spent),
        }
    }

    /// Goes on to the next part that holds a bar. The one before is spent.
    #[cold]
    fn begin_part(&mut self, spent: &mut Vec<Rows>) {
        self.row = 0;
        self.next = loop {
            let next = self.parts.pop_front();
            let is_last = next.is_none();
            let before = replace(&mut self.bars, next.unwrap_or_default());
            spent.extend(Some(before).filter(|rows| !rows.is_empty()));
            if is_last {
                break if self.is_ended { Timestamp::MAX } else { UNKNOWN };
            }
            if let Some(first) = self.bars.open_time(0) {
                break first.plus_minutes(1);
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::CommandKind;
    use crate::domain::fact::Bar;
    use crate::domain::money::{Price, Qty};
    use crate::domain::time::Date;
    use crate::sources::columns::BarColumns;

    fn at(hour: u32, minute: u32) -> Timestamp {
        Timestamp::from_ist(Date::parse("2024-10-01").unwrap(), hour, minute)
    }

    fn columns(times: &[(u32, u32)]) -> BarColumns {
        let bar = |(place, (hour, minute)): (usize, &(u32, u32))| Bar {
            instrument: InstrumentId(9),
            open_time: at(*hour, *minute),
            open: Price(1),
            high: Price(1),
            low: Price(1),
            close: Price(1),
            volume: Qty(place as i64),
        };
        let bars: Vec<Bar> = times.iter().enumerate().map(bar).collect();
        BarColumns::from_bars(bars.iter())
    }

    fn told(sequencer: &mut Sequencer) -> Vec<String> {
        let word = |input| match input {
            Input::Bar(bar) => {
                format!("{}:{:02}#{}", bar.instrument.0, bar.open_time.minute(), bar.volume)
            }
            Input::Watermark(time) => format!("W{}:{:02}", time.hour(), time.minute()),
            Input::Command(command) => format!("{}{}", command.kind, command.time.minute()),
            other => format!("{other:?}"),
        };
        let mut inputs = Vec::new();
        sequencer.take(&mut inputs);
        inputs.into_iter().map(word).collect()
    }

    #[test]
    fn bars_by_close_then_id_and_each_watermark_after_what_closes_then() {
        let mut sequencer = Sequencer::new(2, &[at(9, 16), at(9, 18), at(15, 30)], &[]);
        sequencer.add(0, columns(&[(9, 16), (9, 15)]));
        sequencer.add(1, columns(&[(9, 15), (9, 15), (9, 17)]));
        sequencer.end(0);
        let first = ["0:15#1", "1:15#0", "1:15#1", "W9:16", "0:16#0", "1:17#2"];
        assert_eq!(told(&mut sequencer), first, "more may close at 9:18");
        sequencer.end(1);
        assert_eq!(told(&mut sequencer), ["W9:18", "W15:30"]);
    }

    #[test]
    fn a_watermark_comes_where_nobody_trades_too() {
        let mut sequencer = Sequencer::new(1, &[at(9, 30), at(9, 45), at(10, 0)], &[]);
        sequencer.add(0, columns(&[(9, 28), (9, 46)]));
        sequencer.end(0);
        assert_eq!(told(&mut sequencer), ["0:28#0", "W9:30", "W9:45", "0:46#1", "W10:00"]);
    }

    #[test]
    fn nothing_is_said_past_a_lane_whose_rows_are_still_to_come() {
        let mut sequencer = Sequencer::new(2, &[at(9, 16)], &[]);
        sequencer.add(0, columns(&[(9, 15), (9, 16)]));
        assert!(told(&mut sequencer).is_empty(), "lane 1 may be earlier");
        sequencer.add(1, columns(&[(9, 14)]));
        sequencer.add(1, columns(&[]));
        assert_eq!(told(&mut sequencer), ["1:14#0"]);
        sequencer.add(1, columns(&[(9, 15)]));
        sequencer.add(1, columns(&[(9, 16)]));
        let second = ["0:15#0", "1:15#0", "W9:16", "0:16#1", "1:16#0"];
        assert_eq!(told(&mut sequencer), second);
        sequencer.end(0);
        assert!(told(&mut sequencer).is_empty());
        sequencer.end(1);
        assert!(told(&mut sequencer).is_empty(), "all is said");
    }

    #[test]
    fn rows_are_given_back_once_all_their_bars_were_taken() {
        let mut sequencer = Sequencer::new(1, &[], &[]);
        sequencer.add(0, columns(&[(9, 15), (9, 16)]));
        sequencer.add(0, columns(&[(9, 17)]));
        assert_eq!(sequencer.spent().count(), 0);
        told(&mut sequencer);
        let spent: Vec<usize> = sequencer.spent().map(|rows| rows.len()).collect();
        assert_eq!(spent, [2, 1]);
        assert_eq!(sequencer.spent().count(), 0, "they are given back once");
    }

    #[test]
    fn a_session_ends_before_what_is_printed_after_it() {
        let mut sequencer = Sequencer::new(1, &[at(15, 30)], &[]);
        sequencer.add(0, columns(&[(15, 28), (15, 40)]));
        sequencer.end(0);
        assert_eq!(told(&mut sequencer), ["0:28#0", "W15:30", "0:40#1"]);
    }

    #[test]
    fn a_command_comes_between_what_closes_until_then_and_what_closes_later() {
        let command = |hour, minute, kind| Command { time: at(hour, minute), kind };
        let commands = [
            command(9, 16, CommandKind::Pause),
            command(15, 30, CommandKind::Resume),
            command(16, 1, CommandKind::Kill),
        ];
        let mut sequencer = Sequencer::new(1, &[at(9, 16), at(15, 30)], &commands);
        sequencer.add(0, columns(&[(9, 15), (9, 16)]));
        assert_eq!(told(&mut sequencer), ["0:15#0", "W9:16", "pause16", "0:16#1"]);
        sequencer.end(0);
        assert_eq!(told(&mut sequencer), ["W15:30", "resume30", "kill1"]);
    }

    proptest! {
        /// However the rows were cut into parts and handed in, they come as if all had been sorted
        /// together.
        #[test]
        fn parts_come_as_if_all_had_been_sorted(
            lanes in vec(vec((0..3_u32, 0..60_u32), 0..60), 1..4),
            cuts in vec(1..20_usize, 1..6),
            marks in vec((0..4_u32, 0..60_u32), 0..30),
        ) {
            let bars = |(lane, times): (usize, &Vec<(u32, u32)>)| {
                let morning = |(hour, minute): &(u32, u32)| (9 + hour, *minute);
                let columns = columns(&times.iter().map(morning).collect::<Vec<_>>());
                columns.by_time().bars(InstrumentId(lane as u16)).collect()
            };
            let bars: Vec<Vec<Bar>> = lanes.iter().enumerate().map(bars).collect();
            let mut sorted = bars.concat();
            sorted.sort_by_key(|bar| (bar.open_time, bar.instrument));
            let mut marks: Vec<_> = marks.iter().map(|mark| at(9 + mark.0, mark.1)).collect();
            marks.sort_unstable();
            marks.dedup();
            let bar = |bar: &Bar| (bar.close_time(), Input::Bar(*bar));
            let mark = |time: &Timestamp| (*time, Input::Watermark(*time));
            let all = sorted.iter().map(bar).chain(marks.iter().map(mark));
            let mut expected: Vec<_> = all.collect();
            expected.sort_by_key(|(time, _)| *time);
            let expected: Vec<Input> = expected.into_iter().map(|(_, input)| input).collect();
            let mut sequencer = Sequencer::new(bars.len(), &marks, &[]);
            let mut rest = bars;
            let (mut told, mut sizes) = (Vec::new(), cuts.into_iter().cycle());
            while rest.iter().any(|bars| !bars.is_empty()) {
                for (lane, bars) in rest.iter_mut().enumerate() {
                    // A part ends where a minute does.
                    let mut size = sizes.next().unwrap_or(1).min(bars.len());
                    while size > 0 && size < bars.len()
                        && bars[size].open_time == bars[size - 1].open_time
                    {
                        size += 1;
                    }
                    let part: Vec<Bar> = bars.drain(..size).collect();
                    sequencer.add(lane, BarColumns::from_bars(part.iter()));
                    sequencer.take(&mut told);
                }
            }
            (0..rest.len()).for_each(|lane| sequencer.end(lane));
            while told.len() < expected.len() {
                let before = told.len();
                sequencer.take(&mut told);
                prop_assert!(told.len() > before, "something is left to be told");
            }
            prop_assert_eq!(told, expected);
        }
    }
}
