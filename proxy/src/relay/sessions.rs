//! Those that events name: sessions, operators, each known by its key.

use slab::Slab;

use super::poll::Key;
use super::session::Session;

/// All sessions.
pub type Sessions = Keyed<Session>;

/// For so many there is always room.
const FEW: usize = 64;

/// Owners of a descriptor, each known by a key that no later one has.
#[derive(Debug)]
pub struct Keyed<T> {
    slab: Slab<(u32, T)>,
    serial: u32,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Keyed { slab: Slab::new(), serial: 0 }
    }
}

impl<T> Keyed<T> {
    /// Takes one in.
    pub fn insert(&mut self, owner: T) -> Key {
        self.serial = (self.serial + 1) & ((1 << Key::SERIAL_BITS) - 1);
        let place = self.slab.insert((self.serial, owner));
        // There are fewer of them than descriptors, and a descriptor is a signed 32-bit number.
        Key { place: u32::try_from(place).unwrap_or(u32::MAX), serial: self.serial }
    }

    /// One of them, unless it is gone.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slab.get(key.place as usize).filter(|(serial, _)| *serial == key.serial).map(|(_, owner)| owner)
    }

    /// One of them, unless it is gone.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let found = self.slab.get_mut(key.place as usize).filter(|(serial, _)| *serial == key.serial);
        found.map(|(_, owner)| owner)
    }

    /// Takes one out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.slab.remove(key.place as usize).1)
    }

    /// Gives back to the system what many needed, once all are gone.
    pub fn rest(&mut self) {
        if self.slab.is_empty() && self.slab.capacity() > FEW {
            self.slab = Slab::new();
        }
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
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slab.iter().map(|(place, (serial, owner))| {
            (Key { place: u32::try_from(place).unwrap_or(u32::MAX), serial: *serial }, owner)
        })
    }
}
