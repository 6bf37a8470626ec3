//! The limits of the user's plan, each as a rejection: what the core says on the tape, and what a
//! live run says to whoever gave the flag.

use insta::assert_snapshot;
use lockstep::domain::event::{Output, RunStarted};
use lockstep::domain::money::{Cash, Qty};

use crate::desk::Desk;
use crate::world::{World, price, tape};

/// A session of the sample with many signals, after two that warm up.
const CASE: &str = "data = \"../sample/data\"\nfrom = \"2024-10-22\"\nto = \"2024-10-22\"\n\
    warmup_sessions = 2\nfees = \"nse\"\n[[symbols]]\nkey = \"NSE_EQ|INE155A01022\"\n\
    [[symbols]]\nkey = \"NSE_EQ|INE118H01025\"\n";

fn answers(output: &Output) -> bool {
    matches!(output, Output::Order(_) | Output::Rejection(_) | Output::Halt(_))
}

/// A quiet day; then A and B break out in the first quarter of the next, each a signal at 09:30 to
/// buy 482 shares at 101, which is 48,682 rupees.
fn breakout_of_two(change: impl FnOnce(&mut RunStarted)) -> String {
    let mut world = World::new().with(change);
    world.tell("quiet A,B 100");
    world.tell("day 2024-10-02\n 09:15-09:28 A,B 100.50\n 09:29 A,B 100.50 101 99.50 101");
    tape(&world.tell("w 09:30"), answers)
}

#[test]
fn a_symbol_may_be_worth_as_much_as_the_limit_and_not_a_rupee_more() {
    let worth = price("101").times(Qty(482));
    assert_eq!(worth, Cash::from_rupees(48_682));
    let with = |rupees| {
        breakout_of_two(|run| run.config.execution.exposure_max = Cash::from_rupees(rupees))
    };
    assert_snapshot!(with(48_682), @"
    1170.4<3  order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    1170.8<7  order B 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    ");
    assert_snapshot!(with(48_681), @"
    1170.4<3  rejection A 2024-10-02T09:30 exposure
    1170.8<7  rejection B 2024-10-02T09:30 exposure
    ");
}

#[test]
fn the_capital_carries_one_position_and_not_the_second() {
    let with = |rupees: i64| {
        breakout_of_two(|run| {
            run.config.execution.capital = Cash::from_rupees(rupees);
            run.config.strategy.leverage = 1;
        })
    };
    assert_snapshot!(with(97_364), @"
    1170.4<3  order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    1170.8<7  order B 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    ");
    assert_snapshot!(with(97_363), @"
    1170.4<3  order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    1170.8<7  rejection B 2024-10-02T09:30 capital
    ");
}

#[test]
fn a_day_has_its_number_of_entries() {
    let one = breakout_of_two(|run| run.config.execution.trades_max = 1);
    assert_snapshot!(one, @"
    1170.4<3  order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    1170.8<7  rejection B 2024-10-02T09:30 trades-max
    ");
}

#[test]
fn a_risk_that_buys_no_share_is_no_entry() {
    let none = breakout_of_two(|run| run.config.strategy.risk_per_trade = Cash::from_rupees(1));
    assert_snapshot!(none, @"
    1170.4<3  rejection A 2024-10-02T09:30 no-quantity
    1170.8<7  rejection B 2024-10-02T09:30 no-quantity
    ");
}

/// What a live run with these flags says of signals that were not taken, and its tape.
fn lived(flags: &str, code: i32) -> (String, String) {
    let desk = Desk::new();
    desk.write("replays/short/case.toml", CASE);
    let text = desk.run(&format!("live --feed sim:short {flags}")).expect(code);
    let mut runs = std::fs::read_dir(desk.at("runs")).unwrap();
    let run = runs.next().unwrap().unwrap().path();
    let cat = format!("journal cat {} --kind signal,order,rejection,halt", run.display());
    let tape = desk.run(&cat).expect(0);
    desk.run(&format!("verify {}", run.display())).expect(0);
    (text, tape)
}

#[test]
fn the_flags_of_a_live_run_are_its_limits() {
    for (flags, word) in [("--max-exposure 1", "exposure"), ("--max-capital 1", "no-quantity")] {
        let (text, tape) = lived(flags, 0);
        let signals = tape.lines().filter(|line| line.contains(" signal ")).count();
        let refused = tape.lines().filter(|line| line.ends_with(&format!(" {word}"))).count();
        assert!(signals > 0 && refused > 0, "{flags}: {tape}");
        assert!(!tape.contains(" entry "), "{flags}: nothing is entered\n{tape}");
        assert!(text.contains(&format!("{word} {refused}")), "{flags}: {text}");
    }
    let (text, tape) = lived("--max-daily-loss 1", 6);
    assert!(tape.contains(" halt ") && tape.contains(" daily-loss"), "{tape}");
    let (_, after) = tape.split_once(" halt ").unwrap();
    let refused = after.lines().filter(|line| line.ends_with(" daily-loss")).count();
    assert!(refused > 0 && !after.contains(" entry "), "{tape}");
    assert!(text.contains(&format!("daily-loss {refused}")), "{text}");
}

#[test]
fn a_limit_that_is_none_is_refused_with_what_it_must_be() {
    let desk = Desk::empty();
    for flag in ["--max-capital", "--max-daily-loss", "--max-exposure"] {
        for value in ["0", "-5", "5000.5", "lots", "99999999999"] {
            let error = desk.refuses(2, &format!("live --feed sim:short {flag}={value}"));
            assert!(error.contains("must be whole rupees from 1 to 1000000000"), "{error}");
        }
    }
}
