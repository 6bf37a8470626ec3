//! What simulations share. They are a package of their own, so that they are compiled against the
//! library as users have it: one release build serves them and the program.

use std::any::Any;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::panic;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use libtest_mimic::{Failed, Trial};

/// What comes first when a simulation is not run as a test.
const SIMULATE: &str = "simulate";

/// The words behind `simulate`, with that one in the place of the program's name; none when this is
/// run as a test.
#[must_use]
pub fn simulated() -> Option<Vec<OsString>> {
    let typed: Vec<_> = std::env::args_os().skip(1).collect();
    (typed.first()? == SIMULATE).then_some(typed)
}

/// A test that fails by an assertion.
#[must_use]
pub fn trial(name: &str, test: fn()) -> Trial {
    let run = move || panic::catch_unwind(test).map_err(|panic| Failed::from(words_of(&*panic)));
    Trial::test(name, run)
}

/// What a panic says.
#[must_use]
pub fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// How long it takes is for people to read.
#[expect(clippy::disallowed_methods, reason = "how long it takes is for people to read")]
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

/// How far many runs are; nothing where nobody looks.
///
/// # Panics
/// Never: the template is one.
#[must_use]
pub fn bar(count: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
    ProgressBar::new(count).with_style(style.expect("the template is one"))
}
