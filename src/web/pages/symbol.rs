//! `/symbol/{key}`: one instrument: candles with its signals, and why a bar made one or none.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use crate::domain::time::Timestamp;
use crate::driver::explain::near_miss;
use crate::sinks::scanner::view::{RowView, india};
use crate::web::api::{Params, Refused, why};
use crate::web::app::App;
use crate::web::facts::chart_time;
use crate::web::model::Model;

use super::html::{Page, Safe, encoded, framed, refused, rupees, tone};

/// Bars in the table below the chart.
const BARS: usize = 30;
/// Signals and trades that are listed.
const LISTED: usize = 20;
/// Near misses that are listed, of so many bars.
const MISSES: usize = 10;
const MISSES_LOOKED_AT: usize = 250;

/// The page.
pub async fn page(State(app): State<App>, Path(key): Path<String>, params: Params) -> Response {
    match body(&app, key, &params).await {
        Ok((title, body)) => {
            let vendor = &["vendor/lightweight-charts-5.2.1.js"];
            let script = Some("symbol.js");
            framed(&app, &Page { title: &title, place: "/scanner", script, vendor, body })
        }
        Err(no) => refused(&app, &no),
    }
}

async fn body(app: &App, key: String, params: &Params) -> Result<(String, String), Refused> {
    let bar = params.time("bar")?;
    let (row, lists) = {
        let model = app.model();
        let row = model.view.rows.iter().find(|row| row.key == key);
        let row = row.cloned().ok_or_else(|| Refused::no_key(&key))?;
        let lists = [near_misses, signals, trades, bars].map(|list| list(&model, &key)).concat();
        (row, lists)
    };
    let explained = why(app, &key, bar).await?;
    let reason = explained.as_ref().map_or_else(no_bar, panel);
    let title = row.symbol.clone();
    Ok((title, format!("{}{}{reason}{lists}", head(&row), chart(&row, bar))))
}

fn head(row: &RowView) -> String {
    let price = |price: Option<f64>| price.map_or_else(|| "–".to_owned(), rupees);
    let name = if row.name.is_empty() { &row.symbol } else { &row.name };
    format!(
        "<p><a href=\"/scanner\" id=\"back\">← Scanner</a></p>\n\
         <h1>{} <span class=\"key\">{} · {}</span></h1>\n\
         <section class=\"facts\" aria-label=\"Now\">\n\
         <div><span class=\"label\">Bias</span><b>{}</b></div>\n\
         <div><span class=\"label\">State</span><b>{}</b></div>\n\
         <div><span class=\"label\">Last bar</span><b>{}</b></div>\n\
         <div><span class=\"label\">LTP ₹</span><b>{}</b></div>\n\
         <div><span class=\"label\">Held</span><b>{}</b></div>\n\
         <div><span class=\"label\">Stop ₹</span><b>{}</b></div>\n\
         <div><span class=\"label\">Target ₹</span><b>{}</b></div>\n\
         <div><span class=\"label\">Open P&amp;L ₹</span><b class=\"{}\">{}</b></div>\n\
         <div><span class=\"label\">Today ₹</span><b class=\"{}\">{}</b></div>\n</section>\n",
        Safe(&row.symbol),
        Safe(name),
        Safe(&row.key),
        row.bias,
        row.signal_state,
        Safe(row.last_bar.as_deref().unwrap_or("–")),
        price(row.ltp),
        row.quantity,
        price(row.stop),
        price(row.target),
        tone(row.open_profit),
        rupees(row.open_profit),
        tone(row.today),
        rupees(row.today),
    )
}

/// The chart. Where a bar was chosen, it stands in the middle, with the levels of its signal.
fn chart(row: &RowView, bar: Option<Timestamp>) -> String {
    let level = |name: &str, price: Option<f64>| {
        price.map_or_else(String::new, |price| format!(" data-{name}=\"{price}\""))
    };
    format!(
        "<section aria-labelledby=\"chart-head\"><h2 id=\"chart-head\">15-minute bars</h2>\n\
         <div id=\"chart\" class=\"chart\" data-key=\"{}\"{}{}{} role=\"img\" \
         aria-label=\"Candles with signals; the same bars are in the table below\"></div>\n\
         <p class=\"hint\"><span class=\"lines\"><span class=\"vwap\">VWAP</span> \
         <span class=\"ema20\">EMA 20</span> <span class=\"ema50\">EMA 50</span> \
         <span class=\"adx\">ADX, below</span></span> · Arrows are signals, ✗ those \
         that were declined, squares entries, circles exits; \
         a signal chosen below shows its stop and target. \
         Times are India's.</p>\n\
         <noscript><p class=\"hint\">The chart needs JavaScript; the bars are below.</p></noscript>\n\
         </section>\n",
        Safe(&row.key),
        level("stop", row.stop),
        level("target", row.target),
        bar.map_or_else(String::new, |bar| format!(" data-bar=\"{}\"", chart_time(bar))),
    )
}

