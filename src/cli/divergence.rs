//! The first event on which two accounts of a run do not agree, in words: for `lockstep verify` and
//! for `lockstep diff --only events`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::driver::verify::divergence::{Divergence, Field};

/// Longest line of tape that is shown whole, in characters. Only a run's description is longer.
const LINE_MAX: usize = 400;

/// What the two accounts are called.
pub type Sides = [&'static str; 2];

/// The event as a heading, both its lines, and one line for each field that differs.
pub fn block(divergence: &Divergence, what: &str, place: &str, sides: Sides) -> String {
    let Divergence { id, kind, want, got, fields, last_equal, .. } = divergence;
    let mut text = format!("error: {what}\n  --> {place}, event {id} ({kind})\n   |\n");
    let width = sides.map(str::len).into_iter().max().unwrap_or_default();
    for (side, line) in sides.into_iter().zip([want, got]) {
        let line = line.as_deref().map_or("nothing".to_owned(), shortened);
        writeln!(text, "   | {side:width$}  {line}").expect("a String takes everything");
    }
    text += "   |\n";
    text += &described(fields, sides);
    if let Some(line) = last_equal {
        text += &reason(&format!("last equal event: {}", shortened(line)));
    }
    text
}

/// One line for each field.
pub fn described(fields: &[Field], [a, b]: Sides) -> String {
    let line = |Field { name, want, got }: &Field| {
        reason(&format!("{name}: {a} {}, {b} {}", shortened(want), shortened(got)))
    };
    fields.iter().map(line).collect()
}

/// The command that shows an input of a run, with what followed from it and what was before.
pub fn cat(run: &Path, seq: u64) -> String {
    let from = seq.saturating_sub(1);
    format!("`lockstep journal cat {} --from {from} --to {seq}`", run.display())
}

/// A reason as it stands below an error.
pub fn reason(text: &str) -> String {
    format!("   = {text}\n")
}

/// The divergence as an object; `sides` name its two values.
pub fn as_json(divergence: &Divergence, [a, b]: Sides) -> Value {
    let Divergence { id, kind, difference, want, got, fields, last_equal } = divergence;
    json!({
        "event": id.to_string(),
        "seq": id.seq,
        "index": id.index,
        "kind": kind,
        "difference": difference.word(),
        a: want,
        b: got,
        "fields": fields_json(fields, [a, b]),
        "last_equal": last_equal,
    })
}

/// Fields as objects.
pub fn fields_json(fields: &[Field], [a, b]: Sides) -> Vec<Value> {
    let object = |Field { name, want, got }: &Field| json!({ "field": name, a: want, b: got });
    fields.iter().map(object).collect()
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((cut, _)) => format!("{} …", &line[..cut]),
        None => line.to_owned(),
    }
}
