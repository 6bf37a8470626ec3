//! One total order for everything a run hears (rules 1.2 and 1.3): bars by close time, then by
//! instrument; after each close time its watermark; at each session's end a watermark even where no
//! bar is left. Two runs over the same rows see the same inputs, however the rows were read.

use arrow::array::Int64Array;
use arrow::buffer::ScalarBuffer;

use crate::domain::event::{Command, Input};
use crate::domain::fact::Bar;
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Price, Qty};
use crate::domain::time::{MINUTE_US, Timestamp};

use super::columns::BarColumns;

/// Merges the rows of all instruments, chunk by chunk. Chunks follow each other in time.
#[derive(Debug)]
pub struct Sequencer {
    lanes: Vec<Lane>,
    /// Ends of the sessions that are not over, ascending, the next one last.
    session_ends: Vec<Timestamp>,
    /// Commands that were not given yet, ascending, the next one last.
    commands: Vec<Command>,
    /// Close time of the minute that is being handed over.
    minute: Option<Timestamp>,
    /// Lane that is asked next within the minute.
    turn: usize,
    /// Close time of the earliest minute after it, of the lanes that had their turn.
    following: Timestamp,
    watermark: Timestamp,
    is_finished: bool,
}

/// The rows of one instrument that are still to come, sorted by time.
#[derive(Debug)]
struct Lane {
    instrument: InstrumentId,
    /// Start of the minute, open, high, low, close and volume: only the values, side by side, since
    /// every bar is put together from them.
    columns: [ScalarBuffer<i64>; 6],
    row: usize,
    /// Close time of that row.
    next: Timestamp,
}

impl Sequencer {
    /// A sequencer for `instruments` lanes, the ends of the run's sessions, and what somebody wants
    /// during the run. Ends and commands ascend in time.
    pub fn new(instruments: usize, session_ends: &[Timestamp], commands: &[Command]) -> Sequencer {
        let lane = |id| Lane {
            instrument: InstrumentId(id),
            columns: Default::default(),
            row: 0,
            next: Timestamp::MAX,
        };
        let count = u16::try_from(instruments).expect("the plan bounds the number of symbols");
        Sequencer {
            lanes: (0..count).map(lane).collect(),
            session_ends: session_ends.iter().rev().copied().collect(),
            commands: commands.iter().rev().copied().collect(),
            minute: None,
            turn: 0,
            following: Timestamp::MAX,
            watermark: Timestamp::MIN,
            is_finished: false,
        }
    }

    /// Adds the next stretch of time: the rows of every lane, in the order of ids. Everything
    /// before must have been taken.
    ///
    /// # Panics
    /// When the number of lanes differs.
    pub fn add_chunk(&mut self, chunk: Vec<BarColumns>) {
        assert_eq!(chunk.len(), self.lanes.len(), "a chunk has one set of columns per lane");
        for (lane, columns) in self.lanes.iter_mut().zip(chunk) {
            debug_assert_eq!(lane.row, lane.columns[0].len(), "the chunk before is used up");
            lane.columns = values(sorted(columns));
            lane.row = 0;
            lane.next = lane.close_time();
            self.following = self.following.min(lane.next);
        }
    }

    /// There is no chunk after this: once the rows are used up, the remaining sessions end.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The next input. `None` when the chunk is used up or, after `finish`, when all is said.
    #[inline]
    pub fn next_input(&mut self) -> Option<Input> {
        loop {
            if let Some(minute) = self.minute {
                if let Some(bar) = self.next_of_minute(minute) {
                    return Some(bar);
                }
                self.minute = None;
                if minute > self.watermark {
                    return Some(self.advance(minute));
                }
            }
            let next = self.following;
            let end = self.due_session_end(next);
            if let Some(command) = self.due_command(end.unwrap_or(next)) {
                return Some(Input::Command(command));
            }
            if let Some(end) = end {
                return Some(self.advance(end));
            }
            if next == Timestamp::MAX {
                return None;
            }
            (self.minute, self.turn, self.following) = (Some(next), 0, Timestamp::MAX);
        }
    }

    #[inline]
    fn next_of_minute(&mut self, minute: Timestamp) -> Option<Input> {
        while let Some(lane) = self.lanes.get_mut(self.turn) {
            if lane.next == minute {
                return Some(Input::Bar(lane.take()));
            }
            self.following = self.following.min(lane.next);
            self.turn += 1;
        }
        None
    }

