//! What was done to a disk: one number that two equal runs share, and lines for people.

/// The trace of a run.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    /// Whether every operation is printed.
    is_shown: bool,
}

impl Trace {
    /// The trace of nothing yet, printed as it grows or only hashed.
    pub fn new(is_shown: bool) -> Trace {
        Trace { hash: 0xCBF2_9CE4_8422_2325, is_shown }
    }

    /// The number of everything so far.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether lines are wanted.
    pub const fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// An operation of the disk.
    pub fn operation(&mut self, number: u64, name: &str, args: [u64; 2]) {
        self.mix(name.as_bytes());
        self.number(number);
        self.number(args[0]);
        self.number(args[1]);
        if self.is_shown {
            println!("{number:>6} {name} {} {}", args[0], args[1]);
        }
    }

    /// What else there is to say about it.
    pub fn word(&mut self, word: &str) {
        self.mix(word.as_bytes());
        if self.is_shown {
            println!("       {word}");
        }
    }

    /// Bytes that were written.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::from(crc32c::crc32c(bytes)));
        if self.is_shown {
            println!("       {} bytes", bytes.len());
        }
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    fn mix(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word));
        }
    }
}
