//! Pages that lie: tokens are spoilt on their way out and understood on their way in, so that services know nothing
//! of it.

use serde_json::Value;

use super::Kind;
use crate::services::Answer;

/// Members that hold a token, in requests and in answers.
const ASKING: &[&str] = &["NextToken", "nextToken", "ContinuationToken"];
const ANSWERING: &[&str] = &["NextToken", "nextToken", "NextContinuationToken", "ContinuationToken"];

/// What tokens made here begin with.
const MARK: &str = "simulated-fault-";

/// What a request's token says of the pages before, once it is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Came {
    /// The empty page was given already.
    after_empty: bool,
    /// How many endless pages were given already.
    endless: u32,
}

/// Takes a token made here out of an input.
pub(crate) fn untangle(input: &mut Value) -> Came {
    let Some(members) = input.as_object_mut() else { return Came::default() };
    let Some(name) = ASKING.iter().find(|name| members.get(**name).is_some_and(made_here)) else {
        return Came::default();
    };
    let token = members.shift_remove(*name);
    let rest = token.as_ref().and_then(Value::as_str).and_then(|token| token.strip_prefix(MARK)).unwrap_or("");
    if let Some(number) = rest.strip_prefix("endless-") {
        return Came { after_empty: false, endless: number.parse().unwrap_or(0) };
    }
    let before = rest.strip_prefix("empty-");
    if let Some(real) = before.filter(|real| !real.is_empty()) {
        members.insert((*name).to_owned(), Value::from(real));
    }
    Came { after_empty: before.is_some(), endless: 0 }
}

/// The token a request came with, to give back after an empty page.
pub(crate) fn token(input: &Value) -> &str {
    ASKING.iter().find_map(|name| input.get(name)?.as_str()).unwrap_or("")
}

fn made_here(token: &Value) -> bool {
    token.as_str().is_some_and(|token| token.starts_with(MARK))
}

/// Spoils a page that was asked for with a token. Answers that are no lists pass as they are.
pub(crate) fn tangle(answer: &mut Answer, kind: Kind, came: Came, operation: &str, asked_with: &str) {
    let token = match kind {
        Kind::EmptyPageWithToken if !came.after_empty => format!("empty-{asked_with}"),
        Kind::RepeatToken => "again".to_owned(),
        Kind::EndlessToken => format!("endless-{}", came.endless + 1),
        _ => return,
    };
    let empty = kind == Kind::EmptyPageWithToken || came.endless > 0;
    let token = format!("{MARK}{token}");
    match answer {
        Answer::Json(Value::Object(members)) if members.values().any(Value::is_array) => {
            if empty {
                members.values_mut().filter_map(Value::as_array_mut).for_each(Vec::clear);
            }
            let known = ANSWERING.iter().find(|name| members.contains_key(**name));
            // Without a token of its own to go by, the service's other members tell the case of its names.
            let lower = members.keys().any(|name| name.starts_with(char::is_lowercase));
            let name = known.copied().unwrap_or(if lower { "nextToken" } else { "NextToken" });
            members.insert(name.to_owned(), Value::from(token));
        }
        Answer::Xml(element) => element.page(operation, empty, token),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_page_comes_once_and_then_the_real_one() {
        let mut answer = Answer::Json(json!({"Endpoints": [{}]}));
        tangle(&mut answer, Kind::EmptyPageWithToken, Came::default(), "ListEndpoints", "");
        let Answer::Json(page) = &answer else { panic!("another kind of answer") };
        assert_eq!(page["Endpoints"], json!([]));
        let mut input = json!({"NextToken": page["NextToken"], "MaxResults": 10});
        let came = untangle(&mut input);
        assert_eq!(input, json!({"MaxResults": 10}));
        let mut answer = Answer::Json(json!({"Endpoints": [{}]}));
        tangle(&mut answer, Kind::EmptyPageWithToken, came, "ListEndpoints", "");
        assert!(matches!(answer, Answer::Json(page) if page == json!({"Endpoints": [{}]})));
    }
}
