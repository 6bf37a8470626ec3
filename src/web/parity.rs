//! `GET /api/v1/parity`: the core again over the inputs of the journal, each of its outputs held
//! against what was recorded. It runs when somebody asks and the journal has grown; green is
//! said of what was computed, and of nothing else.

use std::path::Path;
use std::sync::PoisonError;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::driver::verify::divergence::Divergence;
use crate::driver::verify::{Verdict, Verified, verify};
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;

use super::api::{Refused, answer};
use super::app::App;

/// How often a journal is read before it is called damaged.
const TRIES: usize = 3;

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct Parity {
    /// The last comparison that was made; none before the first.
    pub last: Option<Compared>,
}

/// A comparison that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// `same`, `differs` or `broken`.
    pub verdict: &'static str,
    /// Up to this input.
    pub position: u64,
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
}

impl Compared {
    fn of(verified: &Verified) -> Compared {
        let divergence = verified.divergence.as_ref();
        let broken = verified.broken.as_ref().map(|broken| broken.why.clone());
        let damaged = verified.end.as_ref().err().map(JournalError::to_string);
        Compared {
            verdict: match verified.verdict() {
                Verdict::Identical | Verdict::EndedEarly => "same",
                Verdict::Differs | Verdict::NotDeterministic => "differs",
                Verdict::Damaged => "broken",
            },
            position: verified.inputs.saturating_sub(1),
            inputs: verified.inputs,
            outputs: verified.outputs,
            steps_differing: verified.steps_differing,
            first: divergence.map(|it| it.id.to_string()),
            recorded: divergence.and_then(want),
            derived: divergence.and_then(got),
            error: damaged.or(broken),
        }
    }
}

fn want(divergence: &Divergence) -> Option<String> {
    divergence.want.clone()
}

fn got(divergence: &Divergence) -> Option<String> {
    divergence.got.clone()
}

/// Runs the core over the journal in that folder. What is being written at that very moment can
/// look damaged, so that is believed only when it is found again and again.
fn compare(dir: &Path) -> Result<Compared, JournalError> {
    let once = || {
        let mut reader = Reader::open(dir)?;
        Ok(Compared::of(&verify(&mut reader, false, &mut |_| {})))
    };
    let is_told = |it: &Result<Compared, JournalError>| {
        it.as_ref().is_ok_and(|compared| compared.verdict != "broken")
    };
    (0..TRIES).map(|_| once()).find(is_told).unwrap_or_else(once)
}

/// The comparison up to where the journal is; made now if it is not there yet.
///
/// # Errors
/// When the journal cannot be opened.
pub async fn current(app: &App) -> Result<Compared, Refused> {
    let position = app.model().view.position;
    let known = app.parity.read().unwrap_or_else(PoisonError::into_inner).last.clone();
    if let Some(known) = known.filter(|known| known.position >= position) {
        return Ok(known);
    }
    let dir = app.options.run_dir.clone();
    let compared = app.heavily(move || compare(&dir)).await?;
    let compared = compared.map_err(|error| Refused::broken(&error))?;
    app.parity.write().unwrap_or_else(PoisonError::into_inner).last = Some(compared.clone());
    Ok(compared)
}

/// `GET /api/v1/parity`.
pub async fn parity(State(app): State<App>) -> Response {
    answer(current(&app).await)
}