fn no_bar() -> String {
    "<section><h2>Why</h2><p>There is no such strategy bar yet.</p></section>\n".to_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "not known yet".to_owned(), |value| format!("{value:.4}"))
}

/// The *why* panel.
fn panel(why: &Value) -> String {
    let verdict = match (why["signal"].as_str(), why["declined"].as_str()) {
        (Some(signal), Some(no)) => format!("{signal}, declined: {no}"),
        (Some(signal), None) => signal.to_owned(),
        (None, _) if why["is_evaluated"] == false => {
            "not asked: the bar belongs to the warm-up".to_owned()
        }
        (None, _) if why["is_near_miss"] == true => "no signal, but a near miss".to_owned(),
        (None, _) => "no signal".to_owned(),
    };
    let mut rows = String::new();
    for condition in why["conditions"].as_array().into_iter().flatten() {
        let comparisons = condition["comparisons"].as_array();
        let comparisons = comparisons.map_or(&[][..], Vec::as_slice);
        for (place, one) in comparisons.iter().enumerate() {
            rows += &comparison(condition, one, place, comparisons.len());
        }
    }
    let flip = match &why["flip"] {
        Value::Null => String::new(),
        flip => format!(
            "<p>Nearest flip: a close of ₹ {} ({} ticks) would have made {}.</p>\n",
            rupees(flip["close"].as_f64().unwrap_or_default()),
            flip["ticks"],
            Safe(text(flip, "decision"))
        ),
    };
    let doubt = match why["agrees"] == false {
        true => {
            "<p class=\"warn\">The comparisons do not lead to the core's decision; report this.</p>"
        }
        false => "",
    };
    format!(
        "<section aria-labelledby=\"why-head\" id=\"why\">\n\
         <h2 id=\"why-head\">Why · bar {} · {}</h2>\n\
         <p class=\"hint\">event {} · {}/{} minutes · known at {}</p>\n{doubt}{flip}\
         <div class=\"wide\" role=\"region\" aria-label=\"Conditions\" tabindex=\"0\"><table>\n\
         <thead><tr><th scope=\"col\">Condition</th><th scope=\"col\">Comparison</th>\
         <th scope=\"col\" class=\"num\">Left</th><th scope=\"col\" class=\"num\">Right</th>\
         <th scope=\"col\" class=\"num\">Margin</th><th scope=\"col\">Holds</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div></section>\n",
        Safe(text(why, "bar").get(..16).unwrap_or_default()),
        Safe(verdict),
        Safe(text(why, "event")),
        why["minutes"],
        why["minutes_expected"],
        Safe(text(why, "known")),
    )
}

/// One comparison of a condition; the first names the condition.
fn comparison(condition: &Value, one: &Value, place: usize, count: usize) -> String {
    let name = match place {
        0 => format!(
            "<th scope=\"rowgroup\" rowspan=\"{count}\">{} {}</th>",
            Safe(text(condition, "side")),
            Safe(text(condition, "kind"))
        ),
        _ => String::new(),
    };
    let holds = one["holds"] == true;
    let margin = one["margin"].as_f64().map_or_else(|| "–".to_owned(), |it| format!("{it:+.4}"));
    format!(
        "<tr>{name}<td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
         <td class=\"num {}\">{margin}</td><td>{}</td></tr>\n",
        Safe(text(one, "what")),
        number(&one["left"]),
        number(&one["right"]),
        if holds { "up" } else { "down" },
        if holds { "✓ holds" } else { "✗ fails" },
    )
}

/// A link to the page with another bar explained.
fn link(key: &str, bar: Timestamp) -> String {
    format!("/symbol/{}?bar={}#why", encoded(key), encoded(&bar.to_string()))
}

/// A table under a heading. A column of numbers has a `#` in front.
fn section(id: &str, title: &str, columns: &[&str], rows: &str) -> String {
    let column = |name: &&str| match name.strip_prefix('#') {
        Some(name) => format!("<th scope=\"col\" class=\"num\">{name}</th>"),
        None => format!("<th scope=\"col\">{name}</th>"),
    };
    let head: String = columns.iter().map(column).collect();
    let body = match rows {
        "" => "<p class=\"hint\">None.</p>".to_owned(),
        rows => format!(
            "<div class=\"wide\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\"><table>\
             <thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
        ),
    };
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>\n{body}</section>\n")
}

