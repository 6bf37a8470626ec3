//! The explanation of differences on trial: known faults are planted by seeds into lists of signals
//! and into runs, and what explains differences has to name each. It is shown results alone: the
//! list or the two runs, never what was planted or where. What plants and what explains share the
//! rules of the strategy and nothing that decides.
//!
//! - `stretch` the ground on which faults are planted
//! - `rows` faults of a list of signals
//! - `runs` faults of a run: data, settings, commands

mod rows;
mod runs;
mod stretch;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::domain::config::Profile;
use crate::driver::align::align_with;
use crate::driver::align::runs::Runs;
use crate::driver::align::trials::{Lived, Trials};
use crate::driver::align::world::{Told, World};
use crate::golden::align::class::Class;
use crate::sources::synthetic::dice::Dice;

use stretch::Stretch;

/// Stretches of a case that faults are planted on, at most.
const STRETCHES_MAX: usize = 8;
/// How often a fault that changes nothing is drawn anew.
const DRAWS_MAX: u64 = 40;

/// What a fault is planted into.
#[derive(Clone, Copy)]
enum Plant {
    Rows(rows::Plant),
    /// Rows of some months.
    LongRows(rows::Plant),
    Run(runs::Plant),
    /// A run of the live path.
    LivePath(runs::Plant),
    /// A run whose golden was edited by hand.
    Edited,
}

/// Every kind of fault with the class that has to be found.
const PLANTS: [(Class, &str, Plant); 33] = [
    (Class::LookAhead, "bars of the future", Plant::Rows(rows::look_ahead)),
    (Class::SwingRule, "unfinished swings", Plant::Rows(rows::swing_rule)),
    (Class::WindowLength, "a window", Plant::Rows(rows::window)),
    (Class::WarmUp, "rows of a later history", Plant::Rows(rows::late_history)),
    (Class::WarmUp, "a run with less history", Plant::Run(runs::short_history)),
    (Class::SecondEvent, "second rows of a bar", Plant::Rows(rows::second_event)),
    (Class::Cooldown, "rows of who trades", Plant::Rows(rows::cooldown)),
    (Class::Cooldown, "another cooldown", Plant::Run(runs::cooldown)),
    (Class::Limits, "so many rows a day", Plant::Rows(rows::day_cap)),
    (Class::Limits, "a list to the hundredth fill", Plant::LongRows(rows::lifetime_cap)),
    (Class::Limits, "a limit or a command", Plant::Run(runs::limit)),
    (Class::Limits, "a kill by fills or drawdown", Plant::LivePath(runs::killed)),
    (Class::PartialBar, "rows of unfinished bars", Plant::Rows(rows::cut_bars)),
    (Class::PartialBar, "a bar without its end", Plant::Run(runs::cut_bar)),
    (Class::Label, "rows a bar off", Plant::Rows(rows::shifted_rows)),
    (Class::Label, "minutes by the other end", Plant::Run(runs::other_ends)),
    (Class::Configuration, "rows of another setting", Plant::Rows(rows::configured)),
    (Class::Configuration, "another setting", Plant::Run(runs::configured)),
    (Class::Sizing, "rows of another size", Plant::Rows(rows::sized)),
    (Class::Sizing, "another size", Plant::Run(runs::sized)),
    (Class::DataGap, "minutes lost", Plant::Run(runs::lost_minutes)),
    (Class::DataRevision, "minutes revised", Plant::Run(runs::revised)),
    (Class::FeedVolume, "volumes of another feed", Plant::Run(runs::other_volumes)),
    (Class::Calendar, "rows at night", Plant::Rows(rows::closed_hours)),
    (Class::Calendar, "a day lost", Plant::Run(runs::lost_day)),
    (Class::Instrument, "rows of another company", Plant::Rows(rows::other_company)),
    (Class::Instrument, "rows on another scale", Plant::Rows(rows::adjusted)),
    (Class::Instrument, "days of another company", Plant::Run(runs::other_company)),
    (Class::Instrument, "a split", Plant::Run(runs::split)),
    (Class::Coverage, "a list cut off", Plant::Rows(rows::cut_list)),
    (Class::Coverage, "a run cut off", Plant::Run(runs::short_run)),
    (Class::Unexplained, "rows tampered with", Plant::Rows(rows::tampered)),
    (Class::Unexplained, "a golden edited", Plant::Edited),
];

