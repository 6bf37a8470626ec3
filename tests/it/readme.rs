//! The README shows a real run: what it prints today, but for how long that took.

use std::fs;

use crate::desk::Desk;

/// The lines of the README's first text block.
fn shown() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("the README is there");
    let (_, rest) = readme.split_once("```text\n").expect("the README shows a run");
    let (block, _) = rest.split_once("```").expect("the block ends");
    block.lines().map(timeless).collect()
}

/// A line without its seconds and its rate.
fn timeless(line: &str) -> String {
    match line.split_once(" s · ") {
        Some((before, _)) if line.starts_with("   Replay") => {
            before.rsplit_once(" · ").map_or(line, |(facts, _)| facts).to_owned()
        }
        _ => line.to_owned(),
    }
}

#[test]
fn the_readme_shows_what_a_replay_prints() {
    let desk = Desk::new();
    let printed: Vec<String> = desk.run("replay").expect(0).lines().map(timeless).collect();
    assert_eq!(shown(), printed);
}
