//! What a terminal needs: bars that show progress only where somebody looks, numbers grouped the
//! Indian way, and lines that end quietly when the reader goes away.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};

use crate::domain::money::{Cash, UNITS_PER_RUPEE};
use crate::golden::render::Paint;

use super::exit::Exit;
use super::failure::Failure;

/// Whether what goes to stdout is coloured: on a terminal, unless `NO_COLOR` says no.
pub fn stdout_paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !refused { Paint::Ansi } else { Paint::Plain }
}

/// A bar on stderr over `steps` steps, which are `what` in the plural; hidden where stderr is no
/// terminal.
pub fn progress(label: &'static str, steps: u64, what: &str) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let style =
        ProgressStyle::with_template(&format!("   {{msg:<8}} {{bar:24}} {{pos}}/{{len}} {what}"))
            .expect("the template is well formed")
            .progress_chars("██░");
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
    bar.with_style(style).with_message(label)
}

/// The bar that stands at the end of stderr, if one does: what is said goes above it.
static SHOWN: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// Writes to stdout. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// When stdout cannot be written for another reason.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, "failed to write to stdout").because(error))
        }
        _ => Ok(()),
    }
}

/// Writes to stderr, above a bar that is shown there. Where nobody can hear it there is nobody to
/// tell that either.
pub fn say(text: impl std::fmt::Display) {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || drop(writeln!(io::stderr().lock(), "{text}"));
    match shown.and_then(|bar| bar.upgrade()) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Columns that a fact takes at most, and those that it takes however narrow the terminal is.
const WIDTH: usize = 100;
const WIDTH_MIN: usize = 60;

/// One fact behind its label. Where it is longer than a line, it goes on below itself, broken at a
/// dot between its parts.
pub fn fact(label: &str, fact: &str) -> String {
    // Where stdout is no terminal its lines have one length, for whoever compares them.
    let columns = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns.into());
    fact_within(columns.clamp(WIDTH_MIN, WIDTH), label, fact)
}

fn fact_within(columns: usize, label: &str, fact: &str) -> String {
    const INDENT: usize = 12;
    let mut text = format!("   {label:<8} ");
    let mut column = INDENT;
    let mut parts = fact.split(" · ").enumerate().peekable();
    while let Some((place, part)) = parts.next() {
        let width = part.chars().count();
        // Where more follows, there has to be room for the dot that says so.
        let dot = if parts.peek().is_some() { 2 } else { 0 };
        if place > 0 && column + 3 + width + dot > columns {
            text.push_str(" ·\n");
            text.push_str(&" ".repeat(INDENT));
            column = INDENT;
        } else if place > 0 {
            text.push_str(" · ");
            column += 3;
        }
        text.push_str(part);
        column += width;
    }
    text.push('\n');
    text
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

/// An amount to the paisa with Indian grouping: ₹ -1,23,456.78.
pub fn rupees(amount: Cash) -> String {
    let per_paisa = UNITS_PER_RUPEE.unsigned_abs() / 100;
    let paise = (amount.0.unsigned_abs() + per_paisa / 2) / per_paisa;
    let sign = if amount.0 < 0 && paise > 0 { "-" } else { "" };
    format!("₹ {sign}{}.{:02}", grouped(paise / 100), paise % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_fact_goes_on_below_itself() {
        let long = ["a part of thirty-one characters"; 4].join(" · ");
        let part = "a part of thirty-one characters";
        assert_eq!(
            fact_within(WIDTH, "Label", &long),
            format!("   Label    {part} · {part} ·\n            {part} · {part}\n")
        );
        let narrow = format!("   Label    {part} ·\n            {part}\n");
        assert_eq!(fact_within(WIDTH_MIN, "Label", &[part; 2].join(" · ")), narrow);
        assert_eq!(fact("Short", "a · b"), "   Short    a · b\n");
        for columns in WIDTH_MIN..=WIDTH {
            let text = fact_within(columns, "Label", &["eleven char"; 12].join(" · "));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}: {text}");
        }
    }

    #[test]
    fn lakhs_and_crores() {
        assert_eq!(
            [0, 999, 1_000, 99_999, 1_234_567, 123_456_789].map(grouped).join(" "),
            "0 999 1,000 99,999 12,34,567 12,34,56,789"
        );
        assert_eq!(rupees(Cash::parse("-123456.785").expect("an amount")), "₹ -1,23,456.79");
        assert_eq!(rupees(Cash(-49)), "₹ 0.00");
    }
}
