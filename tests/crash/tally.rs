//! What many runs came to.

use std::fmt;

macro_rules! tally {
    ($($(#[$doc:meta])* $field:ident $name:literal,)+) => {
        /// Counts over runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally { $($(#[$doc])* pub $field: u64,)+ }

        impl Tally {
            /// Adds those of other runs.
            pub fn add(&mut self, other: &Tally) {
                $(self.$field += other.$field;)+
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:<36} {:>14}", $name, self.$field)?;)+
                Ok(())
            }
        }
    };
}

tally! {
    /// Runs.
    seeds "seeds",
    /// Processes that were started.
    lives "lives",
    /// Lives that were stopped at some operation.
    stops "  stopped at an operation",
    /// Lives that ended with an error of the disk.
    failures "  ended by a fault of the disk",
    /// Lives that took up what an earlier one had left.
    resumed "  took up a journal",
    /// Power cuts.
    power_cuts "power cuts",
    /// Records that were acknowledged.
    acknowledged "records acknowledged",
    /// Of these, gone.
    lost "  lost",
    /// Records that nobody has handed in.
    phantoms "  phantom",
    /// Records in the wrong place.
    reordered "  reordered",
    /// Damage that was found where there was none.
    false_alarms "  false alarms",
    /// Cases of damage.
    damages "damage cases",
    /// Damage that was found.
    flagged "  flagged",
    /// Damage after which every acknowledged record was still there.
    harmless "  without effect on any record",
    /// Damage to all that a power cut has left behind the mark: nothing tells it from a torn write.
    ambiguous "  taken for torn, behind the mark",
    /// Damage that took records away and was not found.
    unflagged "  not flagged",
}
