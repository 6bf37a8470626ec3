//! What stands on a run's page. Every number comes out of the document by its path, which stands
//! beside it as `data-path`, so that anybody can hold one against the other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::terminal::rupees;
use crate::domain::fact::SignalKind;
use crate::domain::money::Cash;
use crate::driver::align::ground::Ground;
use crate::driver::settings::settings;
use crate::golden::align::class::{Class, Explained};
use crate::golden::compare::Comparison;
use crate::golden::exceptions::{Exception, Ruling, fact};
use crate::sinks::report::promise::Verdict;
use crate::web::pages::Safe;

use super::Reported;
use super::apart;
use super::cells::{Document, money, section, table};
use super::chart::{self, Series};
use super::economics;
use super::html::{Judged, Page};

/// Differences that are listed one by one.
pub(super) const LISTED: usize = 50;
/// Trades that are listed one by one.
const TRADES: usize = 2_000;

/// The days of a run in words.
pub(super) fn span(report: &Reported) -> String {
    let days = &report.economics.days;
    match (days.first(), days.last()) {
        (Some((first, _)), Some((last, _))) => format!("{first} to {last}"),
        _ => "no day that is over".to_owned(),
    }
}

/// The criteria, each with what came of it. Words, not colour alone.
pub(super) fn verdicts(page: &Page<'_>) -> String {
    let Page { report, judged, apart, .. } = page;
    let (met, missed) = (("good", "met"), ("bad", "MISSED"));
    let mut items = Vec::new();
    if let Some(against) = &report.against {
        let verdict = against.promise.verdict();
        let tone = match verdict {
            Verdict::Met => "good",
            Verdict::Missed => "bad",
            Verdict::Open => "open",
        };
        items.push((tone, "Within 10 % of the backtest", economics::verdict(&against.promise)));
    }
    if let Some(Judged { comparison, .. }) = judged {
        let tone = if comparison.is_same() { "good" } else { "bad" };
        items.push((tone, "Golden", counts_words(comparison)));
    }
    if let Some(apart) = apart {
        let tone = if apart.is_same() { "good" } else { "bad" };
        items.push((tone, "The other run", apart.words()));
    }
    let (tone, word) = if report.keeps_time_stop() { met } else { missed };
    let stop = report.economics.time_stop(report.time_stop_bars());
    let words = format!("{word} · longest {} of {} bars", stop.longest, stop.bars);
    items.push((tone, "Time stop", words));
    let (tone, word) = if report.misfees == 0 { met } else { missed };
    let (off, fills) = (report.misfees, report.economics.fills);
    items.push((tone, "Charges", format!("{word} · {} of {fills} fees as scheduled", fills - off)));
    let items = items.iter().map(|(tone, name, words)| {
        let (name, words) = (Safe(name), Safe(words));
        format!("<div class=\"verdict {tone}\"><b>{name}</b><span>{words}</span></div>\n")
    });
    format!(
        "<section class=\"verdicts\" aria-label=\"Criteria\">\n{}</section>\n",
        items.collect::<String>()
    )
}

/// Whether all agrees, and how many rows do.
pub(super) fn counts_words(comparison: &Comparison) -> String {
    let one = |counts: &crate::golden::compare::Counts| {
        format!("{} {}/{}", counts.table.name(), counts.equal, counts.golden)
    };
    let counts = comparison.counts.iter().map(one).collect::<Vec<_>>().join(" · ");
    format!("{} · {counts}", comparison.verdict())
}

