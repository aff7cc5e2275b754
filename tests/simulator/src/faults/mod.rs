//! What goes wrong on purpose: a plan of rules, each of which strikes the requests it is about.
//!
//! Whether a rule strikes a request follows from the plan's seed and from what is asked, not from the order of arrival:
//! the same sweep meets the same faults however its requests are interleaved. How pages are spoilt is in `pages`.

pub(crate) mod pages;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::policy::matches;
use crate::hash::{Fnv, share};

/// A plan of faults, as written in YAML.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule. Service, operation, account and region are texts in which `*` stands for any text, with `|` between
/// alternatives; left out, they are any. The account of an AssumeRole is the one that is entered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Which share of the requests it is about it strikes.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many attempts at one request it strikes before it lets the next pass; none: all. For sessions that end,
    /// how many of one account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The first request of an account that it may strike, counting those it is about from 1. Depends on the order of
    /// arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// How long what is slow takes; how far a clock is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// Seconds beyond which nobody waits: ten years.
const LONGEST: f64 = 315_360_000.0;

fn always() -> f64 {
    1.0
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Too many requests, whatever the limits.
    Throttle,
    /// The service failed.
    Error500,
    /// The connection is reset in the middle of the body.
    Reset,
    /// The connection is closed before an answer.
    Dropped,
    /// Half the body, as if it were all.
    Truncate,
    /// A body that is not what the protocol says.
    Malformed,
    /// An answer without any member.
    EmptyObject,
    /// The body trickles for so many seconds.
    Slow,
    /// No answer for so many seconds, then the right one.
    Hang,
    /// Before the first page comes an empty one that says there is more. This and the next two strike only what AWS hands
    /// out in pages.
    EmptyPageWithToken,
    /// Each page says the same one comes next.
    RepeatToken,
    /// There is always one page more, each with a token of its own.
    EndlessToken,
    /// The session is over from this request on.
    ExpiredSession,
    /// The session was revoked before this request.
    RevokedSession,
    /// The role lacks the permission.
    Denied,
    /// A service control policy denies it.
    ScpDenied,
    /// The account is closed from this request on.
    AccountClosed,
    /// What is described is gone since it was listed.
    Vanished,
    /// The answer's Date is so many seconds off.
    Skew,
    /// The signature is refused because of the clocks.
    SkewRefused,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind::Throttle,
    Kind::Error500,
    Kind::Reset,
    Kind::Dropped,
    Kind::Truncate,
    Kind::Malformed,
    Kind::EmptyObject,
    Kind::Slow,
    Kind::Hang,
    Kind::EmptyPageWithToken,
    Kind::RepeatToken,
    Kind::EndlessToken,
    Kind::ExpiredSession,
    Kind::RevokedSession,
    Kind::Denied,
    Kind::ScpDenied,
    Kind::AccountClosed,
    Kind::Vanished,
    Kind::Skew,
    Kind::SkewRefused,
];

impl Kind {
    /// As plans and journals write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Error500 => "error500",
            Self::Reset => "reset",
            Self::Dropped => "dropped",
            Self::Truncate => "truncate",
            Self::Malformed => "malformed",
            Self::EmptyObject => "empty_object",
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::EmptyPageWithToken => "empty_page_with_token",
            Self::RepeatToken => "repeat_token",
            Self::EndlessToken => "endless_token",
            Self::ExpiredSession => "expired_session",
            Self::RevokedSession => "revoked_session",
            Self::Denied => "denied",
            Self::ScpDenied => "scp_denied",
            Self::AccountClosed => "account_closed",
            Self::Vanished => "vanished",
            Self::Skew => "skew",
            Self::SkewRefused => "skew_refused",
        }
    }

    /// Whether it is about answers that AWS hands out in pages, and about no others.
    fn of_pages(self) -> bool {
        matches!(self, Self::EmptyPageWithToken | Self::RepeatToken | Self::EndlessToken)
    }
}

impl Rule {
    /// A rule that strikes everything, to be narrowed.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            service: None,
            operation: None,
            account: None,
            region: None,
            probability: 1.0,
            times: None,
            from: None,
            seconds: None,
        }
    }

    /// The member that no rule of its kind can have, and what it must be.
    fn problem(&self) -> Option<(&'static str, String)> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Some(("probability", "from 0 to 1".to_owned()));
        }
        // Clocks go wrong either way.
        let fewest = if self.kind == Kind::Skew { -LONGEST } else { 0.0 };
        let fits = self.seconds.is_none_or(|seconds| (fewest..=LONGEST).contains(&seconds));
        (!fits).then(|| ("seconds", format!("from {fewest} to {LONGEST}")))
    }

    fn about(&self, target: &Target<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.split('|').any(|pattern| matches(pattern.trim(), text)))
        };
        fits(&self.service, target.service)
            && fits(&self.operation, target.operation)
            && fits(&self.account, target.account)
            && fits(&self.region, target.region)
            && (!self.kind.of_pages() || pages::of(target.service, target.operation).is_some())
    }
}

