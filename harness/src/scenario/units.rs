//! Numbers with units, as network people write them.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::cursor::Value;
use super::decode::Decode;
use super::shape::{Shape, Shaped};
use super::tree::shown;

/// Longer than any experiment; keeps later arithmetic far from overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

const DURATION_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
];

const BYTE_UNITS: [(&str, u128); 9] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// In lower case; capitals mean the same.
const RATE_UNITS: [(&str, u128); 4] = [("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];

const PACE_UNITS: [(&str, u128); 4] = [("B", 1), ("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000)];

/// A number without a sign, as a regular expression.
const NUMBER: &str = r"[0-9]+(\.[0-9]+)?";

/// The units of a table, as a regular expression.
fn any_of(units: &[(&str, u128)]) -> String {
    let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
    format!("({})", names.join("|"))
}

/// A regular expression for the same letters, capital or not: ECMA-262 has no other way to say so within a pattern.
fn any_case(pattern: &str) -> String {
    let either =
        |c: char| if c.is_ascii_lowercase() { format!("[{c}{}]", c.to_ascii_uppercase()) } else { c.to_string() };
    pattern.chars().map(either).collect()
}

/// The size of a unit.
fn size_of(unit: &str, units: &[(&str, u128)]) -> Option<u128> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size)
}

/// Why a text is not a number with a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is not plain from the message.
    pub help: Option<String>,
}

impl Refusal {
    fn new(message: String, help: impl Into<String>) -> Self {
        Self { message, help: Some(help.into()) }
    }
}

impl Shaped for Duration {
    const SHAPE: Shape = Shape::Form {
        name: "duration",
        pattern: || format!(r"\s*({NUMBER}\s*{}\s*)+", any_of(&DURATION_UNITS)),
        number: None,
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Duration {
    const EXPECTED: &'static str = "a duration such as `200s`, `5ms` or `1m30s`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        refuse(value, parse_duration(text))
    }
}

/// Reads a duration: `200s`, `15m`, `5ms`, `100us`, `1.5s`, `1h`, and several of them in a row (`1m30s`).
///
/// # Errors
/// The text has no unit, an unknown one, or is longer than a year.
pub fn parse_duration(text: &str) -> Result<Duration, Refusal> {
    let mut rest = text.trim();
    let mut total: u128 = 0;
    let too_long = || {
        let message = format!("`{}` is longer than a year", shown(text));
        Refusal::new(message, "no experiment takes that long: check the unit")
    };
    loop {
        let (number, unit, after) = number_and_unit(rest);
        if number.is_empty() {
            return Err(expected::<Duration>(text));
        }
        if unit.is_empty() {
            let message = format!("`{}` has no unit", shown(text));
            let help = format!("write `{number}s` for seconds, `{number}ms` for milliseconds, `{number}m` for minutes");
            return Err(Refusal::new(message, help));
        }
        let Some(nanoseconds) = size_of(unit, &DURATION_UNITS) else {
            return Err(Refusal::new(
                format!("`{}` is not a unit of time", shown(unit)),
                "the units are `us`, `ms`, `s`, `m` (minutes), `h` and `d`",
            ));
        };
        let Some(part) = scaled(number, nanoseconds) else {
            return Err(expected::<Duration>(text));
        };
        total = total.saturating_add(part);
        if total > LONGEST.as_nanos() {
            return Err(too_long());
        }
        rest = after.trim_start();
        if rest.is_empty() {
            let nanoseconds = u64::try_from(total).map_err(|_| too_long())?;
            return Ok(Duration::from_nanos(nanoseconds));
        }
    }
}

/// A duration as it is written in scenarios and read back without loss: `200s`, `1.5s`, `5ms`, `100us`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, size) = match nanoseconds {
        0 => ("s", 1_000_000_000),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let (whole, part) = (nanoseconds / size, nanoseconds % size);
    if part == 0 {
        return format!("{whole}{unit}");
    }
    let digits = size.ilog10() as usize;
    let fraction = format!("{part:0digits$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

/// A number of bytes: `100`, `400kB` (thousands), `1MiB` (1024 × 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Shaped for Bytes {
    const SHAPE: Shape = Shape::Form {
        name: "bytes",
        pattern: || format!(r"\s*{NUMBER}\s*{}\s*", any_of(&BYTE_UNITS)),
        number: Some((0, u64::MAX)),
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Bytes {
    const EXPECTED: &'static str = "a number of bytes such as `100`, `400kB` or `1MiB`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        let (number, unit, rest) = number_and_unit(text.trim());
        let size = size_of(unit, &BYTE_UNITS);
        let bytes = size
            .filter(|_| rest.is_empty())
            .and_then(|size| scaled(number, size))
            .and_then(|bytes| u64::try_from(bytes).ok());
        refuse(value, bytes.map(Self).ok_or_else(|| expected::<Self>(text)))
    }
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Percent(pub f64);

impl Shaped for Percent {
    const SHAPE: Shape = Shape::Form {
        name: "percent",
        pattern: || format!(r"\s*{NUMBER}\s*%\s*"),
        number: None,
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Percent {
    const EXPECTED: &'static str = "a share from `0%` to `100%`, such as `0.5%`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        let number = text.trim().strip_suffix('%').map(str::trim_end);
        let share = number
            .filter(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            .and_then(|number| number.parse::<f64>().ok())
            .filter(|share| (0.0..=100.0).contains(share));
        refuse(value, share.map(Self).ok_or_else(|| expected::<Self>(text)))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.0)
    }
}

/// A data rate in bits per second: `10mbit`, `1 Mbit/s`, `500kbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

impl Shaped for Rate {
    const SHAPE: Shape = Shape::Form {
        name: "rate",
        pattern: || format!(r"\s*{NUMBER}\s*{}(/s)?\s*", any_case(&any_of(&RATE_UNITS))),
        number: None,
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Rate {
    const EXPECTED: &'static str = "a rate in bits per second such as `10mbit` or `1 Mbit/s`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        let (number, unit, rest) = number_and_unit(text.trim());
        let per_second = matches!(rest, "" | "/s");
        let size = size_of(&unit.to_ascii_lowercase(), &RATE_UNITS);
        let rate = size
            .filter(|_| per_second)
            .and_then(|size| scaled(number, size))
            .and_then(|bits| u64::try_from(bits).ok())
            .filter(|&bits| bits > 0);
        refuse(value, rate.map(Self).ok_or_else(|| expected::<Self>(text)))
    }
}

/// A pace in bytes per second: `10kB/s`; `0B/s` is a standstill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pace(pub u64);

impl Shaped for Pace {
    const SHAPE: Shape = Shape::Form {
        name: "pace",
        pattern: || format!(r"\s*{NUMBER}\s*{}/s\s*", any_of(&PACE_UNITS)),
        number: None,
        expected: <Self as Decode>::EXPECTED,
    };
}

impl Decode for Pace {
    const EXPECTED: &'static str = "bytes per second such as `10kB/s`";

    fn decode(value: &Value<'_>) -> Option<Self> {
        let text = value.scalar(Self::EXPECTED)?;
        let (number, unit, rest) = number_and_unit(text.trim());
        let size = size_of(unit, &PACE_UNITS);
        let pace = size.filter(|_| rest == "/s").and_then(|size| scaled(number, size));
        let pace = pace.and_then(|bytes| u64::try_from(bytes).ok());
        refuse(value, pace.map(Self).ok_or_else(|| expected::<Self>(text)))
    }
}

/// Splits `1.5 kB/s` into `1.5`, `kB` and `/s`.
fn number_and_unit(text: &str) -> (&str, &str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    (number, unit, rest)
}

/// `number` (decimal, no sign) times `size`, exactly; `None` if it is no number, not whole then, or too large.
fn scaled(number: &str, size: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let ten_power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let part = fraction.checked_mul(size)?;
    if part % ten_power != 0 {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    whole.checked_mul(size)?.checked_add(part / ten_power)
}

fn expected<T: Decode>(text: &str) -> Refusal {
    Refusal { message: format!("expected {}, found `{}`", T::EXPECTED, shown(text)), help: None }
}

fn refuse<T>(value: &Value<'_>, result: Result<T, Refusal>) -> Option<T> {
    let refusal = match result {
        Ok(decoded) => return Some(decoded),
        Err(refusal) => refusal,
    };
    match refusal.help {
        Some(help) => value.error_with_help(refusal.message, help),
        None => value.error(refusal.message),
    }
    None
}

/// Writes a duration as [`duration_text`].
pub(super) fn serialize_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration_text(*duration))
}

/// Writes a duration that may be missing as [`duration_text`].
pub(super) fn serialize_optional_duration<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(duration_text).serialize(serializer)
}

/// Writes pairs as a mapping in their order.
pub(super) fn serialize_pairs<S: Serializer, V: Serialize>(
    pairs: &[(String, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}
