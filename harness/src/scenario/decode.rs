//! From a place in the file to a Rust value: the trait, and the types that are not units or names.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::cursor::Value;
use super::shape::{Shape, Shaped, WordShape};

/// A type that is written in a scenario file in one way.
pub trait Decode: Shaped + Sized {
    /// What a reader of an error message should write, with an article: "a duration such as `200s`".
    const EXPECTED: &'static str;

    /// Reads the value. `None` means that an error has been added.
    fn decode(value: &Value<'_>) -> Option<Self>;
}

impl Shaped for String {
    const SHAPE: Shape = Shape::Text;
}

impl Decode for String {
    const EXPECTED: &'static str = "a text";

    fn decode(value: &Value<'_>) -> Option<Self> {
        value.scalar(Self::EXPECTED).map(str::to_owned)
    }
}

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE, None);
}

impl<T: Decode> Decode for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let items = value.items()?;
        let decoded: Vec<_> = items.iter().map(T::decode).collect();
        decoded.into_iter().collect()
    }
}

/// A type whose values are words.
pub trait Choice: Copy + 'static {
    /// Of what kind the word is, for messages: "signal".
    const WHAT: &'static str;
    /// Every value with its word, and what it means.
    const CHOICES: &'static [(&'static str, Self, &'static str)];
}

impl<T: Choice> Shaped for T {
    const SHAPE: Shape =
        Shape::Words(|| T::CHOICES.iter().map(|&(word, _, about)| WordShape { word, about }).collect());
}

impl<T: Choice> Decode for T {
    const EXPECTED: &'static str = T::WHAT;

    fn decode(value: &Value<'_>) -> Option<Self> {
        let choices: Vec<_> = T::CHOICES.iter().map(|&(word, choice, _)| (word, choice)).collect();
        value.choose(T::WHAT, &choices)
    }
}

/// The words for a switch: as YAML 1.1 and people know them.
const ON: [&str; 3] = ["on", "yes", "true"];
const OFF: [&str; 3] = ["off", "no", "false"];

/// Words that mean the same: the first is explained.
fn alike(words: [&'static str; 3], about: &'static str) -> impl Iterator<Item = WordShape> {
    words
        .into_iter()
        .enumerate()
        .map(move |(index, word)| WordShape { word, about: if index == 0 { about } else { "" } })
}

/// `off` where something else than a switch stands.
pub(super) const OFF_WORDS: Shape = Shape::Words(|| alike(OFF, "not at all").collect());

/// Whether a text is one of the words for `off`.
pub(super) fn is_off(text: &str) -> bool {
    OFF.contains(&text)
}

/// Whether a text is one of the words for `on`.
pub(super) fn is_on(text: &str) -> bool {
    ON.contains(&text)
}

/// A switch: `on`, `yes`, `true` or `off`, `no`, `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OnOff(pub bool);

impl Shaped for OnOff {
    const SHAPE: Shape = Shape::Words(|| alike(ON, "").chain(alike(OFF, "")).collect());
}

impl Decode for OnOff {
    const EXPECTED: &'static str = "`on` or `off`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        match value.scalar(Self::EXPECTED)? {
            text if is_on(text) => Some(Self(true)),
            text if is_off(text) => Some(Self(false)),
            _ => {
                value.mismatch(Self::EXPECTED);
                None
            }
        }
    }
}

macro_rules! whole_number {
    ($($type:ty: $most:literal),*) => {$(
        impl Shaped for $type {
            const SHAPE: Shape = whole(concat!("number-", stringify!($type)), 0, <$type>::MAX as u64, <$type as Decode>::EXPECTED);
        }

        impl Decode for $type {
            const EXPECTED: &'static str = concat!("a whole number from 0 to ", $most);

            fn decode(value: &Value<'_>) -> Option<Self> {
                let number = value.scalar(Self::EXPECTED)?.parse().ok();
                if number.is_none() {
                    value.mismatch(Self::EXPECTED);
                }
                number
            }
        }
    )*};
}

whole_number!(u16: "65535", u32: "4294967295", u64: "18446744073709551615");

/// The shape of a whole number in these bounds.
const fn whole(name: &'static str, least: u64, most: u64, expected: &'static str) -> Shape {
    Shape::Form { name, pattern: || "[0-9]+".into(), number: Some((least, most)), expected }
}

/// A TCP port, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(pub u16);

impl Shaped for Port {
    const SHAPE: Shape = whole("port", 1, u16::MAX as u64, Self::EXPECTED);
}

impl Decode for Port {
    const EXPECTED: &'static str = "a port, 1 to 65535";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let port = value.scalar(Self::EXPECTED)?.parse().ok();
        let port = port.filter(|&port| port > 0).map(Self);
        if port.is_none() {
            value.mismatch(Self::EXPECTED);
        }
        port
    }
}

/// An AMQP heartbeat, whole seconds as the protocol has them; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Heartbeat(pub u16);

impl Shaped for Heartbeat {
    const SHAPE: Shape = Shape::Either(&[OFF_WORDS, Duration::SHAPE]);
}

impl Decode for Heartbeat {
    const EXPECTED: &'static str = "`off`, or whole seconds from `1s` to `65535s`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        if value.text().is_some_and(is_off) {
            return Some(Self(0));
        }
        let interval = Duration::decode(value)?;
        let seconds = u16::try_from(interval.as_secs()).ok();
        let seconds = seconds.filter(|&seconds| seconds > 0 && interval.subsec_nanos() == 0);
        if seconds.is_none() {
            value.mismatch(Self::EXPECTED);
        }
        seconds.map(Self)
    }
}

impl Shaped for Ipv4Addr {
    const SHAPE: Shape = Shape::Form {
        name: "address",
        pattern: || r"[0-9]{1,3}(\.[0-9]{1,3}){3}".into(),
        number: None,
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Ipv4Addr {
    const EXPECTED: &'static str = "an IPv4 address such as `10.0.0.1`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let address = value.scalar(Self::EXPECTED)?.parse().ok();
        if address.is_none() {
            value.mismatch(Self::EXPECTED);
        }
        address
    }
}

/// What goes into a file: a block of text in the scenario itself, or a file beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOrText {
    /// The path of a file that existed when the scenario was read (the scenario's folder and the path as written).
    File(PathBuf),
    /// The content itself.
    Text(String),
}

impl Shaped for FileOrText {
    const SHAPE: Shape = Shape::Text;
}

impl Decode for FileOrText {
    const EXPECTED: &'static str = "a file's path, or its content as a block of text (`|`)";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        if text.contains('\n') {
            return Some(Self::Text(text.to_owned()));
        }
        if Path::new(text).is_absolute() {
            value.error_with_help(
                "the path is absolute",
                "write it relative to the scenario's folder, so that the scenario runs elsewhere too",
            );
            return None;
        }
        let path = value.directory().join(text);
        if !path.is_file() {
            value.error_with_help(
                format!("no file `{}`", super::tree::shown(text)),
                "a path starts at the scenario's folder; a block of text (`|`) is the content itself",
            );
            return None;
        }
        Some(Self::File(path))
    }
}
