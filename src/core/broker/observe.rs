//! No execution at all (rules 9): signals are looked at, and each is told why nothing follows.

use serde::{Deserialize, Serialize};

use crate::domain::event::{Command, CommandKind};
use crate::domain::fact::{Halt, RejectReason, Rejection, Signal};
use crate::domain::money::Cash;

use super::super::outbox::{INPUT, Outbox};

/// What somebody said so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Observe {
    is_paused: bool,
    is_killed: bool,
}

impl Observe {
    pub fn signal(&self, signal: &Signal, cause: u32, out: &mut Outbox<'_>) {
        let reason = match (self.is_killed, self.is_paused) {
            (true, _) => RejectReason::Killed,
            (false, true) => RejectReason::Paused,
            (false, false) => RejectReason::Observing,
        };
        let (instrument, time) = (signal.instrument, signal.time);
        out.push(cause, Rejection { instrument, time, reason });
    }

    pub fn command(&mut self, command: &Command, out: &mut Outbox<'_>) {
        let reason = match command.kind {
            CommandKind::Resume => return self.is_paused = false,
            CommandKind::Release => return self.is_killed = false,
            CommandKind::Flatten => return,
            CommandKind::Pause => RejectReason::Paused,
            CommandKind::Kill => RejectReason::Killed,
        };
        self.is_paused |= reason == RejectReason::Paused;
        self.is_killed |= reason == RejectReason::Killed;
        out.push(INPUT, Halt { time: command.time, reason, day_profit: Cash::ZERO });
    }
}
