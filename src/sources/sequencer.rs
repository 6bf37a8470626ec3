//! One total order for everything a run hears (rules 1.2 and 1.3): bars by close time, then by
//! instrument; after each close time its watermark; at each session's end a watermark even where no
//! bar is left. Two runs over the same rows see the same inputs, however the rows were read.

use std::collections::VecDeque;

use crate::domain::event::{Command, Input};
use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;

use super::columns::BarColumns;

/// Merges the bars of all instruments, which come part by part.
#[derive(Debug)]
pub struct Sequencer {
    lanes: Vec<Lane>,
    /// Ends of the sessions that are not over, ascending, the next one last.
    session_ends: Vec<Timestamp>,
    /// Commands that were not given yet, ascending, the next one last.
    commands: Vec<Command>,
    /// Close time of the earliest minute that is still to come; [`UNKNOWN`] where a lane has no bar
    /// and is not at its end, `Timestamp::MAX` where all lanes are.
    next: Timestamp,
    watermark: Timestamp,
}

/// The bars of one instrument that are still to come.
#[derive(Debug, Default)]
struct Lane {
    bars: Vec<Bar>,
    /// Place of the next of these.
    row: usize,
    /// Its close time.
    next: Timestamp,
    /// What follows these bars in time.
    parts: VecDeque<Vec<Bar>>,
    is_ended: bool,
}

/// The close time of a bar that was not handed in yet.
const UNKNOWN: Timestamp = Timestamp::MIN;

/// Inputs that are taken at a time, but for the rest of the last minute: enough to be taken in one
/// go, and not too many to stay in the processor's first cache.
const INPUTS_AT_A_TIME: usize = 128;

impl Sequencer {
    /// A sequencer for `instruments` lanes, the ends of the run's sessions, and what somebody wants
    /// during the run. Ends and commands ascend in time.
    pub fn new(instruments: usize, session_ends: &[Timestamp], commands: &[Command]) -> Sequencer {
        let lane = |_| Lane { next: UNKNOWN, ..Lane::default() };
        Sequencer {
            lanes: (0..instruments).map(lane).collect(),
            session_ends: session_ends.iter().rev().copied().collect(),
            commands: commands.iter().rev().copied().collect(),
            next: UNKNOWN,
            watermark: Timestamp::MIN,
        }
    }

    /// Adds bars to a lane: by time, and all later than the bars that were added before. See
    /// [`in_order`].
    ///
    /// # Panics
    /// When there is no such lane.
    pub fn add(&mut self, lane: usize, bars: Vec<Bar>) {
        debug_assert!(bars.is_sorted_by_key(|bar| bar.open_time), "bars are added by time");
        let lane = &mut self.lanes[lane];
        lane.parts.push_back(bars);
        if lane.next == UNKNOWN {
            lane.begin_part();
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
            lane.begin_part();
        }
    }

    /// Appends the inputs that come next to `inputs`: none while a lane that was not ended wants
    /// rows, and when all is said.
    pub fn take(&mut self, inputs: &mut Vec<Input>) {
        if self.next == UNKNOWN {
            self.next = self.lanes.iter().map(|lane| lane.next).min().unwrap_or(Timestamp::MAX);
        }
        let enough = inputs.len() + INPUTS_AT_A_TIME;
        while inputs.len() < enough {
            let end = self.due_session_end();
            if let Some(command) = self.due_command(end.unwrap_or(self.next)) {
                inputs.push(Input::Command(command));
            } else if let Some(end) = end {
                inputs.push(self.advance(end));
            } else if self.next == UNKNOWN || self.next == Timestamp::MAX {
                return;
            } else {
                self.take_minute(self.next, inputs);
            }
        }
    }

    /// All bars that close at `minute`, then the watermark.
    fn take_minute(&mut self, minute: Timestamp, inputs: &mut Vec<Input>) {
        self.next = Timestamp::MAX;
        for lane in &mut self.lanes {
            while lane.next == minute {
                inputs.push(Input::Bar(lane.take()));
            }
            self.next = self.next.min(lane.next);
        }
        if minute > self.watermark {
            inputs.push(self.advance(minute));
        }
    }

    /// The session end that comes before the next minute, if one does. Once no lane has a row left,
    /// all are due.
    fn due_session_end(&mut self) -> Option<Timestamp> {
        loop {
            let end = *self.session_ends.last()?;
            if end > self.watermark {
                return (end < self.next).then_some(end);
            }
            self.session_ends.pop();
        }
    }

    /// The command that was given before `next`, the next thing that closes, if there is one.
    fn due_command(&mut self, next: Timestamp) -> Option<Command> {
        self.commands.pop_if(|command| command.time < next)
    }

    fn advance(&mut self, to: Timestamp) -> Input {
        self.watermark = to;
        Input::Watermark(to)
    }

