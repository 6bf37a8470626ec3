//! `/scanner`: one row for each symbol and strategy.

use axum::extract::State;
use axum::response::Response;

use crate::sinks::scanner::view::{RowView, View};
use crate::web::app::App;
use crate::web::control::RELEASE_WORD;
use crate::web::model::Model;

use super::html::{Page, Safe, encoded, framed, grouped, rupees, tone};

const COLUMNS: [(&str, &str); 14] = [
    ("symbol", "Symbol"),
    ("strategy", "Strategy"),
    ("timeframe", "TF"),
    ("bias", "Bias"),
    ("confidence", "Conf."),
    ("state", "State"),
    ("status", "Status"),
    ("bar", "Last bar"),
    ("age", "Age"),
    ("ltp", "LTP ₹"),
    ("open", "Open P&L ₹"),
    ("today", "Today ₹"),
    ("signals", "Signals"),
    ("declined", "Declined"),
];

/// The page.
pub async fn page(State(app): State<App>) -> Response {
    let body = {
        let model = app.model();
        let takes = app.options.control.is_some() && model.health.word() != "sealed";
        format!(
            "<h1 class=\"visually-hidden\">Scanner</h1>\n{}{}{}{}{}",
            noscript(),
            banner(),
            bar(&model, takes),
            table(&model.view.rows),
            below(&model)
        )
    };
    let page =
        Page { title: "Scanner", place: "/scanner", script: Some("scanner.js"), vendor: &[], body };
    framed(&app, &page)
}

/// Without scripts the page is loaded anew now and then.
fn noscript() -> &'static str {
    "<noscript><p class=\"hint\">Without JavaScript this page does not move by itself. \
     <a href=\"/scanner\">Load it again</a></p></noscript>\n"
}

fn banner() -> &'static str {
    "<div id=\"stall\" class=\"stall\" role=\"alert\" hidden></div>\n"
}

/// The line of facts above the table, and what can be asked of the run.
fn bar(model: &Model, takes: bool) -> String {
    let View { clock, next_bar, position, feed, .. } = &model.view;
    let next = next_bar.as_deref().map_or("–", |next| next.get(11..16).unwrap_or(next));
    let lag = feed.lag_ms.map_or_else(String::new, |lag| format!(" · {lag} ms"));
    let mut text = format!(
        "<section class=\"facts\" aria-label=\"Run\">\n\
         <div><span class=\"label\">Market clock (IST)</span>\
         <output id=\"clock\">{}</output></div>\n\
         <div><span class=\"label\">Next bar</span><output id=\"next\">{}{}</output></div>\n\
         <div><span class=\"label\">Feed</span><output id=\"feed\" data-feed=\"{}\">{}{lag}</output></div>\n\
         <div><span class=\"label\">Event</span><output id=\"position\">{}</output></div>\n\
         <div><span class=\"label\">Status</span>\
         <output id=\"status\" data-status=\"{status}\">{status}</output></div>\n\
         <div><span class=\"label\">Parity</span><a href=\"/parity\">\
         <output id=\"parity-word\" data-parity=\"{parity}\">{parity}</output></a></div>\n",
        Safe(clock.as_deref().unwrap_or("–")),
        Safe(next),
        countdown(model.view.next_bar_seconds),
        feed.state,
        feed.state,
        grouped(*position),
        status = model.view.status,
        parity = model.parity_word().word(),
    );
    if takes {
        text += &controls();
    }
    text + "</section>\n"
}

fn countdown(seconds: Option<i64>) -> String {
    seconds.map_or_else(String::new, |seconds| match seconds {
        0..3_600 => format!(" in {}:{:02}", seconds / 60, seconds % 60),
        _ => format!(" in {} h", seconds / 3_600),
    })
}

fn controls() -> String {
    format!(
        "<div class=\"controls\" id=\"controls\" hidden>\n\
         <button type=\"button\" data-control=\"pause\">Pause</button>\n\
         <button type=\"button\" data-control=\"resume\">Resume</button>\n\
         <button type=\"button\" data-control=\"flatten\">Flatten</button>\n\
         <button type=\"button\" class=\"kill\" data-control=\"kill\" aria-keyshortcuts=\"Shift+K\">\
         Kill</button>\n\
         <form id=\"release\"><label for=\"release-word\">Type {RELEASE_WORD}</label>\
         <input id=\"release-word\" name=\"confirm\" autocomplete=\"off\" size=\"8\">\
         <button type=\"submit\" data-control=\"release\">Release</button></form>\n\
         <output id=\"asked\" role=\"status\"></output>\n</div>\n"
    )
}

