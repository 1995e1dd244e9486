//! The sessions that there are.

use slab::Slab;

use super::poll::Key;
use super::session::Session;

/// All sessions, each known by its key.
#[derive(Debug, Default)]
pub struct Sessions {
    slab: Slab<(u32, Session)>,
    serial: u32,
}

impl Sessions {
    /// Takes a session in.
    pub fn insert(&mut self, session: Session) -> Key {
        self.serial = (self.serial + 1) & ((1 << Key::SERIAL_BITS) - 1);
        let place = self.slab.insert((self.serial, session));
        // There are fewer sessions than descriptors, and a descriptor is a signed 32-bit number.
        Key { place: u32::try_from(place).unwrap_or(u32::MAX), serial: self.serial }
    }

    /// A session, unless it is over.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Session> {
        self.slab.get(key.place as usize).filter(|(serial, _)| *serial == key.serial).map(|(_, session)| session)
    }

    /// A session, unless it is over.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Session> {
        let found = self.slab.get_mut(key.place as usize).filter(|(serial, _)| *serial == key.serial);
        found.map(|(_, session)| session)
    }

    /// Takes a session out.
    pub fn remove(&mut self, key: Key) -> Option<Session> {
        self.get(key)?;
        Some(self.slab.remove(key.place as usize).1)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Session)> {
        self.slab.iter().map(|(place, (serial, session))| {
            (Key { place: u32::try_from(place).unwrap_or(u32::MAX), serial: *serial }, session)
        })
    }
}
