//! The disk under the runs: whether it can be written, how much room there is, how long a synced
//! write takes. A live run syncs every batch, so a slow disk is a slow run.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::clock;
use super::report::{Line, State};

/// Less room than this is worth a word, and than this a problem. A day of ticks takes some of it.
const ROOM_LOW: u64 = 1 << 30;
const ROOM_MIN: u64 = 64 << 20;
/// Synced writes that are timed, and the longest median that nobody need know of.
const SYNCS: usize = 9;
const SYNC_US_SLOW: u128 = 20_000;
/// The type of a file system that lives in memory, as `statfs` says it.
const TMPFS: i128 = 0x0102_1994;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// Bytes that this user may still write.
    free: u64,
    /// Whether it is memory and no disk.
    is_memory: bool,
    /// The median of some synced writes of 4 KiB, in microseconds.
    sync_us: u128,
}

/// The directory itself, or the nearest one above that is there.
pub fn place_of(dir: &Path) -> PathBuf {
    let exists = |dir: &&Path| dir.as_os_str().is_empty() || dir.exists();
    let place = dir.ancestors().find(exists).unwrap_or(dir);
    if place.as_os_str().is_empty() { PathBuf::from(".") } else { place.to_path_buf() }
}

/// Writes, syncs and removes a file in `place`.
///
/// # Errors
/// What the system says when one of these does not work.
pub fn measure(place: &Path) -> io::Result<Disk> {
    let path = place.join(format!(".lockstep-doctor.{}", std::process::id()));
    let timed = sync_times(&path);
    let removed = fs::remove_file(&path);
    let mut times = timed?;
    removed?;
    times.sort_unstable();
    let room = rustix::fs::statvfs(place)?;
    let kind = rustix::fs::statfs(place)?;
    Ok(Disk {
        free: room.f_bavail.saturating_mul(room.f_frsize),
        is_memory: i128::from(kind.f_type) == TMPFS,
        sync_us: times[times.len() / 2],
    })
}

fn sync_times(path: &Path) -> io::Result<Vec<u128>> {
    let mut file = File::create_new(path)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let watch = clock::stopwatch();
        file.write_all(&[0x5A; 4_096])?;
        file.sync_data()?;
        times.push(watch.elapsed().as_micros());
    }
    Ok(times)
}

/// What that means for runs in `dir`, which was measured at `place`.
pub fn lines(dir: &Path, place: &Path, measured: io::Result<Disk>) -> Vec<Line> {
    let shown = dir.display();
    let disk = match measured {
        Ok(disk) => disk,
        Err(error) => {
            let fact = format!("{shown} cannot be written and synced: {error}");
            let help = "give the rights, or another directory with --journal";
            return vec![Line::new("Runs", State::Problem, fact).hint(help)];
        }
    };
    let runs = match place == dir {
        true => format!("{shown} can be written"),
        false => format!("{shown} is not there yet and can be made"),
    };
    vec![Line::new("Runs", State::Ok, runs), room(disk), sync(disk)]
}

fn room(disk: Disk) -> Line {
    let fact = format!("{:.1} GB are free", disk.free as f64 / 1e9);
    match disk.free {
        0..ROOM_MIN => Line::new("Disk", State::Problem, fact)
            .hint("a run stops when it is full; make room, or take another disk with --journal"),
        ROOM_MIN..ROOM_LOW => {
            Line::new("Disk", State::Note, fact).hint("some days of ticks fill that; make room")
        }
        _ => Line::new("Disk", State::Ok, fact),
    }
}

fn sync(disk: Disk) -> Line {
    let ms = disk.sync_us as f64 / 1e3;
    let fact = format!("a synced write takes {ms:.2} ms, the median of {SYNCS}");
    if disk.is_memory {
        return Line::new("Sync", State::Note, format!("{fact}, but this is memory and no disk"))
            .hint("nothing here survives a power cut; take a disk with --journal");
    }
    match disk.sync_us > SYNC_US_SLOW {
        true => Line::new("Sync", State::Note, fact)
            .hint("each batch of a live run waits so long; a local SSD is quicker"),
        false => Line::new("Sync", State::Ok, fact),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::text;
    use super::*;
    use crate::golden::render::Paint;

    #[test]
    fn the_runs_folder_is_tried_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("deep/runs");
        assert_eq!(place_of(&runs), root.path());
        fs::create_dir_all(&runs).unwrap();
        assert_eq!(place_of(&runs), runs);
        let disk = measure(&runs).unwrap();
        assert!(disk.free > 0 && disk.sync_us < 60_000_000, "{disk:?}");
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 0);
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let lines = lines(Path::new("runs"), &file, measure(&file));
        assert_eq!((lines.len(), lines[0].state), (1, State::Problem));
        assert_eq!(place_of(Path::new("nowhere")), Path::new("."));
    }

    #[test]
    fn little_room_and_slow_syncs_are_said() {
        let disk = |free, sync_us, is_memory| Ok(Disk { free, is_memory, sync_us });
        let (runs, root) = (Path::new("runs"), Path::new("."));
        let mut all = lines(runs, runs, disk(ROOM_LOW, SYNC_US_SLOW, false));
        all.extend(lines(runs, root, disk(ROOM_LOW - 1, SYNC_US_SLOW + 1, false)));
        all.extend(lines(runs, root, disk(ROOM_MIN - 1, 1, true)));
        insta::assert_snapshot!(text(&all, Paint::Plain, Some(80)), @"
        Runs  ok       runs can be written
        Disk  ok       1.1 GB are free
        Sync  ok       a synced write takes 20.00 ms, the median of 9
        Runs  ok       runs is not there yet and can be made
        Disk  note     1.1 GB are free
                       help: some days of ticks fill that; make room
        Sync  note     a synced write takes 20.00 ms, the median of 9
                       help: each batch of a live run waits so long; a local SSD is
                       quicker
        Runs  ok       runs is not there yet and can be made
        Disk  problem  0.1 GB are free
                       help: a run stops when it is full; make room, or take another
                       disk with --journal
        Sync  note     a synced write takes 0.00 ms, the median of 9, but this is
                       memory and no disk
                       help: nothing here survives a power cut; take a disk with
                       --journal
        ");
    }
}
