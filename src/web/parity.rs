//! `GET /api/v1/parity`: the core again over the inputs of the journal, in a thread of its own as
//! the journal grows, each of its outputs held against what was recorded. Green is said of what was
//! computed, and of nothing else.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::domain::instrument::InstrumentId;
use crate::domain::time::{Date, Timestamp};
use crate::driver::verify::Verdict;
use crate::driver::verify::follow::{Following, Parted};
use crate::journal::error::JournalError;
use crate::sinks::scanner::hours::Hours;

use super::api::answer;
use super::app::App;
use super::facts::BarFact;
use super::model::Model;

/// How often it is looked whether there is more.
const EVERY: Duration = Duration::from_millis(200);
/// Records between two words of how far it is.
const AT_A_TIME: usize = 4_000;
/// How often in a row a journal has to be unreadable before that is said: a writer may be at the
/// very place.
const PATIENCE: u32 = 5;
/// Once it was said, it is read from its beginning only every so many times.
const SELDOM: u32 = 100;
/// How long whoever asks waits for the comparison to come up to what the table shows.
const CATCH_UP: Duration = Duration::from_secs(3);
/// Inputs that the comparison may lie behind the table before nobody calls that the same any more.
const BEHIND_MAX: u64 = 5_000;
/// Instruments whose bars are listed; those that differ come first.
const LISTED_MAX: usize = 200;

/// What is known, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Word {
    /// Not compared yet, or not far enough.
    #[default]
    Computing,
    /// Every output up to there is as recorded.
    Same,
    /// One is not.
    Differs,
    /// The journal cannot be read.
    Broken,
}

impl Word {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Word::Computing => "computing",
            Word::Same => "same",
            Word::Differs => "differs",
            Word::Broken => "broken",
        }
    }
}

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct Parity {
    word: Word,
    /// Up to this input; none before the first.
    position: Option<u64>,
    inputs: u64,
    outputs: u64,
    steps_differing: u64,
    first: Option<First>,
    error: Option<String>,
    parted: Arc<[Parted]>,
}

/// The first difference.
#[derive(Clone, Debug, Serialize)]
struct First {
    /// Where it is.
    event: String,
    /// What was recorded there.
    recorded: Option<String>,
    /// What the core derives there.
    derived: Option<String>,
}

impl Parity {
    fn of(following: &Following, before: &Parity) -> Parity {
        let found = following.found();
        let divergence = found.divergence.as_ref();
        let is_known = following.parted().len() == before.parted.len();
        Parity {
            word: match found.verdict() {
                Verdict::Identical | Verdict::EndedEarly => Word::Same,
                Verdict::Differs | Verdict::NotDeterministic => Word::Differs,
                Verdict::Damaged => Word::Broken,
            },
            position: following.position(),
            inputs: found.inputs,
            outputs: found.outputs,
            steps_differing: found.steps_differing,
            first: divergence.map(|it| First {
                event: it.id.to_string(),
                recorded: it.want.clone(),
                derived: it.got.clone(),
            }),
            error: found.broken.as_ref().map(|broken| broken.why.clone()),
            parted: if is_known { before.parted.clone() } else { following.parted().into() },
        }
    }

    fn broken(error: &JournalError, before: &Parity) -> Parity {
        Parity { word: Word::Broken, error: Some(error.to_string()), ..before.clone() }
    }

    fn reaches(&self, position: u64) -> bool {
        self.word == Word::Broken || self.position.is_some_and(|mine| position <= mine)
    }

    /// What may be said beside a table at `position`.
    fn word_at(&self, position: u64, behind_max: u64) -> Word {
        let is_behind = self.position.is_none_or(|mine| mine + behind_max < position);
        if self.word == Word::Same && is_behind { Word::Computing } else { self.word }
    }
}

