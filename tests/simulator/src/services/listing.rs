//! Lists and descriptions as tables: what a service lists of a kind of resources, and how it describes one.
//!
//! A service whose operations are of this form is a file of rows; what is special about an operation stays with its
//! service.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Answer, AwsError, Call, Outcome};

/// Members of an input or output, or of a resource; none where an API has no such thing.
type Member = Option<&'static str>;

/// One operation that lists resources.
pub(crate) struct List {
    pub(crate) operation: &'static str,
    pub(crate) kind: &'static str,
    /// Output member that holds the items.
    pub(crate) items: &'static str,
    /// Members of an item as the list shows it; empty for all. `id=guardrailId` shows a member by another name,
    /// which may be a path, `Strategy=Config.Strategy`.
    pub(crate) summary: &'static [&'static str],
    pub(crate) pages: Pages,
    /// Members of the resource that filters and orders of the input refer to.
    pub(crate) name: Member,
    pub(crate) created: Member,
    pub(crate) modified: Member,
    pub(crate) status: Member,
    /// Input members that items must equal, as in lists of what lies below another resource.
    pub(crate) equal: &'static [(&'static str, &'static str)],
}

/// How a service hands out pages.
#[derive(Clone, Copy)]
pub(crate) struct Pages {
    /// Input members for the size of a page and for the token of the next one, and the output member of that token.
    pub(crate) size: &'static str,
    pub(crate) token: &'static str,
    pub(crate) next: &'static str,
    pub(crate) default: usize,
    pub(crate) most: usize,
    /// Codes of the errors for a size that is wrong, and for a token that is none of this list.
    pub(crate) refusal: &'static str,
    pub(crate) unknown: &'static str,
}

/// Pages of SageMaker.
pub(crate) const SAGEMAKER: Pages = Pages {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    default: 10,
    most: 100,
    refusal: INVALID,
    unknown: INVALID,
};
/// Pages of Bedrock and of its agents. The default is not documented.
pub(crate) const BEDROCK: Pages = Pages {
    size: "maxResults",
    token: "nextToken",
    next: "nextToken",
    default: 100,
    most: 1000,
    refusal: INVALID,
    unknown: INVALID,
};
/// Pages of CloudWatch Logs.
pub(crate) const LOGS: Pages = Pages {
    size: "limit",
    token: "nextToken",
    next: "nextToken",
    default: 50,
    most: 50,
    refusal: "InvalidParameterException",
    unknown: "InvalidParameterException",
};

const INVALID: &str = "ValidationException";

/// One operation that tells all about a resource.
pub(crate) struct Describe {
    pub(crate) operation: &'static str,
    pub(crate) kind: &'static str,
    /// Input members and the resource's members they must equal, the last by one of several: name, id or ARN.
    pub(crate) by: &'static [(&'static str, &'static [&'static str])],
    /// Output member that holds the resource; none when the output is the resource.
    pub(crate) wrapped: Member,
    /// The error for a resource that is not there; `{}` stands for what was asked for, `{arn}` for its ARN.
    pub(crate) missing: (&'static str, u16, &'static str),
}

/// Answers a call from the tables of its service; none when they do not have the operation.
pub(crate) fn answer(call: &Call<'_>, lists: &[List], descriptions: &[Describe]) -> Option<Outcome> {
    if let Some(list) = lists.iter().find(|list| list.operation == call.operation) {
        return Some(listed(call, list));
    }
    let describe = descriptions.iter().find(|describe| describe.operation == call.operation)?;
    Some(described(call, describe))
}

fn resources<'a>(call: &Call<'a>, kind: &str) -> &'a [Value] {
    let account = call.world.estate.account(call.account);
    account.map_or(&[], |account| account.all(call.region, call.service, kind))
}

