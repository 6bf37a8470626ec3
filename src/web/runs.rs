//! `GET /api/v1/runs`: the runs that lie beside this one, and what became of each.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::extract::{Path as InPath, State};
use axum::response::Response;
use serde::Serialize;

use crate::domain::money::Cash;
use crate::domain::time::Timestamp;
use crate::journal::reader::{End, Reader};
use crate::sinks::scanner::view::india;

use super::api::{Refused, answer};
use super::app::App;
use super::facts::{Facts, TradeJson};
use super::model::Health;
use super::shelf::Volume;

/// Runs that are listed at most.
const RUNS_MAX: usize = 500;
/// Records that are read at most to fill a list in.
const RECORDS_MAX: u64 = 500_000;
/// Trades of a run that are listed at most, the newest.
const TRADES_MAX: usize = 2_000;

/// A run as it lies in its folder.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The folder's name.
    pub id: String,
    /// The run's name.
    pub run_id: String,
    /// `live` where it was stamped by a clock, `replay` otherwise.
    pub kind: &'static str,
    /// When it was begun, India; none for a replay.
    pub created: Option<String>,
    /// Bytes of its journal.
    pub bytes: u64,
    /// Whether this server follows it.
    pub is_this: bool,
    /// What it came to; none where it was not read yet, or cannot be.
    pub outcome: Option<Outcome>,
}

/// What a run came to, for those who compare runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Round trips.
    pub trades: usize,
    /// Profit after fees, rupees.
    pub net: f64,
    /// Whether the run came to its end. Otherwise this is so far.
    pub is_over: bool,
}

impl Outcome {
    fn of(facts: &Facts, is_over: bool) -> Outcome {
        let (gross, fees) = totals(facts);
        Outcome { trades: facts.trades.len(), net: gross.minus(fees).rupees(), is_over }
    }
}

/// Profit before fees, and fees.
fn totals(facts: &Facts) -> (Cash, Cash) {
    facts.trades.iter().fold((Cash::ZERO, Cash::ZERO), |(gross, fees), trade| {
        (gross.plus(trade.gross), fees.plus(trade.fees))
    })
}

/// What runs came to that were read through once, by folder, with the run's name.
#[derive(Default)]
pub struct Outcomes(Mutex<BTreeMap<PathBuf, (String, Outcome)>>);

impl Outcomes {
    fn of(&self, dir: &Path, run_id: &str) -> Option<Outcome> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(dir).filter(|(of, _)| of == run_id).map(|(_, outcome)| *outcome)
    }

    fn keep(&self, dir: &Path, run_id: &str, outcome: Outcome) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(dir.to_owned(), (run_id.to_owned(), outcome));
    }
}

/// Reads a run through, if that takes no more than so many records, and counts them.
fn read_through(dir: &Path, records_left: &mut u64) -> Option<Outcome> {
    let (mut reader, mut facts) = (Reader::open(dir).ok()?, Facts::default());
    while let Some(record) = reader.next_record().ok()? {
        *records_left = records_left.checked_sub(1)?;
        facts.take(&record);
    }
    Some(Outcome::of(&facts, matches!(reader.end(), Some(End::Sealed(_)))))
}

