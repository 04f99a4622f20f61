//! Room in memory for requests that store something. Each takes as much as its body needs while it is
//! read, checked, and waits for its commit. When there is no more, whoever wants some is told at once that
//! the app is busy, and nothing of that request is stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backdrop_common::http::ApiError;

/// How much room a byte of a body takes: as it came, as it is stored, and what the memory for either has
/// to spare. What takes more, as very small records do, is counted when it is known.
pub(crate) const PER_BYTE: usize = 4;

/// All the room there is, and what is taken of it.
pub(crate) struct Room {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    /// Whether somebody was refused, and there was not plenty of room since.
    is_short: bool,
}

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// A reservation of nothing yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { room: Arc::clone(self), bytes: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is locked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what one has of it. Who is alone gets whatever it wants: it would not get it later either.
    fn change(&self, from: usize, to: usize) -> Result<(), ApiError> {
        let mut taken = self.taken();
        let others = taken.bytes - from;
        if to > from && others > 0 && others.saturating_add(to) > self.max {
            if !std::mem::replace(&mut taken.is_short, true) {
                tracing::warn!(
                    taken = taken.bytes,
                    max = self.max,
                    "no room for more requests: some are refused"
                );
            }
            return Err(ApiError::Busy);
        }
        taken.bytes = others.saturating_add(to);
        taken.is_short &= taken.bytes > self.max / 2;
        Ok(())
    }
}

/// What one request has of the room. It is given back when this is dropped.
pub(crate) struct Reservation {
    room: Arc<Room>,
    bytes: usize,
}

impl Reservation {
    /// Makes it so many bytes at least.
    ///
    /// # Errors
    ///
    /// [`ApiError::Busy`] if there is no room for them; it keeps what it has.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), ApiError> {
        if bytes > self.bytes {
            self.room.change(self.bytes, bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Gives back what is more than so many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        if bytes < self.bytes && self.room.change(self.bytes, bytes).is_ok() {
            self.bytes = bytes;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_much_and_no_more() {
        let room = Room::new(100);
        let (mut one, mut two) = (room.reserve(), room.reserve());
        assert!(one.cover(60).is_ok());
        assert!(two.cover(40).is_ok());
        assert!(one.cover(50).is_ok(), "it has as much");
        assert!(matches!(one.cover(61), Err(ApiError::Busy)));
        assert!(matches!(room.reserve().cover(1), Err(ApiError::Busy)));
        two.shrink(39);
        assert!(one.cover(61).is_ok());
        drop(one);
        assert!(two.cover(100).is_ok());
        drop(two);
        assert_eq!(room.taken().bytes, 0);
    }

    #[test]
    fn who_is_alone_has_room() {
        let room = Room::new(100);
        let mut large = room.reserve();
        assert!(large.cover(1000).is_ok());
        assert!(large.cover(usize::MAX).is_ok());
        assert!(room.reserve().cover(0).is_ok(), "what needs none is not refused");
        assert!(matches!(room.reserve().cover(1), Err(ApiError::Busy)));
    }

    #[test]
    fn it_is_said_once_until_there_is_plenty_again() {
        let room = Room::new(100);
        let mut one = room.reserve();
        let is_short = || room.taken().is_short;
        assert!(one.cover(90).is_ok() && !is_short());
        assert!(room.reserve().cover(11).is_err() && is_short());
        one.shrink(51);
        assert!(is_short());
        one.shrink(50);
        assert!(!is_short());
    }
}