/// One page of a list.
pub(crate) fn listed(call: &Call<'_>, list: &List) -> Outcome {
    let (offset, size) = window(call, list.pages)?;
    let mut found: Vec<&Value> = resources(call, list.kind).iter().filter(|item| meets(call, list, item)).collect();
    order(call, list, &mut found);
    let (page, next) = page(call, &found, offset, size);
    let items: Vec<Value> = page.iter().map(|item| summary(item, list.summary)).collect();
    let mut output = Map::new();
    output.insert(list.items.to_owned(), Value::Array(items));
    if let Some(next) = next {
        output.insert(list.pages.next.to_owned(), Value::String(next));
    }
    Ok(Answer::Json(Value::Object(output)))
}

/// Where the page begins and how many items it may hold.
pub(crate) fn window(call: &Call<'_>, pages: Pages) -> Result<(usize, usize), AwsError> {
    let size = match call.integer(pages.size)? {
        None => pages.default,
        Some(size) => {
            let fits = usize::try_from(size).ok().filter(|size| (1..=pages.most).contains(size));
            fits.ok_or_else(|| out_of_range(pages, size))?
        }
    };
    let offset = match call.text(pages.token) {
        None => 0,
        Some(token) => {
            let offset = token.split_once('-').and_then(|(offset, _)| usize::from_str_radix(offset, 16).ok());
            let offset = offset.filter(|offset| self::token(call, *offset) == token);
            offset.ok_or_else(|| AwsError::new(pages.unknown, 400, format!("Invalid {}", pages.token)))?
        }
    };
    Ok((offset, size))
}

fn out_of_range(pages: Pages, size: i64) -> AwsError {
    let most = pages.most;
    let bound =
        if size < 1 { "greater than or equal to 1".to_owned() } else { format!("less than or equal to {most}") };
    // AWS names members in lower case here, whatever their case in the model.
    let mut member = pages.size.to_owned();
    member[..1].make_ascii_lowercase();
    let message = format!(
        "1 validation error detected: Value '{size}' at '{member}' failed to satisfy constraint: Member must have \
         value {bound}"
    );
    AwsError::new(pages.refusal, 400, message)
}

/// The items of a page, and the token of the next one if there is one.
pub(crate) fn page<'a, T>(call: &Call<'_>, items: &'a [T], offset: usize, size: usize) -> (&'a [T], Option<String>) {
    let start = offset.min(items.len());
    let end = start.saturating_add(size).min(items.len());
    (&items[start..end], (end < items.len()).then(|| token(call, end)))
}

