//! `lockstep verify`: the core again over a recorded run, every output held against the journal.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::domain::event::CORE_VERSION;
use crate::driver::verify::divergence::{Difference, Divergence};
use crate::driver::verify::{Verdict, Verified, verify};
use crate::journal::reader::{End, Reader};

use super::divergence::{self, Sides};
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::terminal::{self, grouped};

/// What `lockstep verify` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// Run a second core beside the first and compare the two; it costs the core's time once more
    #[arg(long)]
    pub twice: bool,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

const RECORDED: Sides = ["recorded", "derived"];
const TWICE: Sides = ["first", "second"];

/// A verification that is done, with what is said about it.
struct Done<'a> {
    dir: &'a Path,
    twice: bool,
    run_id: String,
    segments: usize,
    bytes: u64,
    batches: u64,
    seconds: f64,
    verified: Verified,
}

/// Runs `lockstep verify`. The result goes to stdout even where the journal is damaged.
///
/// # Errors
/// When there is no journal, it is damaged, or it ends early. An output that differs is no error
/// but [`Exit::Differs`].
pub fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let mut reader = Reader::open(&args.run)?;
    let run_id = reader.header().run_id.to_string();
    let mut progress = Progress::new("Verify");
    let watch = super::clock::stopwatch();
    let verified = verify(&mut reader, args.twice, &mut |input| progress.input(input));
    let done = Done {
        dir: &args.run,
        twice: args.twice,
        run_id,
        segments: reader.segments().len(),
        bytes: reader.segments().iter().map(|segment| segment.bytes).sum(),
        batches: reader.batches(),
        seconds: watch.elapsed().as_secs_f64(),
        verified,
    };
    progress.finish();
    terminal::print(&match args.format {
        Format::Human => done.human(),
        Format::Json => format!("{:#}\n", done.json()),
    })?;
    done.exit()
}

