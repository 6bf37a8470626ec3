//! `lockstep data fetch`: minutes of finished days from the broker's archive into a history, month
//! by month, and then a look at what came.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::super::broker::{BrokerArgs, TokenArgs, rest_failure, token_failure};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::terminal::{self, grouped};
use super::super::{clock, live};
use super::check::{self, CheckArgs};
use super::{parse_date, store_failure, unlisted_failure};
use crate::domain::instrument::Instrument;
use crate::domain::time::Date;
use crate::sources::download::{DownloadError, Step, Taken, missing, take_in};
use crate::sources::market::Market;
use crate::sources::upstox::rest::{Rest, RestError};
use crate::sources::upstox::token::Token;

/// The shortest time between two calls. The broker allows 500 a minute and 2,000 in half an hour.
const PAUSE: Duration = Duration::from_millis(150);
/// Reasons of refused rows that are spelled out.
const REFUSED_SHOWN: usize = 5;

/// Arguments of `lockstep data fetch`.
#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// Keys of the instruments, such as 'NSE_EQ|INE155A01022'
    #[arg(long, alias = "symbols", value_name = "KEY", num_args = 1.., required = true)]
    symbol: Vec<String>,
    /// Directory of the history; the default is where a live run looks for it
    #[arg(long, value_name = "DIR", default_value = live::DATA)]
    out: PathBuf,
    /// First day, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    from: Option<Date>,
    /// Last day, YYYY-MM-DD [default: yesterday]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    to: Option<Date>,
    /// Sessions (trading days) up to the last day, where no first day is given
    #[arg(long, value_name = "N", default_value_t = 30, conflicts_with = "from")]
    sessions: usize,
    /// Ask for days that the history already has, and replace them by what is answered
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// Fetches what is missing, says what came, and checks it.
pub(super) fn run(args: &FetchArgs, market: &Market) -> Result<(String, Exit), Failure> {
    let range = range(args, market, clock::now().date())?;
    let mut work = Vec::new();
    for key in &args.symbol {
        let instrument = market.instrument(key).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{key} is not in the instrument master"))
                .hint("keys look like NSE_EQ|INE155A01022; `lockstep config market` lists them")
        })?;
        let steps = missing(&args.out, key, &market.calendar, range, args.replace);
        work.push((instrument, steps.map_err(download_failure)?));
    }
    let token = args.token.source().read().map_err(token_failure)?;
    let rest = args.broker.rest()?;
    let calls = work.iter().map(|(_, steps)| steps.len() as u64).sum();
    let bar = terminal::progress("Fetch", calls, "months");
    let stopped = stopped_when_told()?;
    let mut text = String::new();
    for (instrument, steps) in &work {
        let done = fetch(args, market, instrument, steps, (&rest, &token, &bar, &stopped));
        let taken = done.inspect_err(|_| bar.finish_and_clear())?;
        text.push_str(&facts(instrument, range, &taken));
    }
    bar.finish_and_clear();
    match check::run(&CheckArgs::of(&args.out, &args.symbol, range), market) {
        Ok((report, exit)) => Ok((text + &report, exit)),
        // The archive had nothing of a key, so neither has the history; that is said already.
        Err(failure) if failure.exit == Exit::Usage => Ok((text, Exit::Nothing)),
        Err(failure) => Err(failure),
    }
}

/// The days that are wanted.
fn range(args: &FetchArgs, market: &Market, today: Date) -> Result<(Date, Date), Failure> {
    let last = args.to.unwrap_or_else(|| today.plus_days(-1));
    if last >= today {
        return Err(Failure::new(Exit::Usage, format!("{last} is not over"))
            .because("the archive has finished days; today's minutes are heard by `lockstep live`")
            .hint(format!("--to {} is the last one", today.plus_days(-1))));
    }
    let before = || market.calendar.sessions_before(last.plus_days(1), args.sessions.max(1));
    match args.from.or_else(before) {
        Some(first) if first <= last => Ok((first, last)),
        Some(first) => Err(Failure::new(Exit::Nothing, format!("{first} is after {last}"))),
        None => Err(Failure::new(Exit::Nothing, format!("the calendar has no session by {last}"))),
    }
}

