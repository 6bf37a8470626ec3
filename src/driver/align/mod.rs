//! Signals that somebody brings, held against what live says over the same history: the runs that
//! they are compared with, and for each difference the one change that removes it.
//!
//! - [`ground`] the history, and what each rule says over it
//! - [`place`] rows of a file on that ground
//! - [`trials`] the changes that are tried, in their order
//! - [`ask`] whether one of them removes a difference
//! - [`world`] what a run was told, to be changed in one part and asked again
//! - [`pieces`] the parts in which the worlds of two runs differ
//! - [`minutes`] those of their minutes
//! - [`runs`] two runs, every difference with the part that makes it

mod ask;
pub mod ground;
pub mod minutes;
pub mod pieces;
pub mod place;
pub mod runs;
pub mod trials;
pub mod world;

use crate::domain::config::Profile;
use crate::domain::fact::Signal;
use crate::golden::align::class::Explained;
use crate::golden::align::{Alignment, Given};

use ground::Ground;
use trials::{Lived, Trials};

/// Which of our runs repeats a golden best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// His batch run, its look-ahead included.
    CompatBatch,
    /// His live path, nothing traded.
    CompatLive,
    /// His live path with exits and cooldown.
    CompatLiveTraded,
    /// The causal profile.
    Causal,
    /// What the causal profile enters with its own execution.
    CausalTraded,
}

impl Origin {
    /// All of them, in the order in which a tie is decided.
    pub const ALL: [Origin; 5] = [
        Origin::CompatBatch,
        Origin::CompatLive,
        Origin::CompatLiveTraded,
        Origin::Causal,
        Origin::CausalTraded,
    ];

    /// The name of the run.
    pub const fn word(self) -> &'static str {
        match self {
            Origin::CompatBatch => "compat-batch",
            Origin::CompatLive => "compat-live",
            Origin::CompatLiveTraded => "compat-live with execution",
            Origin::Causal => "causal",
            Origin::CausalTraded => "causal, entries alone",
        }
    }
}

/// A golden that was held against everything.
pub struct Aligned {
    /// How it agrees with each of our runs.
    pub runs: Vec<(Origin, Alignment)>,
    /// The run that repeats it best.
    pub origin: Origin,
    /// The golden as given against live.
    pub given: Alignment,
    /// The golden made causal against live.
    pub made_causal: Alignment,
    /// Every difference of the golden as given, with its cause.
    pub explained: Vec<Explained>,
}

/// Holds `golden` against live, which is `profile`, and explains every difference.
pub fn align(ground: &Ground, profile: Profile, golden: &[Given]) -> Aligned {
    align_with(ground, &Lived::of_rule(ground, profile), golden)
}

/// Holds `golden` against what was lived, which may be a run that was recorded.
pub fn align_with(ground: &Ground, lived: &Lived<'_>, golden: &[Given]) -> Aligned {
    let runs: Vec<(Origin, Alignment)> = Origin::ALL
        .into_iter()
        .map(|origin| (origin, Alignment::of(golden, ground.run_of(origin))))
        .collect();
    let presence = |(_, alignment): &&(Origin, Alignment)| alignment.presence().count();
    let origin = runs.iter().min_by_key(presence).map_or(Origin::Causal, |(origin, _)| *origin);
    let given = Alignment::of(golden, lived.signals);
    let made_causal = Alignment::of(&causal_golden(ground, origin, golden), lived.signals);
    let explained = Trials::new(ground, lived, golden).explain(&given);
    Aligned { runs, origin, given, made_causal, explained }
}

/// The golden made causal: what his batch run made is made again at the close of each bar, with the
/// future hidden. Rows that his batch run did not make stay as they are, and a golden that is best
/// repeated by a run without look-ahead is causal as it is.
fn causal_golden(ground: &Ground, origin: Origin, golden: &[Given]) -> Vec<Given> {
    if origin != Origin::CompatBatch {
        return golden.to_vec();
    }
    let batch = ground.run_of(Origin::CompatBatch);
    let at_close = ground.run_of(Origin::Causal);
    let is_of = |given: &Given, signal: &Signal| {
        given.instrument == signal.instrument
            && given.bar_time == signal.bar_time
            && given.is_like(signal)
    };
    let is_batch = |given: &Given| batch.iter().any(|signal| is_of(given, signal));
    // His file has no row for a bar only if his run made none there: what appears at a close
    // appears only where the run would have said so if it had not seen the future.
    let appeared = at_close.iter().filter(|signal| {
        !batch
            .iter()
            .any(|one| one.origin() == signal.origin() && one.instrument == signal.instrument)
    });
    let kept = golden
        .iter()
        .filter(|given| !is_batch(given) || at_close.iter().any(|signal| is_of(given, signal)));
    let mut causal: Vec<Given> = kept.cloned().chain(appeared.map(Given::of)).collect();
    causal.sort_by_key(|given| (given.instrument, given.bar_time));
    // One signal a bar: the second event of a bar is what live would never have made.
    causal.dedup_by_key(|given| (given.instrument, given.bar_time));
    causal
}
