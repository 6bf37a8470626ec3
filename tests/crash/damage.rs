//! What happens to bytes that were synced, years later: bits flip, sectors die, files are cut,
//! spliced, overwritten with others, or gone.

use super::dice::Dice;
use super::disk::{Node, SimDisk, State};
use super::fate::SECTOR;

/// Damage to one file of a disk at rest.
#[derive(Clone, Debug)]
pub enum Damage {
    /// One bit is another.
    Flip { path: String, offset: usize, bit: u8 },
    /// A sector reads as zeros.
    Zero { path: String, offset: usize, len: usize },
    /// A sector reads as garbage.
    Garbage { path: String, offset: usize, bytes: Vec<u8> },
    /// The file ends early.
    Cut { path: String, len: usize },
    /// Bytes are missing from the middle.
    Splice { path: String, offset: usize, len: usize },
    /// Bytes of a file stand where others should, in that file or another.
    Copy { from: String, start: usize, len: usize, path: String, offset: usize },
    /// The file is gone.
    Remove { path: String },
}

impl Damage {
    /// Some damage to a file in `dir`, most often to bytes that mean something.
    pub fn thrown(disk: &SimDisk, dir: &str, dice: &mut Dice) -> Option<Damage> {
        let state = disk.state();
        let files: Vec<(&String, &[u8])> = state
            .settled
            .iter()
            .filter(|(name, _)| name.starts_with(dir))
            .filter_map(|(name, node)| match node {
                Node::File(inode) => Some((name, &state.files[*inode].media[..])),
                Node::Dir => None,
            })
            .filter(|(name, bytes)| !bytes.is_empty() && !name.ends_with(".tmp"))
            .collect();
        if files.is_empty() {
            return None;
        }
        let (path, bytes) = files[dice.index(files.len())];
        // Behind the last byte that is not zero nothing stands that could be harmed.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        let reach = if dice.once_in(16) { bytes.len() } else { used };
        let (path, offset) = (path.clone(), dice.index(reach));
        let sector = offset / SECTOR * SECTOR;
        let rest = SECTOR.min(bytes.len() - sector);
        Some(match dice.below(16) {
            0..6 => Damage::Flip { path, offset, bit: dice.below(8) as u8 },
            6..8 => Damage::Zero { path, offset: sector, len: rest },
            8 => Damage::Garbage { path, offset: sector, bytes: garbage(dice, rest) },
            9..12 => Damage::Cut { path, len: offset },
            12 => Damage::Splice { path, offset, len: 1 + dice.index(bytes.len() - offset) },
            13 | 14 => {
                let (from, source) = files[dice.index(files.len())];
                let start = dice.index(source.len().div_ceil(SECTOR)) * SECTOR;
                let len = (1 + dice.index(4)) * SECTOR;
                let len = len.min(source.len() - start).min(bytes.len() - sector);
                Damage::Copy { from: from.clone(), start, len, path, offset: sector }
            }
            _ => Damage::Remove { path },
        })
    }

    /// Does it. False where nothing is another than before.
    pub fn apply(&self, disk: &SimDisk) -> bool {
        let state = &mut *disk.state();
        if state.trace.is_shown() {
            println!("       damage: {self:?}");
        }
        if let Damage::Remove { path } = self {
            state.live.remove(path);
            return state.settled.remove(path).is_some();
        }
        let (path, old) = self.before(state);
        let mut new = old.clone();
        match self {
            Damage::Flip { offset, bit, .. } => new[*offset] ^= 1 << bit,
            Damage::Zero { offset, len, .. } => new[*offset..offset + len].fill(0),
            Damage::Garbage { offset, bytes, .. } => {
                new[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Damage::Cut { len, .. } => new.truncate(*len),
            Damage::Splice { offset, len, .. } => drop(new.drain(*offset..offset + len)),
            Damage::Copy { from, start, len, offset, .. } => {
                let source = &state.files[inode(state, from)].media[*start..start + len];
                new[*offset..offset + len].copy_from_slice(source);
            }
            Damage::Remove { .. } => unreachable!("handled right above"),
        }
        let changed = new != old;
        let file = inode(state, &path);
        state.files[file].cache.clone_from(&new);
        state.files[file].media = new;
        changed
    }

    /// The file that is hit, and its bytes.
    fn before(&self, state: &State) -> (String, Vec<u8>) {
        let (Damage::Flip { path, .. }
        | Damage::Zero { path, .. }
        | Damage::Garbage { path, .. }
        | Damage::Cut { path, .. }
        | Damage::Splice { path, .. }
        | Damage::Copy { path, .. }
        | Damage::Remove { path }) = self;
        (path.clone(), state.files[inode(state, path)].media.clone())
    }
}

fn garbage(dice: &mut Dice, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    dice.fill(&mut bytes);
    bytes
}

fn inode(state: &State, path: &str) -> usize {
    match state.settled.get(path) {
        Some(Node::File(inode)) => *inode,
        _ => panic!("damage is thrown for files that are there"),
    }
}
