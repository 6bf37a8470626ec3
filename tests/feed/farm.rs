//! Many days on all cores, and what came of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use indicatif::ProgressBar;
use rayon::prelude::*;
use trials::{bar, words_of};

use crate::judge::{Tally, WEATHERS, judge};
use crate::scene::{DAYS, Scene};

/// Violations that are kept; one is enough, some help to see what they share.
const SHOWN: usize = 10;

/// What came of many days.
#[derive(Default)]
pub struct Harvest {
    /// By place among the weathers.
    pub tallies: BTreeMap<usize, Tally>,
    /// How many days went wrong, and the first of them by seed.
    pub violations: u64,
    pub first: Vec<(u64, String)>,
}

impl Harvest {
    fn join(mut self, other: Harvest) -> Harvest {
        for (weather, tally) in &other.tallies {
            self.tallies.entry(*weather).or_default().add(tally);
        }
        self.violations += other.violations;
        self.first.extend(other.first);
        self.first.sort();
        self.first.truncate(SHOWN);
        self
    }

    /// All weathers together.
    pub fn whole(&self) -> Tally {
        let mut whole = Tally::default();
        self.tallies.values().for_each(|tally| whole.add(tally));
        whole
    }
}

/// Which weather a seed has.
pub const fn weather(seed: u64) -> usize {
    (seed % WEATHERS.len() as u64) as usize
}

/// Which history a seed has, and on which day of the calendar.
pub fn scene(seed: u64) -> (u64, &'static str) {
    let history = seed / WEATHERS.len() as u64;
    (history, DAYS[(history % DAYS.len() as u64) as usize].0)
}

/// Lives the days of these seeds on `threads` threads, or as many as there are cores.
///
/// # Errors
/// When there are no threads to be had.
pub fn harvest(
    seeds: Range<u64>,
    threads: Option<usize>,
) -> Result<Harvest, rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build()?;
    let bar = bar(seeds.end.saturating_sub(seeds.start));
    let width = WEATHERS.len() as u64;
    let histories: Vec<u64> = (seeds.start / width..seeds.end.div_ceil(width)).collect();
    let harvest = pool.install(|| {
        let one = |history: &u64| one_history(*history, &seeds, &bar);
        histories.par_iter().map(one).reduce(Harvest::default, Harvest::join)
    });
    bar.finish_and_clear();
    Ok(harvest)
}

/// One history in each of its weathers.
fn one_history(history: u64, seeds: &Range<u64>, bar: &ProgressBar) -> Harvest {
    let width = WEATHERS.len() as u64;
    let mine = (history * width..(history + 1) * width).filter(|seed| seeds.contains(seed));
    let mut harvest = Harvest::default();
    let (drawn_from, date) = scene(history * width);
    let set = catch_unwind(|| Scene::new(date, drawn_from));
    for seed in mine {
        let lived = match &set {
            Ok(set) => guarded(|| judge(set, weather(seed), seed)),
            Err(panic) => Err(words_of(&**panic).to_owned()),
        };
        match lived {
            Ok(tally) => harvest.tallies.entry(weather(seed)).or_default().add(&tally),
            Err(why) => {
                harvest.violations += 1;
                harvest.first.push((seed, why));
            }
        }
        bar.inc(1);
    }
    harvest
}

/// A panic is a violation like any other and is told with its seed.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words_of(&*panic).to_owned())
}
