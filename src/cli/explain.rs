//! `lockstep explain RUN WHAT`: why a bar made its signal, or none, and what would have changed it.
//! `lockstep explain RUN all` says it in a line for every signal and near miss, and tries each
//! flip.

mod all;

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::terminal;
use super::verify::Format;
use crate::domain::event::{Event, Input};
use crate::domain::fact::{Bar15m, SignalKind};
use crate::domain::money::Side;
use crate::driver::explain::{Explained, Flip, Recorded, Target};
use crate::journal::Reader;

/// The word for every signal and near miss.
const ALL: &str = "all";

/// What `lockstep explain` is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// A signal's id (or its first 8 digits), an event such as 5117.3, a bar such as
    /// 'NSE_EQ|INE155A01022@2024-11-04T10:30', or 'all' for every signal and near miss
    #[arg(value_name = "SIGNAL_ID|SEQ.INDEX|BAR|all")]
    pub what: String,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Explains one bar of a run.
///
/// # Errors
/// When there is no run, it is damaged, or it has no such bar.
pub fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    if args.what == ALL {
        return all::run(args);
    }
    let target = Target::parse(&args.what).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("'{}' names nothing that can be explained", args.what))
            .hint("give a signal's id, an event such as 5117.3, KEY@2024-11-04T10:30, or all")
    })?;
    let recorded = read(args)?;
    let (instrument, place) = recorded.find(&target).ok_or_else(|| {
        Failure::new(Exit::Nothing, format!("the run has no strategy bar behind {}", args.what))
            .at(args.run.display())
            .hint("`lockstep journal cat RUN --kind signal` lists signals with their events")
    })?;
    let key = recorded.run.instruments[instrument.index()].key.clone();
    let strategy = recorded.strategy_before(instrument, place);
    let explained = recorded.explain(&strategy, instrument, place);
    terminal::print(&match args.format {
        Format::Human => human(&explained, &key),
        Format::Json => format!("{:#}\n", as_json(&explained, &key)),
    })?;
    Ok(Exit::Same)
}

fn read(args: &ExplainArgs) -> Result<Recorded, Failure> {
    let mut reader = Reader::open(&args.run).map_err(Failure::from)?;
    let mut recorded = None;
    while let Some(record) = reader.next_record().map_err(Failure::from)? {
        match (&record.event, &mut recorded) {
            (Event::Input(Input::RunStarted(run)), None) => recorded = Some(Recorded::new(run)),
            (_, Some(recorded)) => recorded.take(&record),
            (_, None) => {}
        }
    }
    let empty = Failure::new(Exit::Damaged, "the journal holds no run").at(args.run.display());
    recorded.ok_or(empty)
}

fn named(decision: Option<(Side, SignalKind)>) -> String {
    decision.map_or_else(|| "no signal".to_owned(), |(side, kind)| format!("{side} {kind}"))
}

