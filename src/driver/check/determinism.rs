//! Whether the same inputs always lead to the same events: a case run in several ways, which must
//! all have one digest.

use crate::core::Core;
use crate::domain::event::{Derived, EndReason, Input, RunEnded};
use crate::driver::Source as _;
use crate::driver::replay::{Replay, ReplayError};
use crate::driver::state;
use crate::journal::writer::{Sealed, Writer};

/// One way to run a case, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The way, in words.
    pub name: String,
    /// Its end.
    pub sealed: Sealed,
}

/// Runs the case in every way: twice on one thread, on `threads`, and with the core's state written
/// out and read in again `splits` times, evenly over the inputs.
///
/// # Errors
/// When the history is damaged.
pub fn run_all_ways(replay: &Replay, threads: usize, splits: u64) -> Result<Vec<Way>, ReplayError> {
    let first = replay.run(None, 1, &mut [])?;
    let way = |name: &str, sealed| Way { name: name.to_owned(), sealed };
    let mut ways = vec![
        way("one thread", first),
        way("one thread, again", replay.run(None, 1, &mut [])?),
        way(&format!("{threads} threads"), replay.run(None, threads, &mut [])?),
    ];
    for count in [1, splits] {
        let every = first.inputs / (count + 1);
        let (sealed, splits) = run_split(replay, every.max(1))?;
        ways.push(way(&format!("state written out and read in, {splits} times"), sealed));
    }
    Ok(ways)
}

/// Runs the case with a core that, every so many inputs, is made anew from its bytes.
fn run_split(replay: &Replay, every: u64) -> Result<(Sealed, u64), ReplayError> {
    let (mut history, mut core) = (replay.history(None), Core::new(&replay.run));
    let (mut journal, mut derived) = (Writer::digest_only(), Vec::<Derived>::new());
    journal.input(0, 0, &Input::RunStarted(Box::new(replay.run.clone())))?;
    let (mut splits, mut inputs) = (0, Vec::new());
    loop {
        history.next(&mut inputs)?;
        if inputs.is_empty() {
            break;
        }
        for input in &inputs {
            let seq = journal.next_seq();
            if seq.is_multiple_of(every) {
                core = state::decode(&state::encode(&core)).expect("what was written can be read");
                splits += 1;
            }
            journal.input(seq, 0, input)?;
            derived.clear();
            core.step(seq, input, &mut derived);
            for (index, derived) in (1..).zip(&derived) {
                journal.output(seq, index, derived)?;
            }
        }
    }
    let ended = RunEnded { time: history.watermark(), reason: EndReason::Completed };
    journal.input(journal.next_seq(), 0, &Input::RunEnded(ended))?;
    Ok((journal.seal()?, splits))
}