/// What became of one fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Differences by class.
    pub classes: BTreeMap<Class, usize>,
    /// Witnesses that were named.
    pub witnesses: usize,
    /// Those that were made again and removed their difference.
    pub vanished: usize,
}

impl Found {
    /// Differences in all.
    pub fn differences(&self) -> usize {
        self.classes.values().sum()
    }

    /// The class of most differences; none where two have as many.
    pub fn class(&self) -> Option<Class> {
        let most = self.classes.values().max()?;
        let mut of_most = self.classes.iter().filter(|(_, count)| *count == most);
        match (of_most.next(), of_most.next()) {
            (Some((class, _)), None) => Some(*class),
            _ => None,
        }
    }
}

/// A fault that was planted, and what was found.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What has to be found.
    pub class: Class,
    /// What was planted, in words.
    pub name: &'static str,
    /// The seed that plants it again.
    pub draw: u64,
    /// What was found.
    pub found: Found,
}

/// What the trial came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every fault.
    pub faults: Vec<Fault>,
    /// Draws that changed nothing, so that there was nothing to explain.
    pub without_effect: usize,
    /// Faults that could not be planted in any of their draws.
    pub barren: Vec<(Class, &'static str)>,
    /// Faults that were not tried, since the history is too short to show them.
    pub skipped: Vec<(Class, &'static str)>,
    /// Lists and runs that nothing was planted into.
    pub untouched: usize,
    /// Differences that were found in those.
    pub untouched_differences: usize,
}

/// Plants at least `per_class` faults of every class on stretches of `world`, and as many lists and
/// runs without any fault.
pub fn plant(world: &World, per_class: usize, seed: u64) -> Report {
    let grounds = Grounds {
        stretches: stretch::of_world(world, per_class.min(STRETCHES_MAX)),
        long: stretch::long_of_world(world, per_class),
    };
    if grounds.stretches.is_empty() {
        return Report::default();
    }
    type Plants = Vec<&'static (Class, &'static str, Plant)>;
    let (plants, skipped): (Plants, Plants) =
        PLANTS.iter().partition(|(.., plant)| grounds.can_show(*plant));
    let kinds = |class: Class| plants.iter().filter(|(of, ..)| *of == class).count();
    let tasks = plants.iter().flat_map(|plant| {
        let count = per_class.div_ceil(kinds(plant.0));
        (0..count as u64).map(move |number| (plant, number))
    });
    let tasks: Vec<_> = tasks.collect();
    let done: Vec<_> =
        tasks.par_iter().map(|(plant, number)| draw(&grounds, plant, seed, *number)).collect();
    let skipped = skipped.into_iter().map(|(class, name, _)| (*class, *name)).collect();
    let mut report = Report { skipped, ..Report::default() };
    for ((class, name, _), (fault, vain)) in tasks.iter().map(|(plant, _)| **plant).zip(done) {
        report.without_effect += vain;
        match fault {
            Some(fault) => report.faults.push(fault),
            None => report.barren.push((*class, name)),
        }
    }
    let clean = (0..per_class).into_par_iter().map(|number| untouched(&grounds.stretches, number));
    let clean: Vec<usize> = clean.collect();
    report.untouched = clean.len();
    report.untouched_differences = clean.iter().sum();
    report
}

/// What faults are planted on.
struct Grounds {
    stretches: Vec<Stretch>,
    long: Vec<Stretch>,
}

impl Grounds {
    /// The stretches of a kind of fault.
    fn of(&self, plant: Plant) -> &[Stretch] {
        match plant {
            Plant::LongRows(_) => &self.long,
            Plant::Rows(_) | Plant::Run(_) | Plant::LivePath(_) | Plant::Edited => &self.stretches,
        }
    }

    /// Whether the history is long enough for a fault to show.
    fn can_show(&self, plant: Plant) -> bool {
        let comes_so_far = |stretch: &Stretch| {
            (0..stretch.ground.bars.len()).any(|at| rows::hundredth_fill(stretch, at).is_some())
        };
        !matches!(plant, Plant::LongRows(_)) || self.long.iter().any(comes_so_far)
    }
}

