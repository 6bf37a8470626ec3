//! Tables and numbers of a run's page. A number comes out of the document by its path, which stands
//! beside it.

use serde_json::Value;

use crate::cli::terminal::rupees;
use crate::domain::money::Cash;
use crate::web::pages::Safe;

pub(super) fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", Safe(title))
}

/// A table; on a narrow screen it scrolls by itself, with keys too. A heading that begins with `#`
/// stands over numbers. `rows` is markup.
pub(super) fn table(header: &[&str], rows: &str) -> String {
    let heading = |name: &&str| match name.strip_prefix('#') {
        Some(name) => format!("<th scope=\"col\" class=\"num\">{name}</th>"),
        None => format!("<th scope=\"col\">{name}</th>"),
    };
    let header: String = header.iter().map(heading).collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n\
         <thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

pub(super) fn money(amount: Cash, path: &str) -> String {
    let tone = match amount.0.signum() {
        1 => "num up",
        -1 => "num down",
        _ => "num",
    };
    format!("<td class=\"{tone}\"{path}>{}</td>", rupees(amount))
}

/// The document, whose numbers are shown by their path.
pub(super) struct Document<'a>(pub &'a Value);

impl Document<'_> {
    fn words(&self, path: &str) -> Option<String> {
        match self.0.pointer(path)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn cell(&self, path: &str, show: impl Fn(String) -> String) -> String {
        match self.words(path) {
            Some(words) => {
                format!("<td class=\"num\" data-path=\"{path}\">{}</td>", Safe(show(words)))
            }
            None => "<td class=\"num\">–</td>".to_owned(),
        }
    }

    /// An amount of rupees, to the paisa.
    pub(super) fn amount(&self, path: &str) -> String {
        match self.words(path).as_deref().and_then(Cash::parse) {
            Some(amount) => money(amount, &format!(" data-path=\"{path}\"")),
            None => self.cell(path, |words| words),
        }
    }

    /// An amount that is neither good nor bad.
    pub(super) fn fee(&self, path: &str) -> String {
        self.cell(path, |words| Cash::parse(&words).map_or(words, rupees))
    }

    pub(super) fn count(&self, path: &str) -> String {
        self.cell(path, |words| words)
    }

    /// A share, to a tenth of a percent.
    pub(super) fn percent(&self, path: &str) -> String {
        let show = |words: String| match words.parse::<f64>() {
            Ok(percent) => format!("{percent:.1} %"),
            Err(_) => words,
        };
        self.cell(path, show)
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.cell(path, |words| words)
    }

    pub(super) fn span(&self, path: &str) -> String {
        let words = self.words(path).unwrap_or_default();
        format!("<span data-path=\"{path}\">{}</span>", Safe(words))
    }
}