/// The latest bars that made no signal for the lack of a single comparison, and which.
fn near_misses(model: &Model, key: &str) -> String {
    let of = model.facts.instrument(key);
    let bars = of.and_then(|of| model.facts.bars.get(of.index())).map_or(&[][..], Vec::as_slice);
    let missed = |place: usize| {
        let fact = &bars[place];
        let before = place.checked_sub(1).map(|place| bars[place].bar.close);
        let is_silent = model.facts.signal_of(fact).is_none();
        let told = (&fact.bar, fact.row.as_ref().filter(|_| is_silent)?);
        let (condition, lacks) = near_miss(model.facts.run.as_ref()?, place, before, told)?;
        Some(format!(
            "<tr><td><a href=\"{}\">{}</a></td><td>{} {}</td><td>{}</td>\
             <td class=\"num\">{:.4}</td><td class=\"num\">{:.4}</td>\
             <td class=\"num down\">{:+.4}</td></tr>\n",
            link(key, fact.bar.open_time),
            india(fact.bar.open_time).get(..16).unwrap_or_default(),
            condition.side,
            condition.kind,
            Safe(lacks.what),
            lacks.left,
            lacks.right,
            lacks.margin,
        ))
    };
    let looked_at = (0..bars.len()).rev().take(MISSES_LOOKED_AT);
    let rows: String = looked_at.filter_map(missed).take(MISSES).collect();
    let columns = ["Bar", "Would have been", "Why not", "#Left", "#Right", "#Lacked"];
    section("misses-head", "Near misses", &columns, &rows)
}

fn signals(model: &Model, key: &str) -> String {
    let of = model.facts.instrument(key);
    let own = model.facts.signals.iter().rev().filter(|fact| Some(fact.signal.instrument) == of);
    let rows: String = own
        .take(LISTED)
        .map(|fact| {
            let signal = &fact.signal;
            let fate = match (fact.filled, fact.declined) {
                (Some((_, price)), _) => format!("filled at {}", rupees(price.rupees())),
                (None, Some(reason)) => format!("declined: {reason}"),
                (None, None) => "open".to_owned(),
            };
            format!(
                "<tr><td><a href=\"{}\">{}</a></td><td>{} {}</td><td class=\"num\">{}</td>\
                 <td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
                 <td>{}</td></tr>\n",
                link(key, signal.bar_time),
                india(signal.bar_time).get(..16).unwrap_or_default(),
                signal.side,
                signal.kind,
                rupees(signal.price.rupees()),
                rupees(signal.stop.rupees()),
                rupees(signal.target.rupees()),
                signal.quantity,
                Safe(fate)
            )
        })
        .collect();
    let columns = ["Bar", "Signal", "#Price ₹", "#Stop ₹", "#Target ₹", "#Shares", "Became"];
    section("signals-head", "Signals", &columns, &rows)
}

fn trades(model: &Model, key: &str) -> String {
    let of = model.facts.instrument(key);
    let own = model.facts.trades.iter().rev().filter(|trade| Some(trade.instrument) == of);
    let rows: String = own
        .take(LISTED)
        .map(|trade| {
            let net = trade.gross.minus(trade.fees).rupees();
            format!(
                "<tr><td>{}</td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
                 <td class=\"num\">{}</td><td class=\"{}\">{}</td><td>{}</td></tr>\n",
                india(trade.entry.0).get(..16).unwrap_or_default(),
                trade.side,
                trade.quantity,
                rupees(trade.entry.1.rupees()),
                rupees(trade.exit.1.rupees()),
                tone(net),
                rupees(net),
                trade.reason
            )
        })
        .collect();
    let columns = ["Entered", "Way", "#Shares", "#Entry ₹", "#Exit ₹", "#Net ₹", "Ended by"];
    section("trades-head", "Trades", &columns, &rows)
}

fn bars(model: &Model, key: &str) -> String {
    let of = model.facts.instrument(key);
    let bars = of.and_then(|of| model.facts.bars.get(of.index()));
    let value = |value: Option<f64>| {
        let known = value.filter(|value| value.is_finite());
        known.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
    };
    let rows: String = bars
        .into_iter()
        .flat_map(|bars| bars.iter().rev().take(BARS))
        .map(|fact| {
            let (bar, row) = (&fact.bar, fact.row.as_ref());
            let minutes = match bar.is_complete() {
                true => String::new(),
                false => format!(
                    " <span class=\"tag warn\">{}/{} min</span>",
                    bar.minutes, bar.minutes_expected
                ),
            };
            let cells =
                [bar.open.rupees(), bar.high.rupees(), bar.low.rupees(), bar.close.rupees()]
                    .map(|price| format!("<td class=\"num\">{}</td>", rupees(price)))
                    .concat();
            let indicators = [
                row.map(|row| row.vwap),
                row.map(|row| row.ema20),
                row.map(|row| row.ema50),
                row.map(|row| row.atr),
                row.map(|row| row.adx),
                row.map(|row| row.vol_z),
            ]
            .map(|it| format!("<td class=\"num\">{}</td>", value(it)))
            .concat();
            format!(
                "<tr><td><a href=\"{}\">{}</a>{minutes}</td>{cells}\
                 <td class=\"num\">{}</td>{indicators}</tr>\n",
                link(key, bar.open_time),
                india(bar.open_time).get(..16).unwrap_or_default(),
                bar.volume
            )
        })
        .collect();
    let columns = [
        "Bar", "#Open", "#High", "#Low", "#Close", "#Volume", "#VWAP", "#EMA 20", "#EMA 50",
        "#ATR", "#ADX", "#Vol z",
    ];
    section("bars-head", "Bars and indicators", &columns, &rows)
}
