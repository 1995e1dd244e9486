//! Tables of keys: what the keys of a mapping are called, what they take and what they mean.
//!
//! A table is written once, by [`keys!`](crate::keys). A decoder asks for keys by its constants, so that it can ask for no other and
//! read none as another type; unknown keys are those that are not in it; the JSON Schema and the reference are made from it.

use std::marker::PhantomData;

use super::shape::{Shape, Shaped};

/// A key that must be there, and whose value is a `T`.
#[derive(Debug)]
pub struct Required<T> {
    /// How it is written.
    pub name: &'static str,
    value: PhantomData<fn() -> T>,
}

/// A key that may be there, and whose value is a `T`.
#[derive(Debug)]
pub struct Optional<T> {
    /// How it is written.
    pub name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Required<T> {
    /// The key of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }
}

impl<T> Optional<T> {
    /// The key of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// How it is written; a space, `_` and `-` in it are the same.
    pub name: &'static str,
    /// A value, as it stands in a scenario.
    pub example: &'static str,
    /// What holds without it; `None` if it must be there.
    pub default: Option<&'static str>,
    /// What it means, in one line.
    pub about: &'static str,
    /// What its value looks like.
    pub takes: Shape,
}

impl Key {
    /// A key that must be there.
    #[must_use]
    pub const fn required<T: Shaped>(name: &'static str, example: &'static str, about: &'static str) -> Self {
        Self { name, example, default: None, about, takes: T::SHAPE }
    }

    /// A key that may be there.
    #[must_use]
    pub const fn optional<T: Shaped>(
        name: &'static str,
        example: &'static str,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, example, default: Some(default), about, takes: T::SHAPE }
    }
}

/// Writes a table of keys: a type whose constants are the keys, and `TABLE`.
///
/// ```text
/// keys! {
///     /// The keys of …
///     struct Sending {
///         CLIENT: required ClientName = "client", "orders", "the client that writes";
///         BYTES: optional Bytes = "bytes", "400kB", "100", "how much payload";
///     }
/// }
/// ```
///
/// Each row: required or optional, the value's type, the name, an example, what holds without it (if optional), what it means.
#[macro_export]
macro_rules! keys {
    (
        $(#[$doc:meta])*
        $visible:vis struct $table:ident {
            $($key:ident: $kind:ident $type:ty = $name:literal, $($text:literal),+;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        $visible struct $table;

        impl $table {
            $(
                #[doc = concat!("`", $name, "`")]
                $visible const $key: $crate::keys!(@key $kind $type) = <$crate::keys!(@key $kind $type)>::new($name);
            )*
            /// All of them.
            $visible const TABLE: &'static [$crate::scenario::Key] =
                &[$($crate::scenario::Key::$kind::<$type>($name, $($text),+)),*];
        }

        impl $crate::scenario::Shaped for $table {
            const SHAPE: $crate::scenario::Shape = $crate::scenario::Shape::Keys(&[$table::TABLE]);
        }
    };
    (@key required $type:ty) => { $crate::scenario::Required<$type> };
    (@key optional $type:ty) => { $crate::scenario::Optional<$type> };
}