/// Draws a fault until it changes something, and has it explained.
fn draw(
    grounds: &Grounds,
    (class, name, plant): &(Class, &'static str, Plant),
    seed: u64,
    number: u64,
) -> (Option<Fault>, usize) {
    let stretches = grounds.of(*plant);
    for attempt in 0..DRAWS_MAX {
        let draw = number * DRAWS_MAX + attempt;
        let mut dice = Dice::new(seed.wrapping_add(draw), name, "fault");
        let stretch = &stretches[dice.below(stretches.len() as u32) as usize];
        let found = match plant {
            Plant::Rows(plant) | Plant::LongRows(plant) => {
                plant(stretch, &mut dice).map(|planted| of_rows(stretch, &planted))
            }
            Plant::Run(plant) => {
                let clean = (&stretch.world, &stretch.told);
                plant(stretch, &mut dice).map(|world| of_runs(clean, &world, dice.chance(500)))
            }
            Plant::LivePath(plant) => {
                let clean = (&stretch.live_path.0, &stretch.live_path.1);
                plant(stretch, &mut dice).map(|world| of_runs(clean, &world, dice.chance(500)))
            }
            Plant::Edited => Some(of_edited(stretch, &mut dice)),
        };
        if let Some(found) = found.filter(|found| found.differences() > 0) {
            let fault = Fault { class: *class, name, draw, found };
            return (Some(fault), attempt as usize);
        }
    }
    (None, DRAWS_MAX as usize)
}

fn of_rows(stretch: &Stretch, (profile, golden): &rows::Planted) -> Found {
    let lived = Lived::of_rule(&stretch.ground, *profile);
    let aligned = align_with(&stretch.ground, &lived, golden);
    // Made again by somebody who has not heard of the first time.
    let trials = Trials::new(&stretch.ground, &lived, golden);
    let mut found = Found::default();
    for one in &aligned.explained {
        *found.classes.entry(one.class).or_default() += 1;
        found.witnesses += usize::from(one.witness.is_some());
        found.vanished += usize::from(trials.vanishes(one));
    }
    found
}

/// The untouched run against the other; as golden or as live.
fn of_runs(clean: (&World, &Told), world: &World, is_golden: bool) -> Found {
    let told = world.ask();
    match is_golden {
        true => explained((world, &told), clean),
        false => explained(clean, (world, &told)),
    }
}

fn explained(golden: (&World, &Told), live: (&World, &Told)) -> Found {
    let runs = Runs::new((golden.0, &golden.1.book), live).expect("they have the same symbols");
    let causes = runs.explain().expect("there is something to compare");
    let mut found = Found {
        witnesses: causes.iter().filter(|cause| !cause.witness.is_empty()).count(),
        vanished: runs.made_again(&causes).expect("they were compared before"),
        ..Found::default()
    };
    for cause in &causes {
        *found.classes.entry(cause.class).or_default() += 1;
    }
    found
}

/// A golden in which one cell of a signal is another.
fn of_edited(stretch: &Stretch, dice: &mut Dice) -> Found {
    let mut edited = stretch.told.clone();
    let rows = &mut edited.book.signals.rows;
    let place = dice.below(rows.len() as u32) as usize;
    if dice.chance(300) {
        rows.remove(place);
    } else {
        let column = 6 + dice.below(4) as usize;
        let cells = rows[place].cells.iter().enumerate();
        rows[place].cells = cells
            .map(|(at, cell)| if at == column { format!("{cell}1") } else { cell.to_owned() })
            .collect();
    }
    explained((&stretch.world, &edited), (&stretch.world, &stretch.told))
}

/// Differences where nothing was planted.
fn untouched(stretches: &[Stretch], number: usize) -> usize {
    let stretch = &stretches[number / 4 % stretches.len()];
    let of_rule = |profile| of_rows(stretch, &rows::untouched(stretch, profile)).differences();
    let of_run = |clean: (&World, &Told)| {
        let apart = usize::from(clean.0.ask().signals != clean.1.signals);
        apart + of_runs(clean, clean.0, false).differences()
    };
    match number % 4 {
        0 => of_rule(Profile::Causal),
        1 => of_rule(Profile::CompatLive),
        2 => of_run((&stretch.world, &stretch.told)),
        _ => of_run((&stretch.live_path.0, &stretch.live_path.1)),
    }
}
