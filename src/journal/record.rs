//! Which kinds of records there are, and the order in which they may stand.
//!
//! To add an event: give it a number here that was never used, then follow the compiler. A change
//! of fields is a new version of the kind; what was written once stays readable.

use thiserror::Error;

use crate::domain::event::EventId;

use super::digest::Digest;
use super::frame::{KIND_MAX, VERSION_MAX};

/// Numbers below this are inputs.
pub const FIRST_OUTPUT: u16 = 0x0100;
/// Numbers from here on belong to the format itself and are no events.
pub const FIRST_CONTROL: u16 = 0x03F0;
/// The frame at the end of a segment that was finished in order.
pub const SEAL: u16 = 0x03FE;
/// The frame that closes a batch.
pub const COMMIT: u16 = 0x03FF;

/// One row of the registry: how a kind looks on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The kind.
    pub kind: Kind,
    /// Version of the payload.
    pub version: u16,
    /// The tape's word.
    pub word: &'static str,
    /// The payload's fields in order, as `name:type`. `?` is an option, `[]` a list, `()` says what
    /// a packed number counts, `|` stands between two forms.
    pub fields: &'static str,
}

/// Declares the registry: number, version, word, fields.
macro_rules! registry {
    ($($kind:ident = $number:literal, $version:literal, $word:literal, $fields:expr;)+) => {
        /// What a record says, by its number on disk. Numbers are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "named and documented by the variants of Input and Output")]
        pub enum Kind { $($kind = $number,)+ }

        /// Every kind that can be written, in the order of numbers.
        pub const REGISTRY: &[Schema] = &[$(
            Schema { kind: Kind::$kind, version: $version, word: $word, fields: $fields },
        )+];

        impl Kind {
            /// How the kind looks on disk.
            pub const fn schema(self) -> Schema {
                match self { $(Kind::$kind => Schema {
                    kind: self, version: $version, word: $word, fields: $fields,
                },)+ }
            }

            /// The version of its payload.
            #[inline]
            pub const fn version(self) -> u16 {
                match self { $(Kind::$kind => $version,)+ }
            }

            /// The kind that is written under that number and version, if this program knows it.
            pub const fn known(number: u16, version: u16) -> Option<Kind> {
                match (number, version) {
                    $(($number, $version) => Some(Kind::$kind),)+
                    _ => None,
                }
            }
        }
    };
}

/// Packed where every value fits, see `codec/packed.rs`.
const BAR: &str = "instrument:u16 open_time:u32(minutes,steps) open:u32 high:u16(up) \
    low:u16(down) close:u16(up-from-low) volume:u32 | instrument:u16 open_time:i64 open:i64 \
    high:i64 low:i64 close:i64 volume:i64";

/// The same.
const BAR_15M: &str = "instrument:u16 open_time:u32(minutes,steps) close_time:u16(minutes-later) \
    open:u32 high:u16(up) low:u16(down) close:u16(up-from-low) volume:u32 minutes:u16 \
    minutes_expected:u16 | instrument:u16 open_time:i64 close_time:i64 open:i64 high:i64 low:i64 \
    close:i64 volume:i64 minutes:u32 minutes_expected:u32";

