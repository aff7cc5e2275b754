//! Files that are read again: which of two readings stands, file by file and line by line.
//!
//! What is known once is not given up for what could not be read later: a permission may be gone, AWS may throttle. Lists
//! and what they list stay together, or a list would be whole that lacks what it listed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::organizations::AccountEntry;
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

/// The inventory of an account that was read again. Region by region, as the earlier one may have been cut short before
/// it knew them all: the earlier lists stay where more failed now, with what they list as it is known best, and the
/// earlier lines where it is not known any more which regions there are. What a list names and another one does not is
/// no measure.
pub(super) fn inventory(account: &AccountId, old: Vec<Line>, new: Vec<Line>) -> Vec<Line> {
    let entry = |lines: &[Line]| lines.iter().find_map(|line| entry_of(line).cloned());
    let Some(now) = entry(&new).filter(|entry| entry.session.is_ok()) else {
        let entered = entry(&old).is_some_and(|entry| entry.session.is_ok());
        return if entered { old } else { new };
    };
    let Some(then) = entry(&old).filter(|entry| entry.session.is_ok()) else { return new };
    let told = old.iter().find(|line| entry_of(line).is_some()).map_or_else(Vec::new, |line| line.reads.clone());
    let (mut old, new) = (by_region(old), by_region(new));
    let mut lines = Vec::new();
    for (region, new) in new {
        lines.extend(match old.remove(&region) {
            Some(old) if lost_lists(&new) > lost_lists(&old) => improved(account, new, old),
            Some(old) => improved(account, old, new),
            None => new,
        });
    }
    let mut entry = now;
    let mut reads = Vec::new();
    if entry.enabled_regions.is_err() {
        entry.read_regions.extend(then.read_regions);
        entry.read_regions.sort();
        entry.read_regions.dedup();
        entry.enabled_regions = then.enabled_regions.or(entry.enabled_regions);
        reads = told;
        lines.extend(old.into_values().flatten());
    }
    for line in &mut lines {
        if let Fact::Account(known) = &mut line.fact {
            *known = entry.clone();
            reads.retain(|read| !line.reads.iter().any(|known| known.call == read.call));
            line.reads.append(&mut reads);
        }
    }
    as_filed(lines)
}

fn entry_of(line: &Line) -> Option<&AccountEntry> {
    match &line.fact {
        Fact::Account(entry) => Some(entry),
        _ => None,
    }
}

fn by_region(lines: Vec<Line>) -> BTreeMap<Option<Region>, Vec<Line>> {
    let mut regions: BTreeMap<Option<Region>, Vec<Line>> = BTreeMap::new();
    for line in lines {
        regions.entry(line.region.clone()).or_default().push(line);
    }
    regions
}

/// What the account itself is does not come from a list of it.
fn lost_lists(lines: &[Line]) -> usize {
    lines.iter().filter(|line| matches!(line.fact, Fact::Listing(_)) && !line.unknowns().is_empty()).count()
}

/// The lines of another reading, each as it was before where it told more.
fn improved(account: &AccountId, old: Vec<Line>, mut lines: Vec<Line>) -> Vec<Line> {
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

/// The lines of a file after some of what they tell of was asked again: of two that tell of the same, the one that
/// leaves less unknown, and the later one where both leave as much. What a whole list does not hold any more is gone.
pub(super) fn bettered(account: &AccountId, before: Vec<Line>, after: Vec<Line>) -> Vec<Line> {
    let whole: BTreeSet<(&str, Option<&Region>)> = after
        .iter()
        .filter_map(|line| match &line.fact {
            Fact::Listing(listing) if listing.count.is_ok() => Some((listing.call.as_str(), line.region.as_ref())),
            _ => None,
        })
        .collect();
    let told: BTreeSet<About> = after.iter().map(|line| about(account, line)).collect();
    let is_gone = |line: &Line| {
        listed_by(line).is_some_and(|call| whole.contains(&(call, line.region.as_ref())))
            && !told.contains(&about(account, line))
    };
    let before = before.into_iter().filter(|line| !is_gone(line));
    let mut lines: BTreeMap<About, Line> = before.map(|line| (about(account, &line), line)).collect();
    for line in after {
        match lines.entry(about(account, &line)) {
            Entry::Vacant(free) => _ = free.insert(line),
            Entry::Occupied(known) if line.unknowns().len() > known.get().unknowns().len() => {}
            Entry::Occupied(mut known) => _ = known.insert(line),
        }
    }
    as_filed(lines.into_values().collect())
}

/// The list that alone tells whether what a line is about exists.
fn listed_by(line: &Line) -> Option<&'static str> {
    match &line.fact {
        Fact::FlowLog(_) => Some("ec2:DescribeFlowLogs"),
        Fact::Trail(_) => Some("cloudtrail:DescribeTrails"),
        _ => None,
    }
}