    /// The last watermark.
    pub const fn watermark(&self) -> Timestamp {
        self.watermark
    }
}

impl Lane {
    /// The bar that is due.
    #[inline]
    fn take(&mut self) -> Bar {
        let bar = self.bars[self.row];
        self.row += 1;
        match self.bars.get(self.row) {
            Some(bar) => self.next = bar.close_time(),
            None => self.begin_part(),
        }
        bar
    }

    /// Goes on to the next part that holds a bar.
    #[cold]
    fn begin_part(&mut self) {
        self.row = 0;
        self.next = loop {
            let Some(bars) = self.parts.pop_front() else {
                self.bars = Vec::new();
                break if self.is_ended { Timestamp::MAX } else { UNKNOWN };
            };
            self.bars = bars;
            if let Some(bar) = self.bars.first() {
                break bar.close_time();
            }
        };
    }
}

/// The rows as bars of `instrument`, by time; bars of one minute stay in the order in which they
/// came. Side by side in a row, a bar is one place to look at in memory instead of six.
pub fn in_order(columns: &BarColumns, instrument: InstrumentId) -> Vec<Bar> {
    let mut bars: Vec<Bar> = columns.bars(instrument).collect();
    if !bars.is_sorted_by_key(|bar| bar.open_time) {
        bars.sort_by_key(|bar| bar.open_time);
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::CommandKind;
    use crate::domain::money::{Price, Qty};
    use crate::domain::time::Date;

    fn at(hour: u32, minute: u32) -> Timestamp {
        Timestamp::from_ist(Date::parse("2024-10-01").unwrap(), hour, minute)
    }

    fn minutes(lane: u16, times: &[(u32, u32)]) -> Vec<Bar> {
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
        in_order(&BarColumns::from_bars(bars.iter()), InstrumentId(lane))
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
    fn bars_by_close_then_id_then_the_watermark() {
        let mut sequencer = Sequencer::new(2, &[at(15, 30)], &[]);
        sequencer.add(0, minutes(0, &[(9, 16), (9, 15)]));
        sequencer.add(1, minutes(1, &[(9, 15), (9, 15), (9, 17)]));
        sequencer.end(0);
        let first = ["0:15#1", "1:15#0", "1:15#1", "W9:16", "0:16#0", "W9:17", "1:17#2", "W9:18"];
        assert_eq!(told(&mut sequencer), first);
        sequencer.end(1);
        assert_eq!(told(&mut sequencer), ["W15:30"]);
    }

    #[test]
    fn nothing_is_said_past_a_lane_whose_rows_are_still_to_come() {
        let mut sequencer = Sequencer::new(2, &[at(9, 16)], &[]);
        sequencer.add(0, minutes(0, &[(9, 15), (9, 16)]));
        assert!(told(&mut sequencer).is_empty(), "lane 1 may be earlier");
        sequencer.add(1, minutes(1, &[(9, 14)]));
        sequencer.add(1, minutes(1, &[]));
        assert_eq!(told(&mut sequencer), ["1:14#0", "W9:15"]);
        sequencer.add(1, minutes(1, &[(9, 15)]));
        sequencer.add(1, minutes(1, &[(9, 16)]));
        let second = ["0:15#0", "1:15#0", "W9:16", "0:16#1", "1:16#0", "W9:17"];
        assert_eq!(told(&mut sequencer), second);
        sequencer.end(0);
        assert!(told(&mut sequencer).is_empty());
        sequencer.end(1);
        assert!(told(&mut sequencer).is_empty(), "all is said");
    }

    #[test]
    fn a_session_ends_before_what_is_printed_after_it() {
        let mut sequencer = Sequencer::new(1, &[at(15, 30)], &[]);
        sequencer.add(0, minutes(0, &[(15, 28), (15, 40)]));
        sequencer.end(0);
        assert_eq!(told(&mut sequencer), ["0:28#0", "W15:29", "W15:30", "0:40#1", "W15:41"]);
    }

    #[test]
    fn a_command_comes_between_what_closes_until_then_and_what_closes_later() {
        let command = |hour, minute, kind| Command { time: at(hour, minute), kind };
        let commands = [
            command(9, 16, CommandKind::Pause),
            command(15, 30, CommandKind::Resume),
            command(16, 1, CommandKind::Kill),
        ];
        let mut sequencer = Sequencer::new(1, &[at(15, 30)], &commands);
        sequencer.add(0, minutes(0, &[(9, 15), (9, 16)]));
        assert_eq!(told(&mut sequencer), ["0:15#0", "W9:16", "pause16", "0:16#1", "W9:17"]);
        sequencer.end(0);
        assert_eq!(told(&mut sequencer), ["W15:30", "resume30", "kill1"]);
    }
}