/// A page token: the offset, and a checksum that ties it to the list it is of.
fn token(call: &Call<'_>, offset: usize) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let text = [call.account, call.region, call.service, call.operation];
    for byte in text.iter().flat_map(|text| text.bytes().chain([0])).chain(offset.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{offset:x}-{hash:016x}")
}

fn meets(call: &Call<'_>, list: &List, item: &Value) -> bool {
    let member = |name: Member| name.and_then(|name| item.get(name));
    let given = |upper: &str| given(call, upper);
    let text_is = |filter: &str, name: Member, test: &dyn Fn(&str, &str) -> bool| match given(filter) {
        Some(Value::String(wanted)) => {
            name.is_none() || member(name).and_then(Value::as_str).is_some_and(|text| test(text, wanted))
        }
        _ => true,
    };
    let time_is = |filter: &str, name: Member, test: &dyn Fn(f64, f64) -> bool| match given(filter).and_then(seconds) {
        Some(wanted) => name.is_none() || member(name).and_then(seconds).is_some_and(|at| test(at, wanted)),
        None => true,
    };
    text_is("NameContains", list.name, &|text, wanted| text.contains(wanted))
        && text_is("StatusEquals", list.status, &|text, wanted| text == wanted)
        && time_is("CreationTimeAfter", list.created, &|at, wanted| at > wanted)
        && time_is("CreationTimeBefore", list.created, &|at, wanted| at < wanted)
        && time_is("SubmitTimeAfter", list.created, &|at, wanted| at > wanted)
        && time_is("SubmitTimeBefore", list.created, &|at, wanted| at < wanted)
        && time_is("LastModifiedTimeAfter", list.modified, &|at, wanted| at > wanted)
        && time_is("LastModifiedTimeBefore", list.modified, &|at, wanted| at < wanted)
        && list.equal.iter().all(|(filter, name)| text_is(filter, Some(name), &|text, wanted| text == wanted))
}

/// An input member by its SageMaker name, or as REST-JSON services spell it.
fn given<'a>(call: &'a Call<'_>, upper: &str) -> Option<&'a Value> {
    call.input.get(upper).or_else(|| {
        let mut lower = upper.to_owned();
        lower[..1].make_ascii_lowercase();
        call.input.get(&lower)
    })
}

/// In the order asked for; as in the estate when none is.
fn order(call: &Call<'_>, list: &List, items: &mut [&Value]) {
    let by = given(call, "SortBy").and_then(Value::as_str);
    let direction = given(call, "SortOrder").and_then(Value::as_str);
    match by {
        Some("Name") => items.sort_by_key(|item| list.name.and_then(|name| item.get(name)).and_then(Value::as_str)),
        Some("Status") => items.sort_by_key(|item| list.status.and_then(|name| item.get(name)).and_then(Value::as_str)),
        Some(_) => items.sort_by(|a, b| {
            let at = |item: &Value| list.created.and_then(|name| item.get(name)).and_then(seconds).unwrap_or_default();
            at(a).total_cmp(&at(b))
        }),
        None => {}
    }
    if direction == Some("Descending") {
        items.reverse();
    }
}

/// A time as any of the protocols writes it.
pub(crate) fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let at: Timestamp = text.parse().ok()?;
            Some(at.as_millisecond() as f64 / 1000.0)
        }
        _ => None,
    }
}

/// The members of a resource that a list shows.
pub(crate) fn summary(resource: &Value, members: &[&str]) -> Value {
    if members.is_empty() {
        return resource.clone();
    }
    let mut shown = Map::with_capacity(members.len());
    for member in members {
        let (shown_as, path) = member.split_once('=').unwrap_or((member, member));
        if let Some(value) = below(resource, path) {
            shown.insert(shown_as.to_owned(), value);
        }
    }
    Value::Object(shown)
}

/// What a path leads to; through a list, from each of its items.
fn below(value: &Value, path: &str) -> Option<Value> {
    let Some((name, rest)) = path.split_once('.') else { return value.get(path).cloned() };
    match value.get(name)? {
        Value::Array(items) => Some(items.iter().filter_map(|item| below(item, rest)).collect()),
        inner => below(inner, rest),
    }
}

/// The resource a call asks about.
pub(crate) fn described(call: &Call<'_>, describe: &Describe) -> Outcome {
    let mut wanted = "";
    for (input, _) in describe.by {
        wanted = call.text(input).filter(|text| !text.is_empty()).ok_or_else(|| missing_parameter(input))?;
    }
    let found = resources(call, describe.kind).iter().find(|resource| {
        describe.by.iter().all(|(input, members)| {
            let given = call.text(input);
            members.iter().any(|member| resource.get(*member).and_then(Value::as_str) == given)
        })
    });
    match found {
        Some(resource) => Ok(Answer::Json(match describe.wrapped {
            Some(member) => Value::Object(Map::from_iter([(member.to_owned(), resource.clone())])),
            None => resource.clone(),
        })),
        None => {
            let (code, status, message) = describe.missing;
            let arn = format!("arn:aws:{}:{}:{}", call.service, call.region, call.account);
            Err(AwsError::new(code, status, message.replace("{arn}", &arn).replace("{}", wanted)))
        }
    }
}

/// A required member that the input lacks.
pub(crate) fn missing_parameter(member: &str) -> AwsError {
    let mut member = member.to_owned();
    member[..1].make_ascii_lowercase();
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    );
    AwsError::new(INVALID, 400, message)
}