/// The order of lines in a file, so that what stays as it was is seen to.
fn as_filed(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| (&a.kind, &a.id, &a.region).cmp(&(&b.kind, &b.id, &b.region)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Listing;
    use crate::inventory::ec2::FlowLog;
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

    fn at(region: &str, line: Line) -> Line {
        Line { region: Some(Region::new(region)), ..line }
    }

    /// The entry of an account that was read in these regions; `all`: and in all it has.
    fn read_in(regions: &[&str], all: bool) -> Line {
        let regions: Vec<Region> = regions.iter().map(|region| Region::new(*region)).collect();
        let entry = AccountEntry {
            session: Ok("arn".to_owned()),
            enabled_regions: if all { Ok(regions.clone()) } else { lost(Why::RunEnded) },
            read_regions: regions,
            workloads: true,
        };
        Line { region: None, ..line(ACCOUNT, Fact::Account(entry)) }
    }

    #[test]
    fn an_account_that_was_entered_once_is_not_shut_out_by_what_came_later() {
        let (inside, denied) = (|| entry(Ok("arn".to_owned())), || entry(lost(Why::Denied)));
        let known = vec![inside(), list(Ok(3))];
        let again = |old: &[Line], new: &[Line]| inventory(&account(), old.to_vec(), new.to_vec());
        assert_eq!(again(&known, &[denied()]), known);
        assert_eq!(again(&[denied()], &known), known);
        assert_eq!(again(&known, &[inside(), list(lost(Why::Denied))]), known);
        assert_eq!(again(&[inside(), list(lost(Why::Denied))], &known), known);
    }

    #[test]
    fn a_reading_that_was_cut_short_is_no_measure_for_one_that_was_not() {
        let again = |old: &[Line], new: &[Line]| inventory(&account(), old.to_vec(), new.to_vec());
        let (home, closed) = ("us-east-1", "us-west-2");
        let cut = vec![read_in(&[home], false), at(home, list(lost(Why::RunEnded)))];
        let refused = at(closed, list(lost(Why::DeniedByScp)));
        let more = Fact::Listing(Listing { call: "a:B".to_owned(), count: lost(Why::DeniedByScp), capped: 0 });
        let whole =
            vec![read_in(&[home, closed], true), at(home, list(Ok(0))), refused, at(closed, line("more", more))];
        assert_eq!(again(&cut, &whole), whole);
        // And what is cut short later takes nothing away.
        assert_eq!(again(&whole, &cut), whole);
        // A region that was switched off since is gone.
        let less = vec![read_in(&[home], true), at(home, list(Ok(0)))];
        assert_eq!(again(&whole, &less), less);
    }

    #[test]
    fn what_was_known_stays_known_and_what_is_gone_does_not_come_back() {
        let old = vec![key("a", true), key("b", false), key("gone", true)];
        let lines = vec![key("a", false), key("b", true), key("c", false)];
        assert_eq!(improved(&account(), old, lines), [key("a", true), key("b", true), key("c", false)]);
    }

    #[test]
    fn what_is_described_in_the_next_window_stays_whatever_else_fails_there() {
        let again = |old: &[Line], new: &[Line]| inventory(&account(), old.to_vec(), new.to_vec());
        let of = |lines: &[Line]| as_filed([&[entry(Ok("arn".to_owned()))], lines].concat());
        let agents = |count| line("agents", Fact::Listing(Listing { call: "a:B".to_owned(), count, capped: 0 }));
        let old = of(&[list(Ok(2)), agents(Ok(0)), key("a", true), key("b", false)]);
        let new = of(&[list(Ok(2)), agents(lost(Why::Denied)), key("a", false), key("b", true)]);
        assert_eq!(again(&old, &new), of(&[list(Ok(2)), agents(Ok(0)), key("a", true), key("b", true)]));
    }

    #[test]
    fn a_flow_log_that_a_later_list_does_not_hold_is_gone() {
        let flow_log = |id: &str| {
            let told = FlowLog {
                id: id.to_owned(),
                resource: "vpc-1".to_owned(),
                active: Ok(true),
                deliver_status: None,
                deliver_error: None,
                traffic: Ok("ALL".to_owned()),
                destination_type: None,
                destination: None,
                log_group: None,
                hive: None,
                format: None,
                created: None,
            };
            line(id, Fact::FlowLog(told))
        };
        let old = vec![flow_log("fl-1"), flow_log("fl-2"), list(Ok(2)), key("a", true)];
        let now = bettered(&account(), old.clone(), vec![flow_log("fl-2"), list(Ok(1))]);
        assert_eq!(now, as_filed(vec![flow_log("fl-2"), list(Ok(1)), key("a", true)]));
        let failed = bettered(&account(), old.clone(), vec![list(lost(Why::Throttled))]);
        assert_eq!(failed, as_filed(old));
    }

    #[test]
    fn a_list_that_fails_later_does_not_cost_what_it_listed() {
        let flow = line("flow", Fact::Listing(Listing { call: "another:List".to_owned(), count: Ok(1), capped: 0 }));
        let old = as_filed(vec![key("a", false), list(Ok(1)), flow.clone()]);
        let kept = bettered(&account(), old.clone(), vec![key("a", true), key("b", false), list(lost(Why::Denied))]);
        assert_eq!(kept, as_filed(vec![key("a", true), key("b", false), list(Ok(1)), flow]));
        assert_eq!(bettered(&account(), old.clone(), vec![key("a", false)]), old);
    }
}
