//! `lockstep check warmup`: the shortest history that leaves every later indicator and signal as it
//! is with all the history there is.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare::broken_off;
use crate::cli::terminal;
use crate::domain::time::Date;
use crate::driver::case;
use crate::driver::check::Material;
use crate::driver::check::causality::Rules;
use crate::driver::check::warmup::{Need, Warmup, measure};
use crate::sources::market::Market;

/// What `lockstep check warmup` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct WarmupArgs {
    #[command(flatten)]
    selection: Selection,
    /// Rules: causal, compat-live or compat-batch [default: the case's]
    #[arg(long, value_name = "NAME", value_parser = rules)]
    profile: Option<Rules>,
    /// First day that counts as traded; what comes before is history [default: the middle session]
    #[arg(long, value_name = "DAY", value_parser = day)]
    first: Option<Date>,
}

fn rules(word: &str) -> Result<Rules, String> {
    let found = Rules::ALL.into_iter().find(|rules| rules.to_string() == word);
    found.ok_or_else(|| "must be causal, compat-live or compat-batch".to_owned())
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| "must be a day like 2024-11-15".to_owned())
}

/// Measures every symbol and prints what it needs.
pub fn run(args: &WarmupArgs, market: &Market) -> Result<Exit, Failure> {
    let replay = args.selection.replay(market, |request| {
        // The batch run is no profile of a run; its bars are those of any.
        if let Some(Rules::Of(profile)) = args.profile {
            request.strategy.profile = profile;
            request.execution.profile = profile.execution();
            request.fees = case::fees_of(profile).to_owned();
        }
    })?;
    let material = Material::of(&replay, args.selection.threads()).map_err(broken_off)?;
    let rules = args.profile.unwrap_or(Rules::Of(replay.run.config.strategy.profile));
    let sessions = &replay.run.sessions;
    let first_day = args.first.unwrap_or(sessions[sessions.len() / 2].date);
    let mut found = Vec::new();
    for (instrument, bars) in replay.run.instruments.iter().zip(&material.bars) {
        let first = bars.partition_point(|bar| bar.open_time.date() < first_day);
        if first == 0 || first == bars.len() {
            return Err(Failure::new(
                Exit::Nothing,
                format!("{} has no bars before {first_day}, or none from it on", instrument.key),
            )
            .at(args.selection.shown())
            .hint("choose another --first, or more days with --from and --to"));
        }
        found.push(measure(rules, &replay.run, &instrument.key, bars, first));
    }
    let exit = match found.iter().all(|found| found.is_settled() && found.agrees()) {
        true => Exit::Same,
        false => Exit::Differs,
    };
    terminal::print(&match args.selection.format {
        Format::Human => found.iter().map(human).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            let symbols: Vec<Value> = found.iter().map(as_json).collect();
            let document = json!({
                "over": args.selection.shown(), "profile": rules.to_string(), "symbols": symbols,
                "exit": exit as u8,
            });
            format!("{document:#}\n")
        }
    })?;
    Ok(exit)
}

fn human(found: &Warmup) -> String {
    let Warmup { key, first, history, traded, indicators, signals, each_signal } = found;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header([
        "needs",
        "bars",
        "sessions",
        "closed form",
        "lucky",
        "one bar less fails at",
    ]);
    for need in indicators.iter().chain([signals]) {
        table.add_row(row(need, *history));
    }
    let mut text = format!("{key} · {history} bars before {first} · {traded} from it on\n\n");
    text += &format!("{}\n\n", table.trim_fmt());
    let by_itself = each_signal.iter().max_by_key(|need| need.bars);
    if let Some(need) = by_itself {
        let count = each_signal.len();
        text += &format!("   of {count} signals {} needs most: {} bars\n", need.name, need.bars);
    }
    let verdict = match found.is_settled() {
        true => "all of it is the same with less history than there is",
        false => "NOT SETTLED: something changes with every bar of history that there is",
    };
    text += &terminal::fact("Verdict", verdict);
    let compared = indicators.iter().filter(|need| need.agrees(*history).is_some()).count();
    let forms = match (found.agrees(), compared) {
        (_, 0) => "no mean has forgotten its beginning within this history".to_owned(),
        (true, count) => format!("{count} means forget as fast as their closed form says"),
        (false, _) => "A MEAN DOES NOT FORGET AS ITS CLOSED FORM SAYS".to_owned(),
    };
    text + &terminal::fact("Forms", &forms)
}

fn row(need: &Need, history: usize) -> [String; 6] {
    let Need { name, bars, sessions, miss, lucky, predicted } = need;
    let bars = if *bars == history { format!("{bars} or more") } else { bars.to_string() };
    let miss = miss.as_ref().map_or_else(
        || "-".to_owned(),
        |miss| format!("{}: {}, not {}", miss.bar_time, miss.got, miss.want),
    );
    let predicted = predicted.map_or_else(|| "-".to_owned(), |form| form.bars.to_string());
    [name.clone(), bars, sessions.to_string(), predicted, lucky.to_string(), miss]
}

fn as_json(found: &Warmup) -> Value {
    let need = |need: &Need| {
        let miss = need.miss.as_ref().map(
            |miss| json!({ "bar": miss.bar_time.to_string(), "want": miss.want, "got": miss.got }),
        );
        json!({
            "name": need.name,
            "bars": need.bars,
            "sessions": need.sessions,
            "one_bar_less_fails": miss,
            "lucky_shorter": need.lucky,
            "closed_form_bars": need.predicted.map(|form| form.bars),
        })
    };
    json!({
        "symbol": found.key,
        "first_bar": found.first.to_string(),
        "history_bars": found.history,
        "traded_bars": found.traded,
        "indicators": found.indicators.iter().map(need).collect::<Vec<_>>(),
        "signals": need(&found.signals),
        "each_signal": found.each_signal.iter().map(need).collect::<Vec<_>>(),
        "is_settled": found.is_settled(),
        "closed_forms_agree": found.agrees(),
    })
}
