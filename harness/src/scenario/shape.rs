//! What a value may look like: the part of a decoder that is data, so that the JSON Schema and the reference say what it reads.

use std::marker::PhantomData;

use super::keys::Key;
use super::names;

/// What a value may look like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text on one line or more: a word, a number, a quoted string.
    Text,
    /// Text of a form: a regular expression (of ECMA-262, for the whole text), and whole numbers from and to, which YAML does not
    /// take for text.
    Form {
        /// What it is called, in the schema: "duration".
        name: &'static str,
        /// Makes the regular expression.
        pattern: fn() -> String,
        /// The least and the largest whole number, if it can be one.
        number: Option<(u64, u64)>,
        /// What is expected, with an article, for a message: "a duration such as `200s`".
        expected: &'static str,
    },
    /// One of these words.
    Words(fn() -> Vec<WordShape>),
    /// A name that the scenario gives to something, of this kind: "node".
    Name(&'static str),
    /// A list, of so many items if that is said.
    List(&'static Shape, Option<u64>),
    /// A mapping with the keys of these tables.
    Keys(&'static [&'static [Key]]),
    /// A mapping of names of the author's own, each to such a value, perhaps besides keys.
    Map {
        /// The keys that are no such names.
        keys: &'static [&'static [Key]],
        /// What each name leads to.
        of: &'static Shape,
        /// A regular expression for the names; any name if `None`.
        names: Option<fn() -> String>,
        /// How many there are at least.
        least: u64,
    },
    /// One or the other.
    Either(&'static [Shape]),
    /// What only the vocabulary knows.
    Open(Open),
}

/// What the vocabulary adds: see [`Words`](super::Words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A step, `verb: …`.
    Step,
    /// A service.
    Service,
    /// A client.
    Client,
    /// What a client speaks.
    Protocol,
    /// The name of a mechanism, or of what still stands.
    Mechanism,
}

/// A word, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct WordShape {
    /// The word.
    pub word: &'static str,
    /// What it means; empty where another word beside it means the same.
    pub about: &'static str,
}

/// A type with one way of being written.
pub trait Shaped {
    /// That way.
    const SHAPE: Shape;
}

impl Shape {
    /// A mapping of names of the author's own, that are fit to be such.
    #[must_use]
    pub const fn named(of: &'static Shape, least: u64) -> Shape {
        Shape::Map { keys: &[], of, names: Some(names::pattern), least }
    }

    /// A mapping of any texts.
    #[must_use]
    pub const fn mapped(of: &'static Shape) -> Shape {
        Shape::Map { keys: &[], of, names: None, least: 0 }
    }
}

/// A mapping of any texts to what looks like a `T`.
#[derive(Debug)]
pub struct Mapped<T>(PhantomData<fn() -> T>);

impl<T: Shaped> Shaped for Mapped<T> {
    const SHAPE: Shape = Shape::mapped(&T::SHAPE);
}

/// What looks like a `T`, or a list of such.
#[derive(Debug)]
pub struct OneOrMore<T>(PhantomData<fn() -> T>);

impl<T: Shaped> Shaped for OneOrMore<T> {
    const SHAPE: Shape = Shape::Either(&[T::SHAPE, Shape::List(&T::SHAPE, None)]);
}

/// Names a shape that no type has: what is read here becomes several things, or none.
#[macro_export]
macro_rules! shape {
    ($(#[$doc:meta])* $visible:vis $name:ident = $shape:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        $visible struct $name;

        impl $crate::scenario::Shaped for $name {
            const SHAPE: $crate::scenario::Shape = $shape;
        }
    };
}
