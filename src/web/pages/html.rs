//! Text that is safe in a page, and the frame around every page.

use std::fmt::{self, Display};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::web::Mode;
use crate::web::api::Refused;
use crate::web::app::App;

/// Text with everything escaped that means something in HTML.
pub struct Safe<T>(pub T);

impl<T: Display> Display for Safe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A part of an address, such as a key with its bar.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// A page before its frame.
pub struct Page<'a> {
    /// What the tab says.
    pub title: &'a str,
    /// Which entry of the navigation it belongs to.
    pub place: &'a str,
    /// Its script, besides the one of all pages.
    pub script: Option<&'a str>,
    /// Scripts and styles of others that it needs.
    pub vendor: &'a [&'a str],
    /// What stands in it.
    pub body: String,
}

const PLACES: [(&str, &str); 5] = [
    ("/scanner", "Scanner"),
    ("/events", "Events"),
    ("/runs", "Runs"),
    ("/parity", "Parity"),
    ("/health", "Health"),
];

/// The page in its frame.
pub fn framed(app: &App, page: &Page<'_>) -> Response {
    let text = document(app, page);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn document(app: &App, page: &Page<'_>) -> String {
    let mode = app.options.mode;
    let tone = match mode {
        Mode::Paper => "paper",
        Mode::Replay => "replay",
        Mode::Live => "live",
    };
    let asset = |name: &str| app.assets.url(name);
    let mut head = String::new();
    for name in page.vendor {
        let url = asset(name);
        head += &match name.ends_with(".css") {
            true => format!("<link rel=\"stylesheet\" href=\"{url}\">\n"),
            false => format!("<script src=\"{url}\" defer></script>\n"),
        };
    }
    if let Some(script) = page.script {
        head += &format!("<script type=\"module\" src=\"{}\"></script>\n", asset(script));
    }
    let places: String = PLACES
        .iter()
        .map(|(url, name)| {
            let current = if *url == page.place { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"{url}\"{current}>{name}</a>")
        })
        .collect();
    let token = match app.options.control {
        Some(_) => format!("<meta name=\"lockstep-token\" content=\"{}\">\n", app.token.text()),
        None => String::new(),
    };
    let (style, script) = (asset("style.css"), asset("app.js"));
    let (title, band, body) = (Safe(page.title), Safe(mode.band()), &page.body);
    format!(
        "<!doctype html>\n<html lang=\"en\" data-mode=\"{tone}\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"dark light\">\n\
         {token}<title>{title} · Lockstep {mode}</title>\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n\
         <script src=\"{script}\"></script>\n{head}</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to content</a>\n\
         <div class=\"band {tone}\" role=\"note\">{band}</div>\n\
         <header class=\"top\"><nav aria-label=\"Pages\">{places}</nav>\n\
         <button type=\"button\" id=\"theme\" class=\"quiet\" title=\"Dark or light\" hidden>Theme</button>\n\
         </header>\n<main id=\"main\">\n{body}</main>\n\
         <footer class=\"foot\">Read from the journal on this machine. \
         Charts: TradingView Lightweight Charts™ (Apache 2.0), uPlot (MIT).</footer>\n\
         </body>\n</html>\n",
        mode = mode.word(),
    )
}

/// A page that says why there is none.
pub fn refused(app: &App, refused: &Refused) -> Response {
    let body = format!(
        "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"/scanner\">Back to the scanner</a></p>\n",
        if refused.status == StatusCode::NOT_FOUND { "Not there" } else { "Not shown" },
        Safe(&refused.why)
    );
    let page = Page { title: "Not there", place: "", script: None, vendor: &[], body };
    (refused.status, framed(app, &page)).into_response()
}

/// An amount of rupees with Indian grouping: -1,23,456.78.
pub fn rupees(amount: f64) -> String {
    let paise = (amount.abs() * 100.0).round() as u64;
    let sign = if amount < 0.0 && paise > 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", grouped(paise / 100), paise % 100)
}

/// A count with Indian grouping: 12,34,567.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    let mut text = String::new();
    for (place, digit) in head.chars().enumerate() {
        if place > 0 && (head.len() - place).is_multiple_of(2) {
            text.push(',');
        }
        text.push(digit);
    }
    if !head.is_empty() {
        text.push(',');
    }
    text + tail
}

/// A class that colours an amount by its sign. The sign itself is text.
pub fn tone(amount: f64) -> &'static str {
    match amount {
        amount if amount > 0.0 => "num up",
        amount if amount < 0.0 => "num down",
        _ => "num",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_journal_becomes_markup() {
        let text = Safe("<script>\"a\" & 'b'</script>").to_string();
        assert_eq!(text, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
        assert_eq!(encoded("NSE_EQ|INE155A01022"), "NSE_EQ%7CINE155A01022");
        assert_eq!(encoded("../a b"), "..%2Fa%20b");
    }

    #[test]
    fn amounts_are_grouped_the_indian_way() {
        assert_eq!(rupees(-123_456.785), "-1,23,456.79");
        assert_eq!([0.0, -0.001, 5.5].map(rupees), ["0.00", "0.00", "5.50"]);
    }
}
