//! Room in memory that requests share. Each takes as much as it needs for as long as it needs it. When there
//! is no more, whoever wants some is told so at once, instead of the program ending for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All the room there is, and what is taken of it.
pub struct Room {
    max: usize,
    /// What takes it, for the log.
    taken_by: &'static str,
    /// Whether who is alone gets whatever it wants: it would not get it later either.
    is_soft: bool,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    /// The most that was taken at once.
    most: usize,
    /// Whether somebody was refused, and there was not plenty of room since.
    is_short: bool,
}

/// There is no room for what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// Others have it just now.
    #[error("others have the memory that there is")]
    Now,
    /// It is more than there is, all in all.
    #[error("it takes more memory than the {max} bytes that there are")]
    Ever {
        /// How much there is.
        max: usize,
    },
}

impl Room {
    /// Room for so many bytes, where who is alone is let through whatever it wants.
    pub fn soft(max: usize, taken_by: &'static str) -> Arc<Self> {
        Arc::new(Self { max, taken_by, is_soft: true, taken: Mutex::default() })
    }

    /// Room for so many bytes and no more.
    pub fn strict(max: usize, taken_by: &'static str) -> Arc<Self> {
        Arc::new(Self { max, taken_by, is_soft: false, taken: Mutex::default() })
    }

    /// Room without an end, for who is bounded in another way.
    pub fn endless() -> Arc<Self> {
        Self::strict(usize::MAX, "all")
    }

    /// A reservation of nothing yet.
    pub fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { room: Arc::clone(self), bytes: 0 }
    }

    /// How many bytes are taken.
    pub fn bytes(&self) -> usize {
        self.taken().bytes
    }

    /// The most bytes that were taken at once.
    pub fn most(&self) -> usize {
        self.taken().most
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is locked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what one has of it.
    fn change(&self, from: usize, to: usize) -> Result<(), NoRoom> {
        let mut taken = self.taken();
        let others = taken.bytes - from;
        let is_let_through = self.is_soft && others == 0;
        if to > from && !is_let_through && others.saturating_add(to) > self.max {
            if to > self.max && !self.is_soft {
                return Err(NoRoom::Ever { max: self.max });
            }
            if !std::mem::replace(&mut taken.is_short, true) {
                tracing::warn!(
                    taken = taken.bytes,
                    max = self.max,
                    "no room for more {}: some are refused",
                    self.taken_by
                );
            }
            return Err(NoRoom::Now);
        }
        taken.bytes = others.saturating_add(to);
        taken.most = taken.most.max(taken.bytes);
        taken.is_short &= taken.bytes > self.max / 2;
        Ok(())
    }
}

/// What one request has of the room. It is given back when this is dropped.
pub struct Reservation {
    room: Arc<Room>,
    bytes: usize,
}

impl Reservation {
    /// Makes it so many bytes at least.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if there is no room for them; it keeps what it has.
    pub fn cover(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes > self.bytes {
            self.room.change(self.bytes, bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Gives back what is more than so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        if bytes < self.bytes && self.room.change(self.bytes, bytes).is_ok() {
            self.bytes = bytes;
        }
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Another one of the same room, which has nothing yet.
    #[must_use]
    pub fn another(&self) -> Self {
        self.room.reserve()
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
        let room = Room::soft(100, "requests");
        let (mut one, mut two) = (room.reserve(), room.reserve());
        assert!(one.cover(60).is_ok());
        assert!(two.cover(40).is_ok());
        assert!(one.cover(50).is_ok(), "it has as much");
        assert!(matches!(one.cover(61), Err(NoRoom::Now)));
        assert!(matches!(room.reserve().cover(1), Err(NoRoom::Now)));
        two.shrink(39);
        assert!(one.cover(61).is_ok());
        drop(one);
        assert!(two.cover(100).is_ok());
        drop(two);
        assert_eq!(room.taken().bytes, 0);
    }

    #[test]
    fn who_is_alone_has_room() {
        let room = Room::soft(100, "requests");
        let mut large = room.reserve();
        assert!(large.cover(1000).is_ok());
        assert!(large.cover(usize::MAX).is_ok());
        assert!(room.reserve().cover(0).is_ok(), "what needs none is not refused");
        assert!(matches!(room.reserve().cover(1), Err(NoRoom::Now)));
    }

    #[test]
    fn where_room_is_strict_who_is_alone_is_refused_too() {
        let room = Room::strict(100, "answers");
        let (mut one, mut two) = (room.reserve(), room.reserve());
        assert_eq!(one.cover(101), Err(NoRoom::Ever { max: 100 }));
        assert_eq!(one.cover(100), Ok(()));
        assert_eq!(two.cover(1), Err(NoRoom::Now));
        drop(one);
        assert_eq!(two.cover(1), Ok(()));
        assert_eq!((room.bytes(), room.most()), (1, 100));
    }

    #[test]
    fn it_is_said_once_until_there_is_plenty_again() {
        let room = Room::soft(100, "requests");
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
