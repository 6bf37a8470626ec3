//! What goes wrong while a process runs: faults by number of operation, and the end of everything.

use super::dice::Dice;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`. What was to be done may be done in part, done, or not; a failed sync forgets.
    Broken,
    /// `ENOSPC`, where something is created or written.
    Full,
    /// A read or a write does only part of its work, and says so.
    Short,
    /// `EINTR`, where something is read or written. Never three times in a row.
    Interrupted,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 4] = [Fault::Broken, Fault::Full, Fault::Short, Fault::Interrupted];
}

/// Which operations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Number of the first operation that does.
    pub from: u64,
    /// How.
    pub fault: Fault,
    /// Whether all later ones do as well.
    pub for_good: bool,
}

/// Whether a sync does what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// It does. Only then nothing that was acknowledged may be missing.
    Honest,
    /// It comes true so many operations later.
    Late(u64),
    /// Every so many syncs are not done at all.
    Lying(u64),
}

/// What goes wrong in one life of a process. Operations are counted from its start.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// At that operation the process or the machine stops; whether the operation is still done is
    /// thrown.
    pub stop_at: Option<u64>,
    /// Operations that fail.
    pub failing: Option<Failing>,
    /// Reads and writes are short, and others interrupted, once in so many; 0: never.
    pub nuisance: u64,
    /// Whether a sync does what it says.
    pub honesty: Honesty,
}

impl Plan {
    /// Nothing goes wrong.
    pub const CALM: Plan =
        Plan { stop_at: None, failing: None, nuisance: 0, honesty: Honesty::Honest };

    /// A life that ends at one of about `operations` operations, if at all, after a fault or
    /// without one.
    pub fn thrown(dice: &mut Dice, operations: u64, honesty: Honesty) -> Plan {
        let stop_at = (!dice.once_in(6)).then(|| dice.within(1..operations + 1));
        let failing = dice.once_in(5).then(|| Failing {
            from: dice.within(1..operations + 1),
            fault: dice.one_of(&Fault::ALL),
            for_good: dice.once_in(2),
        });
        let nuisance = dice.one_of(&[0, 0, 3, 11]);
        Plan { stop_at, failing, nuisance, honesty }
    }
}