fn human(explained: &Explained, key: &str) -> String {
    let mut text = String::new();
    for (label, fact) in facts(explained, key) {
        text += &terminal::fact(label, &fact);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header([
        "condition",
        "comparison",
        "left",
        "right",
        "margin",
        "",
    ]);
    for condition in &explained.conditions {
        for (place, one) in condition.comparisons.iter().enumerate() {
            let name = match place {
                0 => format!("{} {}", condition.side, condition.kind),
                _ => String::new(),
            };
            table.add_row([
                name,
                one.what.to_owned(),
                format!("{:.4}", one.left),
                format!("{:.4}", one.right),
                format!("{:+.4}", one.margin),
                (if one.holds { "holds" } else { "fails" }).to_owned(),
            ]);
        }
    }
    text += &format!("\n{}\n\n", table.trim_fmt());
    if !explained.agrees() {
        text += "   The comparisons above do not lead to the core's decision: report this.\n\n";
    }
    text + &minutes(explained)
}

/// The minutes that the bar was made of.
fn minutes(explained: &Explained) -> String {
    if explained.minutes.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(["event", "minute", "open", "high", "low", "close", "shares"]);
    for (id, bar) in &explained.minutes {
        let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_string());
        let mut cells = vec![id.to_string(), bar.open_time.to_string()];
        cells.extend(prices);
        cells.push(bar.volume.to_string());
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}

/// Open, high, low and close, named.
fn prices(bar: &Bar15m) -> String {
    let (open, high, low, close) = (bar.open, bar.high, bar.low, bar.close);
    format!("open {open} high {high} low {low} close {close}")
}

fn facts(explained: &Explained, key: &str) -> Vec<(&'static str, String)> {
    let Explained { id, bar, known, place, minutes, .. } = explained;
    let (open_time, had, of) = (bar.open_time, bar.minutes, bar.minutes_expected);
    let prices = prices(bar);
    let mut facts = vec![(
        "Bar",
        format!("{key} {open_time} · event {id} · bar {place} · told at {known} · {prices}"),
    )];
    let ends = minutes.first().zip(minutes.last());
    let span = ends.map_or_else(String::new, |(a, b)| format!(" · events {} to {}", a.0, b.0));
    let patched = match explained.is_patched {
        true => " · an archive's minute among them, or trades may be missing",
        false => "",
    };
    facts.push(("Minutes", format!("{had} of {of}{span}{patched}")));
    if let Some(now) = &explained.revised {
        let prices = self::prices(now);
        let minutes = format!("{} of {of}", now.minutes);
        facts.push((
            "Later",
            format!(
                "an archive made it {prices} · minutes {minutes} · nothing was decided by that"
            ),
        ));
    }
    facts.push(("Signal", signal(explained)));
    for (id, order) in &explained.orders {
        let (side, quantity, reason) = (order.side, order.quantity, order.reason);
        let mut fact = format!("{id} · {side} {quantity} · {reason}");
        for (at, fill) in explained.fills.iter().filter(|(_, fill)| fill.order == *id) {
            fact += &format!(" · filled {at} at {} on {}", fill.price, fill.time);
        }
        facts.push(("Order", fact));
    }
    facts.push(("Flip", flip(explained)));
    facts
}

fn signal(explained: &Explained) -> String {
    let Explained { signal, declined, decision, is_evaluated, .. } = explained;
    match (signal, decision) {
        (Some((id, name, signal)), _) => {
            let declined = declined.map_or_else(String::new, |no| format!(" · declined: {no}"));
            let (side, kind, cause) = (signal.side, signal.kind, explained.id);
            format!("{side} {kind} · event {id}, from {cause} · id {name}{declined}")
        }
        (None, Some(_)) => "kept quiet: the instrument rests after an exit".to_owned(),
        (None, None) if !is_evaluated => not_asked(explained),
        (None, None) if explained.is_near_miss() => {
            "none; a near miss, one comparison fails".to_owned()
        }
        (None, None) => "none".to_owned(),
    }
}

fn not_asked(explained: &Explained) -> String {
    match explained.is_patched {
        true => "not asked: the bar held what was not known at its time".to_owned(),
        false => "not asked: warm-up".to_owned(),
    }
}

fn flip(explained: &Explained) -> String {
    match &explained.flip {
        Some(Flip { ticks, close, decision, one_less, exact, with_99_percent }) => format!(
            "close {close} instead of {} ({ticks:+} ticks): {} · one tick less: {} · \
             no smaller change on the grid does it · off the grid {:+.4} does, 99 % of it: {}",
            explained.bar.close,
            named(*decision),
            named(*one_less),
            exact.rupees(),
            named(*with_99_percent),
        ),
        None if !explained.is_evaluated => not_asked(explained),
        None => "no close within 3 % changes it".to_owned(),
    }
}

fn as_json(explained: &Explained, key: &str) -> Value {
    let conditions = explained.conditions.iter().map(|condition| {
        let comparisons = condition.comparisons.iter().map(|one| {
            json!({
                "what": one.what, "left": one.left, "right": one.right, "margin": one.margin,
                "holds": one.holds,
            })
        });
        json!({
            "side": condition.side.to_string(),
            "type": condition.kind.to_string(),
            "holds": condition.holds(),
            "comparisons": comparisons.collect::<Vec<_>>(),
        })
    });
    let minutes = explained
        .minutes
        .iter()
        .map(|(id, bar)| json!({ "event": id.to_string(), "time": bar.open_time.to_string() }));
    let orders = explained
        .orders
        .iter()
        .map(|(id, order)| json!({ "event": id.to_string(), "reason": order.reason.to_string() }));
    let fills = explained.fills.iter().map(|(id, fill)| {
        let (order, price) = (fill.order.to_string(), fill.price.to_string());
        json!({ "event": id.to_string(), "order": order, "price": price })
    });
    let signal = explained.signal.as_ref().map(|(id, name, signal)| {
        let (side, kind) = (signal.side.to_string(), signal.kind.to_string());
        json!({ "event": id.to_string(), "id": name, "side": side, "type": kind })
    });
    let flip = explained.flip.as_ref().map(|flip| {
        json!({
            "ticks": flip.ticks,
            "close": flip.close.to_string(),
            "decision": named(flip.decision),
            "one_tick_less": named(flip.one_less),
            "exact_rupees": flip.exact.rupees(),
            "with_99_percent": named(flip.with_99_percent),
        })
    });
    json!({
        "symbol": key,
        "bar": explained.bar.open_time.to_string(),
        "event": explained.id.to_string(),
        "told": explained.known.to_string(),
        "is_evaluated": explained.is_evaluated,
        "is_near_miss": explained.is_near_miss(),
        "is_patched": explained.is_patched,
        "revised_close": explained.revised.map(|bar| bar.close.to_string()),
        "signal": signal,
        "declined": explained.declined.map(|no| no.to_string()),
        "conditions": conditions.collect::<Vec<_>>(),
        "conditions_agree_with_core": explained.agrees(),
        "minutes": minutes.collect::<Vec<_>>(),
        "orders": orders.collect::<Vec<_>>(),
        "fills": fills.collect::<Vec<_>>(),
        "flip": flip,
    })
}
