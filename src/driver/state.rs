//! The state of the core in its parts: as bytes for a checkpoint, as one hash per part, and field
//! by field where two states differ.
//!
//! A part is a component of the machine (aggregator, one indicator, strategy, broker, limits,
//! portfolio), of one instrument where it has one state for each.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::core::Core;
use crate::domain::event::RunStarted;
use crate::journal::Digest;
use crate::journal::buffer::Buffer;
use crate::journal::codec::{self, CodecError};

/// The state as bytes. Equal bytes are equal states.
///
/// # Panics
/// Never: the core's state is plain data, which always has a form.
pub fn encode(core: &Core) -> Vec<u8> {
    let mut bytes = Buffer::default();
    codec::encode_state(core, &mut bytes).expect("plain data");
    bytes.as_slice().to_vec()
}

/// The core in that state.
///
/// # Errors
/// When the bytes are not exactly what [`encode`] makes of some state.
pub fn decode(bytes: &[u8]) -> Result<Core, CodecError> {
    let core = codec::decode_state(bytes)?;
    if encode(&core) == bytes { Ok(core) } else { Err(CodecError::NotCanonical) }
}

/// A part of the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The component, such as `aggregator` or `indicator ema20`.
    pub component: String,
    /// The place of its instrument in the run's description, where it is of one.
    pub instrument: Option<usize>,
}

impl Part {
    /// The part in which the field at `path` lies. The paths are those of the core's structs.
    fn of(path: &[String]) -> Part {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let (component, instrument) = match words[..] {
            ["lanes", "lanes", place, ..] => ("aggregator".to_owned(), Some(place)),
            ["lanes", ..] => ("aggregator".to_owned(), None),
            ["strategy", "memory", _, place, name, ..] => {
                (format!("indicator {name}"), Some(place))
            }
            ["strategy", "lanes", place, ..] => ("strategy".to_owned(), Some(place)),
            ["strategy", ..] => ("strategy".to_owned(), None),
            ["broker", "rules", _, "slots", place, ..] => ("broker".to_owned(), Some(place)),
            ["broker", ..] => ("limits".to_owned(), None),
            ["portfolio", "holdings", place, ..] => ("portfolio".to_owned(), Some(place)),
            ["portfolio", ..] => ("portfolio".to_owned(), None),
            _ => ("core".to_owned(), None),
        };
        Part { component, instrument: instrument.and_then(|place| place.parse().ok()) }
    }

    /// The part in words, with the name of its instrument.
    pub fn name(&self, run: &RunStarted) -> String {
        match self.instrument.and_then(|place| run.instruments.get(place)) {
            Some(instrument) => format!("{} of {}", self.component, instrument.key),
            None => self.component.clone(),
        }
    }
}

/// A field of the state that has another value on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateField {
    /// In which part.
    pub part: Part,
    /// Its path from the core, such as `strategy.memory.Whole.0.ema20.value`.
    pub path: String,
    /// Its value on one side; `-` where there is none.
    pub want: String,
    /// Its value on the other.
    pub got: String,
}

impl fmt::Display for StateField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.path, self.want, self.got)
    }
}

/// Every leaf of the state with its path.
fn leaves(core: &Core) -> Vec<(Vec<String>, String)> {
    let tree = serde_json::to_value(core).expect("plain data");
    let mut leaves = Vec::new();
    walk(&tree, &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                walk(value, path, leaves);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                path.push(place.to_string());
                walk(value, path, leaves);
                path.pop();
            }
        }
        leaf => leaves.push((path.clone(), leaf.to_string())),
    }
}

/// Every field of the state as its path and its value.
pub fn lines(core: &Core) -> impl Iterator<Item = (String, String)> {
    leaves(core).into_iter().map(|(path, value)| (path.join("."), value))
}

/// BLAKE3 over each part's fields, a line `path=value` each.
pub fn hashes(core: &Core) -> BTreeMap<Part, Digest> {
    let mut hashers: BTreeMap<Part, blake3::Hasher> = BTreeMap::new();
    for (path, value) in leaves(core) {
        let line = format!("{}={value}\n", path.join("."));
        hashers.entry(Part::of(&path)).or_default().update(line.as_bytes());
    }
    let finish = |hasher: blake3::Hasher| Digest(*hasher.finalize().as_bytes());
    hashers.into_iter().map(|(part, hasher)| (part, finish(hasher))).collect()
}

/// The fields in which two states differ, in the order of their paths.
pub fn differences(want: &Core, got: &Core) -> Vec<StateField> {
    let sides = [want, got].map(|core| leaves(core).into_iter().collect::<BTreeMap<_, _>>());
    let [want, got] = &sides;
    let paths = want.keys().chain(got.keys().filter(|path| !want.contains_key(*path)));
    let text = |side: &BTreeMap<Vec<String>, String>, path: &Vec<String>| {
        side.get(path).cloned().unwrap_or_else(|| "-".to_owned())
    };
    let field = |path: &Vec<String>| StateField {
        part: Part::of(path),
        path: path.join("."),
        want: text(want, path),
        got: text(got, path),
    };
    let mut fields: Vec<StateField> =
        paths.map(field).filter(|field| field.want != field.got).collect();
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;

    #[test]
    fn a_state_goes_round_and_nothing_else_is_one() {
        let core = Core::new(&samples::run());
        let bytes = encode(&core);
        assert_eq!(encode(&decode(&bytes).unwrap()), bytes);
        assert!(decode(&bytes[1..]).is_err());
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn the_parts_are_those_that_people_know() {
        let run = samples::run();
        let names: Vec<String> =
            hashes(&Core::new(&run)).into_keys().map(|part| part.name(&run)).collect();
        insta::assert_snapshot!(names.join("\n"), @"
        aggregator
        aggregator of NSE_EQ|INE155A01022
        broker of NSE_EQ|INE155A01022
        indicator atr of NSE_EQ|INE155A01022
        indicator direction of NSE_EQ|INE155A01022
        indicator ema20 of NSE_EQ|INE155A01022
        indicator ema50 of NSE_EQ|INE155A01022
        indicator range of NSE_EQ|INE155A01022
        indicator score of NSE_EQ|INE155A01022
        indicator swings of NSE_EQ|INE155A01022
        indicator vwap of NSE_EQ|INE155A01022
        limits
        portfolio
        portfolio of NSE_EQ|INE155A01022
        strategy
        strategy of NSE_EQ|INE155A01022
        ");
    }

    #[test]
    fn a_field_that_differs_is_named_with_both_values() {
        let run = samples::run();
        let mut other = run.clone();
        other.config.strategy.swing_period += 1;
        let (one, other) = (Core::new(&run), Core::new(&other));
        let fields = differences(&one, &other);
        let line = |field: &StateField| format!("{} · {field}", field.part.name(&run));
        insta::assert_snapshot!(fields.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        strategy · strategy.config.swing_period: 5 6
        indicator swings of NSE_EQ|INE155A01022 · strategy.memory.Whole.0.swings.period: 5 6
        ");
        assert_eq!(differences(&one, &one), []);
    }
}
