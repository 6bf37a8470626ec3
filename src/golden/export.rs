//! A comparison as JSON and CSV, for programs. Keys and columns are part of the interface. Times
//! are given in IST and in UTC.

use serde_json::{Value, json};

use crate::domain::event::EventId;
use crate::domain::time::{IST_OFFSET_US, Timestamp};

use super::compare::{Approved, Comparison, Difference, DifferenceKind};
use super::exceptions::{Exception, fact};
use super::render::Labels;

/// The comparison as JSON, with at most `diffs_max` differences and as many approved ones;
/// `differences_total` and `approved_total` count all.
pub fn json(comparison: &Comparison, labels: &Labels, diffs_max: usize) -> Value {
    let tables = comparison.counts.iter().map(|counts| {
        let value = json!({
            "equal": counts.equal, "golden": counts.golden, "replay": counts.replay,
        });
        (counts.table.name().to_string(), value)
    });
    let listed = comparison.differences.iter().take(diffs_max);
    json!({
        "same": comparison.is_same(),
        "same_inputs": comparison.same_inputs,
        "golden_is_intact": comparison.golden_is_intact,
        "golden": labels.golden,
        "replay": labels.replay,
        "place": labels.place.display().to_string(),
        "tables": tables.collect::<serde_json::Map<String, Value>>(),
        "differences_total": comparison.differences.len(),
        "differences": listed.map(difference).collect::<Vec<Value>>(),
        "last_equal": comparison.last_equal.as_ref().map(|last| json!({
            "table": last.table.name(),
            "line": last.line,
            "time": last.time.to_string(),
            "time_utc": utc(last.time),
            "key": last.key,
            "event": event(last.event),
        })),
        "minute_behind": comparison.minute_behind.as_ref().map(|minute| json!({
            "time": minute.open_time.to_string(),
            "time_utc": utc(minute.open_time),
            "what": minute.trace.words(labels.golden, labels.replay),
        })),
        "approved_total": comparison.approved.len(),
        "approved": comparison.approved.iter().take(diffs_max).map(approved).collect::<Vec<_>>(),
        "exception_faults": comparison.exception_faults,
        "notes": comparison.notes,
    })
}

fn approved(Approved { exception, .. }: &Approved) -> Value {
    let Exception { fact, reason, by, expires } = exception;
    json!({ "fact": fact, "reason": reason, "by": by, "expires": expires })
}

fn difference(difference: &Difference) -> Value {
    let fields = match &difference.kind {
        DifferenceKind::Fields(fields) => fields.as_slice(),
        DifferenceKind::Missing | DifferenceKind::Extra => &[],
    };
    let fields = fields
        .iter()
        .map(|field| json!({ "name": field.name, "golden": field.golden, "replay": field.replay }));
    let columns = difference.table.columns().iter().map(ToString::to_string);
    let cells = difference.cells.iter().map(Value::from);
    json!({
        "table": difference.table.name(),
        "line": difference.line,
        "kind": difference.kind.word(),
        "time": difference.time.to_string(),
        "time_utc": utc(difference.time),
        "known": difference.known.to_string(),
        "known_utc": utc(difference.known),
        "key": difference.key,
        "event": event(difference.event),
        "row": columns.zip(cells).collect::<serde_json::Map<String, Value>>(),
        "fields": fields.collect::<Vec<Value>>(),
        "fact": fact(difference),
    })
}

fn event(id: EventId) -> Value {
    if id == EventId::NONE { Value::Null } else { Value::String(id.to_string()) }
}

/// The instant on a clock in Greenwich, marked with `Z`.
fn utc(time: Timestamp) -> String {
    format!("{}Z", time.plus_us(-IST_OFFSET_US))
}

