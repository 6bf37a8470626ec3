//! Known faults, one of each kind: what explains differences names them, every witness removes its
//! difference when it is made again, and where nothing was planted nothing is found.
//! `cargo xtask faults` plants a hundred of every class.

use lockstep::driver::align::world::World;
use lockstep::driver::case::Case;
use lockstep::driver::check::faults::plant;
use lockstep::driver::plan::{DateRange, Request};
use lockstep::driver::replay::Replay;
use lockstep::golden::align::class::Class;
use lockstep::golden::compare::compare;
use lockstep::sources::market::Market;

use crate::desk::repository;

#[test]
fn every_kind_of_fault_is_named() {
    let case = Case::load(&repository().join("replays"), "sample").expect("the sample");
    let market = Market::embedded().expect("market facts");
    let range = DateRange::parse("2024-10-01", "2024-10-24").expect("a range");
    let request = Request { range, warmup_sessions: 8, ..case.request() };
    let replay = Replay::prepare(&request, &market, &case.data).expect("a replay");
    let (world, told) = World::of_replay(&replay, 1).expect("a run");
    let again = world.ask();
    assert_eq!(again.signals, told.signals);
    let comparison = compare(&told.book, &again.book).expect("there are facts");
    assert!(comparison.is_same(), "the same minutes lead to the same facts: {comparison:?}");
    let report = plant(&world, 1, 1);
    let wrong = report.faults.iter().filter(|fault| fault.found.class() != Some(fault.class));
    let wrong: Vec<String> = wrong.map(|fault| format!("{fault:?}")).collect();
    assert!(wrong.len() <= 1, "{wrong:#?}");
    assert_eq!(report.barren, []);
    for class in Class::ALL {
        assert!(report.faults.iter().any(|fault| fault.class == class), "{}", class.word());
    }
    for fault in &report.faults {
        assert_eq!(fault.found.witnesses, fault.found.vanished, "{fault:?}");
    }
    assert_eq!((report.untouched, report.untouched_differences), (1, 0));
}