impl Done<'_> {
    fn exit(self) -> Result<Exit, Failure> {
        let events = grouped(self.verified.inputs + self.verified.outputs);
        match (self.verified.verdict(), self.verified.end) {
            (Verdict::NotDeterministic, _) => Ok(Exit::NotDeterministic),
            (_, Err(error)) => Err(Failure::from(error)),
            (Verdict::EndedEarly, _) => {
                Err(Failure::new(Exit::Damaged, format!("ended early: {events} events, no seal"))
                    .at(self.dir.display())
                    .because("nothing says that these are all that there were")
                    .hint("a run that is still being written looks like that; wait for its end")
                    .hint("a replay that was broken off can be repeated"))
            }
            (Verdict::Differs, _) => Ok(Exit::Differs),
            (_, Ok(_)) => Ok(Exit::Same),
        }
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for (label, fact) in self.facts() {
            text.push_str(&terminal::fact(label, &fact));
        }
        let place = self.dir.display().to_string();
        let found = [
            (&self.verified.unstable, "two runs of the core made different things", TWICE),
            (&self.verified.divergence, "a recorded output is not what the core derives", RECORDED),
        ];
        for (divergence, what, sides) in found {
            let Some(divergence) = divergence else { continue };
            text += "\n";
            text += &divergence::block(divergence, what, &place, sides);
            let cat = divergence::cat(self.dir, divergence.id.seq);
            text += &format!("  help: {cat} shows what was recorded\n");
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Verified { inputs, outputs, core_version, build, .. } = &self.verified;
        let short: String = self.run_id.chars().take(12).collect();
        let size = self.bytes as f64 / 1_000_000.0;
        let (batches, segments) = (grouped(self.batches), grouped(self.segments as u64));
        let journal = format!(
            "{} · run {short} · {batches} batches · segments {segments} · {size:.1} MB · {}",
            self.dir.display(),
            self.end_in_words(),
        );
        let core = match *core_version == CORE_VERSION {
            true => format!("core {CORE_VERSION} · recorded by {build}"),
            false => format!(
                "recorded by core {core_version} ({build}), this is core {CORE_VERSION}: \
                 differences are to be expected"
            ),
        };
        let rate = (inputs + outputs) as f64 / self.seconds.max(1e-6);
        let events = format!(
            "{} · inputs {} · outputs {} · {:.2} s · {} events/s",
            grouped(inputs + outputs),
            grouped(*inputs),
            grouped(*outputs),
            self.seconds,
            grouped(rate as u64),
        );
        let mut facts = vec![("Journal", journal), ("Core", core), ("Events", events)];
        if let (Some(digest), Ok(end)) = (self.verified.digest, &self.verified.end) {
            let sealed = match end {
                End::Sealed(_) => "as sealed",
                End::Unsealed { .. } => "no seal to hold it against",
            };
            facts.push(("Digest", format!("all events {} · {sealed}", digest.short())));
        }
        if self.twice {
            let same = if self.verified.unstable.is_some() { "DIFFERS" } else { "the same" };
            facts.push(("Twice", format!("a second core made {same}")));
        }
        facts.push(("Verdict", self.verdict_in_words()));
        facts
    }

    fn end_in_words(&self) -> String {
        match (&self.verified.end, self.verified.unfinished) {
            (Err(_), _) => "DAMAGED".to_owned(),
            (Ok(End::Sealed(_)), _) => "sealed".to_owned(),
            (Ok(End::Unsealed { trailing_bytes }), 0) => {
                format!("ENDED EARLY, {} bytes after the last commit", grouped(*trailing_bytes))
            }
            (Ok(End::Unsealed { .. }), unfinished) => {
                format!("ENDED EARLY, the last input lacks {unfinished} outputs")
            }
        }
    }

    fn verdict_in_words(&self) -> String {
        let Verified { inputs, outputs, divergence, broken, unstable, .. } = &self.verified;
        let outputs = grouped(*outputs);
        let found = match (unstable, divergence, broken) {
            (Some(unstable), ..) => {
                return format!("NOT DETERMINISTIC · first at {}", at(unstable));
            }
            (None, Some(divergence), _) => {
                let (steps, inputs) = (self.verified.steps_differing, grouped(*inputs));
                format!(
                    "DIFFERS · first at {} · outputs of {} of {inputs} inputs",
                    at(divergence),
                    grouped(steps)
                )
            }
            (None, None, Some(broken)) => {
                format!("DIFFERS · the core cannot take input {}: {}", broken.seq, broken.why)
            }
            (None, None, None) => match self.verified.verdict() {
                Verdict::Identical => return format!("identical · {outputs}/{outputs} outputs"),
                _ => format!("identical as far as it goes · {outputs}/{outputs} outputs"),
            },
        };
        match self.verified.verdict() {
            Verdict::Damaged => format!("DAMAGED · before that {found}"),
            Verdict::EndedEarly => format!("ENDED EARLY · {found}"),
            _ => found,
        }
    }

    fn json(&self) -> Value {
        let verified = &self.verified;
        let exit = match (verified.verdict(), &verified.end) {
            (Verdict::NotDeterministic, _) => Exit::NotDeterministic,
            (_, Err(_)) | (Verdict::EndedEarly, _) => Exit::Damaged,
            (Verdict::Differs, _) => Exit::Differs,
            (_, Ok(_)) => Exit::Same,
        };
        let divergence = verified.divergence.as_ref();
        json!({
            "journal": self.dir.display().to_string(),
            "run_id": self.run_id,
            "core_version": CORE_VERSION,
            "recorded_by": { "core_version": verified.core_version, "build": verified.build },
            "inputs": verified.inputs,
            "outputs": verified.outputs,
            "batches": self.batches,
            "segments": self.segments,
            "bytes": self.bytes,
            "digest": verified.digest.map(|digest| digest.to_string()),
            "sealed": matches!(verified.end, Ok(End::Sealed(_))),
            "damage": verified.end.as_ref().err().map(ToString::to_string),
            "unfinished_outputs": verified.unfinished,
            "divergence": divergence.map(|found| divergence::as_json(found, RECORDED)),
            "inputs_differing": verified.steps_differing,
            "broken": verified.broken.as_ref().map(|it| json!({ "seq": it.seq, "why": it.why })),
            "twice": self.twice,
            "unstable":
                verified.unstable.as_ref().map(|found| divergence::as_json(found, TWICE)),
            "exit": exit as u8,
        })
    }
}

/// Where a divergence is and what differs, such as `135.5, price of signal`.
fn at(divergence: &Divergence) -> String {
    let Divergence { id, kind, difference, fields, .. } = divergence;
    match (difference, fields.first()) {
        (Difference::Missing, _) => format!("{id}, a {kind} that was not recorded"),
        (Difference::Extra, _) => format!("{id}, a {kind} that is not derived"),
        (Difference::Differs, Some(field)) => format!("{id}, {} of {kind}", field.name),
        (Difference::Differs, None) => format!("{id}, {kind}"),
    }
}
