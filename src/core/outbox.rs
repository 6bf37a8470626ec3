//! What a step derived so far. Whoever pushes an output says what caused it and gets the output's
//! index to hand on as the next cause, so the chain from a fill back to the input is written down
//! where it is known.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::domain::event::{Derived, EventId, Output};
use crate::domain::fact::{
    Bar, Bar15m, Fill, Halt, Indicators, Order, Position, Rejection, SessionEnded, Signal,
};

/// The cause of an output that follows from the input itself.
pub const INPUT: u32 = 0;

/// The outputs of one step.
pub struct Outbox<'a> {
    seq: u64,
    out: &'a mut Vec<Derived>,
    before: usize,
}

impl<'a> Outbox<'a> {
    /// An empty outbox for input `seq`, appending to `out`.
    pub fn new(seq: u64, out: &'a mut Vec<Derived>) -> Outbox<'a> {
        let before = out.len();
        Outbox { seq, out, before }
    }

    /// Appends an output and returns its index within the step.
    pub fn push(&mut self, cause: u32, output: impl Into<Output>) -> u32 {
        self.out.push(Derived { cause, output: output.into() });
        u32::try_from(self.out.len() - self.before).expect("a step has few outputs")
    }

    /// The address of the output at `index`.
    pub const fn id(&self, index: u32) -> EventId {
        EventId { seq: self.seq, index }
    }
}

/// Each payload is one kind of output.
macro_rules! outputs {
    ($($payload:ident => $variant:ident),+ $(,)?) => {$(
        impl From<$payload> for Output {
            fn from(payload: $payload) -> Output {
                Output::$variant(payload.into())
            }
        }
    )+};
}

outputs! {
    Bar => Bar1m, Bar15m => Bar15m, Indicators => Indicators, Order => Order,
    Rejection => Rejection, Fill => Fill, Position => Position, Halt => Halt,
    SessionEnded => SessionEnded,
}

impl From<Signal> for Output {
    fn from(signal: Signal) -> Output {
        Output::Signal(Box::new(signal))
    }
}