/// The differences as CSV: one row for each field that differs, and one for each row that only one
/// side has.
pub fn csv(comparison: &Comparison, diffs_max: usize) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let into_memory = "writing CSV into memory cannot fail: all rows have the same columns";
    let columns = ["table", "line", "kind", "time", "key", "field", "golden", "replay"];
    writer.write_record(columns).expect(into_memory);
    for difference in comparison.differences.iter().take(diffs_max) {
        let (line, time) = (difference.line.to_string(), difference.time.to_string());
        let mut row = |field: &str, golden: &str, replay: &str| {
            let (table, kind) = (difference.table.name(), difference.kind.word());
            let cells = [table, &line, kind, &time, &difference.key, field, golden, replay];
            writer.write_record(cells).expect(into_memory);
        };
        match &difference.kind {
            DifferenceKind::Missing | DifferenceKind::Extra => row("", "", ""),
            DifferenceKind::Fields(fields) => {
                fields.iter().for_each(|field| row(field.name, &field.golden, &field.replay));
            }
        }
    }
    let bytes = writer.into_inner().expect(into_memory);
    String::from_utf8(bytes).expect("all cells are text")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::compare::compare;
    use super::super::fixture::{facts, folded, price};
    use super::*;

    fn two_differences() -> Comparison {
        let (golden, mut facts) = (facts().book(), facts());
        facts.signals[0].price = price("975.00");
        facts.fills.pop();
        compare(&golden, &folded(&facts.run, &facts.steps())).unwrap()
    }

    fn as_json() -> Value {
        let place = Path::new("golden/sample");
        let (golden, replay) = ("golden", "replay");
        let labels = Labels { place, has_files: true, golden, replay, help: &[] };
        json(&two_differences(), &labels, 1)
    }

    #[test]
    fn a_difference_as_json() {
        let json = as_json();
        insta::assert_snapshot!(format!("{:#}", json["differences"]), @r#"
        [
          {
            "event": "135.5",
            "fact": "signals 2024-11-04T09:30 NSE_EQ|INE155A01022 BUY TREND: price 974.50 -> 975.00",
            "fields": [
              {
                "golden": "974.50",
                "name": "price",
                "replay": "975.00"
              }
            ],
            "key": "NSE_EQ|INE155A01022",
            "kind": "field",
            "known": "2024-11-04T09:45",
            "known_utc": "2024-11-04T04:15Z",
            "line": 2,
            "row": {
              "adx": "33.333333333333336",
              "atr": "12.5",
              "atr_pct": "0.012827090815802977",
              "ema_slope": "0.0000001",
              "key": "NSE_EQ|INE155A01022",
              "known": "2024-11-04T09:45",
              "margins": "9.6;0.1;2;0.05",
              "price": "974.50",
              "quantity": "40",
              "side": "BUY",
              "signal_id": "b1ee9b5dedb542a9a8c0f68b1536beb4",
              "stop": "962.00",
              "symbol": "TATAMOTORS",
              "target": "999.50",
              "time": "2024-11-04T09:30",
              "type": "TREND",
              "vol_z": "0",
              "vwap_dist": "0.001"
            },
            "table": "signals",
            "time": "2024-11-04T09:30",
            "time_utc": "2024-11-04T04:00Z"
          }
        ]
        "#);
    }

    #[test]
    fn what_stands_around_the_differences_as_json() {
        let mut json = as_json();
        json["differences"].take();
        insta::assert_snapshot!(format!("{json:#}"), @r#"
        {
          "approved": [],
          "approved_total": 0,
          "differences": null,
          "differences_total": 2,
          "exception_faults": [],
          "golden": "golden",
          "golden_is_intact": true,
          "last_equal": {
            "event": "135.3",
            "key": "NSE_EQ|INE155A01022",
            "line": 5,
            "table": "bars_15m",
            "time": "2024-11-04T09:30",
            "time_utc": "2024-11-04T04:00Z"
          },
          "minute_behind": {
            "time": "2024-11-04T09:44",
            "time_utc": "2024-11-04T04:14Z",
            "what": "close 1063.41"
          },
          "notes": [],
          "place": "golden/sample",
          "replay": "replay",
          "same": false,
          "same_inputs": true,
          "tables": {
            "bars_15m": {
              "equal": 6,
              "golden": 6,
              "replay": 6
            },
            "fills": {
              "equal": 1,
              "golden": 2,
              "replay": 1
            },
            "signals": {
              "equal": 0,
              "golden": 1,
              "replay": 1
            }
          }
        }
        "#);
    }

    #[test]
    fn as_csv() {
        insta::assert_snapshot!(csv(&two_differences(), 9), @"
        table,line,kind,time,key,field,golden,replay
        signals,2,field,2024-11-04T09:30,NSE_EQ|INE155A01022,price,974.50,975.00
        fills,3,missing,2024-11-04T09:53,NSE_EQ|INE155A01022,,,
        ");
    }
}
