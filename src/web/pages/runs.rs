//! `/runs` and `/runs/{id}`: the runs that lie beside this one, and what became of each.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::web::app::App;
use crate::web::facts::TradeJson;
use crate::web::runs::{Outcome, Summed, list as list_of, sum_up};

use super::html::{Page, Safe, encoded, framed, grouped, refused, rupees, tone};

/// `/runs`.
pub async fn list(State(app): State<App>) -> Response {
    let shared = app.clone();
    let runs = match app.heavily(move || list_of(&shared)).await {
        Ok(runs) => runs,
        Err(no) => return refused(&app, &no),
    };
    let rows: String = runs
        .iter()
        .map(|run| {
            let this = if run.is_this { " <span class=\"tag\">shown here</span>" } else { "" };
            format!(
                "<tr><th scope=\"row\" class=\"run\"><a href=\"/runs/{}\">{}</a>{this}</th>{}\
                 <td>{}</td><td>{}</td><td class=\"num\">{:.1} MB</td>\
                 <td class=\"line\">{}</td></tr>\n",
                encoded(&run.id),
                Safe(&run.id),
                outcome(run.outcome),
                run.kind,
                Safe(run.created.as_deref().unwrap_or("–")),
                run.bytes as f64 / 1e6,
                Safe(run.run_id.get(..12).unwrap_or_default())
            )
        })
        .collect();
    let note = match runs.iter().any(|run| run.outcome.is_none()) {
        true => {
            "<p class=\"hint\">– was not read yet, which takes a while: open the run, or load this \
             page again.</p>\n"
        }
        false => "",
    };
    let body = format!(
        "<h1>Runs</h1>\n<div class=\"wide\" role=\"region\" aria-label=\"Runs\" tabindex=\"0\">\
         <table><thead><tr><th scope=\"col\">Run</th>\
         <th scope=\"col\" class=\"num\">Net ₹</th><th scope=\"col\" class=\"num\">Trades</th>\
         <th scope=\"col\">Kind</th><th scope=\"col\">Begun (IST)</th>\
         <th scope=\"col\" class=\"num\">Journal</th><th scope=\"col\">Run id</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div>\n{note}"
    );
    framed(&app, &Page { title: "Runs", place: "/runs", script: None, vendor: &[], body })
}

/// The cells of what a run came to.
fn outcome(outcome: Option<Outcome>) -> String {
    let Some(Outcome { trades, net, is_over }) = outcome else {
        return "<td class=\"num\">–</td><td class=\"num\">–</td>".to_owned();
    };
    let so_far = if is_over { "" } else { " <span class=\"hint\">so far</span>" };
    format!(
        "<td class=\"{}\">{}{so_far}</td><td class=\"num\">{}</td>",
        tone(net),
        rupees(net),
        grouped(trades as u64)
    )
}

/// `/runs/{id}`.
pub async fn one(State(app): State<App>, Path(id): Path<String>) -> Response {
    match sum_up(&app, &id).await {
        Ok(run) => {
            let vendor = &["vendor/uplot-1.6.32.css", "vendor/uplot-1.6.32.js"];
            let body = format!("{}{}{}{}", head(&run), equity(&run), months(&run), trades(&run));
            let (place, script) = ("/runs", Some("run.js"));
            framed(&app, &Page { title: &run.id, place, script, vendor, body })
        }
        Err(no) => refused(&app, &no),
    }
}

fn head(run: &Summed) -> String {
    let win = match run.trades {
        0 => "–".to_owned(),
        trades => format!("{:.1} %", 100.0 * run.wins as f64 / trades as f64),
    };
    let fact = |label: &str, class: &str, value: String| {
        format!("<div><span class=\"label\">{label}</span><b class=\"{class}\">{value}</b></div>\n")
    };
    let count = |count: usize| grouped(count as u64);
    let facts = [
        fact("Strategy", "", Safe(&run.strategy).to_string()),
        fact("Execution", "", Safe(&run.execution).to_string()),
        fact("Bars", "", count(run.bars)),
        fact("Signals", "", format!("{} ({} declined)", count(run.signals), count(run.declined))),
        fact("Trades", "", count(run.trades)),
        fact("Won", "", win),
        fact("Net ₹", tone(run.net), rupees(run.net)),
        fact("Gross ₹", tone(run.gross), rupees(run.gross)),
        fact("Fees ₹", "num", rupees(run.fees)),
    ];
    let end = match run.is_sealed {
        true => "sealed",
        false => "not sealed: under way, or left",
    };
    format!(
        "<p><a href=\"/runs\" id=\"back\">← Runs</a></p>\n<h1>{}</h1>\n\
         <p class=\"hint\">{end} · digest <span class=\"line\">{}</span></p>\n\
         <p><a href=\"/replay/{}\">Replay it step by step</a></p>\n\
         <section class=\"facts\" aria-label=\"Summary\">\n{}</section>\n",
        Safe(&run.id),
        Safe(&run.digest),
        encoded(&run.id),
        facts.concat()
    )
}

