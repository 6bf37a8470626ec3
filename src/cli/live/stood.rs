//! Whether trading was stopped when a run was over: by the kill switch, or on the last day by the
//! day's loss. That is an exit code of its own, so that whoever waits for the run need not read.

use crate::domain::event::{CommandKind, Derived, EventId, Input, Output};
use crate::domain::fact::{Halt, RejectReason};
use crate::sinks::Sink;

use super::super::terminal::rupees;

/// What stands.
#[derive(Debug, Default)]
pub struct Stood {
    killed: Option<Halt>,
    /// Of the last day that is over, or of the one that is not.
    lost: Option<Halt>,
}

impl Stood {
    /// What stopped trading and still stands, in words.
    pub fn words(&self) -> Option<String> {
        let killed = self.killed.map(|Halt { time, .. }| {
            format!("killed at {time}, and not released until the run was over")
        });
        let lost = self.lost.map(|Halt { time, day_profit, .. }| {
            let profit = rupees(day_profit);
            format!("the day's loss reached --max-daily-loss at {time}: the profit was {profit}")
        });
        killed.or(lost)
    }
}

impl Sink for Stood {
    fn input(&mut self, _: u64, input: &Input) {
        if let Input::Command(command) = input
            && command.kind == CommandKind::Release
        {
            self.killed = None;
        }
    }

    fn output(&mut self, _: EventId, derived: &Derived) {
        match &derived.output {
            Output::Halt(halt) if halt.reason == RejectReason::Killed => self.killed = Some(*halt),
            Output::Halt(halt) if halt.reason == RejectReason::DailyLoss => self.lost = Some(*halt),
            // The next day begins without the last one's loss.
            Output::SessionEnded(day) => {
                self.lost = self.lost.filter(|halt| halt.time.date() == day.date);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Command;
    use crate::domain::fact::SessionEnded;
    use crate::domain::money::Cash;
    use crate::domain::time::Timestamp;

    fn halt(reason: RejectReason, clock: &str) -> Output {
        let time = Timestamp::parse(clock).unwrap();
        Output::Halt(Halt { time, reason, day_profit: Cash::from_rupees(-5_000) })
    }

    fn ended(clock: &str) -> Output {
        let date = Timestamp::parse(clock).unwrap().date();
        Output::SessionEnded(SessionEnded {
            date,
            gross: Cash::ZERO,
            fees: Cash::ZERO,
            equity: Cash::ZERO,
        })
    }

    fn words_after(outputs: impl IntoIterator<Item = Output>) -> Option<String> {
        let mut stood = Stood::default();
        for output in outputs {
            stood.output(EventId::NONE, &Derived { cause: 0, output });
        }
        stood.words()
    }

    #[test]
    fn the_loss_of_the_last_day_stands_and_that_of_another_does_not() {
        let lost = || halt(RejectReason::DailyLoss, "2024-10-03T11:02");
        let words = words_after([lost(), ended("2024-10-03T15:30")]);
        let want = "the day's loss reached --max-daily-loss at 2024-10-03T11:02: the profit was \
                    ₹ -5,000.00";
        assert_eq!(words.as_deref(), Some(want));
        assert_eq!(words_after([lost(), ended("2024-10-04T15:30")]), None);
        assert_eq!(words_after([halt(RejectReason::Paused, "2024-10-03T11:02")]), None);
    }

    #[test]
    fn a_kill_stands_until_it_is_released() {
        let mut stood = Stood::default();
        let output = halt(RejectReason::Killed, "2024-10-03T11:02");
        stood.output(EventId::NONE, &Derived { cause: 0, output });
        stood.output(EventId::NONE, &Derived { cause: 0, output: ended("2024-10-04T15:30") });
        let words = stood.words().unwrap();
        assert_eq!(words, "killed at 2024-10-03T11:02, and not released until the run was over");
        let time = Timestamp::parse("2024-10-05T09:00").unwrap();
        stood.input(1, &Input::Command(Command { time, kind: CommandKind::Release }));
        assert_eq!(stood.words(), None);
    }
}
