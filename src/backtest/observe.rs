//! No execution at all (rules 9): every signal is told why nothing follows.

use crate::domain::event::{CommandKind, RunStarted};
use crate::domain::fact::{Halt, RejectReason};
use crate::domain::money::Cash;

use super::account::Account;
use super::timeline::Moment;
use super::{Frame, Outcome};

/// Looks at everything that happens.
pub fn look_on(run: &RunStarted, frames: &[Frame], moments: &[Moment]) -> Outcome {
    let mut account = Account::new(run);
    let (mut paused, mut killed) = (false, false);
    for moment in moments {
        match *moment {
            Moment::Minute(bar) => account.mark(bar.instrument, bar.close),
            Moment::Flatten(..) => {}
            Moment::Refused(rejection) => account.outcome.rejections.push(rejection),
            Moment::SessionOver(date, end) => account.close_day(date, end),
            Moment::Command(command) => {
                let (time, day_profit) = (command.time, Cash::ZERO);
                let reason = match command.kind {
                    CommandKind::Pause => RejectReason::Paused,
                    CommandKind::Kill => RejectReason::Killed,
                    CommandKind::Resume | CommandKind::Release | CommandKind::Flatten => {
                        paused &= command.kind != CommandKind::Resume;
                        killed &= command.kind != CommandKind::Release;
                        continue;
                    }
                };
                paused |= reason == RejectReason::Paused;
                killed |= reason == RejectReason::Killed;
                account.outcome.halts.push(Halt { time, reason, day_profit });
            }
            Moment::StrategyBar(id, row) => {
                account.observe(&frames[id.index()], row);
                if let Some(signal) = &frames[id.index()].signals[row] {
                    account.announce(signal);
                    let reason = match (killed, paused) {
                        (true, _) => RejectReason::Killed,
                        (_, true) => RejectReason::Paused,
                        _ => RejectReason::Observing,
                    };
                    account.reject(id, signal.time, reason);
                }
            }
        }
    }
    account.outcome
}
