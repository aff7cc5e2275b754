//! The organization: its accounts, where each stands in the tree of units, and which of them a run assesses.
//!
//! Entering the accounts is `aws::session`'s; what happens inside them is the runner's.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_organizations::operation::describe_organization::DescribeOrganizationInput;
use aws_sdk_organizations::operation::list_accounts::ListAccountsInput;
use aws_sdk_organizations::operation::list_accounts_for_parent::ListAccountsForParentInput;
use aws_sdk_organizations::operation::list_organizational_units_for_parent::ListOrganizationalUnitsForParentInput;
use aws_sdk_organizations::operation::list_roots::ListRootsInput;
use aws_sdk_organizations::types::Account as Described;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::aws::session::Caller;
use crate::inventory::organizations::{Account, Organization, OrganizationId};
use crate::model::ids::AccountId;
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::shard::Shard;

use super::listing::{ALL, Page, malformed, pages, required_text, text};
use super::progress::Progress;
use super::scope::{Answer, Frame, Scope};

/// The calls this collector makes, with the caller's own credentials.
pub(crate) const CALLS: &[&str] = &[
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "organizations:ListRoots",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListAccountsForParent",
];

/// Units nest no deeper
/// (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>).
const DEPTH: usize = 5;

/// Accounts a run sets out to assess.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub accounts: Vec<AccountId>,
    /// Ids (`ou-...`, `r-...`) or paths of names, `Root/Workloads` or `Workloads`; what is below a unit is in it.
    pub organizational_units: Vec<String>,
    /// Of these and all others only the accounts of this shard are entered.
    pub shard: Option<Shard>,
}

/// An account that may be entered.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub id: AccountId,
    /// Its workloads are assessed; of the others only what those reach.
    pub selected: bool,
}

/// How accounts are entered, which is known before all of them are.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// Only the caller's account, with the caller's own credentials.
    pub single_account: bool,
    pub management: Option<AccountId>,
}

/// Where accounts go as they become known. Listing a thousand takes a quarter of a minute at the rate AWS allows, and
/// walking the tree of units longer: what needs neither must not wait.
pub(crate) struct Feed {
    kind: Option<oneshot::Sender<Kind>>,
    shard: Option<Shard>,
    accounts: mpsc::UnboundedSender<Chosen>,
    progress: Arc<Progress>,
}

impl Feed {
    pub(crate) fn new(
        progress: Arc<Progress>,
        shard: Option<Shard>,
    ) -> (Self, oneshot::Receiver<Kind>, mpsc::UnboundedReceiver<Chosen>) {
        let (kind, known) = oneshot::channel();
        let (accounts, found) = mpsc::unbounded_channel();
        (Self { kind: Some(kind), shard, accounts, progress }, known, found)
    }

    fn begin(&mut self, kind: Kind) {
        if let Some(sender) = self.kind.take() {
            // Nobody listens any more when the run has ended.
            let _ = sender.send(kind);
        }
    }

