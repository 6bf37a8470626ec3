//! The fuzz targets on every test run: the committed seeds, and a few thousand changed ones, the
//! same on every machine. `cargo xtask fuzz` goes on from the same seeds for as long as one likes.

mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Bytes that are edges of something.
const EDGES: [u8; 10] = [0, 1, 8, b'\n', b'"', b',', b'-', b'9', 0x7F, 0xFF];

/// Seeds of a target, in order of name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = bodies::repository().join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

/// A changed seed.
fn mutated(seeds: &[(String, Vec<u8>)], dice: &mut ChaCha8Rng) -> Vec<u8> {
    let mut below = |limit: usize| dice.next_u32() as usize % limit.max(1);
    let mut bytes = seeds[below(seeds.len())].1.clone();
    for _ in 0..=below(4) {
        let start = below(bytes.len() + 1);
        let length = below(9);
        let end = (start + length).min(bytes.len());
        match below(7) {
            0 if start < bytes.len() => bytes[start] ^= 1 << below(8),
            1 if start < bytes.len() => bytes[start] = EDGES[below(EDGES.len())],
            2 => drop(bytes.drain(start..end)),
            3 => {
                let fresh: Vec<u8> = (0..length).map(|_| EDGES[below(EDGES.len())]).collect();
                bytes.splice(start..start, fresh);
            }
            4 => bytes[start..end].fill(0xFF),
            5 => {
                let copy = bytes[start..end].to_vec();
                let place = below(bytes.len() + 1);
                bytes.splice(place..place, copy);
            }
            // The end of another seed behind the start of this one.
            _ => {
                let other = &seeds[below(seeds.len())].1;
                bytes.truncate(start);
                bytes.extend_from_slice(&other[below(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// Every seed and `count` changed ones. Some of either sort are accepted and some are refused, or
/// the target would be looking at nothing.
fn feed(name: &str, count: usize) {
    let (_, target) = bodies::TARGETS.into_iter().find(|it| it.0 == name).expect("a target");
    let seeds = seeds(name);
    for (seed, bytes) in &seeds {
        // The name says what is to become of it.
        assert_eq!(target(bytes), !seed.starts_with("bad"), "{name}/{seed}");
    }
    let mut dice = ChaCha8Rng::seed_from_u64(blake3::hash(name.as_bytes()).as_bytes()[0].into());
    let mut accepted = 0;
    for round in 0..count {
        let bytes = mutated(&seeds, &mut dice);
        let Ok(taken) = catch_unwind(|| target(&bytes)) else {
            panic!("{name}, round {round}: {}", bytes.escape_ascii());
        };
        accepted += usize::from(taken);
    }
    assert!(accepted > 0 && accepted < count, "{name}: {accepted} of {count} accepted");
}

#[test]
fn frames() {
    feed("frame", 20_000);
}

#[test]
fn payloads() {
    feed("payload", 60_000);
}

#[test]
fn headers() {
    feed("header", 2_000);
}

#[test]
fn marks() {
    feed("mark", 20_000);
}

#[test]
fn checkpoints() {
    feed("checkpoint", 10_000);
}

#[test]
fn readers() {
    feed("reader", 4_000);
}

#[test]
fn tapes() {
    feed("tape", 10_000);
}

#[test]
fn minute_bars() {
    feed("csv", 1_000);
}

#[test]
fn cases() {
    feed("case", 4_000);
}

#[test]
fn feeds() {
    feed("feed", 20_000);
}

#[test]
fn replies_with_candles() {
    feed("candles", 10_000);
}

#[test]
fn complaints() {
    feed("complaint", 10_000);
}

#[test]
fn raw_messages() {
    feed("raw", 10_000);
}

#[test]
fn judgements() {
    feed("judge", 10_000);
}

/// A target that is not built, has no seed or is not run here would look at nothing.
#[test]
fn every_target_is_built_and_has_seeds() {
    let fuzz = bodies::repository().join("fuzz");
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz.join(folder)).unwrap().map(Result::unwrap);
        entries.map(|it| it.file_name().into_string().unwrap().replace(".rs", "")).collect()
    };
    let targets: BTreeSet<String> = bodies::TARGETS.iter().map(|it| it.0.to_owned()).collect();
    assert_eq!(names("seeds"), targets);
    assert_eq!(names("fuzz_targets"), targets);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(seeds(&target).iter().any(|(name, _)| !name.starts_with("bad")), "{target}");
    }
}
