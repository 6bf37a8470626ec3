//! Every signal and near miss of a run in a line each, with the smallest change of its close that
//! leads to another decision. Each change is tried: it has to flip, and 99 % of it must not.

use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::terminal::{self, fact, grouped};
use crate::cli::verify::Format;
use crate::driver::explain::{Explained, Flip};

use super::{ExplainArgs, named, read};

/// How many there are, and how many flips were tried.
#[derive(Default)]
struct Counts {
    signals: u64,
    near_misses: u64,
    flips: u64,
    without: u64,
    /// Flips that do not flip, or 99 % of which does, or one tick less.
    wrong: u64,
    /// Bars whose comparisons do not lead to the core's decision.
    apart: u64,
}

impl Counts {
    fn take(&mut self, seen: &Explained) {
        let is_signal = seen.decision.is_some() || seen.signal.is_some();
        *(if is_signal { &mut self.signals } else { &mut self.near_misses }) += 1;
        self.apart += u64::from(!seen.agrees());
        match &seen.flip {
            None => self.without += 1,
            Some(flip) => {
                self.flips += 1;
                self.wrong += u64::from(!is_right(seen, flip));
            }
        }
    }

    fn exit(&self) -> Result<Exit, Failure> {
        match (self.flips, self.wrong + self.apart) {
            (0, _) => Err(Failure::new(Exit::Nothing, "the run has no signal and no near miss")),
            (_, 0) => Ok(Exit::Same),
            _ => Ok(Exit::Differs),
        }
    }
}

/// The change leads to another decision, and neither 99 % of it nor one tick less does.
fn is_right(seen: &Explained, flip: &Flip) -> bool {
    let as_it_was = seen.decision.as_ref().map(|signal| (signal.side, signal.kind));
    let Flip { decision, one_less, with_99_percent, .. } = *flip;
    decision != as_it_was && one_less == as_it_was && with_99_percent == as_it_was
}

/// Explains every signal and near miss.
///
/// # Errors
/// When there is no run, it is damaged, or it has neither. A flip that does not flip is no error
/// but [`Exit::Differs`].
pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let recorded = read(args)?;
    let (mut counts, mut lines, mut all) = (Counts::default(), String::new(), Vec::new());
    recorded.notable(1, |instrument, seen| {
        counts.take(&seen);
        let key = &recorded.run.instruments[instrument.index()].key;
        match args.format {
            Format::Human => lines += &line(&seen, key),
            Format::Json => all.push(as_json(&seen, key)),
        }
    });
    let exit = counts.exit()?;
    let Counts { signals, near_misses, flips, without, wrong, apart } = counts;
    terminal::print(&match args.format {
        Format::Json => {
            let document = json!({
                "signals": signals, "near_misses": near_misses, "flips": flips,
                "without_flip": without, "flips_wrong": wrong, "conditions_apart": apart,
                "bars": all,
            });
            format!("{document:#}\n")
        }
        Format::Human => {
            let found = format!(
                "{} · near misses {} · {} without a flip within 3 %",
                grouped(signals),
                grouped(near_misses),
                grouped(without)
            );
            let tried = match wrong + apart {
                0 => format!("{} tried: all flip, and 99 % of the change does not", grouped(flips)),
                _ => format!(
                    "{wrong} of {flips} do not hold · {apart} bars decide otherwise than shown"
                ),
            };
            format!("{lines}\n{}{}", fact("Signals", &found), fact("Flips", &tried))
        }
    })?;
    Ok(exit)
}

fn line(seen: &Explained, key: &str) -> String {
    let decision = seen.decision.as_ref().map(|signal| (signal.side, signal.kind));
    let flip = match &seen.flip {
        Some(Flip { ticks, close, decision, .. }) => {
            format!("{ticks:+} ticks, {close}: {}", named(*decision))
        }
        None => "no close within 3 %".to_owned(),
    };
    let what = if decision.is_some() { named(decision) } else { "near miss".to_owned() };
    format!("{} {key}  {what:<14}  {flip}\n", seen.bar.open_time)
}

fn as_json(seen: &Explained, key: &str) -> Value {
    let decision = seen.decision.as_ref().map(|signal| (signal.side, signal.kind));
    let flip = seen.flip.as_ref().map(|flip| {
        json!({
            "ticks": flip.ticks,
            "close": flip.close.to_string(),
            "decision": named(flip.decision),
            "exact_rupees": flip.exact.rupees(),
            "holds": is_right(seen, flip),
        })
    });
    json!({
        "symbol": key,
        "bar": seen.bar.open_time.to_string(),
        "event": seen.id.to_string(),
        "decision": named(decision),
        "is_near_miss": seen.is_near_miss(),
        "flip": flip,
    })
}