registry! {
    RunStarted = 0x0001, 1, "run-started", "core_version:u32 build:str \
        config:{strategy:{id:str profile:u8 bar_minutes:u32 swing_period:u32 reversion_k:f64 \
        adx_gate:f64 first_bar:u32 time_stop_bars:u32 risk_per_trade:i64 leverage:u32} \
        execution:{profile:u8 slippage_ticks:u32 entry_cutoff_minutes:u32 flatten_minutes:u32 \
        cooldown_bars:u32 enter_on_incomplete:bool trades_max:u32 capital:i64 daily_loss_max:i64 \
        position_max:i64 exposure_max:i64} fees:{name:str version:str periods:[{from:i32 brokerage_flat:i64 \
        brokerage_rate:i64 stt_buy:i64 stt_sell:i64 transaction:i64 ipft:i64 sebi:i64 \
        stamp_buy:i64 stamp_sell:i64 gst:i64 gst_on_ipft:bool gst_on_sebi:bool}]} \
        active_from:i64} instruments:[{key:str isin:str listings:[{from:i32 to:?i32 symbol:str \
        name:str tick:i64 lot:u32 closing_auction:bool}]}] calendar_version:str \
        sessions:[{date:i32 kind:u8 windows:[{open:i64 close:i64}] \
        auction_windows:[{open:i64 close:i64}] \
        own_hours:[{key:str windows:[{open:i64 close:i64}]}]}] data:[{name:str blake3:str}]";
    Bar = 0x0002, 1, "bar", BAR;
    Tick = 0x0003, 1, "tick", "instrument:u16 time:i64 price:i64 quantity:i64 \
        day_volume:i64";
    Watermark = 0x0004, 1, "watermark", "i64";
    Command = 0x0005, 1, "command", "time:i64 kind:u8";
    Backfill = 0x0006, 1, "backfill", "bar:{instrument:u16 open_time:i64 open:i64 high:i64 low:i64 \
        close:i64 volume:i64} origin:u8";
    Gap = 0x0007, 1, "gap", "instrument:u16 from:i64 to:i64";
    Notice = 0x0008, 1, "notice", "time:i64 kind:u8 instrument:?u16 detail:str";
    RunEnded = 0x000F, 1, "run-ended", "time:i64 reason:u8";
    Bar1m = 0x0101, 1, "bar-1m", BAR;
    Bar15m = 0x0102, 1, "bar-15m", BAR_15M;
    Indicators = 0x0103, 1, "indicators", "instrument:u16 open_time:i64 ema20:f64 ema50:f64 \
        atr:f64 adx:f64 vwap:f64 vol_z:f64 swing_high:?i64 swing_low:?i64";
    Signal = 0x0104, 1, "signal", "instrument:u16 bar_time:i64 time:i64 side:u8 kind:u8 price:i64 \
        quantity:i64 stop:i64 target:i64 atr:f64 vwap_dist:f64 ema_slope:f64 atr_pct:f64 adx:f64 \
        vol_z:f64 margins:[f64]";
    Order = 0x0105, 1, "order", "instrument:u16 time:i64 side:u8 quantity:i64 reason:u8 \
        origin:{bar_time:i64 side:u8 kind:u8}";
    Rejection = 0x0106, 1, "rejection", "instrument:u16 time:i64 reason:u8";
    Fill = 0x0107, 1, "fill", "order:{seq:u64 index:u32} instrument:u16 time:i64 side:u8 \
        quantity:i64 price:i64 fee:i64 reason:u8 origin:{bar_time:i64 side:u8 kind:u8}";
    Position = 0x0108, 1, "position", "instrument:u16 quantity:i64 cost:i64 realized:i64 cash:i64";
    Halt = 0x0109, 1, "halt", "time:i64 reason:u8 day_profit:i64";
    SessionEnded = 0x010A, 1, "session-ended", "date:i32 gross:i64 fees:i64 equity:i64";
    BarRevised = 0x010B, 1, "bar-15m-revised", BAR_15M;
}

/// Every kind and version fits into a frame's head.
const _: () = {
    let mut row = 0;
    while row < REGISTRY.len() {
        assert!(REGISTRY[row].kind as u16 != 0 && REGISTRY[row].version <= VERSION_MAX);
        row += 1;
    }
    assert!(COMMIT <= KIND_MAX);
};

impl Kind {
    /// The number on disk.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The kind of that tape word.
    pub fn from_word(word: &str) -> Option<Kind> {
        REGISTRY.iter().find(|schema| schema.word == word).map(|schema| schema.kind)
    }
}

impl Schema {
    /// The row as a line of text: `kind version word fields`.
    pub(super) fn line(&self) -> String {
        let Schema { kind, version, word, fields } = self;
        format!("{} {version} {word} {fields}\n", kind.number())
    }
}

