//! A buffer that is filled again and again. Behind its end lies room that is not cleared between
//! uses, so that small values are written in place: no allocation, no zeros, no copy.

/// Bytes, and room for more.
#[derive(Debug, Default)]
pub struct Buffer {
    /// The bytes, then room of any content.
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// An empty buffer with that much room.
    pub fn with_room(room: usize) -> Buffer {
        Buffer { bytes: vec![0; room], len: 0 }
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many bytes there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the end back to `len`.
    ///
    /// # Panics
    /// When the end lies before that.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        assert!(len <= self.len, "a buffer is not made longer by cutting it off");
        self.len = len;
    }

    /// The next `N` bytes behind the end, of any content. What was written there counts once the
    /// end is moved with [`Buffer::advance`].
    #[inline]
    pub fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        if self.bytes.len() - self.len < N {
            self.grow(N);
        }
        self.bytes[self.len..].first_chunk_mut().expect("the buffer has grown")
    }

    /// Moves the end over bytes that were written into the room, which must have been asked for.
    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.bytes.len() - self.len, "the end stays within the room");
        self.len += bytes;
    }

    /// Appends bytes.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.len < bytes.len() {
            self.grow(bytes.len());
        }
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Writes over the `N` bytes at `place`.
    ///
    /// # Panics
    /// When they are not all before the end.
    #[inline]
    pub fn set<const N: usize>(&mut self, place: usize, bytes: [u8; N]) {
        self.bytes[place..place + N].copy_from_slice(&bytes);
    }

    #[cold]
    fn grow(&mut self, room: usize) {
        let needed = self.len + room;
        self.bytes.resize(needed.max(2 * self.bytes.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_appended_in_place_and_room_appears_when_it_is_needed() {
        let mut buffer = Buffer::default();
        buffer.append(b"ab");
        *buffer.room() = *b"cdef";
        buffer.advance(3);
        buffer.append(&[b'x'; 1_000]);
        assert_eq!(&buffer.as_slice()[..6], b"abcdex");
        buffer.truncate(4);
        buffer.set(1, *b"BC");
        assert_eq!(buffer.as_slice(), b"aBCd");
    }
}