/// The runs, by the names of their folders, each with what it came to as far as that is at hand: of
/// the run that is followed it is, and others are read until enough was read at a time.
pub fn list(app: &App) -> Vec<Listed> {
    let mut runs = beside(app);
    for (dir, run) in &mut runs {
        run.outcome = match run.is_this {
            true => {
                let model = app.model();
                Some(Outcome::of(&model.facts, model.health == Health::Sealed))
            }
            false => app.outcomes.of(dir, &run.run_id),
        };
    }
    let mut records_left = RECORDS_MAX;
    let may_be_more =
        |run: &Listed| !run.is_this && run.outcome.is_none_or(|outcome| !outcome.is_over);
    let mut open: Vec<_> = runs.iter_mut().filter(|(_, run)| may_be_more(run)).collect();
    // Those of which nothing is known come first, and of these the short ones, so that a long one
    // keeps nobody from being read.
    open.sort_by_key(|(_, run)| (run.outcome.is_some(), run.bytes));
    for (dir, run) in open {
        if let Some(outcome) = read_through(dir, &mut records_left) {
            app.outcomes.keep(dir, &run.run_id, outcome);
            run.outcome = Some(outcome);
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The runs with their folders, without what they came to.
fn beside(app: &App) -> Vec<(PathBuf, Listed)> {
    let own = std::fs::canonicalize(&app.options.run_dir).unwrap_or_default();
    let mut dirs: Vec<PathBuf> = match own.parent().map(std::fs::read_dir) {
        Some(Ok(entries)) => entries.flatten().map(|entry| entry.path()).collect(),
        _ => vec![own.clone()],
    };
    dirs.retain(|dir| dir.join("log").is_dir());
    dirs.sort();
    dirs.truncate(RUNS_MAX);
    let listed = dirs.into_iter().filter_map(|dir| {
        let reader = Reader::open(&dir).ok()?;
        let header = reader.header();
        let created = header.created_ns;
        let run = Listed {
            id: dir.file_name()?.to_str()?.to_owned(),
            run_id: header.run_id.to_string(),
            kind: if created == 0 { "replay" } else { "live" },
            created: (created != 0).then(|| india(Timestamp(created / 1_000))),
            bytes: reader.segments().iter().map(|segment| segment.bytes).sum(),
            is_this: dir == own,
            outcome: None,
        };
        Some((dir, run))
    });
    listed.collect()
}

/// The folder of a run beside this one; nothing else can be named.
pub fn folder(app: &App, id: &str) -> Option<PathBuf> {
    let is_name = Path::new(id).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_name || id.contains(['/', '\\', '\0']) {
        return None;
    }
    let own = std::fs::canonicalize(&app.options.run_dir).ok()?;
    let dir = own.parent()?.join(id);
    dir.join("log").is_dir().then_some(dir)
}

/// What became of a run.
#[derive(Serialize)]
pub struct Summed {
    /// The folder's name.
    pub id: String,
    /// The rules in short.
    pub strategy: String,
    /// How signals become fills.
    pub execution: String,
    /// Whether it came to its end.
    pub is_sealed: bool,
    /// Digest of all that was read.
    pub digest: String,
    /// Instruments: key and symbol.
    pub instruments: Vec<(String, String)>,
    /// Strategy bars, warm-up included.
    pub bars: usize,
    /// Signals.
    pub signals: usize,
    /// Of these, how many were declined.
    pub declined: usize,
    /// Round trips.
    pub trades: usize,
    /// Of these, how many earned more than their fees.
    pub wins: usize,
    /// Profit before fees, rupees.
    pub gross: f64,
    /// Fees, rupees.
    pub fees: f64,
    /// Profit after fees, rupees.
    pub net: f64,
    /// Equity at the end of each day: date, seconds for charts, rupees.
    pub equity: Vec<(String, i64, f64)>,
    /// Profit after fees by month: month, days, rupees.
    pub months: Vec<(String, u64, f64)>,
    /// The newest trades, newest first.
    pub last_trades: Vec<TradeJson>,
}

impl Summed {
    fn of(id: &str, facts: &Facts, is_sealed: bool, digest: String) -> Summed {
        let run = facts.run.as_ref();
        let (gross, fees) = totals(facts);
        let seconds = |day: &crate::domain::fact::SessionEnded| i64::from(day.date.0) * 86_400;
        let last = facts.days.last().map(|day| day.date);
        let symbols = run.iter().flat_map(|run| &run.instruments).map(|it| {
            let day = last.unwrap_or_else(|| {
                run.map_or_else(Default::default, |run| run.config.active_from.date())
            });
            (it.key.clone(), it.symbol_at(day).to_owned())
        });
        Summed {
            id: id.to_owned(),
            strategy: run.map_or_else(String::new, |run| {
                let strategy = &run.config.strategy;
                format!("{} {}m {}", strategy.id, strategy.bar_minutes, strategy.profile)
            }),
            execution: run.map_or_else(String::new, |run| {
                format!("{}, fees {}", run.config.execution.profile, run.config.fees.name)
            }),
            is_sealed,
            digest,
            instruments: symbols.collect(),
            bars: facts.bars.iter().map(Vec::len).sum(),
            signals: facts.signals.len(),
            declined: facts.signals.iter().filter(|fact| fact.declined.is_some()).count(),
            trades: facts.trades.len(),
            wins: facts.trades.iter().filter(|trade| trade.gross > trade.fees).count(),
            gross: gross.rupees(),
            fees: fees.rupees(),
            net: gross.minus(fees).rupees(),
            equity: facts
                .days
                .iter()
                .map(|day| (day.date.to_string(), seconds(day), day.equity.rupees()))
                .collect(),
            months: facts
                .months()
                .into_iter()
                .map(|(month, (days, net))| (month, days, net.rupees()))
                .collect(),
            last_trades: facts
                .trades
                .iter()
                .rev()
                .take(TRADES_MAX)
                .map(|trade| facts.trade_json(trade))
                .collect(),
        }
    }
}

/// What became of the run in that folder.
///
/// # Errors
/// When there is none, or it cannot be read.
pub async fn sum_up(app: &App, id: &str) -> Result<Summed, Refused> {
    let (shared, id) = (app.clone(), id.to_owned());
    app.heavily(move || {
        let no_run = || Refused::absent(format!("there is no run '{id}'"));
        let dir = folder(&shared, &id).ok_or_else(no_run)?;
        let sum = |volume: &Volume| {
            let reader = volume.index.reader();
            let (digest, run_id) =
                (reader.digest().to_string(), reader.header().run_id.to_string());
            let outcome = Outcome::of(&volume.facts, volume.is_sealed());
            shared.outcomes.keep(&dir, &run_id, outcome);
            Ok(Summed::of(&id, &volume.facts, volume.is_sealed(), digest))
        };
        shared.shelf.with(&dir, sum).map_err(|error| Refused::broken(&error))
    })
    .await?
}

/// `GET /api/v1/runs`.
pub async fn runs(State(app): State<App>) -> Response {
    let shared = app.clone();
    answer(app.heavily(move || list(&shared)).await)
}

/// `GET /api/v1/runs/{id}`.
pub async fn run(State(app): State<App>, InPath(id): InPath<String>) -> Response {
    answer(sum_up(&app, &id).await)
}