    /// The session end that comes before the minute closing at `next`, if one does. Without a next
    /// minute all are due, but only once no chunk can follow.
    fn due_session_end(&mut self, next: Timestamp) -> Option<Timestamp> {
        loop {
            let end = *self.session_ends.last()?;
            if end > self.watermark {
                let is_due = if next == Timestamp::MAX { self.is_finished } else { end < next };
                return is_due.then_some(end);
            }
            self.session_ends.pop();
        }
    }

    /// The command that was given before `next`, the next thing that closes, if there is one.
    fn due_command(&mut self, next: Timestamp) -> Option<Command> {
        let is_due = |command: &mut Command| match next {
            Timestamp::MAX => self.is_finished,
            next => command.time < next,
        };
        self.commands.pop_if(is_due)
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
    /// The bar in the row that is due.
    #[inline]
    fn take(&mut self) -> Bar {
        let row = self.row;
        let [open_time, open, high, low, close, volume] = &self.columns;
        let bar = Bar {
            instrument: self.instrument,
            open_time: Timestamp(open_time[row]),
            open: Price(open[row]),
            high: Price(high[row]),
            low: Price(low[row]),
            close: Price(close[row]),
            volume: Qty(volume[row]),
        };
        self.row += 1;
        self.next = self.close_time();
        bar
    }

    #[inline]
    fn close_time(&self) -> Timestamp {
        match self.columns[0].get(self.row) {
            Some(open_time) => Timestamp(open_time + MINUTE_US),
            None => Timestamp::MAX,
        }
    }
}

fn values(columns: BarColumns) -> [ScalarBuffer<i64>; 6] {
    let BarColumns { open_time, open, high, low, close, volume } = columns;
    [open_time, open, high, low, close, volume].map(|column| column.values().clone())
}

/// The rows by time; rows of one minute stay in the order in which they came.
fn sorted(columns: BarColumns) -> BarColumns {
    if columns.open_time.values().is_sorted() {
        return columns;
    }
    let mut rows: Vec<usize> = (0..columns.len()).collect();
    rows.sort_by_key(|row| columns.open_time.value(*row));
    let take = |column: &Int64Array| -> Int64Array {
        rows.iter().map(|row| column.value(*row)).collect::<Vec<i64>>().into()
    };
    BarColumns {
        open_time: take(&columns.open_time),
        open: take(&columns.open),
        high: take(&columns.high),
        low: take(&columns.low),
        close: take(&columns.close),
        volume: take(&columns.volume),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::CommandKind;
    use crate::domain::time::Date;

    fn at(hour: u32, minute: u32) -> Timestamp {
        Timestamp::from_ist(Date::parse("2024-10-01").unwrap(), hour, minute)
    }

    fn minutes(times: &[(u32, u32)]) -> BarColumns {
        let bar = |(place, (hour, minute)): (usize, &(u32, u32))| Bar {
            instrument: InstrumentId(0),
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
        std::iter::from_fn(|| sequencer.next_input()).map(word).collect()
    }

    #[test]
    fn bars_by_close_then_id_then_the_watermark() {
        let mut sequencer = Sequencer::new(2, &[at(15, 30)], &[]);
        sequencer
            .add_chunk(vec![minutes(&[(9, 16), (9, 15)]), minutes(&[(9, 15), (9, 15), (9, 17)])]);
        let first = ["0:15#1", "1:15#0", "1:15#1", "W9:16", "0:16#0", "W9:17", "1:17#2", "W9:18"];
        assert_eq!(told(&mut sequencer), first);
        sequencer.finish();
        assert_eq!(told(&mut sequencer), ["W15:30"]);
    }

    #[test]
    fn a_session_ends_before_what_is_printed_after_it() {
        let mut sequencer = Sequencer::new(1, &[at(15, 30)], &[]);
        sequencer.add_chunk(vec![minutes(&[(15, 28), (15, 40)])]);
        sequencer.finish();
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
        sequencer.add_chunk(vec![minutes(&[(9, 15), (9, 16)])]);
        assert_eq!(told(&mut sequencer), ["0:15#0", "W9:16", "pause16", "0:16#1", "W9:17"]);
        sequencer.finish();
        assert_eq!(told(&mut sequencer), ["W15:30", "resume30", "kill1"]);
    }
}