fn equity(run: &Summed) -> String {
    let join = |values: Vec<String>| values.join(",");
    let days = join(run.equity.iter().map(|day| day.1.to_string()).collect());
    let values = join(run.equity.iter().map(|day| day.2.to_string()).collect());
    let (first, last) = (run.equity.first(), run.equity.last());
    let ends = first.zip(last).map_or_else(String::new, |(first, last)| {
        let (from, to) = (rupees(first.2), rupees(last.2));
        format!("₹\u{a0}{from} at the end of {}, ₹\u{a0}{to} at the end of {}.", first.0, last.0)
    });
    format!(
        "<section aria-labelledby=\"equity-head\"><h2 id=\"equity-head\">Equity by day</h2>\n\
         <p class=\"hint\">{ends}</p>\n\
         <div id=\"equity\" class=\"equity\" role=\"img\" aria-label=\"Equity. {ends}\" \
         data-days=\"{days}\" data-equity=\"{values}\"></div></section>\n"
    )
}

fn months(run: &Summed) -> String {
    let rows: String = run
        .months
        .iter()
        .map(|(month, days, net)| {
            format!(
                "<tr><th scope=\"row\">{month}</th><td class=\"num\">{days}</td>\
                 <td class=\"{}\">{}</td></tr>\n",
                tone(*net),
                rupees(*net)
            )
        })
        .collect();
    format!(
        "<section aria-labelledby=\"months-head\"><h2 id=\"months-head\">Months</h2>\n\
         <table class=\"narrow\"><thead><tr><th scope=\"col\">Month</th>\
         <th scope=\"col\" class=\"num\">Days</th><th scope=\"col\" class=\"num\">Net ₹</th></tr>\
         </thead>\n<tbody>{rows}</tbody></table></section>\n"
    )
}

fn trades(run: &Summed) -> String {
    let rows: String = run.last_trades.iter().take(200).map(TradeJson::row).collect();
    let rest = run.trades.saturating_sub(200);
    let note = match rest {
        0 => String::new(),
        rest => {
            format!("<p class=\"hint\">{rest} older ones: /api/v1/runs/{}</p>\n", Safe(&run.id))
        }
    };
    format!(
        "<section aria-labelledby=\"trades-head\"><h2 id=\"trades-head\">Trades</h2>\n\
         <div class=\"wide\" role=\"region\" aria-label=\"Trades\" tabindex=\"0\"><table><thead><tr>\
         <th scope=\"col\">Symbol</th><th scope=\"col\">Entered (IST)</th><th scope=\"col\">Ended</th>\
         <th scope=\"col\">Way</th><th scope=\"col\" class=\"num\">Shares</th>\
         <th scope=\"col\" class=\"num\">Entry ₹</th><th scope=\"col\" class=\"num\">Exit ₹</th>\
         <th scope=\"col\" class=\"num\">Net ₹</th><th scope=\"col\">Ended by</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div>\n{note}</section>\n"
    )
}

impl TradeJson {
    /// The trade as a row of a table.
    fn row(&self) -> String {
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{} {}</td>\
             <td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"{}\">{}</td><td>{}</td></tr>\n",
            Safe(&self.symbol),
            self.entry_time.get(..16).unwrap_or_default(),
            self.exit_time.get(..16).unwrap_or_default(),
            self.side,
            self.signal_kind,
            self.quantity,
            rupees(self.entry_price),
            rupees(self.exit_price),
            tone(self.net),
            rupees(self.net),
            self.reason
        )
    }
}