    fn give(&self, id: AccountId, state: Option<&str>, selected: bool) {
        // Accounts that AWS calls active, and those of which it says nothing.
        let active = state.is_none_or(|state| state == "ACTIVE");
        if active && self.shard.is_none_or(|shard| shard.holds(&id)) {
            let _ = self.accounts.send(Chosen { id, selected });
            self.progress.announce(1);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.progress.announced();
    }
}

/// What of a list that is still being read has been seen.
struct Seen {
    feed: Feed,
    /// Whether accounts are given on as they come: all are chosen.
    at_once: bool,
    /// Held back until the caller's own account shows, without which this is no list to go by.
    waiting: Vec<(AccountId, Option<String>)>,
    known: BTreeSet<AccountId>,
    caller: AccountId,
    management: Option<AccountId>,
}

impl Seen {
    fn page(&mut self, accounts: &[Described], caller_seen: &Notify) {
        for account in accounts {
            let Some(id) = account.id.as_deref().and_then(|id| AccountId::parse(id).ok()) else { continue };
            // Pages shift when an account joins meanwhile.
            if self.known.insert(id.clone()) {
                self.waiting.push((id, state(account)));
            }
        }
        if !self.known.contains(&self.caller) {
            return;
        }
        caller_seen.notify_one();
        if self.at_once {
            self.feed.begin(Kind { single_account: false, management: self.management.clone() });
            for (id, state) in self.waiting.drain(..) {
                self.feed.give(id, state.as_deref(), true);
            }
        }
    }
}

/// Lists the organization, and gives on its accounts as soon as they are known to be in the selection. Where there is
/// no organization, or the caller may not list it, the run is about the caller's account alone. The error is for people:
/// a selection that nothing meets, or a failure that may pass, after which a run over one account would be mistaken for
/// one over the organization; no account was given on then.
pub(crate) async fn discover(
    caller: &Caller,
    frame: &Frame,
    selection: &Selection,
    feed: Feed,
) -> Result<Organization, String> {
    let scope = Scope::new(frame, &caller.own_entry(), &caller.partition.home_region());

    let organization = describe(&scope).await;
    if organization == Observed::Absent {
        return alone(caller, selection, organization, Ok(()), feed);
    }
    let call = "organizations:ListAccounts";
    let management = organization.known().map(|known| known.management_account.clone());
    let seen = Mutex::new(Seen {
        feed,
        at_once: selection.accounts.is_empty() && selection.organizational_units.is_empty(),
        waiting: Vec::new(),
        known: BTreeSet::new(),
        caller: caller.account.clone(),
        management: management.clone(),
    });
    let caller_seen = Notify::new();
    let walking = async {
        caller_seen.notified().await;
        tree(&scope).await
    };
    let mut walking = pin!(walking);
    let mut walked = None;
    let listed = {
        let listing = pages(&scope, call, ALL, |token| async {
            let request = ListAccountsInput::builder().set_next_token(token);
            let Answer { value, read } = scope.ask(&request).await?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.page(value.accounts(), &caller_seen);
            Ok(Page { items: value.accounts, next: value.next_token, read })
        });
        let mut listing = pin!(listing);
        loop {
            tokio::select! {
                listed = &mut listing => break listed,
                tree = &mut walking, if walked.is_none() => walked = Some(tree),
            }
        }
    };
    let Seen { feed, .. } = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let listed = listed.named(&scope, |account, _| Some((AccountId::parse(account.id.as_deref()?).ok()?, account)));

    let mut whole = listed.whole.clone();
    let described: BTreeMap<AccountId, Described> = listed.items.into_iter().map(|(account, _)| account).collect();
    if !described.contains_key(&caller.account) {
        match whole {
            Err(unknown) if unknown.why.passing() => {
                return Err(format!("cannot list the accounts of the organization: {}; try again", said(&unknown)));
            }
            Err(unknown) => return alone(caller, selection, organization, Err(unknown), feed),
            // AWS lists the caller too, or refuses.
            Ok(()) => {
                let unknown = malformed(&scope, call, "the list does not hold the account of the caller");
                return alone(caller, selection, organization, Err(unknown), feed);
            }
        }
    }
    // Who was fed all along hears at once that there are no more.
    let unfed = Some(feed).filter(|feed| feed.kind.is_some());

    let tree = match walked {
        Some(tree) => tree,
        None => walking.await,
    };
    let placed = if described.values().all(|account| path_ids(account).is_some()) {
        Ok(BTreeMap::new())
    } else {
        place(&scope, &tree).await
    };
    let mut accounts: Vec<Account> = described
        .into_iter()
        .map(|(id, account)| {
            let ids = match path_ids(&account) {
                Some(ids) => Ok(ids),
                None => placed.as_ref().map_err(Clone::clone).and_then(|placed| {
                    let parent = placed.get(&id).cloned();
                    parent.ok_or_else(|| scope.unknown("organizations:ListAccountsForParent", Why::Vanished))
                }),
            };
            let ou_path = ids.as_ref().map_err(Clone::clone).and_then(|ids| names(&scope, &tree, ids));
            Account {
                name: text(account.name.clone()),
                state: state(&account),
                ou_path,
                ou_ids: ids.unwrap_or_else(|_| Vec::new()),
                selected: false,
                id,
            }
        })
        .collect();
    select(&mut accounts, selection)?;
    // A list that broke off after some pages: what is there is assessed, what is not stays unknown.
    if let Err(unknown) = &mut whole {
        unknown.message.get_or_insert_with(|| format!("after {} accounts", accounts.len()));
    }
    if let Some(mut feed) = unfed {
        feed.begin(Kind { single_account: false, management });
        accounts.iter().for_each(|account| feed.give(account.id.clone(), account.state.as_deref(), account.selected));
    }
    Ok(Organization { organization, accounts, listed: whole })
}

async fn describe(scope: &Scope) -> Observed<OrganizationId> {
    let call = "organizations:DescribeOrganization";
    let absent = &["AWSOrganizationsNotInUseException"];
    let answer = scope.ask_or_none(&DescribeOrganizationInput::builder(), absent).await;
    Observed::from_told(answer.and_then(|(output, _)| {
        let Some(output) = output else { return Ok(None) };
        let organization =
            output.organization.ok_or_else(|| malformed(scope, call, "the answer lacks Organization"))?;
        let management = required_text(scope, call, "MasterAccountId", organization.master_account_id)?;
        Ok(Some(OrganizationId {
            id: required_text(scope, call, "Id", organization.id)?,
            management_account: AccountId::parse(&management).map_err(|said| malformed(scope, call, &said))?,
        }))
    }))
}

/// The caller's account as the only one.
fn alone(
    caller: &Caller,
    selection: &Selection,
    organization: Observed<OrganizationId>,
    listed: Told<()>,
    mut feed: Feed,
) -> Result<Organization, String> {
    if let Some(shard) = selection.shard {
        let said = listed.err().or(organization.get().err()).map_or_else(String::new, |u| format!(": {}", said(&u)));
        return Err(format!("shard {shard} is a part of an organization, and there is none that can be listed{said}"));
    }
    let ou_path = match (&organization, &listed) {
        // Where there is no organization there is no path either.
        (Observed::Absent, _) => Ok(String::new()),
        (_, Err(unknown)) => Err(unknown.clone()),
        (_, Ok(())) => Err(Unknown::new("organizations:ListRoots", Why::NotCollected).in_account(&caller.account)),
    };
    let mut accounts = vec![Account {
        id: caller.account.clone(),
        name: None,
        state: None,
        ou_path,
        ou_ids: Vec::new(),
        selected: false,
    }];
    select(&mut accounts, selection)?;
    let management = organization.known().map(|known| known.management_account.clone());
    feed.begin(Kind { single_account: true, management });
    accounts.iter().for_each(|account| feed.give(account.id.clone(), None, account.selected));
    Ok(Organization { organization, accounts, listed })
}

/// `Status` is the older field, which AWS announced to drop.
fn state(account: &Described) -> Option<String> {
    let state = account.state().map(|state| state.as_str());
    state.or(account.status().map(|status| status.as_str())).map(str::to_owned)
}

/// The ids of roots and units in `Paths`, `o-.../r-.../ou-.../ou-.../`.
fn path_ids(account: &Described) -> Option<Vec<String>> {
    let path = account.paths().first()?;
    let ids = path.split('/').filter(|part| part.starts_with("r-") || part.starts_with("ou-"));
    Some(ids.map(str::to_owned).collect::<Vec<_>>()).filter(|ids| !ids.is_empty())
}

/// Roots and units by id: name, and ids from the root down to and with itself.
type Tree = BTreeMap<String, (String, Vec<String>)>;

/// Walks the tree from the roots down.
async fn tree(scope: &Scope) -> Told<Tree> {
    let call = "organizations:ListRoots";
    let roots = pages(scope, call, ALL, |token| async {
        let request = ListRootsInput::builder().set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.roots, next: value.next_token, read })
    });
    let mut tree = Tree::new();
    let mut level: Vec<Vec<String>> = Vec::new();
    for root in roots.await.all(&mut Vec::new())? {
        let id = required_text(scope, call, "Id", root.id)?;
        let name = required_text(scope, call, "Name", root.name)?;
        level.push(vec![id.clone()]);
        tree.insert(id.clone(), (name, vec![id]));
    }
    let call = "organizations:ListOrganizationalUnitsForParent";
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for path in std::mem::take(&mut level) {
            let Some(parent) = path.last() else { continue };
            let units = pages(scope, call, ALL, |token| async {
                let request = ListOrganizationalUnitsForParentInput::builder().parent_id(parent).set_next_token(token);
                let Answer { value, read } = scope.ask(&request).await?;
                Ok(Page { items: value.organizational_units, next: value.next_token, read })
            });
            for unit in units.await.all(&mut Vec::new())? {
                let id = required_text(scope, call, "Id", unit.id)?;
                let name = required_text(scope, call, "Name", unit.name)?;
                let path: Vec<String> = path.iter().cloned().chain([id.clone()]).collect();
                if tree.insert(id, (name, path.clone())).is_none() {
                    below.push(path);
                }
            }
        }
        level = below;
    }
    Ok(tree)
}

