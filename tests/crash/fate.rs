//! What a power cut makes of everything that was not synced.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::disk::{Inode, Move, Node, State, Write, parent, put};

/// What is written or lost at once, in bytes.
pub const SECTOR: usize = 512;

/// How a power cut treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// All of it is there.
    Calm,
    /// Nothing of it is.
    Dark,
    /// All up to some moment is, and nothing after it; the write of that moment in part.
    Ordered,
    /// All since some moment is there, and nothing before it: nobody has promised an order.
    Reversed,
    /// Each sector and each name is there or not, lengths as it comes.
    Patchy,
    /// Each sector is there, or not, or torn, or zeros, or garbage; names and lengths as it comes.
    Wild,
}

impl Weather {
    /// Those of seeds; the rough ones are more frequent.
    pub const ALL: [Weather; 7] = [
        Weather::Calm,
        Weather::Dark,
        Weather::Ordered,
        Weather::Patchy,
        Weather::Patchy,
        Weather::Wild,
        Weather::Wild,
    ];
}

impl State {
    /// Switches the power off and on again.
    pub fn power_cut(&mut self, weather: Weather) {
        self.trace.word("power cut");
        self.trace.number(weather as u64);
        if self.trace.is_shown() {
            println!("       {weather:?}");
        }
        let State { files, moves, settled, dice, .. } = self;
        match weather {
            Weather::Calm => keep_until(files, moves, settled, u64::MAX, dice),
            Weather::Dark => {}
            Weather::Ordered => {
                let moment = moment(files, moves, dice);
                keep_until(files, moves, settled, moment, dice);
            }
            Weather::Reversed => {
                let moment = moment(files, moves, dice);
                for file in files.iter_mut() {
                    for write in file.pending.iter().filter(|write| write.at >= moment) {
                        put(&mut file.media, write.offset, &write.bytes);
                    }
                }
                moves.iter().filter(|it| it.at >= moment).for_each(|it| it.apply(settled));
            }
            Weather::Patchy | Weather::Wild => {
                for file in files.iter_mut().filter(|file| !file.pending.is_empty()) {
                    scatter(file, weather == Weather::Wild, dice);
                }
                let in_order = dice.once_in(2);
                let kept = dice.index(moves.len() + 1);
                for (number, change) in moves.iter().enumerate() {
                    if if in_order { number < kept } else { dice.once_in(2) } {
                        change.apply(settled);
                    }
                }
            }
        }
        self.restart();
    }

    /// The living see what the media hold.
    fn restart(&mut self) {
        self.moves.clear();
        let names = self.settled.clone();
        // What lies in a directory that is gone is gone; parents sort before what is in them.
        let mut reachable = BTreeMap::new();
        for (name, node) in names {
            if parent(&name).is_empty() || reachable.contains_key(parent(&name)) {
                reachable.insert(name, node);
            }
        }
        let mut named = vec![false; self.files.len()];
        for node in reachable.values() {
            if let Node::File(inode) = node {
                named[*inode] = true;
            }
        }
        for (file, named) in self.files.iter_mut().zip(named) {
            file.pending.clear();
            file.late = None;
            if !named {
                file.media = Vec::new();
            }
            file.cache.clone_from(&file.media);
        }
        self.settled.clone_from(&reachable);
        self.live = reachable;
    }
}

/// Some moment at which something was written or named, or the end of all.
fn moment(files: &[Inode], moves: &[Move], dice: &mut Dice) -> u64 {
    let writes = files.iter().flat_map(|file| &file.pending).map(|write| write.at);
    let mut moments: Vec<u64> = writes.chain(moves.iter().map(|it| it.at)).collect();
    moments.push(u64::MAX);
    dice.one_of(&moments)
}

/// Everything before `moment` is there, and of that moment's write some sectors.
fn keep_until(
    files: &mut [Inode],
    moves: &[Move],
    settled: &mut BTreeMap<String, Node>,
    moment: u64,
    dice: &mut Dice,
) {
    for file in files {
        for Write { at, offset, bytes } in &file.pending {
            if *at < moment {
                put(&mut file.media, *offset, bytes);
            } else if *at == moment {
                let len = dice.index(bytes.len() + 1);
                put(&mut file.media, *offset, &bytes[..len]);
            }
        }
    }
    moves.iter().filter(|change| change.at < moment).for_each(|change| change.apply(settled));
}

/// Each sector that was written meets its own fate.
fn scatter(file: &mut Inode, wild: bool, dice: &mut Dice) {
    let Inode { cache, media, pending, .. } = file;
    let synced_len = media.len();
    let mut touched = Vec::new();
    for (number, write) in pending.iter().enumerate().filter(|(_, write)| !write.bytes.is_empty()) {
        let last = (write.offset + write.bytes.len() - 1) / SECTOR;
        touched.extend((write.offset / SECTOR..=last).map(|sector| (sector, number)));
    }
    touched.sort_unstable();
    // Nearly nothing is there, or half, or nearly all.
    let kept_in_8 = dice.one_of(&[1, 4, 7]);
    for writes in touched.chunk_by(|one, other| one.0 == other.0) {
        let parts = writes.iter().map(|(sector, number)| part(&pending[*number], *sector));
        let kept = dice.below(8) < kept_in_8;
        match if wild { dice.below(6) } else { 0 } {
            0..3 if kept => {
                // Most often as it was last written, sometimes as before.
                let versions =
                    if dice.once_in(4) { 1 + dice.index(writes.len()) } else { writes.len() };
                parts.take(versions).for_each(|(at, bytes)| put(media, at, bytes));
            }
            0..3 => {}
            3 => tear(media, parts, dice),
            fate => parts.for_each(|(at, bytes)| {
                let mut other = vec![0; bytes.len()];
                if fate == 5 {
                    dice.fill(&mut other);
                }
                put(media, at, &other);
            }),
        }
    }
    let len = match dice.below(4) {
        0 => synced_len,
        1 => synced_len + dice.index(cache.len() - synced_len + 1),
        _ => cache.len(),
    };
    media.resize(len, 0);
}

/// What a write did to a sector, and where.
fn part(write: &Write, sector: usize) -> (usize, &[u8]) {
    let start = write.offset.max(sector * SECTOR);
    let end = (write.offset + write.bytes.len()).min((sector + 1) * SECTOR);
    (start, &write.bytes[start - write.offset..end - write.offset])
}

/// The last write of a sector came half through: its first bytes are there, or its last.
fn tear<'a>(media: &mut Vec<u8>, parts: impl Iterator<Item = (usize, &'a [u8])>, dice: &mut Dice) {
    let mut last: (usize, &[u8]) = (0, &[]);
    for part in parts {
        put(media, last.0, last.1);
        last = part;
    }
    let (at, bytes) = last;
    let cut = dice.index(bytes.len() + 1);
    if dice.once_in(2) {
        put(media, at, &bytes[..cut]);
    } else {
        put(media, at + cut, &bytes[cut..]);
    }
}
