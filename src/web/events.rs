//! `GET /api/v1/events`: the journal itself, filtered and paged. It is read from its beginning each
//! time and nothing of it is kept, so that a long journal costs time and no memory.

use std::collections::VecDeque;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::domain::event::{Event, EventId, Input};
use crate::domain::instrument::InstrumentId;
use crate::domain::tape::Names;
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;
use crate::journal::record::{Kind, REGISTRY};

use super::api::{Params, Refused, answer};
use super::app::App;
use super::facts::Facts;
use super::model::{Told, told};

/// Events on a page at most.
pub const PAGE_MAX: usize = 500;

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of these kinds; empty: of the kinds that people care for.
    pub kinds: Vec<Kind>,
    /// About this instrument.
    pub instrument: Option<InstrumentId>,
    /// Only after this one, the oldest first.
    pub after: Option<EventId>,
    /// Only before this one, the newest first.
    pub before: Option<EventId>,
    /// So many.
    pub limit: usize,
}

/// A page of events.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    /// The events, in the order that was asked for.
    pub events: Vec<Told>,
    /// Whether there are more in that direction.
    pub has_more: bool,
}

/// Every word that an event goes by.
pub fn words() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|schema| schema.word)
}

/// What is shown where nobody chose: neither prices nor what is made of each of them.
fn is_usual(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Bar | Kind::Tick | Kind::Watermark | Kind::Bar1m | Kind::Indicators | Kind::Backfill
    )
}

impl Wanted {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// When a kind, an address or a key is unknown.
    pub fn read(params: &Params, facts: &Facts) -> Result<Wanted, Refused> {
        let kinds = params.text("kind").unwrap_or_default();
        let kinds: Result<Vec<Kind>, Refused> = kinds
            .split(',')
            .filter(|word| !word.is_empty())
            .map(|word| {
                Kind::from_word(word).ok_or_else(|| {
                    let all: Vec<&str> = words().collect();
                    Refused::bad(format!("no kind '{word}'; there are {}", all.join(", ")))
                })
            })
            .collect();
        let address = |name: &str| match params.text(name) {
            None | Some("") => Ok(None),
            Some(text) => EventId::parse(text)
                .map(Some)
                .ok_or_else(|| Refused::bad(format!("'{name}' has to be an event such as 5117.3"))),
        };
        let instrument = match params.text("key") {
            None | Some("") => None,
            Some(key) => Some(facts.instrument(key).ok_or_else(|| Refused::no_key(key))?),
        };
        let limit = params.number("limit", 100, PAGE_MAX)?;
        let (after, before) = (address("after")?, address("before")?);
        Ok(Wanted { kinds: kinds?, instrument, after, before, limit })
    }

    fn is_wanted(&self, kind: Kind, id: EventId) -> bool {
        let kind_fits = match self.kinds.is_empty() {
            true => is_usual(kind),
            false => self.kinds.contains(&kind),
        };
        kind_fits
            && self.after.is_none_or(|after| id > after)
            && self.before.is_none_or(|before| id < before)
    }
}

/// Reads a page from a journal.
///
/// # Errors
/// When the journal cannot be read.
pub fn page(reader: &mut Reader, wanted: &Wanted) -> Result<Page, JournalError> {
    let (mut scratch, mut names) = (crate::journal::Buffer::default(), Names::default());
    let mut facts = Facts::default();
    let mut found = VecDeque::new();
    let mut has_more = false;
    while let Some(raw) = reader.next_raw()? {
        let id = raw.id;
        let Some(kind) = raw.known_kind() else { continue };
        if kind != Kind::RunStarted && !wanted.is_wanted(kind, id) {
            continue;
        }
        let record = raw.decode(&mut scratch);
        let record = record.map_err(|damage| reader.record_damaged(damage))?;
        if let Event::Input(Input::RunStarted(run)) = &record.event {
            names = Names::of(run);
            facts.take(&record);
            if !wanted.is_wanted(kind, id) {
                continue;
            }
        }
        if wanted.instrument.is_some_and(|wanted| record.event.instrument() != Some(wanted)) {
            continue;
        }
        if found.len() == wanted.limit {
            has_more = true;
            if wanted.after.is_some() {
                break;
            }
            found.pop_front();
        }
        found.push_back(told(&record, &names, &facts));
    }
    let mut events: Vec<Told> = found.into();
    if wanted.after.is_none() {
        events.reverse();
    }
    Ok(Page { events, has_more })
}

/// The page that was asked for.
///
/// # Errors
/// When what was asked for is unknown, or the journal cannot be read.
pub async fn find(app: &App, params: &Params) -> Result<Page, Refused> {
    let wanted = Wanted::read(params, &app.model().facts)?;
    let dir = app.options.run_dir.clone();
    // What is being written at that very moment can look damaged.
    let once = move || page(&mut Reader::open(&dir)?, &wanted);
    app.heavily(move || (0..2).map(|_| once()).find(Result::is_ok).unwrap_or_else(once))
        .await?
        .map_err(|error| Refused::broken(&error))
}

/// `GET /api/v1/events`.
pub async fn events(State(app): State<App>, params: Params) -> Response {
    answer(find(&app, &params).await)
}