/// Which unit each account is in, for organizations that do not say so with the account.
async fn place(scope: &Scope, tree: &Told<Tree>) -> Told<BTreeMap<AccountId, Vec<String>>> {
    let call = "organizations:ListAccountsForParent";
    let mut placed = BTreeMap::new();
    for (parent, (_, path)) in tree.as_ref().map_err(Clone::clone)? {
        let accounts = pages(scope, call, ALL, |token| async {
            let request = ListAccountsForParentInput::builder().parent_id(parent).set_next_token(token);
            let Answer { value, read } = scope.ask(&request).await?;
            Ok(Page { items: value.accounts, next: value.next_token, read })
        });
        for account in accounts.await.all(&mut Vec::new())? {
            placed.insert(AccountId::new(required_text(scope, call, "Id", account.id)?), path.clone());
        }
    }
    Ok(placed)
}

fn names(scope: &Scope, tree: &Told<Tree>, ids: &[String]) -> Told<String> {
    let tree = tree.as_ref().map_err(Clone::clone)?;
    let name = |id: &String| {
        let unit = tree.get(id).map(|(name, _)| name.as_str());
        unit.ok_or_else(|| scope.unknown("organizations:ListOrganizationalUnitsForParent", Why::Vanished))
    };
    Ok(ids.iter().map(name).collect::<Told<Vec<_>>>()?.join("/"))
}

