//! Times in an estate: ISO 8601, or relative to the start of the simulator, `-3h`.
//!
//! What members hold times is told by their names; how a service writes them, by its kind.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// How a protocol writes a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Seconds since 1970, as AWS JSON does.
    Seconds,
    /// Milliseconds since 1970, as CloudWatch Logs does.
    Millis,
    /// RFC 3339, as REST-JSON and XML do.
    Text,
}

/// Members whose names look like those of times and which the API model calls text.
const TEXTS: &[&str] = &[
    "LatestDeliveryAttemptTime",
    "LatestNotificationAttemptTime",
    "LatestDeliveryAttemptSucceeded",
    "LatestNotificationAttemptSucceeded",
];

/// A moment as estates write it.
pub(crate) fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(back) = text.strip_prefix('-') {
        return now.checked_sub(duration(back)?).ok();
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return now.checked_add(duration(ahead)?).ok();
    }
    // A date alone, or a time without zone, is UTC.
    let zoned = text.parse::<Timestamp>();
    zoned.ok().or_else(|| format!("{text}T00:00:00Z").parse().ok()).or_else(|| format!("{text}Z").parse().ok())
}

fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| (0..1_000_000).contains(number))?;
    match unit {
        's' => Some(SignedDuration::from_secs(number)),
        'm' => Some(SignedDuration::from_mins(number)),
        'h' => Some(SignedDuration::from_hours(number)),
        'd' => Some(SignedDuration::from_hours(24 * number)),
        _ => None,
    }
}

/// The moment in the form of a protocol.
pub(crate) fn written(at: Timestamp, form: Form) -> Value {
    match form {
        Form::Seconds => Value::from(at.as_millisecond() as f64 / 1000.0),
        Form::Millis => Value::from(at.as_millisecond()),
        Form::Text => Value::from(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
    }
}

/// Whether a member of this name holds a time.
fn is_time(member: &str) -> bool {
    let ends = ["Time", "Date", "At", "Timestamp", "ValidTo"];
    !TEXTS.contains(&member) && (member == "time" || ends.iter().any(|end| member.ends_with(end)))
}

/// Puts every time among members, and below them, into the form of their protocol.
pub(crate) fn settle_members(members: &mut Map<String, Value>, now: Timestamp, form: Form) {
    for (name, member) in members {
        match member.as_str().filter(|_| is_time(name)).and_then(|text| parse(text, now)) {
            Some(at) => *member = written(at, form),
            None => settle(member, now, form),
        }
    }
}

/// Puts every time below a value into the form of its protocol. Texts that are no times stay as they are.
pub(crate) fn settle(value: &mut Value, now: Timestamp, form: Form) {
    match value {
        Value::Object(members) => settle_members(members, now, form),
        Value::Array(items) => items.iter_mut().for_each(|item| settle(item, now, form)),
        _ => {}
    }
}
