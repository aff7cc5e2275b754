//! What is left to be read of an organization, put together account by account.

use locard::inventory::ec2::{Subnet, SubnetPlace};
use locard::inventory::{Fact, Line};
use locard::model::ids::{AccountId, Partition, Region};
use locard::relate::done::Done;
use locard::relate::reach::{References, readings};

use crate::synthetic::Synthetic;

/// A sweep holds the names of what it has not read, and forgets those it has: whatever is left to be read afterwards
/// must be what would have been left if it remembered all of them.
#[test]
fn forgetting_what_was_read_changes_nothing_of_what_is_left() {
    let organization = Synthetic::new(40);
    let home = Partition::new("aws").home_region();
    // Everything was read, every other thing, every third: what a run that was ended leaves.
    for nth in 1..=3 {
        let (mut whole, mut lean, mut done) = (References::default(), References::default(), Done::default());
        for (at, account) in organization.ids().iter().enumerate() {
            let (inventory, reached) = organization.lines(at);
            let mut read = Done::default();
            let kept: Vec<_> = reached.into_iter().step_by(nth).collect();
            read.mark_lines(account, &kept);
            let mut names = References::of(&inventory);
            names.merge(References::of(&kept));
            whole.merge(names.clone());
            names.forget(&home, &read);
            lean.merge(names);
            done.extend(read);
        }
        for probes in [false, true] {
            let left = readings(&whole, &home, &done, probes);
            assert_eq!(readings(&lean, &home, &done, probes), left, "{nth} {probes}");
            assert!(nth == 1 || !left.is_empty(), "{nth} {probes}");
        }
        lean.forget(&home, &done);
        assert_eq!(readings(&lean, &home, &done, true), readings(&whole, &home, &done, true), "{nth}, once more");
    }
}

/// Flow logs of a shared VPC are seen by its owner alone, who may run no AI.
#[test]
fn the_owner_of_a_shared_subnet_is_asked_for_its_flow_logs() {
    let (guest, owner, region) =
        (AccountId::new("111122223333"), AccountId::new("444455556666"), Region::new("eu-west-1"));
    let subnet = |place| {
        let fact = Fact::Subnet(Subnet { id: "subnet-1".into(), place });
        Line::new(&guest, Some(&region), "subnet-1", Vec::new(), fact)
    };
    let reads = |place| {
        let mut done = Done::default();
        let lines = [subnet(place)];
        done.mark_lines(&guest, &lines);
        readings(&References::of(&lines), &region, &done, true)
    };
    let of = |owner: &AccountId| Ok(Some(SubnetPlace { vpc: "vpc-1".into(), owner: owner.clone() }));
    let [reading] = &reads(of(&owner))[..] else { panic!("one reading") };
    assert_eq!((&reading.account, &reading.region, reading.things()), (&owner, &region, 1));
    assert!(reading.subnets.contains("subnet-1"));
    assert_eq!(reads(of(&guest)), []);
    assert_eq!(reads(Ok(None)), []);
}