impl Plan {
    /// Reads a plan from YAML (or JSON) and checks what types do not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plan: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let problems = plan.rules.iter().enumerate().filter_map(|(at, rule)| {
            let (member, what) = rule.problem()?;
            Some(format!("rules[{at}].{member} of {}: must be {what}", rule.kind.name()))
        });
        let problems: Vec<String> = problems.collect();
        if problems.is_empty() { Ok(plan) } else { Err(problems.join("\n")) }
    }
}

/// A request, as far as faults look at it.
pub(crate) struct Target<'a> {
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) access_key: &'a str,
    pub(crate) input: &'a Value,
}

/// A fault that struck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Strike {
    pub(crate) kind: Kind,
    pub(crate) seconds: f64,
    /// Picks among the ways a kind can show.
    pub(crate) pick: u64,
}

/// A plan in force, with what it has done so far.
pub(crate) struct Faults {
    plan: Plan,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    /// Attempts struck, by rule and request; sessions ended, by rule and account.
    struck: HashMap<u64, u32>,
    /// Requests a rule was about, by rule and account.
    seen: HashMap<(usize, String), u32>,
    closed: HashSet<String>,
    ended: HashMap<String, Kind>,
}

impl Faults {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, done: Mutex::default() }
    }

    /// What goes wrong with a request, if something does. The first rule that strikes decides.
    pub(crate) fn strike(&self, target: &Target<'_>) -> Option<Strike> {
        if self.plan.rules.is_empty() {
            return None;
        }
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = |kind| Strike { kind, seconds: 0.0, pick: 0 };
        if done.closed.contains(target.account) {
            return Some(lasting(Kind::AccountClosed));
        }
        if let Some(kind) = done.ended.get(target.access_key) {
            return Some(lasting(*kind));
        }
        self.plan.rules.iter().enumerate().find_map(|(at, rule)| self.apply(at, rule, target, &mut done))
    }

    fn apply(&self, at: usize, rule: &Rule, target: &Target<'_>, done: &mut Done) -> Option<Strike> {
        // The caller's own keys end only where a rule names what is done with them, and identity is not at the mercy of
        // a plan.
        let ends = matches!(rule.kind, Kind::ExpiredSession | Kind::RevokedSession);
        let own = !target.access_key.starts_with("ASIA") && rule.operation.as_deref() != Some("AssumeRole");
        if !rule.about(target) || (ends && own) {
            return None;
        }
        let hash = identity(self.plan.seed, at, rule.kind, target);
        if share(hash) >= rule.probability {
            return None;
        }
        if let Some(from) = rule.from {
            let seen = done.seen.entry((at, target.account.to_owned())).or_insert(0);
            *seen += 1;
            if *seen < from {
                return None;
            }
        }
        let counted = if ends { identity_of_account(self.plan.seed, at, target) } else { hash };
        let times = if ends { Some(rule.times.unwrap_or(1)) } else { rule.times };
        if let Some(times) = times {
            let struck = done.struck.entry(counted).or_insert(0);
            if *struck >= times {
                return None;
            }
            *struck += 1;
        }
        match rule.kind {
            Kind::AccountClosed => _ = done.closed.insert(target.account.to_owned()),
            Kind::ExpiredSession | Kind::RevokedSession => {
                done.ended.insert(target.access_key.to_owned(), rule.kind);
            }
            _ => {}
        }
        let usual = if rule.kind == Kind::Skew { 3600.0 } else { 30.0 };
        Some(Strike { kind: rule.kind, seconds: rule.seconds.unwrap_or(usual), pick: hash })
    }
}

/// The same for every attempt at the same request, in every run. A permission is one of an operation whatever is asked
/// for, and a service control policy strikes all that a rule is about in a region alike.
fn identity(seed: u64, rule: usize, kind: Kind, target: &Target<'_>) -> u64 {
    let mut hash = Fnv::new(seed);
    hash.add(&rule.to_string());
    match kind {
        Kind::AccountClosed => hash.add(target.account),
        // Such policies are about regions more than about anything else.
        Kind::ScpDenied => [target.account, target.region].iter().for_each(|part| hash.add(part)),
        Kind::Denied => {
            [target.account, target.region, target.service, target.operation].iter().for_each(|part| hash.add(part));
        }
        _ => {
            [target.account, target.region, target.service, target.operation].iter().for_each(|part| hash.add(part));
            // Names of sessions and times of day differ between runs.
            for (name, value) in target.input.as_object().into_iter().flatten() {
                if name != "RoleSessionName" && !name.contains("Time") {
                    hash.add(name);
                    hash.add(&value.to_string());
                }
            }
        }
    }
    hash.end()
}

