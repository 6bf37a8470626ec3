//! The only place that reads a clock: for the date of an acceptance, for how long a run took, and
//! for the stamps of a durable journal. Nothing that anything is computed from comes from here.
#![expect(clippy::disallowed_methods, reason = "time that people see has to be read somewhere")]

use std::sync::LazyLock;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time::Timestamp;
use crate::journal::writer::Stamp;

/// What the machine's clock shows.
pub fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_microsecond())
}

/// The moment that a header of HTTP names, as in `Tue, 24 Nov 2026 22:32:47 GMT`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    parsed.ok().map(|time| Timestamp(time.as_microsecond()))
}

/// A stopwatch that starts now.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// What the clocks show, for a commit. Where a clock is not to be had it shows 0.
pub fn stamp() -> Stamp {
    let wall_ns = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0);
    let mono = clock_gettime(ClockId::Monotonic);
    let mono_ns = mono.tv_sec.saturating_mul(1_000_000_000).saturating_add(mono.tv_nsec);
    Stamp { wall_ns, mono_ns, boot_id: *BOOT_ID }
}

/// The boot that the monotonic clock counts from.
static BOOT_ID: LazyLock<[u8; 16]> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).map_or([0; 16], u128::to_be_bytes)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        let at = Timestamp::parse("2026-11-25T04:02:47").unwrap();
        assert_eq!(http_date("Tue, 24 Nov 2026 22:32:47 GMT"), Some(at));
        assert_eq!(http_date("yesterday"), None);
    }
}