/// BLAKE3 of the registry as text, one [`Schema`] a line.
pub fn registry_hash() -> Digest {
    let mut hasher = blake3::Hasher::new();
    for schema in REGISTRY {
        hasher.update(schema.line().as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

/// How a record's address breaks the order of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misplaced {
    /// A number was left out or came twice.
    #[error("expected input {expected} but found {found}")]
    Seq {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An output's index was left out or came twice, or it stands under another input.
    #[error("expected output {expected} but found {found}")]
    Index {
        /// The address that was due.
        expected: EventId,
        /// The address that came.
        found: EventId,
    },
    /// A cause must come before its effect.
    #[error("output {id} names {cause} as its cause, which is not before it")]
    Cause {
        /// The output.
        id: EventId,
        /// What it says caused it.
        cause: u32,
    },
    /// A journal begins with the description of its run.
    #[error("the first record must be run-started, and no other may be")]
    RunStarted,
    /// RunEnded is the last input.
    #[error("input {found} follows the end of the run")]
    AfterEnd {
        /// The number that came.
        found: u64,
    },
}

/// The law of order: inputs count from 0 without gaps, outputs from 1 without gaps under their
/// input, causes come first, RunStarted is the first record and no other, RunEnded the last input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbering {
    next_seq: u64,
    next_index: u32,
    ended: bool,
}

impl Numbering {
    /// Takes the next record, or says why it cannot stand here; then nothing has changed.
    ///
    /// # Errors
    /// The first rule that it breaks.
    #[inline]
    pub fn admit(&mut self, kind: u16, id: EventId, cause: u32) -> Result<(), Misplaced> {
        self.check(kind, id, cause)?;
        self.take(kind);
        Ok(())
    }

    /// Whether the record may stand here.
    ///
    /// # Errors
    /// The first rule that it breaks.
    #[inline]
    pub fn check(&self, kind: u16, id: EventId, cause: u32) -> Result<(), Misplaced> {
        if kind < FIRST_OUTPUT {
            if id.seq != self.next_seq {
                return Err(Misplaced::Seq { expected: self.next_seq, found: id.seq });
            }
            if (id.seq == 0) != (kind == Kind::RunStarted.number()) {
                return Err(Misplaced::RunStarted);
            }
            if self.ended {
                return Err(Misplaced::AfterEnd { found: id.seq });
            }
            return Ok(());
        }
        let Some(seq) = self.next_seq.checked_sub(1) else { return Err(Misplaced::RunStarted) };
        let expected = EventId { seq, index: self.next_index };
        if id != expected {
            return Err(Misplaced::Index { expected, found: id });
        }
        if cause >= id.index {
            return Err(Misplaced::Cause { id, cause });
        }
        Ok(())
    }

    /// Takes a record that was checked.
    #[inline]
    pub fn take(&mut self, kind: u16) {
        if kind < FIRST_OUTPUT {
            self.next_seq += 1;
            self.next_index = 1;
            self.ended = kind == Kind::RunEnded.number();
        } else {
            self.next_index += 1;
        }
    }

    /// The number that the next input must have: how many there were.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Event;
    use crate::domain::tape::{Names, write_event};
    use crate::journal::samples::{json, samples};

    #[test]
    fn the_registry_is_ascending_and_speaks_the_language_of_the_tape() {
        assert!(REGISTRY.windows(2).all(|pair| pair[0].kind < pair[1].kind));
        assert_eq!(samples().len(), REGISTRY.len(), "every kind has a sample");
        for (kind, event) in samples() {
            let line = write_event(&event, &Names::default());
            assert_eq!(line.split(' ').next(), Some(kind.schema().word));
            assert_eq!(kind.number() < FIRST_OUTPUT, matches!(event, Event::Input(_)));
            assert!(kind.number() < FIRST_CONTROL);
            assert_eq!(Kind::known(kind.number(), kind.schema().version), Some(kind));
            assert_eq!(Kind::from_word(kind.schema().word), Some(kind));
        }
        assert_eq!(Kind::known(1, 2), None);
    }

    /// The identifiers right before a colon, without their quotes.
    fn names(text: &str) -> Vec<&str> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = text.split(':').map(|part| part.trim_end_matches('"'));
        let mut names: Vec<&str> = before
            .map(|part| part.rfind(|c| !is_name(c)).map_or(part, |place| &part[place + 1..]))
            .collect();
        names.pop();
        names
    }

    #[test]
    fn the_field_lists_name_the_fields_of_the_structs_in_order() {
        for (kind, event) in samples() {
            let json = json(&event);
            for form in kind.schema().fields.split(" | ") {
                assert_eq!(names(form), names(&json), "{kind:?}");
            }
        }
    }

    /// Every row that was ever released. A line is added when a kind or a version is; none is ever
    /// changed or taken away.
    const PINNED: &str = include_str!("../../tests/fixtures/registry.txt");

    /// Kind, version, and the whole line with its end.
    fn pinned() -> Vec<(u16, u16, &'static str)> {
        let lines = PINNED.split_inclusive('\n');
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).unwrap();
        lines
            .map(|line| {
                let mut words = line.split(' ');
                (number(words.next()), number(words.next()), line)
            })
            .collect()
    }

    #[test]
    fn fields_do_not_change_without_a_new_version() {
        let pinned = pinned();
        for schema in REGISTRY {
            let (kind, version, line) = (schema.kind.number(), schema.version, schema.line());
            let mut rows = pinned.iter().filter(|row| (row.0, row.1) == (kind, version));
            let Some((.., row)) = rows.next() else {
                panic!("a new row; add this line to tests/fixtures/registry.txt:\n{line}");
            };
            let next = version + 1;
            assert_eq!(
                line, *row,
                "{:?} version {version} lies on disks with other fields, and these could not be \
                 read any more: leave them, give the kind version {next}, and see the head of \
                 codec.rs",
                schema.kind
            );
            assert!(rows.next().is_none(), "{:?} version {version} is pinned twice", schema.kind);
        }
    }

    #[test]
    fn what_was_written_once_can_be_read() {
        let pinned = pinned();
        assert!(pinned.len() >= REGISTRY.len());
        for (kind, version, line) in pinned {
            assert!(Kind::known(kind, version).is_some(), "nobody reads any more: {line}");
        }
    }

    #[test]
    fn the_registry_hash_changes_only_with_the_registry() {
        insta::assert_snapshot!(registry_hash().short(), @"58ce24eb8853");
    }

    #[test]
    fn order_is_kept_to_the_letter() {
        let (run, bar, fill, end) = (1, 2, 0x107, 15);
        let at = |seq, index| EventId { seq, index };
        let mut numbering = Numbering::default();
        assert_eq!(numbering.admit(bar, at(0, 0), 0), Err(Misplaced::RunStarted));
        assert_eq!(numbering.admit(fill, at(0, 1), 0), Err(Misplaced::RunStarted));
        assert_eq!(numbering.admit(run, at(0, 0), 0), Ok(()));
        assert_eq!(numbering.admit(run, at(1, 0), 0), Err(Misplaced::RunStarted));
        assert_eq!(numbering.admit(bar, at(1, 0), 0), Ok(()));
        assert_eq!(
            numbering.admit(bar, at(1, 0), 0),
            Err(Misplaced::Seq { expected: 2, found: 1 })
        );
        assert_eq!(
            numbering.admit(fill, at(1, 2), 0),
            Err(Misplaced::Index { expected: at(1, 1), found: at(1, 2) })
        );
        let loops = Misplaced::Cause { id: at(1, 1), cause: 1 };
        assert_eq!(numbering.admit(fill, at(1, 1), 1), Err(loops));
        assert_eq!(numbering.admit(fill, at(1, 1), 0), Ok(()));
        assert_eq!(numbering.admit(fill, at(1, 2), 1), Ok(()));
        assert_eq!(numbering.admit(end, at(2, 0), 0), Ok(()));
        assert_eq!(numbering.admit(fill, at(2, 1), 0), Ok(()));
        assert_eq!(numbering.admit(bar, at(3, 0), 0), Err(Misplaced::AfterEnd { found: 3 }));
        assert_eq!(numbering.next_seq(), 3);
    }
}