/// The table, whose rows a script may replace.
pub fn table(rows: &[RowView]) -> String {
    let head: String = COLUMNS
        .iter()
        .map(|(class, name)| format!("<th scope=\"col\" class=\"c-{class}\">{}</th>", Safe(name)))
        .collect();
    let strategies: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.strategy_id.as_str()).collect();
    let options: String = strategies
        .iter()
        .map(|id| format!("<option value=\"{0}\">{0}</option>", Safe(id)))
        .collect();
    let empty = match rows.is_empty() {
        true => "<p class=\"hint\" id=\"empty\">The journal holds no run yet.</p>\n",
        false => "",
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<form class=\"filter\" id=\"filter\" role=\"search\" hidden>\n\
         <span class=\"pair\"><label for=\"find\">Find</label>\
         <input id=\"find\" type=\"search\" placeholder=\"symbol, key, state…\" autocomplete=\"off\">\
         </span>\n\
         <span class=\"pair\"><label for=\"strategy\">Strategy</label>\
         <select id=\"strategy\"><option value=\"\">all</option>{options}</select></span>\n\
         <span id=\"shown\" class=\"hint\" role=\"status\"></span>\n</form>\n\
         <div class=\"wide\" role=\"region\" aria-label=\"Symbols and strategies\" tabindex=\"0\">\n\
         <table id=\"table\"><caption class=\"visually-hidden\">What each strategy sees and did, \
         by symbol</caption>\n<thead><tr>{head}</tr></thead>\n<tbody id=\"rows\">\n{rows}</tbody>\n\
         </table></div>\n{empty}"
    )
}

/// One row, as the script writes it too.
fn row(row: &RowView) -> String {
    let stale = if row.is_stale { " class=\"stale\"" } else { "" };
    let (arrow, way) = match row.bias {
        "BUY" => ("▲", "up"),
        "SELL" => ("▼", "down"),
        _ => ("–", "flat"),
    };
    let bar = row.last_bar.as_deref().map_or("–", |bar| bar.get(..16).unwrap_or(bar));
    let minutes = match (&row.minutes, row.is_complete) {
        (Some(minutes), false) => {
            format!(" <span class=\"tag warn\">{} min</span>", Safe(minutes))
        }
        _ => String::new(),
    };
    let cells = [
        format!(
            "<th scope=\"row\" class=\"c-symbol\"><a href=\"/symbol/{}\">{}</a>\
             <span class=\"key\">{}</span></th>",
            encoded(&row.key),
            Safe(&row.symbol),
            Safe(&row.key)
        ),
        cell("strategy", &Safe(&row.strategy_id).to_string()),
        cell("timeframe", &Safe(&row.timeframe).to_string()),
        cell("bias", &format!("<span class=\"bias {way}\">{arrow} {}</span>", row.bias)),
        cell("confidence num", &format!("{:.2}", row.confidence)),
        cell("state", &format!("<span class=\"tag {0}\">{0}</span>", row.signal_state)),
        cell("status", &format!("<span class=\"tag s-{0}\">{0}</span>", row.status)),
        cell("bar", &format!("{}{minutes}", Safe(bar))),
        cell("age", &age(row)),
        cell("ltp num", &row.ltp.map_or_else(|| "–".into(), rupees)),
        cell(&format!("open {}", tone(row.open_profit)), &rupees(row.open_profit)),
        cell(&format!("today {}", tone(row.today)), &rupees(row.today)),
        cell("signals num", &row.signals_today.to_string()),
        cell("declined", row.declined.unwrap_or("")),
    ];
    format!("<tr data-key=\"{}\"{stale}>{}</tr>\n", Safe(&row.key), cells.concat())
}

fn cell(class: &str, content: &str) -> String {
    format!("<td class=\"c-{class}\">{content}</td>")
}

fn age(row: &RowView) -> String {
    let Some(seconds) = row.age_seconds else { return "–".into() };
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let stale = if row.is_stale { " <span class=\"tag warn\">stale</span>" } else { "" };
    format!("{minutes}:{seconds:02}{stale}")
}

/// The latest events, and the help for the keyboard.
fn below(model: &Model) -> String {
    let latest: String = model
        .facts
        .notable
        .iter()
        .rev()
        .take(12)
        .map(|record| {
            let told = model.told(record);
            // What indicators said of it is on the symbol's page.
            let brief = told.text.split(" atr=").next().unwrap_or_default();
            format!(
                "<li><span class=\"num\">{}</span> <span class=\"line\">{}</span></li>\n",
                Safe(&told.id),
                Safe(brief)
            )
        })
        .collect();
    format!(
        "<section aria-labelledby=\"latest-head\"><h2 id=\"latest-head\">Latest events</h2>\n\
         <ol id=\"latest\" class=\"latest\" reversed>\n{latest}</ol></section>\n\
         <div id=\"say\" class=\"visually-hidden\" aria-live=\"polite\"></div>\n\
         <dialog id=\"help\" aria-labelledby=\"help-head\"><h2 id=\"help-head\">Keyboard</h2>\n\
         <dl><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next, previous row</dd>\
         <dt><kbd>Enter</kbd></dt><dd>open the symbol</dd>\
         <dt><kbd>Esc</kbd></dt><dd>back, close</dd><dt><kbd>/</kbd></dt><dd>find</dd>\
         <dt><kbd>t</kbd></dt><dd>dark or light</dd><dt><kbd>K</kbd></dt><dd>kill</dd>\
         <dt><kbd>?</kbd></dt><dd>this help</dd></dl>\n\
         <form method=\"dialog\"><button>Close</button></form></dialog>\n"
    )
}