/// Equity, days, and how trades ended.
pub(super) fn charts(report: &Reported) -> String {
    let days = &report.economics.days;
    let dates: Vec<_> = days.iter().map(|(date, _)| *date).collect();
    let net: Vec<Cash> = days.iter().map(|(_, day)| day.net()).collect();
    let mut series = vec![Series { name: "this run", class: "paper", values: running(&net) }];
    let promise = report.against.as_ref().map(|against| &against.promise);
    // Beside each other only where both have the same days.
    let backtest = promise.filter(|promise| promise.days.len() == days.len());
    if let Some(promise) = backtest {
        let net: Vec<Cash> = promise.days.iter().map(|(_, net)| net.backtest).collect();
        series.push(Series { name: "backtest", class: "backtest", values: running(&net) });
    }
    let total = &report.economics.total;
    let parts: Vec<_> = total
        .ended_by
        .iter()
        .map(|(reason, count)| {
            let path = format!("/total/ended_by/{reason}");
            let words = format!("<span class=\"num\" data-path=\"{path}\">{count}</span>");
            ((*reason).to_owned(), *count, words)
        })
        .collect();
    format!(
        "<section class=\"charts\" aria-label=\"Charts\">\n{}{}{}</section>\n",
        chart::lines("Net profit since the first day", &dates, &series),
        chart::bars("Net profit of each day", &dates, &net),
        chart::shares("How trades ended", &parts),
    )
}

fn running(values: &[Cash]) -> Vec<Cash> {
    let add = |sum: &mut Cash, value: &Cash| {
        *sum = sum.plus(*value);
        Some(*sum)
    };
    values.iter().scan(Cash::ZERO, add).collect()
}

/// What the run earned, under each schedule, and how its trades ended.
pub(super) fn totals(page: &Page<'_>) -> String {
    let doc = Document(&page.document);
    let row = |name: &str, cells: &[String]| {
        format!("<tr><th scope=\"row\">{name}</th>{}</tr>\n", cells.concat())
    };
    let gross = doc.amount("/total/gross");
    let fees = ["recorded", "nse", "plan"].map(|name| doc.fee(&format!("/total/fees/{name}")));
    let net = ["/total/net", "/total/net_under/nse", "/total/net_under/plan"];
    let rows = [
        row("Gross", &[gross.clone(), gross.clone(), gross]),
        row("Fees", &fees),
        row("Net", &net.map(|path| doc.amount(path))),
    ];
    let schedule = &page.report.recorded.run.config.fees.name;
    let recorded = format!("#As recorded ({})", Safe(schedule));
    let money = table(&["", &recorded, "#Under nse", "#Under plan"], &rows.concat());
    let share = |name: &str| doc.percent(&format!("/total/{name}_percent"));
    let ended = |reason: &str| doc.count(&format!("/total/ended_by/{reason}"));
    let rows = [
        row("Trades", &[doc.count("/total/trades"), "<td></td>".to_owned()]),
        row("With a profit after fees", &[doc.count("/total/wins"), share("win")]),
        row("Ended at the target", &[ended("target"), share("target")]),
        row("Ended at the stop", &[ended("stop"), share("stop")]),
        row("Ended by the time stop", &[ended("time-stop"), share("time_stop")]),
        row("Still open, in no sum", &[doc.count("/open_positions"), "<td></td>".to_owned()]),
    ];
    let counts = table(&["", "#Trades", "#Share"], &rows.concat());
    section("What it earned", &format!("<div class=\"pair\">{money}{counts}</div>\n"))
}

/// Paper against backtest, over the days that both cover.
pub(super) fn promise(page: &Page<'_>) -> String {
    let Some(against) = &page.report.against else { return String::new() };
    let doc = Document(&page.document);
    let (kind, place) = (if against.golden.is_some() { "golden" } else { "run" }, &against.place);
    let mut text = format!("<p>Held against the {kind} {}.", Safe(place.display()));
    if !page.report.recorded.is_lived {
        text += " The run is a replay: what it keeps, live has yet to keep.";
    }
    text += "</p>\n";
    let sides =
        |name: &str| [format!("/against/paper/{name}"), format!("/against/backtest/{name}")];
    let mut rows = String::new();
    for (title, name) in [("Net", "net"), ("Gross", "gross")] {
        let cells = sides(name).map(|path| doc.amount(&path)).concat();
        rows += &format!("<tr><th scope=\"row\">{title}</th>{cells}</tr>\n");
    }
    let fees = sides("fees/recorded").map(|path| doc.fee(&path)).concat();
    rows += &format!("<tr><th scope=\"row\">Fees</th>{fees}</tr>\n");
    for (title, name) in [("Trades", "trades"), ("Wins", "wins")] {
        let cells = sides(name).map(|path| doc.count(&path)).concat();
        rows += &format!("<tr><th scope=\"row\">{title}</th>{cells}</tr>\n");
    }
    for (title, name) in
        [("Win rate", "win"), ("Target", "target"), ("Stop", "stop"), ("Time-stop", "time_stop")]
    {
        let cells = sides(&format!("{name}_percent")).map(|path| doc.percent(&path)).concat();
        rows += &format!("<tr><th scope=\"row\">{title}</th>{cells}</tr>\n");
    }
    text += &table(&["", "#This run", "#Backtest"], &rows);
    section("Paper against backtest", &text)
}

