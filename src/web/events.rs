//! `GET /api/v1/events`: the journal itself, filtered and paged. Only the parts of it are read that
//! may hold what is wanted; nothing but their places is kept.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::domain::event::{EventId, Record};
use crate::domain::instrument::InstrumentId;
use crate::domain::time::Timestamp;
use crate::journal::error::JournalError;
use crate::journal::record::{Kind, REGISTRY};

use super::api::{Params, Refused, answer};
use super::app::App;
use super::facts::Facts;
use super::index::{Kinds, Part};
use super::model::{Told, told};
use super::shelf::Volume;

/// Events on a page at most.
pub const PAGE_MAX: usize = 500;

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of these kinds.
    pub kinds: Kinds,
    /// About this instrument.
    pub instrument: Option<InstrumentId>,
    /// Only after this one, the oldest first.
    pub after: Option<EventId>,
    /// Only before this one, the newest first.
    pub before: Option<EventId>,
    /// Only from that time on.
    pub from: Option<Timestamp>,
    /// Only before that time.
    pub to: Option<Timestamp>,
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
        let (from, to) = (params.time("from")?, params.time("to")?);
        let kinds = match kinds?.as_slice() {
            [] => Kinds::of(is_usual),
            kinds => Kinds::of(|kind| kinds.contains(&kind)),
        };
        Ok(Wanted { kinds, instrument, after, before, from, to, limit })
    }

    /// Whether a part may hold what is wanted.
    fn may_be_in(&self, part: &Part) -> bool {
        part.kinds.meets(self.kinds)
            && self.instrument.is_none_or(|wanted| part.may_have(wanted))
            && (self.from.is_none() && self.to.is_none() || part.may_lie(self.from, self.to))
            && self.after.is_none_or(|after| after.seq <= part.inputs.1)
            && self.before.is_none_or(|before| part.inputs.0 <= before.seq)
    }

    /// Whether an event of a kind that is wanted is wanted.
    fn is_wanted(&self, record: &Record) -> bool {
        let time = record.event.time();
        self.after.is_none_or(|after| record.id > after)
            && self.before.is_none_or(|before| record.id < before)
            && self.instrument.is_none_or(|wanted| record.event.instrument() == Some(wanted))
            && self.from.is_none_or(|from| time.is_some_and(|time| from <= time))
            && self.to.is_none_or(|to| time.is_some_and(|time| time < to))
    }
}

/// Reads a page from a journal.
///
/// # Errors
/// When the journal cannot be read.
pub fn page(volume: &Volume, wanted: &Wanted) -> Result<Page, JournalError> {
    let is_ascending = wanted.after.is_some();
    let parts = volume.index.parts();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    if !is_ascending {
        order.reverse();
    }
    let mut page = Page::default();
    for part in order.into_iter().map(|place| &parts[place]).filter(|it| wanted.may_be_in(it)) {
        let mut records = volume.index.read(part, wanted.kinds)?;
        if !is_ascending {
            records.reverse();
        }
        for record in records.iter().filter(|record| wanted.is_wanted(record)) {
            if page.events.len() == wanted.limit {
                page.has_more = true;
                return Ok(page);
            }
            page.events.push(told(record, &volume.names, &volume.facts));
        }
    }
    Ok(page)
}

/// The page that was asked for.
///
/// # Errors
/// When what was asked for is unknown, or the journal cannot be read.
pub async fn find(app: &App, params: &Params) -> Result<Page, Refused> {
    let wanted = Wanted::read(params, &app.model().facts)?;
    let shared = app.clone();
    let look = move || shared.shelf.with(&shared.options.run_dir, |volume| page(volume, &wanted));
    app.heavily(look).await?.map_err(|error| Refused::broken(&error))
}

/// `GET /api/v1/events`.
pub async fn events(State(app): State<App>, params: Params) -> Response {
    answer(find(&app, &params).await)
}
