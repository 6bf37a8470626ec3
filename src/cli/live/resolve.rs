//! From the flags of `lockstep live` to a run: which feed, which symbols, which days, which limits,
//! and the history that warms up.

use std::path::{Path, PathBuf};

use crate::domain::config::ExecutionProfile;
use crate::domain::event::{DataHash, RunStarted};
use crate::domain::money::Cash;
use crate::domain::time::Timestamp;
use crate::driver::case::{self, Case};
use crate::driver::plan::{DateRange, Plan, Request};
use crate::driver::replay::{Replay, uncovered};
use crate::sources::market::Market;
use crate::sources::store::Store;

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::prepare;
use super::{Feed, LiveArgs};

/// What is to be lived.
pub struct Life {
    /// What it is called: the case, or the day.
    pub name: String,
    /// The run.
    pub run: RunStarted,
    /// The history of a case behind a simulated feed.
    pub replay: Option<Replay>,
    /// The history that warms up.
    pub warmup: Option<(Store, DateRange)>,
    /// The golden that the facts are held against, and why not.
    pub golden: Result<PathBuf, String>,
}

/// The strategies that there are.
const STRATEGY: &str = "pixityAI_meta";

/// The default of `--data`.
pub const DATA: &str = "data/history";

/// What the flags mean.
///
/// # Errors
/// When something is missing or unknown.
pub fn resolve(args: &LiveArgs, market: &Market, now: Timestamp) -> Result<Life, Failure> {
    if let Some(other) = args.strategies.iter().find(|it| it.as_str() != STRATEGY) {
        return Err(Failure::new(Exit::Usage, format!("there is no strategy '{other}'"))
            .because(format!("there is {STRATEGY}")));
    }
    match &args.feed {
        Feed::Sim(name) | Feed::History(name) => of_case(args, market, name),
        Feed::Upstox => of_today(args, market, now),
    }
}

/// The limits and rules that flags change, and which flags these were.
fn limit(args: &LiveArgs, request: &mut Request) -> Vec<&'static str> {
    let mut changed = Vec::new();
    let execution = &mut request.execution;
    let mut set = |flag, value: Option<i64>, slot: &mut Cash| {
        if let Some(rupees) = value {
            *slot = Cash::from_rupees(rupees);
            changed.push(flag);
        }
    };
    set("--max-capital", args.max_capital, &mut execution.capital);
    set("--max-daily-loss", args.max_daily_loss, &mut execution.daily_loss_max);
    set("--max-exposure", args.max_exposure, &mut execution.exposure_max);
    if args.observe {
        execution.profile = ExecutionProfile::Observe;
        changed.push("--observe");
    }
    if !args.symbols.is_empty() {
        request.keys.clone_from(&args.symbols);
        changed.push("--symbols");
    }
    changed
}

fn of_case(args: &LiveArgs, market: &Market, name: &str) -> Result<Life, Failure> {
    let case = Case::load(&args.replays, name)
        .map_err(|error| prepare::case_failure(error, &args.replays))?;
    for label in &case.symbols {
        prepare::warn_of_label(label, market, case.range.first);
    }
    let mut request = case.request();
    let changed = limit(args, &mut request);
    let mut replay = Replay::prepare(&request, market, &case.data)
        .map_err(|error| prepare::failure(error, &case.data))?;
    if let Feed::Sim(_) = args.feed {
        // The same question over another feed is another run.
        name_feed(&mut replay.run, args);
    }
    let golden = Path::new("golden").join(&case.name);
    let golden = match (changed.is_empty(), golden.is_dir()) {
        (true, true) => Ok(golden),
        (true, false) => Err(format!("{} is not there", golden.display())),
        (false, _) => Err(format!("{} changes the case", changed.join(", "))),
    };
    let (run, warmup) = (replay.run.clone(), replay.warmup());
    Ok(Life { name: case.name, run, replay: Some(replay), warmup, golden })
}

/// What an entry of one symbol may be worth, in rupees, where no case says otherwise.
const EXPOSURE_MAX: i64 = 50_000;

fn of_today(args: &LiveArgs, market: &Market, now: Timestamp) -> Result<Life, Failure> {
    if args.symbols.is_empty() {
        return Err(Failure::new(Exit::Usage, "no symbols are selected")
            .hint("give keys, as in `--symbols 'NSE_EQ|INE155A01022'`")
            .hint("or play a case with `--feed sim:sample`"));
    }
    let date = next_session(market, now)?;
    let mut request = Request {
        range: DateRange { first: date, last: date },
        warmup_sessions: args.warmup_sessions,
        keys: Vec::new(),
        strategy: Default::default(),
        execution: Default::default(),
        fees: case::FEES.to_owned(),
        commands: Vec::new(),
    };
    request.execution.exposure_max = Cash::from_rupees(EXPOSURE_MAX);
    limit(args, &mut request);
    let plan = Plan::new(&request, market).map_err(|error| prepare::plan_failure(&error))?;
    let warmup = match args.warmup_sessions {
        0 => None,
        _ => Some(warmup_of(args, &plan, &request)?),
    };
    let mut run = plan.run;
    name_feed(&mut run, args);
    let golden = Err("a live day has none; `lockstep verify` proves it".to_owned());
    Ok(Life { name: date.to_string(), run, replay: None, warmup, golden })
}

/// The session that is not over, today or later.
fn next_session(market: &Market, now: Timestamp) -> Result<crate::domain::time::Date, Failure> {
    let today = now.date();
    let sessions =
        (1..=15).rev().find_map(|days| market.calendar.between(today, today.plus_days(days)).ok());
    let is_ahead = |session: &&crate::domain::session::Session| {
        session.windows.last().is_some_and(|window| now < window.close)
    };
    let found = sessions.unwrap_or_default().iter().find(is_ahead);
    found.map(|session| session.date).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("the calendar has no session after {today}"))
            .because("a year that is not listed is not guessed")
            .hint("`lockstep config market` shows which years are listed")
    })
}

/// The stored history before the day, all of which must be there.
fn warmup_of(
    args: &LiveArgs,
    plan: &Plan,
    request: &Request,
) -> Result<(Store, DateRange), Failure> {
    let first = request.range.first;
    let help = |failure: Failure| {
        let keys: Vec<String> = request.keys.iter().map(|key| format!("'{key}'")).collect();
        let (keys, out) = (keys.join(" "), args.data.display());
        failure
            .hint(format!("`lockstep data fetch --symbol {keys} --out {out}` has the broker's"))
            .hint("or bring your own in with `lockstep data import`")
            .hint("or begin cold with `--warmup-sessions 0`: early signals then lack memory")
    };
    let store = Store::open(&args.data)
        .map_err(|error| help(prepare::failure(error.into(), &args.data)))?;
    let mut warm = plan.clone();
    warm.run.sessions.retain(|session| session.date < first);
    for instrument in &warm.run.instruments {
        uncovered(&warm, &store, &instrument.key, first)
            .map_err(|error| help(prepare::failure(error, &args.data)))?;
    }
    let last = first.plus_days(-1);
    Ok((store, DateRange { first: plan.range.first, last }))
}

/// What the feed is and how it is judged goes into the run's description, beside the data.
fn name_feed(run: &mut RunStarted, args: &LiveArgs) {
    let (name, lateness) = (args.feed.to_string(), args.lateness_ms);
    let blake3 = blake3::hash(format!("{name} lateness {lateness} ms").as_bytes());
    run.data.push(DataHash { name: format!("feed {name}"), blake3: blake3.to_hex().to_string() });
    run.data.sort_by(|a, b| a.name.cmp(&b.name));
}