/// Every five sessions in a row.
pub(super) fn windows(page: &Page<'_>) -> String {
    let Some(promise) = page.report.against.as_ref().map(|it| &it.promise) else {
        return String::new();
    };
    let doc = Document(&page.document);
    let rows: String = (0..promise.windows.len())
        .map(|place| {
            let at = |name: &str| format!("/against/windows/{place}/{name}");
            let days = [doc.text(&at("first")), doc.text(&at("last"))].concat();
            let amounts = ["paper", "backtest", "difference"].map(|name| doc.amount(&at(name)));
            let is_within = promise.windows[place].net.is_within();
            let (tone, word) = if is_within { ("good", "met") } else { ("bad", "MISSED") };
            let off = doc.text(&at("deviation_percent"));
            format!("<tr>{days}{}{off}<td class=\"{tone}\">{word}</td></tr>\n", amounts.concat())
        })
        .collect();
    let header = [
        "First day",
        "Last day",
        "#This run",
        "#Backtest",
        "#Difference",
        "#Off, %",
        "Within 10 %",
    ];
    let body = match rows.is_empty() {
        true => "<p>There are not yet five sessions in a row.</p>\n".to_owned(),
        false => table(&header, &rows),
    };
    section("Every five sessions in a row", &body)
}

/// What differs from the golden: counts, causes, rows, and what is approved.
pub(super) fn differences(page: &Page<'_>) -> String {
    let Some(Judged { comparison, rows, causes, golden, today }) = &page.judged else {
        return String::new();
    };
    let mut text = format!("<p class=\"lead\">{}</p>\n", Safe(counts_words(comparison)));
    for note in comparison.notes.iter().chain(&comparison.exception_faults) {
        text += &format!("<p class=\"bad\">{}</p>\n", Safe(note));
    }
    text += &match rows {
        None => String::new(),
        Some(Ok(found)) => {
            let ruling = Ruling { exceptions: &golden.exceptions, today: *today, is_turned: false };
            apart::from_golden(found, ruling, page)
        }
        Some(Err(why)) => {
            format!("<p>Fills and bars are listed without their causes: {}.</p>\n", Safe(why))
                + &signals(causes.as_ref())
                + &listed(comparison)
        }
    };
    let state = |one: &Exception| {
        let is_used = comparison.approved.iter().any(|approved| approved.exception == *one);
        match (one.is_expired(*today), is_used) {
            (true, _) => ("bad", "EXPIRED"),
            (false, true) => ("good", "in force"),
            (false, false) => ("bad", "matches nothing"),
        }
    };
    text += &exceptions(&golden.exceptions, &state);
    section("Golden and what differs", &text)
}

/// Why signals differ, by the rule over the run's own minutes.
fn signals(causes: Option<&(Ground, Vec<Explained>)>) -> String {
    causes.map_or_else(String::new, |(ground, explained)| {
        let key =
            |one: &Explained| ground.run.instruments[one.difference.instrument.index()].key.clone();
        classes(explained, &key)
    })
}

