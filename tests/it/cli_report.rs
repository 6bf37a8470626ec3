//! What a user reads who decides by a run: its economics, days of looking on, the page, and what is
//! approved for a while.

use std::fs;

use serde_json::Value;

use crate::desk::{Desk, TATA};

const GOLDEN: &str = "golden/sample";

/// The sample, replayed and recorded.
fn recorded() -> (Desk, String) {
    let desk = Desk::new();
    desk.run("replay --journal runs").expect(0);
    let run = only_run(&desk, "runs");
    (desk, run)
}

fn only_run(desk: &Desk, folder: &str) -> String {
    let mut runs = fs::read_dir(desk.at(folder)).expect("a run was made");
    let run = runs.next().expect("one run").expect("an entry").file_name();
    format!("{folder}/{}", run.to_string_lossy())
}

#[test]
fn a_replay_keeps_its_golden_s_promise_and_its_days_add_up() {
    let (desk, run) = recorded();
    let found =
        desk.run(&format!("report economics {run} --against {GOLDEN} --format json")).json(0);
    let replayed = desk.run("replay --format json").json(0);
    for name in ["gross", "net", "trades", "wins"] {
        assert_eq!(found["total"][name], replayed[name], "{name}");
    }
    assert_eq!(found["total"]["fees"]["recorded"], replayed["fees"]);
    assert_eq!(found["total"]["ended_by"], replayed["exits"]);
    let against = &found["against"];
    assert_eq!(against["verdict"], "met");
    assert_eq!(against["paper"], against["backtest"]);
    let windows = against["windows"].as_array().expect("a list");
    assert_eq!((windows.len(), against["windows_within"].as_u64()), (58, Some(58)));
    // The core's own account of each day, which is another fold over other events.
    let listed = desk.run(&format!("journal cat {run} --kind session-ended")).expect(0);
    let days = found["days"].as_array().expect("a list");
    assert_eq!(days.len(), 62);
    for day in days {
        let date = day["date"].as_str().expect("a date");
        let told = listed.lines().find(|line| line.contains(date));
        let told = told.unwrap_or_else(|| panic!("no session of {date}"));
        for name in ["gross", "fees"] {
            let amount = day[name].as_str().expect("an amount");
            assert!(told.contains(&format!("{name}={amount} ")), "{date} {amount}: {told}");
        }
    }
}

