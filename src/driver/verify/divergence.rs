//! Where two accounts of a run first say different things, in the words of the tape: the event, its
//! fields on both sides, and the last event on which both agree.

use serde_json::Value;

use crate::domain::event::{Event, EventId, Input, Record, RunStarted};
use crate::domain::tape::{Names, write_event, write_record};
use crate::journal::codec;
use crate::journal::record::Kind;

/// What of an event differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Both have an event at that address, with other words.
    Differs,
    /// The first account lacks the event.
    Missing,
    /// The second account lacks the event.
    Extra,
}

impl Difference {
    /// One word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Difference::Differs => "differs",
            Difference::Missing => "missing",
            Difference::Extra => "extra",
        }
    }
}

/// A field that has another value on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name; a path with dots within a run's description.
    pub name: String,
    /// Its value in the first account, as on the tape.
    pub want: String,
    /// Its value in the second.
    pub got: String,
}

/// The first event on which two accounts do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Its address.
    pub id: EventId,
    /// Its kind in the account that has it, the first if both do.
    pub kind: &'static str,
    /// What of it differs.
    pub difference: Difference,
    /// The first account's event as a line of tape.
    pub want: Option<String>,
    /// The second's.
    pub got: Option<String>,
    /// The fields that differ, where both sides have the event.
    pub fields: Vec<Field>,
    /// The last event before it on which both agree, as a line of tape.
    pub last_equal: Option<String>,
}

impl Divergence {
    /// Compares what is left of one step after `last_equal`: the rest of it in the first account
    /// and in the second, each with the names of its instruments. `None` if neither has anything.
    ///
    /// Where one account lost an event, all that follow in the step have moved up by one; that is
    /// told from an event with other words by what stands where both have equally many left.
    pub fn of_step(
        last_equal: Option<&Record>,
        (want, want_names): (&[Record], &Names),
        (got, got_names): (&[Record], &Names),
    ) -> Option<Divergence> {
        let longer = want.len().max(got.len());
        let tail = |side: &'_ [Record]| longer - side.len();
        let moved = |from: &[Record], to: &[Record]| {
            let (first, later) = (from.first(), to.get(tail(from)));
            from.len() < to.len()
                && first.is_none_or(|it| later.is_some_and(|to| resembles(it, to)))
        };
        let (want, got, difference) = match (want.first(), got.first()) {
            (_, Some(event)) if moved(want, got) => (None, Some(event), Difference::Missing),
            (Some(event), _) if moved(got, want) => (Some(event), None, Difference::Extra),
            (want, got) => (want, got, Difference::Differs),
        };
        let event = want.or(got)?;
        let fields = match (want, got) {
            (Some(want), Some(got)) => fields((want, want_names), (got, got_names)),
            _ => Vec::new(),
        };
        Some(Divergence {
            id: event.id,
            kind: kind(event).schema().word,
            difference,
            want: want.map(|record| write_record(record, want_names)),
            got: got.map(|record| write_record(record, got_names)),
            fields,
            last_equal: last_equal.map(|record| write_record(record, want_names)),
        })
    }
}

/// Whether two records say the same, wherever they stand.
fn resembles(one: &Record, other: &Record) -> bool {
    write_event(&one.event, &Names::default()) == write_event(&other.event, &Names::default())
}

fn kind(record: &Record) -> Kind {
    match &record.event {
        Event::Input(input) => codec::input_kind(input),
        Event::Output(output) => codec::output_kind(output),
    }
}

/// The fields in which two records differ.
fn fields(
    (want, want_names): (&Record, &Names),
    (got, got_names): (&Record, &Names),
) -> Vec<Field> {
    let (want_kind, got_kind) = (kind(want).schema().word, kind(got).schema().word);
    let field = |name: &str, want: &dyn ToString, got: &dyn ToString| Field {
        name: name.to_owned(),
        want: want.to_string(),
        got: got.to_string(),
    };
    if want_kind != got_kind {
        return vec![field("kind", &want_kind, &got_kind)];
    }
    if let (Event::Input(Input::RunStarted(want)), Event::Input(Input::RunStarted(got))) =
        (&want.event, &got.event)
    {
        return run_fields(want, got);
    }
    let mut fields = Vec::new();
    if want.cause != got.cause {
        fields.push(field("cause", &want.cause, &got.cause));
    }
    let both = words(want, want_names).into_iter().zip(words(got, got_names));
    let both = both.filter(|((_, want), (_, got))| want != got);
    fields.extend(both.map(|((name, want), (_, got))| field(&name, &want, &got)));
    if fields.is_empty() {
        // Two instruments may share a name; their numbers are told apart.
        let numbers = Names::default();
        let both = words(want, &numbers).into_iter().zip(words(got, &numbers));
        let both = both.filter(|((_, want), (_, got))| want != got);
        fields.extend(both.map(|((name, want), (_, got))| field(&name, &want, &got)));
    }
    fields
}