/// The first rows that differ, as facts.
fn listed(comparison: &Comparison) -> String {
    let differences = &comparison.differences;
    let row = |one| format!("<tr><td class=\"line\">{}</td></tr>\n", Safe(fact(one)));
    let rows: String = differences.iter().take(LISTED).map(row).collect();
    let title = match differences.len() > LISTED {
        true => format!("Rows that differ: the first {LISTED} of {}", differences.len()),
        false => "Rows that differ".to_owned(),
    };
    table(&[&title], &rows)
}

/// The classes of differences between signals, each with how many there are and its first witness.
fn classes(explained: &[Explained], key: &dyn Fn(&Explained) -> String) -> String {
    let mut classes: BTreeMap<Class, Vec<&Explained>> = BTreeMap::new();
    explained.iter().for_each(|one| classes.entry(one.class).or_default().push(one));
    classes.entry(Class::Unexplained).or_default();
    let row = |(class, all): (&Class, &Vec<&Explained>)| {
        let first = all.first().map_or_else(String::new, |one| {
            let (side, kind) = one.difference.what.signal_words();
            let kind = kind.map_or("-", SignalKind::word);
            format!("{} {} {side} {kind}", key(one), one.difference.bar_time)
        });
        let witness = all.first().and_then(|one| one.witness.as_ref());
        let witness = witness.map_or_else(String::new, ToString::to_string);
        let (class, count) = (class.word(), all.len());
        let (first, witness) = (Safe(first), Safe(witness));
        format!(
            "<tr><th scope=\"row\">{class}</th>\
             <td class=\"num\" data-class=\"{class}\">{count}</td><td class=\"line\">{first}</td><td>{witness}</td></tr>\n"
        )
    };
    let rows: String = classes.iter().map(row).collect();
    let title = "<h3>Why signals differ</h3>\n";
    title.to_owned() + &table(&["Class", "#Signals", "The first", "Gone if"], &rows)
}

fn exceptions(
    all: &[Exception],
    state: &dyn Fn(&Exception) -> (&'static str, &'static str),
) -> String {
    if all.is_empty() {
        return "<p>No exception is approved.</p>\n".to_owned();
    }
    let row = |one: &Exception| {
        let (tone, word) = state(one);
        let Exception { fact, reason, by, expires } = one;
        let (fact, reason, by, expires) = (Safe(fact), Safe(reason), Safe(by), Safe(expires));
        format!(
            "<tr><td class=\"line\">{fact}</td><td>{reason}</td><td>{by}</td><td>{expires}</td>\
             <td class=\"{tone}\">{word}</td></tr>\n"
        )
    };
    let rows: String = all.iter().map(row).collect();
    let header = ["Approved difference", "Reason", "By", "Last day", ""];
    format!("<h3>Approved exceptions</h3>\n{}", table(&header, &rows))
}

/// What the run is, to the byte.
pub(super) fn proof(page: &Page<'_>) -> String {
    let doc = Document(&page.document);
    let run = &page.report.recorded.run;
    let sealed = match page.document.pointer("/run/sealed") {
        Some(Value::Bool(true)) => "sealed",
        _ => "not sealed: it ended early, or is still being written",
    };
    let place = Safe(page.report.place.display().to_string());
    let mut text = format!(
        "<dl>\n<dt>Run</dt><dd class=\"line\">{}</dd>\n\
         <dt>Digest of all records</dt><dd class=\"line\">{}</dd>\n\
         <dt>Records</dt><dd>{} · {sealed}</dd>\n\
         <dt>Written by</dt><dd>{} · core {}</dd>\n\
         <dt>Calendar</dt><dd>{}</dd>\n\
         <dt>To check it</dt><dd class=\"line\">lockstep verify {place}</dd>\n</dl>\n",
        doc.span("/run/run_id"),
        doc.span("/run/digest"),
        doc.span("/run/records"),
        Safe(&run.build),
        run.core_version,
        Safe(&run.calendar_version),
    );
    let rows: String = run
        .data
        .iter()
        .map(|file| {
            let (name, hash) = (Safe(&file.name), Safe(&file.blake3));
            format!("<tr><td>{name}</td><td class=\"line\">{hash}</td></tr>\n")
        })
        .collect();
    text += &match rows.is_empty() {
        true => "<p>Its inputs came from a feed; the digest covers them.</p>\n".to_owned(),
        false => table(&["Data", "BLAKE3"], &rows),
    };
    section("What it is, to the byte", &text)
}