#[test]
fn fees_under_both_schedules_and_the_time_stop_stand_beside_each_other() {
    let (desk, run) = recorded();
    let text = desk.run(&format!("report economics {run}")).expect(0);
    let facts: String =
        text.lines().take_while(|line| !line.is_empty()).map(|it| format!("{it}\n")).collect();
    insta::assert_snapshot!(facts.replace(&run, "RUN"), @"
    Run      RUN · pixityAI_meta 15m · causal · honest execution · fees nse ·
             core 2
    Days     2024-10-01 to 2024-12-31 · 62 sessions · replayed
    Trades   118 · win 43 (36.4 %) · command 1 (0.8 %) · daily-loss 22 (18.6 %) ·
             session-end 8 (6.8 %) · stop 51 (43.2 %) · target 31 (26.3 %) · time-stop 5 (4.2 %)
    Profit   net ₹ -4,528.00 · gross ₹ 5,977.05
    Fees     as recorded ₹ 10,505.05 · nse ₹ 10,505.05 (net ₹ -4,528.00) ·
             plan ₹ 8,201.33 (net ₹ -2,224.28)
    Charged  every fee of 236 fills is what schedule nse charges
    Time     time-stop at 12 bars: met · 5 ended so · longest 12 bars
    ");
    let wide = text.lines().find(|line| line.chars().count() > 100);
    assert_eq!(wide, None, "a table is too wide");
}

#[test]
fn another_backtest_is_missed_and_said_so() {
    let (desk, run) = recorded();
    let case = desk.read("replays/sample/case.toml");
    desk.write(
        "replays/sample/case.toml",
        case.replace("daily_loss_max = 800", "daily_loss_max = 5000"),
    );
    desk.run("replay --journal other").expect(1);
    let other = only_run(&desk, "other");
    let found =
        desk.run(&format!("report economics {run} --against {other} --format json")).json(1);
    assert_eq!(
        (&found["against"]["verdict"], &found["against"]["kind"]),
        (&"MISSED".into(), &"run".into())
    );
    let within = found["against"]["windows_within"].as_u64().expect("a count");
    let windows = found["against"]["windows"].as_array().expect("a list");
    let counted = windows.iter().filter(|window| window["within"] == true).count();
    assert_eq!(within, counted as u64);
    assert!(counted < windows.len());
    let csv = desk.run(&format!("report economics {run} --against {other} --format csv")).expect(1);
    assert_eq!(csv.lines().count(), 63);
}

#[test]
fn what_proves_nothing_is_refused() {
    let (desk, run) = recorded();
    let error = desk.refuses(2, &format!("report economics {run} --against {run}"));
    assert!(error.contains("held against itself"), "{error}");
    desk.edit_lines("golden/sample/fills.csv", |lines| drop(lines.pop()));
    let error = desk.refuses(3, &format!("report economics {run} --against {GOLDEN}"));
    assert!(error.contains("not what was accepted") && error.contains("edited by hand"), "{error}");
    let error = desk.refuses(2, "report economics nowhere");
    assert!(error.contains("nowhere"), "{error}");
}

/// Every number of a page by its path in the document.
fn numbers(page: &str) -> Vec<(String, String)> {
    let parts = page.split(" data-path=\"").skip(1);
    parts
        .map(|part| {
            let (path, rest) = part.split_once('"').expect("a path ends");
            let text = rest.split_once('>').and_then(|(_, rest)| rest.split_once('<'));
            (path.to_owned(), text.expect("a cell").0.to_owned())
        })
        .collect()
}

/// What the page should show for a value: rupees to the paisa, halves away from zero, grouped.
fn shown(path: &str, value: &Value) -> String {
    let Some(text) = value.as_str() else {
        return match path.ends_with("_percent") {
            true => format!("{:.1} %", value.as_f64().expect("a share")),
            false => value.to_string(),
        };
    };
    let is_text = ["first", "last", "date", "run_id", "digest", "deviation_percent"];
    if is_text.iter().any(|name| path.ends_with(name)) {
        return text.to_owned();
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').expect("decimals");
    let units: u64 = format!("{whole}{fraction:0<4}").parse().expect("digits");
    let paise = (units + 50) / 100;
    let whole = (paise / 100).to_string();
    let (head, tail) = whole.split_at(whole.len().saturating_sub(3));
    let lakhs: Vec<String> = head
        .as_bytes()
        .rchunks(2)
        .rev()
        .map(|two| String::from_utf8_lossy(two).into_owned())
        .collect();
    let head = if head.is_empty() { String::new() } else { lakhs.join(",") + "," };
    let sign = if paise == 0 { "" } else { sign };
    format!("₹ {sign}{head}{tail}.{:02}", paise % 100)
}

#[test]
fn every_number_of_the_page_is_the_command_s() {
    let (desk, run) = recorded();
    let line = format!("{run} --against {GOLDEN}");
    let document = desk.run(&format!("report economics {line} --format json")).json(0);
    desk.run(&format!("report html {line} --out page.html")).expect(0);
    let page = desk.read("page.html");
    let numbers = numbers(&page);
    assert!(numbers.len() > 600, "{}", numbers.len());
    for (path, text) in &numbers {
        let value =
            document.pointer(path).unwrap_or_else(|| panic!("{path} is not in the document"));
        assert_eq!(*text, shown(path, value), "{path}");
    }
    let (_, rest) = page.split_once("id=\"figures\">").expect("the document is in the page");
    let (inside, _) = rest.split_once("</script>").expect("it ends");
    assert_eq!(serde_json::from_str::<Value>(inside).expect("JSON"), document);
    for hash in ["run_id", "digest"] {
        assert!(page.contains(document["run"][hash].as_str().expect("a hash")));
    }
    assert!(page.contains("daily_loss_max") && page.contains("2024-10.parquet"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_one_changed_digit_is_found() {
    let (desk, run) = recorded();
    desk.run(&format!("report html {run} --out page.html")).expect(0);
    let page = desk.read("page.html");
    for from_elsewhere in ["://", " src=", "<link", "url(", "@import", "<iframe", "<img"] {
        assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
    }
    assert_eq!(page.matches("<script").count(), 1, "the document, which is never run");
    let said = desk.run(&format!("report html {run} --check page.html")).expect(0);
    assert!(said.contains("to the byte"), "{said}");
    desk.write("page.html", page.replacen("-4,528.00", "-4,528.01", 1));
    let said = desk.run(&format!("report html {run} --check page.html")).expect(1);
    assert!(said.contains("DIFFERS from the run's page at line"), "{said}");
}

/// The sample with another rule, so that signals differ from the golden.
fn other_rule() -> (Desk, String) {
    let desk = Desk::new();
    let case = desk.read("replays/sample/case.toml");
    let case = case.replace("[execution]", "[strategy]\nadx_gate = 20.0\n\n[execution]");
    desk.write("replays/sample/case.toml", case);
    desk.run("replay --journal runs").expect(1);
    let run = only_run(&desk, "runs");
    (desk, run)
}

#[test]
fn the_page_says_why_signals_differ() {
    let (desk, run) = other_rule();
    desk.run(&format!("report html {run} --against {GOLDEN} --out page.html")).expect(1);
    let page = desk.read("page.html");
    assert!(page.contains("DIFFERS") && page.contains("Rows that differ"));
    assert!(page.contains("data-class=\"configuration\""), "the gate is another");
    assert!(page.contains("data-class=\"UNEXPLAINED\">0<"), "nothing is left unexplained");
    // The case has the other rule as well, so it cannot say what the golden was made of.
    assert!(page.contains("the case sample makes") && page.contains("Why signals differ"));
}

#[test]
fn the_page_says_why_fills_differ_from_a_golden_whose_case_still_makes_it() {
    let desk = Desk::new();
    desk.run("replay --fees plan --journal runs").expect(0);
    let run = only_run(&desk, "runs");
    desk.run(&format!("report html {run} --against {GOLDEN} --out page.html")).expect(1);
    let page = desk.read("page.html");
    let found = desk.run(&format!("diff --explain {GOLDEN} {run} --format json")).json(1);
    let fees = &found["classes"]["configuration"];
    assert!(fees.as_u64() > Some(200), "{fees}");
    for (class, count) in found["classes"].as_object().expect("classes") {
        assert!(page.contains(&format!("data-class=\"{class}\">{count}<")), "{class} {count}");
    }
    assert!(page.contains("fees = nse") && page.contains("fee: golden "), "both values, and why");
    let said = desk.run(&format!("report html {run} --against {GOLDEN} --check page.html"));
    assert!(said.expect(0).contains("to the byte"));
    let flags = format!("--against {GOLDEN} --case nowhere --out page.html");
    desk.run(&format!("report html {run} {flags}")).expect(1);
    let page = desk.read("page.html");
    assert!(page.contains("without their causes: the case &#39;nowhere&#39; cannot be run"));
}

/// Two weeks of the sample as they are, and with another limit and slippage.
fn two_runs() -> (Desk, String, String) {
    let desk = Desk::new();
    let stretch = "--from 2024-10-01 --to 2024-10-14";
    desk.run(&format!("replay {stretch} --journal runs")).expect(0);
    let other = "daily_loss_max = 300\nslippage_ticks = 2";
    desk.edit("replays/sample/case.toml", "daily_loss_max = 800", other);
    desk.run(&format!("replay {stretch} --journal others")).expect(1);
    let (backtest, run) = (only_run(&desk, "runs"), only_run(&desk, "others"));
    (desk, backtest, run)
}

#[test]
fn the_page_says_why_two_runs_differ_in_the_numbers_of_diff_explain() {
    let (desk, backtest, run) = two_runs();
    let line = format!("diff {backtest} {run} --explain");
    let found = desk.run(&format!("{line} --format json")).json(1);
    desk.run(&format!("report html {run} --against {backtest} --out page.html")).expect(1);
    let page = desk.read("page.html");
    let classes = found["classes"].as_object().expect("classes");
    for class in ["limits", "configuration"] {
        assert!(classes[class].as_u64() > Some(0), "{classes:?}");
    }
    for (class, count) in classes {
        assert!(page.contains(&format!("data-class=\"{class}\">{count}<")), "{class} {count}");
    }
    assert_eq!(page.matches("data-class=").count(), classes.len());
    for name in ["gone", "witnessed"] {
        assert!(page.contains(&format!("data-count=\"{name}\">{}<", found[name])), "{name}");
    }
    assert!(page.contains("execution.daily_loss_max = 800"), "the witness in words");
    // Both values of a row that is another.
    let csv = desk.run(&format!("diff {backtest} {run} --only fills --format csv")).expect(1);
    let cells = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let mut fields = cells.filter(|cells| cells[2] == "field");
    let field = fields.next().expect("a fill with another value");
    let both = format!("{}: the other {}, this {}", field[5], field[6], field[7]);
    assert!(page.contains(&both), "{both}");
    let said = desk.run(&format!("report html {run} --against {backtest} --check page.html"));
    assert!(said.expect(0).contains("to the byte"));
}

#[test]
fn the_page_of_runs_that_trade_other_symbols_says_so() {
    let (desk, backtest, _) = two_runs();
    let stretch = format!("--from 2024-10-01 --to 2024-10-14 --symbols {TATA}");
    desk.run(&format!("replay {stretch} --journal alone")).expect(0);
    let alone = only_run(&desk, "alone");
    desk.run(&format!("report html {alone} --against {backtest} --out page.html")).expect(1);
    let page = desk.read("page.html");
    assert!(page.contains("not compared · the runs have other symbols"), "{page}");
}

#[test]
fn what_is_approved_is_shown_as_such_until_its_day_is_over() {
    let desk = Desk::new();
    desk.change(TATA, "2024-12-30T10:20", |bar| bar.volume.0 += 1);
    desk.run("replay").expect(1);
    let approve = "golden except --case sample --reason revised --by asha --until 2099-12-31";
    let text = desk.run(approve).expect(0);
    assert!(text.contains("minutes: ") && text.contains("bars_15m 2024-12-30T10:15"), "{text}");
    let text = desk.run("replay").expect(0);
    assert!(text.contains("as approved") && text.contains("approved until 2099-12-31"), "{text}");
    desk.run("golden status").expect(0);
    // The page carries them, with reason, name and last day.
    desk.run("replay --journal runs").expect(0);
    let run = only_run(&desk, "runs");
    desk.run(&format!("report html {run} --against {GOLDEN} --out page.html")).expect(0);
    let page = desk.read("page.html");
    assert!(page.contains("in force") && page.contains("asha") && page.contains("2099-12-31"));
    // Its day is over.
    let ledger = desk.read("golden/sample/exceptions.toml");
    desk.write("golden/sample/exceptions.toml", ledger.replace("2099-12-31", "2024-12-31"));
    let text = desk.run("golden status").expect(1);
    assert!(text.contains("an exception expired on 2024-12-31 (asha)"), "{text}");
    let text = desk.run("replay").expect(1);
    assert!(text.contains("DIFFERS") && text.contains("expired on 2024-12-31"), "{text}");
    desk.run(&format!("report html {run} --against {GOLDEN} --out page.html")).expect(1);
    assert!(desk.read("page.html").contains("EXPIRED"));
    // A range that does not hold the difference cannot say that nothing needs the exception.
    desk.write("golden/sample/exceptions.toml", &ledger);
    desk.run("replay --to 2024-10").expect(0);
    // Nothing differs any more, and the exceptions are still there.
    desk.change(TATA, "2024-12-30T10:20", |bar| bar.volume.0 -= 1);
    let text = desk.run("replay").expect(1);
    assert!(text.contains("the exceptions of golden are not in order"), "{text}");
    assert!(text.contains("matches no difference"), "{text}");
}

#[test]
fn nothing_is_approved_in_ci_or_for_a_day_that_is_over() {
    let mut desk = Desk::new();
    let words = "golden except --case sample --reason why --by asha --until";
    let error = desk.refuses(2, &format!("{words} tomorrow"));
    assert!(error.contains("2026-12-31"), "{error}");
    desk.run(&format!("{words} 2099-12-31")).expect(0);
    assert!(!desk.at("golden/sample/exceptions.toml").exists(), "nothing differs");
    desk.env.push(("CI", "true"));
    desk.refuses(2, &format!("{words} 2099-12-31"));
}

#[test]
fn days_of_looking_on_are_merged_and_judged() {
    let (desk, run) = recorded();
    desk.run(&format!("project {run} --csv out")).expect(0);
    let found = desk.run("report observation out --merged all.csv --format json").json(1);
    assert_eq!(
        (&found["total"]["signals"], &found["total"]["aligned"]),
        (&212.into(), &212.into())
    );
    assert_eq!(found["total"]["errors"], 6, "the sample has bars that lack minutes");
    assert_eq!(found["sessions_without_file"][0], "2024-12-12");
    assert_eq!(desk.read("all.csv").lines().count(), 213);
    let aligned = desk.run("golden align all.csv --format json").json(0);
    assert_eq!(aligned["as_given"]["same"], 212);
    let text = desk.run("report observation out").expect(1);
    assert!(
        text.contains("met · 212 of 212 aligned") && text.contains("MISSED · bars of 6"),
        "{text}"
    );
    // The same files once more beside themselves.
    let day = "pixityAI_signals_2024-10-03.csv";
    desk.write(&format!("out/{day}"), desk.read(&format!("out/data/live_tests/{day}")));
    let error = desk.refuses(2, "report observation out");
    assert!(error.contains("the files overlap"), "{error}");
    let error = desk.refuses(4, "report observation runs");
    assert!(error.contains("nothing to judge"), "{error}");
}
