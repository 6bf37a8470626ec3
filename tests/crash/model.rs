//! Tests of the model itself: a disk that is too kind proves nothing.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use lockstep::journal::Disk;
use lockstep::journal::disk::{Medium, read_some, write_all};

use super::disk::SimDisk;
use super::fate::{SECTOR, Weather};
use super::plan::{Failing, Fault, Honesty, Plan};
use super::trace::Trace;

/// The tests by name.
pub const TESTS: &[(&str, fn())] = &[
    ("what_was_synced_outlasts_any_weather", what_was_synced_outlasts_any_weather),
    ("what_was_not_synced_meets_every_fate", what_was_not_synced_meets_every_fate),
    ("a_name_lives_as_long_as_its_directory_was_synced", names_need_their_directory),
    ("a_failed_sync_forgets_and_the_next_one_lies", a_failed_sync_forgets),
    ("a_process_that_dies_leaves_the_cache", a_process_that_dies_leaves_the_cache),
    ("a_full_disk_takes_what_fits", a_full_disk_takes_what_fits),
    ("a_late_sync_comes_true_later", a_late_sync_comes_true_later),
    ("nothing_is_done_after_the_end", nothing_is_done_after_the_end),
    ("an_interruption_comes_at_most_twice", an_interruption_comes_at_most_twice),
];

const DIR: &str = "/runs";
const FILE: &str = "/runs/a";

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(seed, 1 << 20, Trace::new(false))
}

/// A file of 16 sectors of ones, synced with its name.
fn synced(disk: &SimDisk) -> Box<dyn Medium> {
    let file = disk.create(Path::new(FILE)).unwrap();
    write_all(&*file, &[1; 16 * SECTOR], 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file
}

fn content(disk: &SimDisk, path: &str) -> io::Result<Vec<u8>> {
    disk.start(Plan::CALM);
    let (file, mut bytes) = (disk.open(Path::new(path), false)?, Vec::new());
    read_some(&*file, &mut bytes, 0, 1 << 20)?;
    Ok(bytes)
}

fn cut(disk: &SimDisk, weather: Weather) {
    disk.state().power_cut(weather);
}

fn what_was_synced_outlasts_any_weather() {
    for seed in 0..200 {
        for weather in Weather::ALL {
            let disk = disk(seed);
            let file = synced(&disk);
            // Behind it in the same sector, and elsewhere.
            write_all(&*file, &[2; 700], 16 * SECTOR as u64 - 100).unwrap();
            disk.create(Path::new("/runs/b")).unwrap();
            cut(&disk, weather);
            let bytes = content(&disk, FILE).unwrap();
            assert!(bytes[..16 * SECTOR - 100].iter().all(|byte| *byte == 1), "{weather:?}");
        }
    }
}

/// The fates of a sector of ones that was written over with twos, half of it.
fn what_was_not_synced_meets_every_fate() {
    let mut fates = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for seed in 0..400 {
        let disk = disk(seed);
        let file = synced(&disk);
        write_all(&*file, &[2; 256], SECTOR as u64).unwrap();
        write_all(&*file, &[3; 256], SECTOR as u64).unwrap();
        write_all(&*file, &[4; 2 * SECTOR], 16 * SECTOR as u64).unwrap();
        cut(&disk, Weather::Wild);
        let bytes = content(&disk, FILE).unwrap();
        lengths.insert(bytes.len());
        let sector = &bytes[SECTOR..2 * SECTOR];
        assert_eq!(sector[256..], [1; 256], "what was not written stays");
        fates.insert(match &sector[..256] {
            all if all.iter().all(|byte| *byte == 1) => "lost",
            all if all.iter().all(|byte| *byte == 2) => "as it was in between",
            all if all.iter().all(|byte| *byte == 3) => "kept",
            all if all.iter().all(|byte| *byte == 0) => "zeros",
            all if all.iter().all(|byte| (1..4).contains(byte)) => "torn",
            _ => "garbage",
        });
    }
    assert_eq!(fates.len(), 6, "{fates:?}");
    assert!(lengths.len() > 3 && lengths.contains(&(16 * SECTOR)), "{lengths:?}");
}

fn names_need_their_directory() {
    let (dir, from, to) = (Path::new("/runs/r"), Path::new("/runs/r/x"), Path::new("/runs/r/y"));
    for steps in 0..4 {
        let disk = disk(9);
        disk.make_dir(dir).unwrap();
        disk.create(from).unwrap().sync().unwrap();
        disk.rename(from, to).unwrap();
        if steps & 1 != 0 {
            disk.sync_dir(dir).unwrap();
        }
        if steps & 2 != 0 {
            disk.sync_dir(Path::new(DIR)).unwrap();
        }
        cut(&disk, Weather::Dark);
        let there = content(&disk, "/runs/r/y").is_ok();
        assert_eq!(there, steps == 3, "both directories have to be synced: {steps}");
        assert_eq!(disk.list(dir).is_ok(), steps & 2 != 0);
    }
    let mut fates = BTreeSet::new();
    for seed in 0..100 {
        let disk = disk(seed);
        drop(synced(&disk));
        disk.rename(Path::new(FILE), Path::new("/runs/b")).unwrap();
        cut(&disk, Weather::Patchy);
        let names = (content(&disk, FILE).is_ok(), content(&disk, "/runs/b").is_ok());
        assert!(names.0 != names.1, "renaming is atomic");
        fates.insert(names);
    }
    assert_eq!(fates.len(), 2);
}

fn a_failed_sync_forgets() {
    let mut losses = 0;
    for seed in 0..50 {
        let disk = disk(seed);
        let file = synced(&disk);
        let failing = Some(Failing { from: 2, fault: Fault::Broken, for_good: false });
        disk.start(Plan { failing, ..Plan::CALM });
        write_all(&*file, &[2; SECTOR], 0).unwrap();
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
        file.sync().expect("it has forgotten");
        assert_eq!(content(&disk, FILE).unwrap()[0], 2, "the cache still has it");
        cut(&disk, Weather::Calm);
        losses += usize::from(content(&disk, FILE).unwrap()[0] == 1);
    }
    assert!((10..40).contains(&losses), "{losses} of 50");
}

fn a_process_that_dies_leaves_the_cache() {
    let disk = disk(1);
    let file = synced(&disk);
    write_all(&*file, &[2; SECTOR], 0).unwrap();
    disk.kill();
    assert!(file.sync().is_err(), "the dead do nothing");
    assert_eq!(content(&disk, FILE).unwrap()[0], 2);
    cut(&disk, Weather::Dark);
    assert_eq!(content(&disk, FILE).unwrap()[0], 1);
}

fn a_full_disk_takes_what_fits() {
    let disk = SimDisk::new(1, 10_000, Trace::new(false));
    let file = synced(&disk);
    assert_eq!(file.write_at(&[2; 5_000], 16 * SECTOR as u64).unwrap(), 10_000 - 16 * SECTOR);
    let full = file.write_at(&[2], 10_000).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.free_bytes(Path::new(DIR)).unwrap(), 0);
    file.write_at(&[3; 100], 0).expect("what is there can be written over");
    disk.remove(Path::new(FILE)).unwrap();
    assert_eq!(disk.free_bytes(Path::new(DIR)).unwrap(), 10_000);
}