/// A record's fields as name and value, in the order of the tape.
fn words(record: &Record, names: &Names) -> Vec<(String, String)> {
    let known = field_names(kind(record).schema().fields);
    let line = write_event(&record.event, names);
    let labelled = |word: &str| {
        let (name, value) = word.split_once('=')?;
        known.contains(&name).then(|| (name.to_owned(), value.to_owned()))
    };
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    let named: Vec<String> = words.iter().filter_map(|word| Some(labelled(word)?.0)).collect();
    let mut plain = known.iter().filter(|name| !named.iter().any(|named| named == *name));
    let of_word = |word: &&str| {
        labelled(word).unwrap_or_else(|| {
            (plain.next().copied().unwrap_or("value").to_owned(), (*word).to_owned())
        })
    };
    words.iter().map(of_word).collect()
}

/// The names in the registry's list of a kind's fields. A payload that is one value is a time.
fn field_names(fields: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    let mut tops = Vec::new();
    for word in fields.split_whitespace() {
        if depth == 0 {
            tops.push(word.split_once(':').map_or("time", |(name, _)| name));
        }
        depth += word.matches('{').count();
        depth -= word.matches('}').count();
    }
    tops
}

/// The fields in which two descriptions of runs differ, by their paths.
pub fn run_fields(want: &RunStarted, got: &RunStarted) -> Vec<Field> {
    let value = |run: &RunStarted| serde_json::to_value(run).expect("plain data is always JSON");
    let mut fields = Vec::new();
    differing("", Some(&value(want)), Some(&value(got)), &mut fields);
    fields
}

fn differing(path: &str, want: Option<&Value>, got: Option<&Value>, fields: &mut Vec<Field>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match (want, got) {
        (Some(Value::Object(want)), Some(Value::Object(got))) => {
            for name in want.keys().chain(got.keys().filter(|name| !want.contains_key(*name))) {
                differing(&below(name), want.get(name), got.get(name), fields);
            }
        }
        (Some(Value::Array(want)), Some(Value::Array(got))) => {
            for place in 0..want.len().max(got.len()) {
                differing(&below(&place.to_string()), want.get(place), got.get(place), fields);
            }
        }
        _ if want == got => {}
        _ => {
            let text = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_string);
            fields.push(Field { name: path.to_owned(), want: text(want), got: text(got) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::samples;

    fn record(id: &str, event: Event) -> Record {
        let id = EventId::parse(id).expect("an address");
        Record { id, cause: 0, received_ns: 0, event }
    }

    #[test]
    fn every_word_of_the_tape_has_the_name_of_its_field() {
        let names = |(kind, event): (Kind, Event)| {
            let words = words(&record("1.1", event), &Names::default());
            let words: Vec<String> = words.into_iter().map(|(name, _)| name).collect();
            format!("{}: {}", kind.schema().word, words.join(" "))
        };
        let all = samples().into_iter().filter(|(kind, _)| *kind != Kind::RunStarted).map(names);
        insta::assert_snapshot!(all.collect::<Vec<_>>().join("\n"), @"
        bar: instrument open_time open high low close volume
        tick: instrument time price quantity day_volume
        watermark: time
        command: time kind
        backfill: bar value value value value value value origin
        gap: instrument from to
        notice: time kind instrument detail value value value
        run-ended: time reason
        bar-1m: instrument open_time open high low close volume
        bar-15m: instrument open_time close_time open high low close volume minutes minutes_expected
        indicators: instrument open_time ema20 ema50 atr adx vwap vol_z swing_high swing_low
        signal: instrument bar_time time side kind price quantity stop target atr vwap_dist ema_slope atr_pct adx vol_z margins
        order: instrument time side quantity reason origin
        rejection: instrument time reason
        fill: instrument time side quantity price reason fee order origin
        position: instrument quantity cost realized cash
        halt: time reason day_profit
        session-ended: date gross fees equity
        bar-15m-revised: instrument open_time close_time open high low close volume minutes minutes_expected
        ");
    }

    #[test]
    fn a_description_is_compared_by_its_paths() {
        let run = samples().into_iter().find_map(|(_, event)| match event {
            Event::Input(Input::RunStarted(run)) => Some(*run),
            _ => None,
        });
        let run = run.expect("a sample of each kind");
        let mut other = run.clone();
        other.config.strategy.adx_gate = 30.5;
        other.instruments[0].listings[0].symbol = "TMPV".to_owned();
        other.data.clear();
        let fields = run_fields(&run, &other);
        let line = |field: &Field| format!("{}: {} {}", field.name, field.want, field.got);
        insta::assert_snapshot!(fields.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        config.strategy.adx_gate: 25.0 30.5
        data.0: {"blake3":"00ff","name":"a/2024-10.parquet"} -
        instruments.0.listings.0.symbol: "TATAMOTORS" "TMPV"
        "#);
        assert_eq!(run_fields(&run, &run), []);
    }
}