/// Every setting that may change a decision.
pub(super) fn configuration(report: &Reported) -> String {
    let run = &report.recorded.run;
    let (mut strategy, mut execution) = (run.config.strategy.clone(), run.config.execution.clone());
    let row = |name: &str, value: &str, about: &str| {
        let (name, value, about) = (Safe(name), Safe(value), Safe(about));
        format!("<tr><th scope=\"row\">{name}</th><td>{value}</td><td>{about}</td></tr>\n")
    };
    let mut rows: String = settings(&mut strategy, &mut execution)
        .iter()
        .map(|setting| row(&setting.full_name(), &setting.shown(), setting.about))
        .collect();
    let fees = &run.config.fees;
    let version = format!("schedule of charges, version {}", fees.version);
    rows += &row("fees", &format!("\"{}\"", fees.name), &version);
    for instrument in &run.instruments {
        let first = report.economics.days.first().map_or_else(Default::default, |(date, _)| *date);
        let (name, symbol) = match instrument.at(first) {
            Some(listing) => (listing.name.as_str(), listing.symbol.as_str()),
            None => ("", ""),
        };
        rows += &row("symbol", &instrument.key, &format!("{symbol} {name}"));
    }
    section("Configuration", &table(&["Setting", "Value", ""], &rows))
}

/// Every day.
pub(super) fn days(page: &Page<'_>) -> String {
    let doc = Document(&page.document);
    let rows: String = (0..page.report.economics.days.len())
        .map(|place| {
            let at = |name: &str| format!("/days/{place}/{name}");
            let (date, trades) = (doc.text(&at("date")), doc.count(&at("trades")));
            let (gross, fees) = (doc.amount(&at("gross")), doc.fee(&at("fees")));
            let (net, running) = (doc.amount(&at("net")), doc.amount(&at("running")));
            format!("<tr>{date}{trades}{gross}{fees}{net}{running}</tr>\n")
        })
        .collect();
    let header = ["Day", "#Trades", "#Gross", "#Fees", "#Net", "#Since the first day"];
    section("Every day", &table(&header, &rows))
}

/// Every trade that is over.
pub(super) fn trades(report: &Reported) -> String {
    let all = &report.economics.trades;
    let rows: String = all
        .iter()
        .take(TRADES)
        .map(|trade| {
            let key = &report.recorded.account.keys[trade.instrument];
            let instruments = &report.recorded.run.instruments;
            let instrument = instruments.iter().find(|instrument| instrument.key == *key);
            let symbol = instrument.map_or("", |it| it.symbol_at(trade.entry_time.date()));
            let net = trade.gross.minus(trade.fees.recorded);
            let fees = format!("<td class=\"num\">{}</td>", rupees(trade.fees.recorded));
            let amounts = [money(trade.gross, ""), fees, money(net, "")].concat();
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"num\">{}</td>\
                 {amounts}<td>{}</td><td class=\"num\">{}</td></tr>\n",
                clock(trade.entry_time),
                clock(trade.exit_time),
                Safe(if symbol.is_empty() { key } else { symbol }),
                trade.side,
                trade.quantity,
                trade.ended_by,
                trade.bars_held,
            )
        })
        .collect();
    let header = [
        "Entered", "Left", "Symbol", "Way", "#Shares", "#Gross", "#Fees", "#Net", "Ended by",
        "#Bars",
    ];
    let title = match all.len() > TRADES {
        true => format!("The first {TRADES} of {} trades", all.len()),
        false => "Every trade".to_owned(),
    };
    section(&title, &table(&header, &rows))
}

fn clock(time: crate::domain::time::Timestamp) -> String {
    time.to_string().replace('T', " ")
}