fn a_late_sync_comes_true_later() {
    for (operations, kept) in [(0, 1), (3, 2)] {
        let disk = disk(1);
        let file = synced(&disk);
        disk.start(Plan { honesty: Honesty::Late(3), ..Plan::CALM });
        write_all(&*file, &[2; SECTOR], 0).unwrap();
        file.sync().unwrap();
        let handle: Arc<dyn Disk> = disk.handle();
        (0..operations).for_each(|_| drop(handle.list(Path::new(DIR)).unwrap()));
        cut(&disk, Weather::Dark);
        assert_eq!(content(&disk, FILE).unwrap()[0], kept, "{operations} operations later");
    }
}

fn nothing_is_done_after_the_end() {
    let mut fates = BTreeSet::new();
    for seed in 0..20 {
        let disk = disk(seed);
        let file = synced(&disk);
        disk.start(Plan { stop_at: Some(1), ..Plan::CALM });
        assert!(file.write_at(&[2; SECTOR], 0).is_err());
        assert!(disk.has_stopped());
        assert!(file.write_at(&[3; SECTOR], 0).is_err());
        assert!(disk.rename(Path::new(FILE), Path::new("/runs/b")).is_err());
        fates.insert(content(&disk, FILE).unwrap()[0]);
    }
    assert_eq!(fates, BTreeSet::from([1, 2]), "the last operation is done or not");
}

fn an_interruption_comes_at_most_twice() {
    let disk = disk(1);
    let file = synced(&disk);
    let failing = Some(Failing { from: 1, fault: Fault::Interrupted, for_good: true });
    disk.start(Plan { failing, ..Plan::CALM });
    for _ in 0..5 {
        let said: Vec<_> = (0..3).map(|_| file.write_at(&[2], 0).is_ok()).collect();
        assert_eq!(said, [false, false, true]);
    }
}