/// Requests that nothing meets and that are named, of a long list.
const UNMET: usize = 8;

/// Marks the accounts that were asked for, by account or by unit; all when nothing was asked for. An error names the
/// requests that nothing meets.
fn select(accounts: &mut [Account], selection: &Selection) -> Result<(), String> {
    let Selection { accounts: ids, organizational_units: units, .. } = selection;
    let everything = ids.is_empty() && units.is_empty();
    let wanted: BTreeSet<&AccountId> = ids.iter().collect();
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for account in accounts.iter_mut() {
        let by_id = wanted.get(&account.id).map(|id| id.as_str());
        let by_unit = units.iter().filter(|unit| in_unit(account, unit)).map(String::as_str);
        let reasons: Vec<&str> = by_id.into_iter().chain(by_unit).collect();
        account.selected = everything || !reasons.is_empty();
        met.extend(reasons);
    }
    let unmet: Vec<String> = ids
        .iter()
        .filter(|id| !met.contains(id.as_str()))
        .map(|id| format!("account {id} is not among the {} listed", accounts.len()))
        .chain(units.iter().filter(|unit| !met.contains(unit.as_str())).map(|unit| unit_unmet(accounts, unit)))
        .collect();
    if unmet.is_empty() {
        return Ok(());
    }
    let more = unmet.len().saturating_sub(UNMET);
    let more = if more > 0 { format!("; and {more} more that nothing meets") } else { String::new() };
    let named: Vec<String> = unmet.into_iter().take(UNMET).collect();
    Err(format!("{}{more}", named.join("; ")))
}

fn in_unit(account: &Account, unit: &str) -> bool {
    if account.ou_ids.iter().any(|id| id == unit) {
        return true;
    }
    let Ok(path) = &account.ou_path else { return false };
    let unit = unit.trim_matches('/');
    let below = |path: &str| path == unit || path.strip_prefix(unit).is_some_and(|rest| rest.starts_with('/'));
    // The root's name may be left out.
    below(path) || path.split_once('/').is_some_and(|(_, rest)| below(rest))
}

fn unit_unmet(accounts: &[Account], unit: &str) -> String {
    let unplaced = accounts.iter().find_map(|account| account.ou_path.as_ref().err());
    match unplaced {
        Some(unknown) => format!("cannot tell which accounts are in unit `{unit}`: {}", said(unknown)),
        None => format!("no account is in a unit `{unit}`, by id or by path of names such as `Root/Workloads`"),
    }
}

fn said(unknown: &Unknown) -> String {
    match &unknown.message {
        Some(message) => format!("{} ({message})", unknown.sentence()),
        None => unknown.sentence(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, path: &str, ids: &[&str]) -> Account {
        Account {
            id: AccountId::new(id),
            name: None,
            state: Some("ACTIVE".to_owned()),
            ou_path: Ok(path.to_owned()),
            ou_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            selected: false,
        }
    }

    fn selected(accounts: &[&str], units: &[&str]) -> Result<Vec<String>, String> {
        let mut all = [
            account("000000000001", "Root/ML/Prod", &["r-1", "ou-1-ml", "ou-1-prod"]),
            account("000000000002", "Root/ML", &["r-1", "ou-1-ml"]),
            account("000000000003", "Root/MLX", &["r-1", "ou-1-mlx"]),
        ];
        let selection = Selection {
            accounts: accounts.iter().map(|id| AccountId::new(*id)).collect(),
            organizational_units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            shard: None,
        };
        select(&mut all, &selection)?;
        Ok(all.iter().filter(|account| account.selected).map(|account| account.id.to_string()).collect())
    }

    #[test]
    fn a_unit_holds_what_is_below_it_and_not_its_namesakes() {
        let ml = Ok(vec!["000000000001".to_owned(), "000000000002".to_owned()]);
        assert_eq!(selected(&[], &["Root/ML"]), ml);
        assert_eq!(selected(&[], &["ML/"]), ml);
        assert_eq!(selected(&[], &["ou-1-ml"]), ml);
        assert_eq!(selected(&["000000000003"], &["ou-1-ml"]).map(|all| all.len()), Ok(3));
        assert_eq!(selected(&[], &[]).map(|all| all.len()), Ok(3));
    }

    #[test]
    fn every_request_that_nothing_meets_is_named() {
        let said = selected(&["000000000009"], &["Nowhere"]).unwrap_err();
        assert!(said.contains("000000000009") && said.contains("`Nowhere`"), "{said}");
    }
}