/// Compares until the other end of `ended` is gone.
pub fn follow(app: &App, ended: &Receiver<()>) {
    let (mut following, mut failures) = (None, 0);
    loop {
        let looked = match failures >= PATIENCE && !failures.is_multiple_of(SELDOM) {
            true => None,
            false => Some(look(app, &mut following, ended)),
        };
        match looked {
            Some(Ok(())) => failures = 0,
            // There is no run yet.
            Some(Err(JournalError::Absent { .. })) => following = None,
            Some(Err(error)) => {
                following = None;
                failures += 1;
                if failures == PATIENCE {
                    let broken = Parity::broken(&error, &app.parity.borrow().clone());
                    tell(app, broken);
                }
            }
            None => failures += 1,
        }
        match ended.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Compares what there is by now.
fn look(
    app: &App,
    following: &mut Option<Following>,
    ended: &Receiver<()>,
) -> Result<(), JournalError> {
    if following.is_none() {
        *following = Some(Following::open(&app.options.run_dir)?);
    }
    let Some(following) = following else { return Ok(()) };
    loop {
        let is_all = following.look(AT_A_TIME)?;
        let before = app.parity.borrow().clone();
        if following.position() != before.position {
            tell(app, Parity::of(following, &before));
        }
        if is_all || matches!(ended.try_recv(), Err(TryRecvError::Disconnected)) {
            return Ok(());
        }
    }
}

fn tell(app: &App, parity: Parity) {
    let position = parity.position.unwrap_or(0);
    let word = parity.word;
    app.parity.send_replace(Arc::new(parity));
    let mut model = app.model_mut();
    model.parity = (word, position);
    app.show(&mut model);
}

impl Model {
    /// What is known of the core over the same inputs, beside what is shown.
    pub fn parity_word(&self) -> Word {
        let (word, position) = self.parity;
        let parity = Parity { word, position: Some(position), ..Parity::default() };
        parity.word_at(self.view.position, BEHIND_MAX)
    }
}

/// The comparison as it is shown.
#[derive(Serialize)]
pub struct Compared {
    /// `same`, `differs`, `broken`, or `computing` where less was compared than the table shows.
    pub verdict: &'static str,
    /// Up to this input.
    pub position: u64,
    /// Inputs of the table that were not compared yet.
    pub behind: u64,
    /// Inputs that were run again.
    pub inputs: u64,
    /// Outputs that were compared.
    pub outputs: u64,
    /// Inputs whose outputs are not all as recorded.
    pub steps_differing: u64,
    /// Where the first difference is.
    pub first: Option<String>,
    /// What was recorded there.
    pub recorded: Option<String>,
    /// What the core derives there.
    pub derived: Option<String>,
    /// Why it cannot be told.
    pub error: Option<String>,
    /// The trading day that is shown bar by bar.
    pub day: Option<String>,
    /// Starts of that day's strategy bars, India, `09:15`.
    pub bars: Vec<String>,
    /// Each instrument's bars of that day, those with differences first.
    pub symbols: Vec<Lane>,
    /// Instruments that are not listed; none of them differs unless all listed ones do.
    pub symbols_left_out: usize,
}

/// One instrument's bars of a day.
#[derive(Serialize)]
pub struct Lane {
    /// The instrument's key.
    pub key: String,
    /// Its symbol.
    pub symbol: String,
    /// How many of its bars differ.
    pub differing: usize,
    /// One for each of the day's bars.
    pub bars: Vec<Slot>,
}

/// One bar of one instrument, with everything that happened since the bar before.
#[derive(Clone, Serialize)]
pub struct Slot {
    /// `same`, `differs`, or `not-yet`.
    pub verdict: &'static str,
    /// The bar's event; none where there is no such bar.
    pub event: Option<String>,
    /// The signal that was recorded with it.
    pub signal: Option<String>,
    /// The first step of it that differs.
    pub differs_at: Option<u64>,
}

impl Compared {
    fn of(parity: &Parity, model: &Model) -> Compared {
        let shown = model.view.position;
        let position = parity.position.unwrap_or(0);
        let day = Day::of(model);
        let starts = day.iter().flat_map(|day| &day.starts);
        let bars = starts.map(|it| format!("{:02}:{:02}", it.hour(), it.minute())).collect();
        let mut symbols = day.as_ref().map_or_else(Vec::new, |day| lanes(parity, model, day));
        symbols.sort_by_key(|lane| std::cmp::Reverse(lane.differing));
        let symbols_left_out = symbols.len().saturating_sub(LISTED_MAX);
        symbols.truncate(LISTED_MAX);
        let first = parity.first.as_ref();
        Compared {
            verdict: parity.word_at(shown, 0).word(),
            position,
            behind: shown.saturating_sub(position),
            inputs: parity.inputs,
            outputs: parity.outputs,
            steps_differing: parity.steps_differing,
            first: first.map(|first| first.event.clone()),
            recorded: first.and_then(|first| first.recorded.clone()),
            derived: first.and_then(|first| first.derived.clone()),
            error: parity.error.clone(),
            day: day.map(|day| day.date.to_string()),
            bars,
            symbols,
            symbols_left_out,
        }
    }
}

/// A trading day.
struct Day {
    date: Date,
    /// Starts of its strategy bars.
    starts: Vec<Timestamp>,
    bar_us: i64,
    clock: Timestamp,
}

impl Day {
    /// The last day of the table. Before its first bar the day before is what there is to see.
    fn of(model: &Model) -> Option<Day> {
        let (run, clock) = (model.facts.run.as_ref()?, model.scanner.clock()?);
        let hours = Hours::of(run);
        let last = model.facts.bars.iter().filter_map(|bars| bars.last());
        let last = last.map(|fact| fact.bar.open_time.date()).max();
        let date = last.unwrap_or(clock.date());
        Some(Day { date, starts: hours.bars_of(date), bar_us: hours.bar_us(), clock })
    }
}

/// Each instrument's bars of a day.
fn lanes(parity: &Parity, model: &Model, day: &Day) -> Vec<Lane> {
    let instruments = model.facts.run.iter().flat_map(|run| &run.instruments).enumerate();
    let lanes = instruments.map(|(place, instrument)| {
        let slots = slots(parity, model, place, day);
        Lane {
            key: instrument.key.clone(),
            symbol: instrument.symbol_at(day.date).to_owned(),
            differing: slots.iter().filter(|slot| slot.verdict == "differs").count(),
            bars: slots,
        }
    });
    lanes.collect()
}

/// The bars of one instrument that start at these times.
fn slots(parity: &Parity, model: &Model, place: usize, day: &Day) -> Vec<Slot> {
    let bars = model.facts.bars.get(place).map_or(&[][..], Vec::as_slice);
    let id = u16::try_from(place).map(InstrumentId);
    let is_about = |step: &&Parted| {
        step.instruments.is_empty() || id.is_ok_and(|id| step.instruments.contains(&id))
    };
    let parted = |after: u64, upto: u64| {
        let first = parity.parted.partition_point(|step| step.seq <= after);
        let inside = parity.parted[first..].iter().take_while(|step| step.seq <= upto);
        inside.filter(is_about).map(|step| step.seq).next()
    };
    let mut open = true;
    let mut slots = Vec::with_capacity(day.starts.len());
    for start in &day.starts {
        let at = bars.partition_point(|fact| fact.bar.open_time < *start);
        let before = at.checked_sub(1).and_then(|at| bars.get(at)).map_or(0, |fact| fact.id.seq);
        // Where there is no such bar, this is what came up to the next one.
        let next = bars.get(at);
        let own: Option<&BarFact> = next.filter(|fact| fact.bar.open_time == *start);
        // After the last bar, the first that may still come stands for all that came since.
        let differs_at = match next {
            Some(next) => parted(before, next.id.seq),
            None => std::mem::take(&mut open).then(|| parted(before, u64::MAX)).flatten(),
        };
        let upto = match next {
            Some(next) => Some(next.id.seq),
            None => (start.plus_us(day.bar_us) <= day.clock).then_some(model.view.position),
        };
        let is_compared = upto.is_some_and(|upto| parity.position.is_some_and(|it| upto <= it));
        slots.push(Slot {
            verdict: match (differs_at, is_compared) {
                (Some(_), _) => "differs",
                (None, true) => "same",
                (None, false) => "not-yet",
            },
            event: own.map(|own| own.id.to_string()),
            signal: own.and_then(|own| model.facts.signal_of(own)),
            differs_at,
        });
    }
    slots
}

/// The comparison, if it comes up to what the table shows in time; else as far as it is.
pub async fn current(app: &App) -> Compared {
    let shown = app.model().view.position;
    let mut parity = app.parity.subscribe();
    let is_there = parity.wait_for(|parity| parity.reaches(shown));
    // What is there when the time is up says itself how far it is.
    let _ = tokio::time::timeout(CATCH_UP, is_there).await;
    let parity = app.parity.borrow().clone();
    Compared::of(&parity, &app.model())
}

/// `GET /api/v1/parity`.
pub async fn parity(State(app): State<App>) -> Response {
    answer(Ok(current(&app).await))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_is_said_of_what_was_computed_only() {
        let parity = |word, position| Parity { word, position, ..Parity::default() };
        assert_eq!(Parity::default().word_at(0, 0), Word::Computing);
        let same = parity(Word::Same, Some(90));
        assert_eq!([90, 91].map(|at| same.word_at(at, 0)), [Word::Same, Word::Computing]);
        assert_eq!([100, 101].map(|at| same.word_at(at, 10)), [Word::Same, Word::Computing]);
        assert_eq!(parity(Word::Same, None).word_at(0, 10), Word::Computing);
        // What is bad is said at once, however far it is computed.
        assert_eq!(parity(Word::Differs, Some(3)).word_at(900, 0), Word::Differs);
    }
}