fn identity_of_account(seed: u64, rule: usize, target: &Target<'_>) -> u64 {
    let mut hash = Fnv::new(seed);
    [&rule.to_string(), "account", target.account].iter().for_each(|part| hash.add(part));
    hash.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn struck(faults: &Faults, account: &str, access_key: &str, input: &Value) -> Option<Kind> {
        let target = Target {
            service: "sagemaker",
            operation: "ListEndpoints",
            account,
            region: "us-east-1",
            access_key,
            input,
        };
        faults.strike(&target).map(|strike| strike.kind)
    }

    #[test]
    fn the_same_requests_are_struck_in_any_order() {
        let plan = Plan::parse("{seed: 7, rules: [{kind: throttle, probability: 0.3, operation: 'List*|Describe*'}]}");
        let inputs: Vec<Value> = (0..200).map(|at| json!({"NextToken": at.to_string()})).collect();
        let faults = |order: Vec<&Value>| {
            let faults = Faults::new(plan.clone().unwrap());
            let of = |input: &&Value| struck(&faults, "1", "ASIA1", input).is_some();
            let mut struck: Vec<String> = order.into_iter().filter(of).map(Value::to_string).collect();
            struck.sort();
            struck
        };
        let forward = faults(inputs.iter().collect());
        assert_eq!(forward, faults(inputs.iter().rev().collect()));
        assert!((40..80).contains(&forward.len()), "{}", forward.len());
    }

    #[test]
    fn what_has_no_pages_is_left_to_the_next_rule() {
        let rules = vec![Rule::new(Kind::EmptyPageWithToken), Rule::new(Kind::Throttle)];
        let faults = Faults::new(Plan { seed: 0, rules });
        let asked = json!({});
        let of = |operation| {
            let (account, region, access_key) = ("1", "us-east-1", "ASIA1");
            let target = Target { service: "sagemaker", operation, account, region, access_key, input: &asked };
            faults.strike(&target).map(|strike| strike.kind)
        };
        assert_eq!(of("ListEndpoints"), Some(Kind::EmptyPageWithToken));
        assert_eq!(of("DescribeEndpoint"), Some(Kind::Throttle));
    }

    #[test]
    fn numbers_that_no_rule_can_have_are_refused() {
        for seconds in ["-3", ".inf", ".nan", "-.inf"] {
            let text = format!("{{rules: [{{kind: throttle}}, {{kind: hang, seconds: {seconds}}}]}}");
            let problem = Plan::parse(&text).unwrap_err();
            assert_eq!(problem, "rules[1].seconds of hang: must be from 0 to 315360000", "{seconds}");
        }
        assert!(Plan::parse("{rules: [{kind: skew, seconds: -200}, {kind: hang, seconds: 0.5}]}").is_ok());
        assert!(Plan::parse("{rules: [{kind: throttle, probability: 2}]}").unwrap_err().contains("from 0 to 1"));
    }

    #[test]
    fn attempts_pass_after_the_times_of_a_rule() {
        let faults = Faults::new(Plan { seed: 0, rules: vec![Rule { times: Some(2), ..Rule::new(Kind::Error500) }] });
        let asked = json!({});
        let of = |input| struck(&faults, "1", "ASIA1", input).is_some();
        assert!(of(&asked) && of(&asked) && !of(&asked));
        assert!(of(&json!({"NextToken": "2"})));
    }

    #[test]
    fn sessions_and_accounts_stay_ended() {
        let expired = Rule { from: Some(2), ..Rule::new(Kind::ExpiredSession) };
        let closed = Rule { account: Some("2".to_owned()), ..Rule::new(Kind::AccountClosed) };
        let faults = Faults::new(Plan { seed: 0, rules: vec![closed, expired] });
        let asked = json!({});
        assert_eq!(struck(&faults, "1", "ASIA1", &asked), None);
        assert_eq!(struck(&faults, "1", "ASIA1", &asked), Some(Kind::ExpiredSession));
        assert_eq!(struck(&faults, "1", "ASIA1", &asked), Some(Kind::ExpiredSession));
        assert_eq!(struck(&faults, "1", "ASIA2", &asked), None);
        assert_eq!(struck(&faults, "2", "ASIA3", &asked), Some(Kind::AccountClosed));
        assert_eq!(struck(&faults, "2", "ASIA4", &asked), Some(Kind::AccountClosed));
    }
}
