//! Exit codes are part of the interface: scripts and CI rely on them.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and where two things were compared they are the same.
    Same = 0,
    /// Finished, and what was compared differs.
    Differs = 1,
    /// Wrong usage, wrong configuration, or data that is not there.
    Usage = 2,
    /// Damaged data or a damaged journal.
    Damaged = 3,
    /// Nothing was selected: an empty range, no symbols, no rows.
    Nothing = 4,
    /// The same inputs gave different outputs.
    NotDeterministic = 5,
    /// A live run is over, and the kill switch or the day's loss had stopped its trading.
    Stopped = 6,
    /// Somebody else holds the lock.
    Locked = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Interrupted, with the journal consistent.
    Interrupted = 130,
}
