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

/// How estates may write a moment, for people who wrote another one.
pub(crate) const WRITTEN: &str = "2026-11-25T12:00:00Z, 2026-11-25, or counted from the start, -3h, with s, m, h or d";

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

/// Members below which the names are those of whoever wrote them.
const FREE: &[&str] = &["Environment", "HyperParameters", "StaticHyperParameters"];

/// Puts every time among members, and below them, into the form of their protocol. Returns those that cannot be read.
pub(crate) fn settle_members(members: &mut Map<String, Value>, now: Timestamp, form: Form) -> Vec<Unread> {
    let mut unread = Vec::new();
    for (name, member) in members {
        if FREE.contains(&name.as_str()) {
            continue;
        }
        let text = member.as_str().filter(|_| is_time(name));
        match text.map(|text| parse(text, now)) {
            Some(Some(at)) => *member = written(at, form),
            Some(None) => unread.push(Unread { at: name.clone(), written: member.clone() }),
            None => unread.extend(settle(member, now, form).into_iter().map(|below| below.under(name))),
        }
    }
    unread
}

/// What stands where a time should and is none.
pub(crate) struct Unread {
    /// The path of its member.
    pub at: String,
    pub written: Value,
}

impl Unread {
    fn under(self, name: &str) -> Self {
        let dot = if self.at.starts_with('[') { "" } else { "." };
        Self { at: format!("{name}{dot}{}", self.at), ..self }
    }
}

/// Puts every time below a value into the form of its protocol. Returns those that cannot be read.
pub(crate) fn settle(value: &mut Value, now: Timestamp, form: Form) -> Vec<Unread> {
    match value {
        Value::Object(members) => settle_members(members, now, form),
        Value::Array(items) => {
            let settled = items.iter_mut().enumerate().map(|(at, item)| (at, settle(item, now, form)));
            settled
                .flat_map(|(at, unread)| unread.into_iter().map(move |below| below.under(&format!("[{at}]"))))
                .collect()
        }
        _ => Vec::new(),
    }
}
