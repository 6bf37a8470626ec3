//! What stands on disks, and that nothing else is taken for it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::event::Record;
use crate::domain::money::{Price, Qty};
use crate::domain::steps::{PAISA, Ways};
use crate::domain::tape::{Names, read_record, write_record};
use crate::domain::time::MINUTE_US;
use crate::journal::arbitrary::journal;
use crate::journal::record::REGISTRY;
use crate::journal::samples::{self, samples};

fn encode(event: &Event) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Buffer::default();
    match event {
        Event::Input(input) => encode_input(input, &mut bytes)?,
        Event::Output(output) => encode_output(output, &mut bytes)?,
    }
    Ok(bytes.as_slice().to_vec())
}

fn kind(event: &Event) -> Kind {
    match event {
        Event::Input(input) => input_kind(input),
        Event::Output(output) => output_kind(output),
    }
}

/// Hexadecimal, 40 bytes a line.
fn hex(bytes: &[u8]) -> String {
    let row = |row: &[u8]| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.chunks(40).map(row).collect::<Vec<_>>().join("\n")
}

/// What is on disks today must be readable for ever: a change here needs a new version.
#[test]
fn every_kind_and_version_has_its_golden_bytes() {
    let mut golden = BTreeMap::new();
    for (kind, event) in samples() {
        let bytes = encode(&event).unwrap();
        let version = kind.schema().version;
        golden
            .insert((kind, version), format!("{} {version}\n{}", kind.schema().word, hex(&bytes)));
        assert_eq!(decode(kind, &bytes, &mut Buffer::default()), Ok(event));
    }
    assert_eq!(golden.len(), REGISTRY.len());
    let lines: Vec<String> = golden.into_values().collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn only_the_canonical_bytes_are_an_event() {
    let mut scratch = Buffer::default();
    for (kind, event) in samples() {
        let bytes = encode(&event).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode(kind, &bytes[..cut], &mut scratch).is_err(), "{kind:?} cut at {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode(kind, &longer, &mut scratch), Err(CodecError::Trailing(1)));
    }
}

#[test]
fn a_bar_is_packed_wherever_it_can_be_and_has_no_other_form() {
    let bar = samples::bar();
    let (just, paisa) = (i64::from(u32::MAX), i64::from(PAISA));
    let flat = |price: i64| {
        let [open, high, low, close] = [Price(price); 4];
        Bar { open, high, low, close, volume: Qty(just), ..bar }
    };
    let far = |way: i64| Bar { high: Price(paisa + way), ..flat(paisa) };
    let off_the_minute = Timestamp(bar.open_time.0 + 1);
    let cases = [
        (bar, 20),
        (flat(just), 20),
        (flat(just + 1), 50),
        (Bar { volume: Qty(just + 1), ..bar }, 50),
        (far(65_535 * paisa), 20),
        (far(65_536 * paisa), 50),
        (far(65_535), 20),
        (far(65_537), 50),
        (Bar { open_time: off_the_minute, ..bar }, 50),
        (Bar { open_time: Timestamp(-60_000_000), ..bar }, 50),
    ];
    for (bar, len) in cases {
        let mut bytes = Buffer::default();
        plain::put_bar(&bar, &mut bytes);
        assert_eq!(bytes.len(), len, "{bar:?}");
        assert_eq!(get_bar(bytes.as_slice()), Ok(bar));
    }
    let refuse = |put: &dyn Fn(&mut Buffer) -> Result<(), CodecError>| {
        let mut bytes = Buffer::default();
        put(&mut bytes).unwrap();
        let read = decode(Kind::Bar, bytes.as_slice(), &mut Buffer::default());
        assert_eq!(read, Err(CodecError::NotCanonical));
    };
    refuse(&|out| put(&bar, out));
    // In units, though it is flat and could be in paise.
    let in_units = PackedBar::of(&far(1)).unwrap();
    refuse(&|out| put(&PackedBar { ways: Ways::default(), ..in_units }, out));
}

#[test]
fn a_strategy_bar_is_packed_wherever_it_can_be_and_has_no_other_form() {
    let bar = samples::strategy_bar();
    let ending = |time: i64| Bar15m { close_time: Timestamp(bar.open_time.0 + time), ..bar };
    let cases = [
        (bar, 26),
        (Bar15m { high: Price(bar.high.0 + 1), ..bar }, 26),
        (Bar15m { high: Price(i64::from(u32::MAX)), ..bar }, 66),
        (ending(65_535 * MINUTE_US), 26),
        (ending(65_536 * MINUTE_US), 66),
        (ending(1), 66),
        (ending(-MINUTE_US), 66),
        (Bar15m { minutes: 65_536, ..bar }, 66),
        (Bar15m { minutes_expected: 65_536, ..bar }, 66),
    ];
    for (bar, len) in cases {
        let mut bytes = Buffer::default();
        plain::put_bar_15m(&bar, &mut bytes);
        assert_eq!(bytes.len(), len, "{bar:?}");
        assert_eq!(get_bar_15m(bytes.as_slice()), Ok(bar));
    }
    let mut wide = Buffer::default();
    put(&bar, &mut wide).unwrap();
    let read = decode(Kind::Bar15m, wide.as_slice(), &mut Buffer::default());
    assert_eq!(read, Err(CodecError::NotCanonical));
}

#[test]
fn lengths_in_a_payload_are_not_believed() {
    let signal = |(kind, _): &(Kind, Event)| *kind == Kind::Signal;
    let (kind, event) = samples().into_iter().find(signal).unwrap();
    let mut bytes = encode(&event).unwrap();
    let count = bytes.len() - 3 * 8 - 8;
    bytes[count..count + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(decode(kind, &bytes, &mut Buffer::default()), Err(CodecError::Layout(_))));
}

#[test]
fn what_cannot_be_is_neither_written_nor_read() {
    let bad = |event| encode(&event).unwrap_err().to_string();
    let bar = Bar { high: Price(1), ..samples::bar() };
    assert_eq!(bad(Event::Input(Input::Bar(bar))), "a bar or tick that cannot be: ohlc-order");
    let tick = Tick { price: Price(0), ..samples::tick() };
    let price = "a bar or tick that cannot be: price-out-of-range";
    assert_eq!(bad(Event::Input(Input::Tick(tick))), price);
    let mut run = samples::run();
    run.config.strategy.adx_gate = f64::NAN;
    let run = Event::Input(Input::RunStarted(Box::new(run)));
    assert_eq!(bad(run), "adx_gate is not a finite number");
    for (kind, event) in samples() {
        let Event::Output(Output::Indicators(row)) = event else { continue };
        let odd = Indicators { vwap: -f64::from_bits(NAN_BITS), ..row };
        assert_eq!(bad(Event::Output(Output::Indicators(odd))), "vwap is not a finite number");
        let mut bytes = encode(&Event::Output(Output::Indicators(row))).unwrap();
        bytes[10..18].copy_from_slice(&f64::INFINITY.to_le_bytes());
        let read = decode(kind, &bytes, &mut Buffer::default());
        assert_eq!(read, Err(CodecError::NotFinite("ema20")));
    }
}

#[test]
fn a_description_that_is_too_long_is_refused() {
    let mut run = samples::run();
    run.build = "x".repeat(PAYLOAD_MAX);
    let error = encode_run_started(&run, &mut Buffer::default()).unwrap_err();
    assert!(matches!(error, CodecError::TooLong { .. }));
    let rest = encode(&samples()[0].1).unwrap().len() - samples::run().build.len();
    run.build = "x".repeat(PAYLOAD_MAX - rest);
    let event = Event::Input(Input::RunStarted(Box::new(run)));
    let bytes = encode(&event).unwrap();
    assert_eq!(bytes.len(), PAYLOAD_MAX);
    assert_eq!(decode(Kind::RunStarted, &bytes, &mut Buffer::default()), Ok(event));
}

/// The same structs for wincode, the drop-in replacement: it must make the same bytes.
mod mirror {
    use wincode::{SchemaRead, SchemaWrite};

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct Packed {
        pub instrument: u16,
        pub minute_and_open: [u32; 2],
        pub up_down_close: [u16; 3],
        pub volume: u32,
    }

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct Bar {
        pub instrument: u16,
        pub times_and_prices: [i64; 5],
        pub volume: i64,
    }

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct Fill {
        pub order: (u64, u32),
        pub instrument: u16,
        pub time: i64,
        pub side: u8,
        pub quantity_price_fee: [i64; 3],
        pub reason: u8,
        pub origin: (i64, u8, u8),
    }

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct Indicators {
        pub instrument: u16,
        pub open_time: i64,
        pub values: [f64; 6],
        pub swing_high: Option<i64>,
        pub swing_low: Option<i64>,
    }

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct Signal {
        pub instrument: u16,
        pub times: [i64; 2],
        pub side: u8,
        pub kind: u8,
        pub prices: [i64; 4],
        pub doubles: [f64; 6],
        pub margins: Vec<f64>,
    }

    #[derive(Debug, PartialEq, SchemaWrite, SchemaRead)]
    pub struct DataHash {
        pub name: String,
        pub blake3: String,
    }
}

/// The minute of a packed bar and its ways, by plain division.
fn by_the_book(bar: &Bar) -> Option<(u32, [u16; 3])> {
    let Bar { open_time, open, high, low, close, volume, .. } = *bar;
    let whole = |value: i64, unit: i64| (value % unit == 0).then_some(value / unit);
    let minute = u32::try_from(whole(open_time.0, 60_000_000)?).ok()?;
    let flag: u32 = 1 << 31;
    [open.0, volume.0].iter().all(|it| u32::try_from(*it).is_ok()).then_some(())?;
    let ways = [high.0 - open.0, open.0 - low.0, close.0 - low.0];
    let in_steps = |step: i64| {
        let steps = ways.map(|way| whole(way, step).and_then(|steps| u16::try_from(steps).ok()));
        Some([steps[0]?, steps[1]?, steps[2]?])
    };
    let in_units = || in_steps(1).map(|ways| (minute | flag, ways));
    (minute < flag).then_some(())?;
    in_steps(100).map(|ways| (minute, ways)).or_else(in_units)
}

/// The bytes that wincode makes of the same values, for the kinds that have a mirror.
fn by_wincode(event: &Event) -> Option<Vec<u8>> {
    let bytes = match event {
        Event::Input(Input::Bar(bar)) => {
            let Bar { instrument, open_time, open, high, low, close, volume } = *bar;
            match by_the_book(bar) {
                Some((minute, up_down_close)) => wincode::serialize(&mirror::Packed {
                    instrument: instrument.0,
                    minute_and_open: [minute, open.0 as u32],
                    up_down_close,
                    volume: volume.0 as u32,
                }),
                None => wincode::serialize(&mirror::Bar {
                    instrument: instrument.0,
                    times_and_prices: [open_time.0, open.0, high.0, low.0, close.0],
                    volume: volume.0,
                }),
            }
        }
        Event::Output(Output::Fill(fill)) => wincode::serialize(&mirror::Fill {
            order: (fill.order.seq, fill.order.index),
            instrument: fill.instrument.0,
            time: fill.time.0,
            side: fill.side.tag(),
            quantity_price_fee: [fill.quantity.0, fill.price.0, fill.fee.0],
            reason: fill.reason.tag(),
            origin: (fill.origin.bar_time.0, fill.origin.side.tag(), fill.origin.kind.tag()),
        }),
        Event::Output(Output::Indicators(row)) => wincode::serialize(&mirror::Indicators {
            instrument: row.instrument.0,
            open_time: row.open_time.0,
            values: [row.ema20, row.ema50, row.atr, row.adx, row.vwap, row.vol_z],
            swing_high: row.swing_high.map(|price| price.0),
            swing_low: row.swing_low.map(|price| price.0),
        }),
        Event::Output(Output::Signal(signal)) => wincode::serialize(&mirror::Signal {
            instrument: signal.instrument.0,
            times: [signal.bar_time.0, signal.time.0],
            side: signal.side.tag(),
            kind: signal.kind.tag(),
            prices: [signal.price.0, signal.quantity.0, signal.stop.0, signal.target.0],
            doubles: [
                signal.atr,
                signal.vwap_dist,
                signal.ema_slope,
                signal.atr_pct,
                signal.adx,
                signal.vol_z,
            ],
            margins: signal.margins.clone(),
        }),
        Event::Input(Input::RunStarted(run)) => {
            let rows = run.data.iter().map(|hash| mirror::DataHash {
                name: hash.name.clone(),
                blake3: hash.blake3.clone(),
            });
            wincode::serialize(&rows.collect::<Vec<_>>())
        }
        _ => return None,
    };
    Some(bytes.unwrap())
}

#[test]
fn wincode_makes_the_same_bytes_of_the_samples() {
    let with_mirror = samples().iter().filter(|(_, event)| by_wincode(event).is_some()).count();
    assert_eq!(with_mirror, 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bars and watermarks have a short cut, which says of all bytes what the long way says.
    #[test]
    fn the_short_cut_reads_what_the_long_way_reads(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        records in journal(8),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut scratch = Buffer::default();
        let mut payloads = vec![bytes];
        for record in records {
            let mut bytes = encode(&record.event).unwrap();
            payloads.push(bytes.clone());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            payloads.push(bytes);
        }
        for (kind, payload) in payloads.iter().flat_map(|it| {
            [Kind::Bar, Kind::Watermark].map(|kind| (kind, it))
        }) {
            let long = decode_by_fields(kind, payload, &mut scratch);
            prop_assert_eq!(decode(kind, payload, &mut scratch), long);
        }
    }

    #[test]
    fn every_record_goes_round_as_bytes_and_as_text(records in journal(8)) {
        let mut scratch = Buffer::default();
        for record in records {
            let bytes = encode(&record.event).unwrap();
            let event = decode(kind(&record.event), &bytes, &mut scratch).unwrap();
            prop_assert_eq!(&event, &record.event);
            if let Some(other) = by_wincode(&event) {
                // Of a run's description only the last field has a mirror.
                prop_assert!(bytes.ends_with(&other));
                prop_assert!(bytes.len() == other.len() || kind(&event) == Kind::RunStarted);
            }
            let line = write_record(&record, &Names::default());
            let read = read_record(&line, &Names::default());
            prop_assert_eq!(read, Ok(Record { received_ns: 0, ..record }), "{}", line);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut scratch = Buffer::default();
        for schema in REGISTRY {
            if let Ok(event) = decode(schema.kind, &bytes, &mut scratch) {
                prop_assert_eq!(encode(&event).unwrap(), bytes.clone());
            }
        }
    }
}
