//! What the stretches of a session took, quiet and watched, and where the slowest hundredth's time
//! went.

use std::fs;
use std::time::Duration;

/// What an acknowledgement took, and how much of it went by waiting for a core. The rest is the
/// disk's and the run's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Took {
    pub all: Duration,
    pub waiting: Duration,
}

impl Took {
    const fn all(&self) -> Duration {
        self.all
    }
}

/// One stretch of the session.
pub struct Stretch {
    pub is_watched: bool,
    pub took: Vec<Took>,
    pub memory_mb: f64,
}

pub fn memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1_024.0
}

/// In ms.
pub fn percentile<T>(sorted: &[T], share: f64, of: fn(&T) -> Duration) -> f64 {
    let place = ((sorted.len() - 1) as f64 * share).round() as usize;
    of(&sorted[place]).as_secs_f64() * 1_000.0
}

pub fn report(stretches: &[Stretch]) {
    println!(
        "{:<11} {:>5} {:>7} {:>7} {:>7} {:>15} {:>7}",
        "stretch", "acks", "p50 ms", "p99 ms", "max ms", "tail for a core", "RSS MB"
    );
    let mut sides = [Vec::new(), Vec::new()];
    for one in stretches.iter().filter(|one| !one.took.is_empty()) {
        let mut took = one.took.clone();
        took.sort_unstable();
        line(if one.is_watched { "watched" } else { "quiet" }, &took, one.memory_mb);
        sides[usize::from(one.is_watched)].extend(took);
    }
    sides.iter_mut().for_each(|side| side.sort_unstable());
    let [quiet, watched] = &sides;
    if quiet.is_empty() || watched.is_empty() {
        println!(
            "load: the session was too short for both kinds of stretches: nothing is compared"
        );
        return;
    }
    line("all quiet", quiet, f64::NAN);
    line("all watched", watched, f64::NAN);
    println!(
        "load: journal acknowledgement p99 {:.2} ms watched, {:.2} ms quiet: ratio {:.2}",
        percentile(watched, 0.99, Took::all),
        percentile(quiet, 0.99, Took::all),
        percentile(watched, 0.99, Took::all) / percentile(quiet, 0.99, Took::all)
    );
}

fn line(name: &str, took: &[Took], memory_mb: f64) {
    println!(
        "{name:<11} {:>5} {:>7.2} {:>7.2} {:>7.2} {:>13.0} % {memory_mb:>7.1}",
        took.len(),
        percentile(took, 0.5, Took::all),
        percentile(took, 0.99, Took::all),
        percentile(took, 1.0, Took::all),
        100.0 * tail_waiting(took)
    );
}

/// Which share of the slowest hundredth's time went by waiting for a core.
fn tail_waiting(sorted: &[Took]) -> f64 {
    let tail = &sorted[(sorted.len() - 1) * 99 / 100..];
    let sum = |of: fn(&Took) -> Duration| tail.iter().map(of).sum::<Duration>().as_secs_f64();
    sum(|took| took.waiting) / sum(|took| took.all)
}