/// Hears Ctrl-C between two calls.
fn stopped_when_told() -> Result<Receiver<()>, Failure> {
    let (stop, stopped) = mpsc::channel();
    let set = ctrlc::set_handler(move || stop.send(()).unwrap_or(()));
    set.map_err(|error| Failure::new(Exit::Io, "failed to listen for Ctrl-C").because(error))?;
    Ok(stopped)
}

/// Makes the calls of one instrument. Each month is kept before the next one is asked for.
fn fetch(
    args: &FetchArgs,
    market: &Market,
    instrument: &Instrument,
    steps: &[Step],
    (rest, token, bar, stopped): (&Rest, &Token, &ProgressBar, &Receiver<()>),
) -> Result<Vec<Taken>, Failure> {
    let mut all = Vec::new();
    for step in steps {
        if bar.position() > 0 && stopped.recv_timeout(PAUSE).is_ok() {
            return Err(Failure::new(Exit::Interrupted, "the download was stopped")
                .hint("the months that came are kept; the same command goes on"));
        }
        let answer = rest.historical(token, &instrument.key, (step.first, step.last));
        let candles = answer.map_err(|error| broken_off(error, instrument, step))?;
        let taken = take_in(&args.out, instrument, &market.calendar, step, candles);
        all.push(taken.map_err(download_failure)?);
        bar.inc(1);
    }
    Ok(all)
}

fn broken_off(error: RestError, instrument: &Instrument, step: &Step) -> Failure {
    let key = &instrument.key;
    let what = format!("failed to fetch {key} from {} to {}", step.first, step.last);
    rest_failure(&what, error).hint("the months before are kept; the same command goes on")
}

fn download_failure(error: DownloadError) -> Failure {
    match error {
        DownloadError::Store(error) => store_failure(error),
        DownloadError::Unlisted(error) => unlisted_failure(&error),
    }
}

/// What was done for one instrument, one fact per line. Facts that are nothing are left out.
fn facts(instrument: &Instrument, (first, last): (Date, Date), taken: &[Taken]) -> String {
    let (key, symbol) = (&instrument.key, instrument.symbol_at(last));
    let mut lines = vec![match taken.is_empty() {
        true => format!("{key} {symbol}: every session from {first} to {last} is there already"),
        false => {
            let added: usize = taken.iter().map(|it| it.added).sum();
            format!("{key} {symbol}: fetched {} bars", grouped(added as u64))
        }
    }];
    let mut count = |count: fn(&Taken) -> usize, what: &str| {
        let count: usize = taken.iter().map(count).sum();
        if count > 0 {
            lines.push(format!("   {} {what}", grouped(count as u64)));
        }
    };
    count(|it| it.replaced, "bars of the same days replaced, as --replace says");
    count(|it| it.outside, "rows outside the hours of continuous trading left out");
    count(|it| it.copies, "copies of the last price before a closing auction left out");
    count(|it| it.refused.len(), "rows that cannot be true left out");
    let reasons = taken.iter().flat_map(|it| &it.refused).take(REFUSED_SHOWN);
    lines.extend(reasons.map(|why| format!("      {why}")));
    let empty: Vec<String> =
        taken.iter().flat_map(|it| &it.empty).map(ToString::to_string).collect();
    if !empty.is_empty() {
        let days = match empty.len() {
            0..=REFUSED_SHOWN => empty.join(", "),
            all => format!("{} to {}", empty[0], empty[all - 1]),
        };
        lines.push(format!("   {} sessions of which the archive has nothing: {days}", empty.len()));
    }
    let written = taken.iter().filter_map(|it| it.path.as_ref());
    lines.extend(written.map(|path| format!("   wrote {}", path.display())));
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").expect("text takes every write");
        text
    })
}
