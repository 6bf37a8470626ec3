//! `/parity`: whether the core derives what was recorded, in one word, and bar by bar of the day.

use axum::extract::State;
use axum::response::Response;

use crate::web::app::App;
use crate::web::parity::{Compared, Lane, Slot, current};

use super::html::{Page, Safe, encoded, framed, grouped};

/// The page.
pub async fn page(State(app): State<App>) -> Response {
    let body = verdict(&current(&app).await);
    let (title, place, script) = ("Parity", "/parity", Some("parity.js"));
    framed(&app, &Page { title, place, script, vendor: &[], body })
}

fn verdict(compared: &Compared) -> String {
    let (tone, words) = match compared.verdict {
        "same" => ("good", "✓ Same: the core derives just what was recorded"),
        "differs" => ("bad", "✗ Differs: the core derives something else than was recorded"),
        "broken" => ("bad", "✗ It cannot be told: the journal cannot be read"),
        _ => ("open", "Not computed yet up to what the table shows"),
    };
    format!(
        "<h1>Parity</h1>\n\
         <p class=\"hint\">The run beside a replay of its own journal, compared in the background, \
         output by output, byte by byte.</p>\n\
         <div id=\"parity\">\n\
         <p class=\"verdict {tone}\" id=\"verdict\" role=\"status\" data-verdict=\"{}\">{words}</p>\n\
         {}{}{}</div>\n",
        compared.verdict,
        counts(compared),
        first(compared),
        bars(compared),
    )
}

fn counts(compared: &Compared) -> String {
    let fact = |label: &str, value: String| {
        format!("<div><span class=\"label\">{label}</span><b>{value}</b></div>\n")
    };
    let facts = [
        fact("Compared up to event", grouped(compared.position)),
        fact("Not compared yet", grouped(compared.behind)),
        fact("Inputs", grouped(compared.inputs)),
        fact("Outputs", grouped(compared.outputs)),
        fact("Inputs that differ", grouped(compared.steps_differing)),
    ];
    format!("<section class=\"facts\" aria-label=\"Compared\">\n{}</section>\n", facts.concat())
}

/// The first difference, whole.
fn first(compared: &Compared) -> String {
    let line = |label: &str, text: &Option<String>, other: &Option<String>| {
        text.as_ref().map_or_else(String::new, |text| {
            let text = marked(text, other.as_deref().unwrap_or(text));
            format!("<dt>{label}</dt><dd class=\"line\">{text}</dd>\n")
        })
    };
    let event = compared.first.as_ref().map_or_else(String::new, |event| {
        let before = event.split('.').next().and_then(|seq| seq.parse::<u64>().ok());
        let before = before.map_or_else(String::new, |seq| (seq + 1).to_string());
        format!(
            "<dt>First difference</dt><dd class=\"line\">event {} · \
             <a href=\"/events?before={}\">what led there</a></dd>\n",
            Safe(event),
            encoded(&before)
        )
    });
    let lines = [
        event,
        line("Recorded", &compared.recorded, &compared.derived),
        line("Derived", &compared.derived, &compared.recorded),
        line("Why", &compared.error, &None),
    ];
    match lines.concat().as_str() {
        "" => String::new(),
        lines => format!("<dl class=\"first\">\n{lines}</dl>\n"),
    }
}

/// A line with those of its words marked that stand otherwise in the other line.
fn marked(text: &str, other: &str) -> String {
    let mut others = other.split_whitespace();
    let words = text.split_whitespace().map(|word| match others.next() == Some(word) {
        true => Safe(word).to_string(),
        false => format!("<mark>{}</mark>", Safe(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One line for each instrument, one cell for each bar of the day.
fn bars(compared: &Compared) -> String {
    let Some(day) = &compared.day else { return String::new() };
    let head: String = compared
        .bars
        .iter()
        .map(|bar| format!("<th scope=\"col\" class=\"slot\">{}</th>", Safe(bar)))
        .collect();
    let rows: String = compared.symbols.iter().map(|lane| row(compared, lane)).collect();
    let more = match compared.symbols_left_out {
        0 => String::new(),
        more => format!("<p class=\"hint\">{more} more are in /api/v1/parity's counts.</p>\n"),
    };
    format!(
        "<section aria-labelledby=\"bars-head\"><h2 id=\"bars-head\">Bars of {}</h2>\n\
         <p class=\"hint\">✓ is the same, ✗ differs, a dot is not computed yet. A bar stands for \
         all that happened since the one before; ▲ and ▼ are its signals.</p>\n\
         <div class=\"wide\" role=\"region\" aria-label=\"Bars of the day\" tabindex=\"0\">\
         <table class=\"slots\"><thead><tr><th scope=\"col\">Symbol</th>{head}</tr></thead>\n\
         <tbody>{rows}</tbody></table></div>\n{more}</section>\n",
        Safe(day)
    )
}

fn row(compared: &Compared, lane: &Lane) -> String {
    let cells: String = compared.bars.iter().zip(&lane.bars).map(|(_, slot)| cell(slot)).collect();
    format!(
        "<tr data-key=\"{}\"><th scope=\"row\"><a href=\"/symbol/{}\">{}</a></th>{cells}</tr>\n",
        Safe(&lane.key),
        encoded(&lane.key),
        Safe(&lane.symbol)
    )
}

fn cell(slot: &Slot) -> String {
    let (sign, words) = match slot.verdict {
        "same" => ("✓", "same"),
        "differs" => ("✗", "differs"),
        _ => ("·", "not yet"),
    };
    let signal = match slot.signal.as_deref() {
        Some(signal) if signal.starts_with("BUY") => " ▲",
        Some(_) => " ▼",
        None => "",
    };
    let told = match (&slot.event, &slot.signal) {
        (_, Some(signal)) => format!("{words}, {signal}"),
        (None, _) if slot.verdict == "same" => format!("{words}, no bar"),
        _ => words.to_owned(),
    };
    let (verdict, told) = (slot.verdict, Safe(told));
    let inner = format!(
        "<span aria-hidden=\"true\">{sign}{signal}</span>\
         <span class=\"visually-hidden\">{told}</span>"
    );
    let inner = slot.differs_at.map_or_else(
        || inner.clone(),
        |seq| format!("<a href=\"/events?before={}\">{inner}</a>", seq + 1),
    );
    format!("<td class=\"slot {verdict}\" title=\"{told}\">{inner}</td>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_are_marked() {
        let marked = |text| marked(text, "signal A BUY 21 stop=1");
        assert_eq!(marked("signal A BUY 22 stop=1"), "signal A BUY <mark>22</mark> stop=1");
        assert_eq!(marked("signal A BUY 21 stop=1"), "signal A BUY 21 stop=1");
        let more = "signal A BUY 21 stop=1 <mark>target=&lt;2</mark>";
        assert_eq!(marked("signal A BUY 21 stop=1 target=<2"), more);
    }
}
