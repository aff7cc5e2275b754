//! Files that are read again: which of two readings stands, file by file and line by line.
//!
//! What is known once is not given up for what could not be read later: a permission may be gone, AWS may throttle. Lists
//! and what they list stay together, or a list would be whole that lacks what it listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Fact, Line};
use crate::model::ids::{AccountId, Region};
use crate::relate::done::thing;

/// What two lines tell of, if they tell of the same. Not by id alone: of a bucket that could not be located before, the
/// line has no region.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Thing(u128),
    Other(String, String, Option<Region>),
}

fn about(account: &AccountId, line: &Line) -> About {
    match thing(account, line) {
        Some(thing) => About::Thing(thing),
        None => {
            let id = line.id.as_str().to_owned();
            About::Other(line.kind.clone(), id, line.region.clone())
        }
    }
}

fn is_list(line: &Line) -> bool {
    matches!(line.fact, Fact::Account(_) | Fact::Listing(_))
}

/// Whether the inventory of an account came out worse than in an earlier run: shut out, or with more lists that failed.
/// What a list names and another one does not is no measure.
pub(super) fn is_worse(lines: &[Line], old: &[Line]) -> bool {
    let shut_out = |lines: &[Line]| {
        let entry = lines.iter().find_map(|line| match &line.fact {
            Fact::Account(entry) => Some(entry),
            _ => None,
        });
        entry.is_none_or(|entry| entry.session.is_err())
    };
    match (shut_out(lines), shut_out(old)) {
        (true, was_shut_out) => !was_shut_out,
        (false, true) => false,
        (false, false) => lost_lists(lines) > lost_lists(old),
    }
}

fn lost_lists(lines: &[Line]) -> usize {
    lines.iter().filter(|line| is_list(line) && !line.unknowns().is_empty()).count()
}

/// The lines of an inventory that is not worse than that of an earlier run, each as it was then where it told more.
pub(super) fn improved(account: &AccountId, old: Vec<Line>, mut lines: Vec<Line>) -> Vec<Line> {
    let mut old: BTreeMap<About, Line> =
        old.into_iter().filter(|line| !is_list(line)).map(|line| (about(account, &line), line)).collect();
    for line in lines.iter_mut().filter(|line| !is_list(line)) {
        let lacks = line.unknowns().len();
        if lacks > 0
            && let Some(old) = old.remove(&about(account, line))
            && old.unknowns().len() < lacks
        {
            *line = old;
        }
    }
    lines
}

/// The same of what an account's inventory reaches. Where lists failed that were whole before, and nothing else is
/// reached now, the earlier file stays, but for what is known better now.
pub(super) fn reached(account: &AccountId, old: Vec<Line>, lines: Vec<Line>) -> Vec<Line> {
    let things = |lines: &[Line]| lines.iter().filter_map(|line| thing(account, line)).collect::<BTreeSet<_>>();
    if lost_lists(&lines) > lost_lists(&old) && things(&lines).is_subset(&things(&old)) {
        let lines = lines.into_iter().filter(|line| thing(account, line).is_some()).collect();
        return bettered(account, old, lines);
    }
    improved(account, old, lines)
}

/// The lines of a file after some of what they tell of was asked again: of two that tell of the same, the one that
/// leaves less unknown.
pub(super) fn bettered(account: &AccountId, mut before: Vec<Line>, mut after: Vec<Line>) -> Vec<Line> {
    let of = |line: &Line| thing(account, line);
    let lacked: BTreeMap<u128, usize> =
        before.iter().filter_map(|line| Some((of(line)?, line.unknowns().len()))).collect();
    after.retain(|line| {
        of(line).and_then(|thing| lacked.get(&thing)).is_none_or(|lacked| line.unknowns().len() <= *lacked)
    });
    let told: BTreeSet<u128> = after.iter().filter_map(of).collect();
    before.retain(|line| of(line).is_none_or(|thing| !told.contains(&thing)));
    merged(account, before, after)
}

/// The lines of two rounds. A later round may list again what an earlier one listed; the later word stands.
pub(super) fn merged(account: &AccountId, before: Vec<Line>, after: Vec<Line>) -> Vec<Line> {
    let lines = before.into_iter().chain(after);
    lines.map(|line| (about(account, &line), line)).collect::<BTreeMap<_, _>>().into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Listing;
    use crate::inventory::kms::{Key, KeyState};
    use crate::inventory::organizations::AccountEntry;
    use crate::model::observed::{Told, Unknown, Why};

    const ACCOUNT: &str = "111111111111";

    fn account() -> AccountId {
        AccountId::new(ACCOUNT)
    }

    fn line(id: &str, fact: Fact) -> Line {
        Line::new(&account(), Some(&Region::new("eu-west-1")), id, Vec::new(), fact)
    }

    fn lost<T>(why: Why) -> Told<T> {
        Err(Unknown::new("kms:DescribeKey", why))
    }

    fn key(name: &str, known: bool) -> Line {
        let state = KeyState { arn: name.to_owned(), state: "Enabled".to_owned(), manager: None };
        let state = if known { Ok(state) } else { lost(Why::Denied) };
        line(name, Fact::Key(Key { reference: name.to_owned(), state }))
    }

    fn list(count: Told<u64>) -> Line {
        line("list", Fact::Listing(Listing { call: "ec2:DescribeFlowLogs".to_owned(), count, capped: 0 }))
    }

    fn entry(session: Told<String>) -> Line {
        let entry = AccountEntry {
            session,
            enabled_regions: Ok(vec![Region::new("eu-west-1")]),
            read_regions: Vec::new(),
            workloads: true,
        };
        line(ACCOUNT, Fact::Account(entry))
    }

    #[test]
    fn an_account_that_was_entered_once_is_not_shut_out_by_what_came_later() {
        let (inside, denied) = (|| entry(Ok("arn".to_owned())), || entry(lost(Why::Denied)));
        assert!(is_worse(&[denied()], &[inside(), list(lost(Why::Throttled))]));
        assert!(!is_worse(&[inside()], &[denied()]));
        assert!(is_worse(&[inside(), list(lost(Why::Denied))], &[inside(), list(Ok(3))]));
        assert!(!is_worse(&[inside(), list(Ok(3))], &[inside(), list(lost(Why::Denied))]));
    }

    #[test]
    fn what_was_known_stays_known_and_what_is_gone_does_not_come_back() {
        let old = vec![key("a", true), key("b", false), key("gone", true)];
        let lines = vec![key("a", false), key("b", true), key("c", false)];
        assert_eq!(improved(&account(), old, lines), [key("a", true), key("b", true), key("c", false)]);
    }

    #[test]
    fn a_list_that_fails_later_does_not_cost_what_it_listed() {
        let flow = line("flow", Fact::Listing(Listing { call: "another:List".to_owned(), count: Ok(1), capped: 0 }));
        let old = vec![key("a", false), list(Ok(1)), flow.clone()];
        let kept = reached(&account(), old.clone(), vec![key("a", true), list(lost(Why::Denied))]);
        assert!([key("a", true), list(Ok(1)), flow].iter().all(|line| kept.contains(line)), "{kept:?}");
        // Whether the list would have held what is reached only now it does not tell.
        let now = vec![key("a", true), key("b", true), list(lost(Why::Denied))];
        assert_eq!(reached(&account(), old, now.clone()), now);
    }
}
