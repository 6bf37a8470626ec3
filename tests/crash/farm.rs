//! Many runs on all cores, and what came of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use trials::bar;

use super::seed::Verdict;
use super::tally::Tally;

/// Violations that are kept; one is enough, some help to see what they share.
const SHOWN: usize = 10;
/// Runs that a thread takes at a time.
const CHUNK: u64 = 32;

/// What came of many runs.
#[derive(Default)]
pub struct Harvest {
    pub tally: Tally,
    /// How many runs went wrong, and the first of them by number.
    pub violations: u64,
    pub first: Vec<(u64, String)>,
}

impl Harvest {
    fn take(&mut self, number: u64, verdict: Verdict) {
        self.tally.add(&verdict.tally);
        if let Some(violation) = verdict.violation {
            self.violations += 1;
            self.first.push((number, violation));
            self.first.sort();
            self.first.truncate(SHOWN);
        }
    }

    fn join(&mut self, other: Harvest) {
        self.tally.add(&other.tally);
        self.violations += other.violations;
        self.first.extend(other.first);
        self.first.sort();
        self.first.truncate(SHOWN);
    }
}

/// Runs `count` runs from number `from` on; with `fail_fast` no more than it takes to see one fail.
pub fn harvest(
    from: u64,
    count: u64,
    threads: usize,
    fail_fast: bool,
    run: impl Fn(u64) -> Verdict + Sync,
) -> Harvest {
    let (taken, all) = (AtomicU64::new(0), Mutex::new(Harvest::default()));
    let bar = bar(count);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Harvest::default();
                loop {
                    let start = taken.fetch_add(CHUNK, Ordering::Relaxed);
                    if start >= count {
                        break;
                    }
                    if fail_fast && own.violations > 0 {
                        taken.store(count, Ordering::Relaxed);
                        break;
                    }
                    let end = (start + CHUNK).min(count);
                    (start..end).for_each(|number| own.take(from + number, run(from + number)));
                    bar.inc(end - start);
                }
                all.lock().expect("no thread panics while it holds the result").join(own);
            });
        }
    });
    bar.finish_and_clear();
    all.into_inner().expect("no thread panics while it holds the result")
}
