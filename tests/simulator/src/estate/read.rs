//! Estates people write: YAML in, accounts out, with everything that is wrong named at once.
//!
//! A mapping may be written `like: <template>`: it then has the members of the template, under its own. `<account>` and
//! `<region>` stand for where a text is used. Keys unknown here are problems; what AWS calls its members is not
//! looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::allowed::{self, Closed};
use super::kinds;
use super::moment::{self, Form, Unread};
use super::{Account, Bucket, DEFAULT_REGIONS, Kind, Listed, Organization, Problems, Refused, Role, Unit};

type Members = Map<String, Value>;

/// Resources of an account by region and kind.
type Resources = BTreeMap<String, Vec<(&'static Kind, Vec<Value>)>>;

/// What a document holds.
pub(super) struct Document {
    pub organization: Option<Organization>,
    pub caller: String,
    pub absent: BTreeMap<String, Vec<String>>,
    pub listed: Vec<Listed>,
    pub accounts: Vec<Account>,
}

/// Templates may be like others, to this depth.
const DEPTH: usize = 8;

/// The document as a tree.
pub(super) fn parse(text: &str) -> Result<Value, Problems> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_nodes: 10_000_000, max_events: 40_000_000,
            max_total_scalar_bytes: 1 << 30, max_reader_input_bytes: None },
    };
    serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| Problems(vec![error.to_string()]))
}

/// Reads a whole document.
pub(super) fn document(document: Value, now: Timestamp) -> Result<Document, Problems> {
    let mut reader = Reader { templates: Map::new(), now, problems: Vec::new() };
    let read = reader.document(document);
    match read {
        Some(read) if reader.problems.is_empty() => Ok(read),
        _ => Err(Problems(reader.problems)),
    }
}

/// Reads an organization alone, for the generator.
pub(super) fn organization(value: Value, now: Timestamp) -> Result<Organization, Problems> {
    let mut reader = Reader { templates: Map::new(), now, problems: Vec::new() };
    match reader.organization(value) {
        Some(read) if reader.problems.is_empty() => Ok(read),
        _ => Err(Problems(reader.problems)),
    }
}

/// Reads one account that needs no templates, for the generator.
pub(super) fn account(members: Members, units: &[Unit], management: bool, now: Timestamp) -> Result<Account, Problems> {
    let mut reader = Reader { templates: Map::new(), now, problems: Vec::new() };
    let defaults = Defaults::standard();
    let read = reader.account(members, "account", units, management, &defaults);
    match read {
        Some((_, account)) if reader.problems.is_empty() => Ok(account),
        _ => Err(Problems(reader.problems)),
    }
}

/// What accounts that do not say otherwise have.
struct Defaults {
    role: String,
    regions: Arc<[String]>,
}

impl Defaults {
    fn standard() -> Self {
        let regions = DEFAULT_REGIONS.iter().map(|region| (*region).to_owned()).collect();
        Self { role: "LocardAudit".to_owned(), regions }
    }
}

struct Reader {
    templates: Members,
    now: Timestamp,
    problems: Vec<String>,
}

impl Reader {
    fn problem(&mut self, path: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("{path}: {what}"));
    }

    fn document(&mut self, document: Value) -> Option<Document> {
        let mut members = self.members(document, "estate")?;
        if let Some(templates) = members.remove("templates") {
            self.templates = self.members(templates, "templates")?;
        }
        let mut defaults = Defaults::standard();
        if let Some(role) = self.text(&mut members, "role", "estate") {
            defaults.role = role;
        }
        if let Some(regions) = self.regions(&mut members, "regions", "estate") {
            defaults.regions = regions;
        }
        let mut absent = BTreeMap::new();
        let mut by_region =
            members.remove("absent").and_then(|value| self.members(value, "absent")).unwrap_or_default();
        for region in by_region.keys().cloned().collect::<Vec<_>>() {
            self.known_region(&region, "absent");
            absent.insert(region.clone(), self.texts(&mut by_region, &region, "absent"));
        }
        let organization = members.remove("organization").and_then(|value| self.organization(value));
        let units = organization.as_ref().map_or(&[][..], |organization| &organization.units);
        let management = organization.as_ref().map(|organization| organization.management.clone());

        let mut seen = BTreeSet::new();
        let mut owners: HashMap<String, String> = HashMap::new();
        let (mut listed, mut accounts) = (Vec::new(), Vec::new());
        for (at, value) in self.list(&mut members, "accounts", "estate").into_iter().enumerate() {
            let path = format!("accounts[{at}]");
            let Some(members) = self.members(value, &path) else { continue };
            let members = self.like(members, &path, 0);
            let id = members.get("id").and_then(Value::as_str).map(str::to_owned);
            let manages = id.is_some() && id == management;
            let Some((listing, account)) = self.account(members, &path, units, manages, &defaults) else { continue };
            if !seen.insert(account.id.clone()) {
                self.problem(&path, format!("the account {} is written twice", account.id));
            }
            for bucket in account.buckets.keys() {
                if let Some(other) = owners.insert(bucket.clone(), account.id.clone()) {
                    self.problem(&path, format!("the bucket {bucket} also belongs to {other}"));
                }
            }
            listed.push(listing);
            accounts.push(account);
        }
        let first = accounts.first().map(|account| account.id.clone());
        let caller = self.text(&mut members, "caller", "estate").or_else(|| management.clone()).or(first);
        self.nothing_else(members, "estate", "organization, caller, role, regions, absent, templates, accounts");
        let Some(caller) = caller else {
            self.problem("accounts", "an estate needs an account");
            return None;
        };
        let delegated = organization.as_ref().map_or(&[][..], |organization| &organization.delegated);
        let delegated = delegated.iter().map(|id| ("organization.delegated", id));
        let management = management.as_ref().map(|id| ("organization.management", id));
        for (what, id) in [("caller", &caller)].into_iter().chain(management).chain(delegated) {
            if !seen.contains(id) {
                self.problem(what, format!("{id} is none of the accounts"));
            }
        }
        Some(Document { organization, caller, absent, listed, accounts })
    }

    fn organization(&mut self, value: Value) -> Option<Organization> {
        let path = "organization";
        let mut members = self.members(value, path)?;
        let id = self.text(&mut members, "id", path).unwrap_or_else(|| "o-locard1234".to_owned());
        let root = self.text(&mut members, "root", path).unwrap_or_else(|| "r-loca".to_owned());
        let management = self.needed(&mut members, "management", path)?;
        let delegated = self.texts(&mut members, "delegated", path);
        let mut units: Vec<Unit> = Vec::new();
        for (at, value) in self.list(&mut members, "units", path).into_iter().enumerate() {
            let path = format!("organization.units[{at}]");
            if let Some(unit) = self.unit(value, &path, &root, &units) {
                units.push(unit);
            }
        }
        self.nothing_else(members, path, "id, root, management, delegated, units");
        Some(Organization { id, root, management, units, delegated })
    }

    /// A unit by its path alone, or with an id and policies of its own.
    fn unit(&mut self, value: Value, at: &str, root: &str, known: &[Unit]) -> Option<Unit> {
        let mut members = match value {
            Value::String(path) => Map::from_iter([("path".to_owned(), Value::String(path))]),
            other => self.members(other, at)?,
        };
        let path = self.needed(&mut members, "path", at)?;
        if known.iter().any(|unit| unit.path == path) {
            self.problem(at, format!("the unit {path} is written twice"));
        }
        let mut refused = self.refused(&mut members, at);
        let id = self.text(&mut members, "id", at);
        self.nothing_else(members, at, "path, id, scps");
        let (parent, name) = match path.rsplit_once('/') {
            None => (None, path.clone()),
            Some((above, name)) => match known.iter().position(|unit| unit.path == above) {
                Some(parent) => (Some(parent), name.to_owned()),
                None => {
                    self.problem(at, format!("the unit {above} has to come first"));
                    return None;
                }
            },
        };
        if let Some(parent) = parent {
            refused.add(&known[parent].refused);
        }
        let id =
            id.unwrap_or_else(|| format!("ou-{}-{:08x}", root.trim_start_matches("r-"), 0x10a0_0000 + known.len()));
        Some(Unit { id, name, path, parent, refused })
    }

    fn account(
        &mut self,
        mut members: Members,
        path: &str,
        units: &[Unit],
        management: bool,
        defaults: &Defaults,
    ) -> Option<(Listed, Account)> {
        let id = self.needed(&mut members, "id", path)?;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(path, format!("an account id has 12 digits, not {id:?}"));
        }
        let name = self.text(&mut members, "name", path).unwrap_or_else(|| id.clone());
        let path = &format!("{path} ({id})");
        let state = self.text(&mut members, "state", path).unwrap_or_else(|| "ACTIVE".to_owned());
        let states = ["ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED", "PENDING_ACTIVATION"];
        self.one_of(&state, "state", &states, path);
        let email = self.text(&mut members, "email", path).unwrap_or_else(|| format!("{id}@example.com"));
        let joined_by = self.text(&mut members, "joined_by", path).unwrap_or_else(|| "CREATED".to_owned());
        self.one_of(&joined_by, "joined_by", &["INVITED", "CREATED"], path);
        let joined = self.text(&mut members, "joined", path).unwrap_or_else(|| "-300d".to_owned());
        let joined = self.moment(&joined, "joined", path);
        let unit = self.text(&mut members, "unit", path).and_then(|unit| {
            let found = units.iter().position(|known| known.path == unit || known.id == unit);
            if found.is_none() {
                let known = list_of(units.iter().map(|unit| unit.path.as_str()));
                self.problem(path, format!("no unit {unit} in the organization; there are {known}"));
            }
            found
        });
        let regions = self.regions(&mut members, "regions", path).unwrap_or_else(|| Arc::clone(&defaults.regions));
        let role = members.remove("role");
        let role = self.role(role, path, defaults);
        let mut refused = self.refused(&mut members, path);
        if let Some(unit) = unit {
            refused.add(&units[unit].refused);
        }
        if management {
            // AWS does not apply service control policies to management accounts.
            refused = Refused::default();
        }
        let buckets = self.buckets(members.remove("buckets"), path, &id);
        let resources = self.resources(members.remove("resources"), path, &id, &regions);
        if !management {
            self.no_organization_trails(&resources, path);
        }
        self.nothing_else(
            members,
            path,
            "id, name, email, state, joined, joined_by, unit, regions, role, scps, buckets, resources, like",
        );
        let listed = Listed { id: id.clone(), name, email, state, joined_by, joined, unit };
        Some((listed, Account { id, regions, role, refused, buckets, resources }))
    }

    fn role(&mut self, value: Option<Value>, path: &str, defaults: &Defaults) -> Role {
        let path = &format!("{path}.role");
        let mut role = Role { name: defaults.role.clone(), missing: false, external_id: None, denied: Vec::new() };
        let Some(mut members) = value.and_then(|value| self.members(value, path)) else { return role };
        if let Some(name) = self.text(&mut members, "name", path) {
            role.name = name;
        }
        role.missing = self.flag(&mut members, "missing", path);
        role.external_id = self.text(&mut members, "external_id", path);
        role.denied = self.texts(&mut members, "denied", path);
        self.nothing_else(members, path, "name, missing, external_id, denied");
        role
    }

    fn refused(&mut self, members: &mut Members, path: &str) -> Refused {
        let path = &format!("{path}.scps");
        let Some(mut members) = members.remove("scps").and_then(|value| self.members(value, path)) else {
            return Refused::default();
        };
        let actions = self.texts(&mut members, "actions", path);
        let regions = self.regions(&mut members, "regions", path).map_or_else(Vec::new, |regions| regions.to_vec());
        let refused = Refused { actions, regions };
        self.nothing_else(members, path, "actions, regions");
        refused
    }

    fn buckets(&mut self, value: Option<Value>, path: &str, account: &str) -> BTreeMap<String, Bucket> {
        let path = &format!("{path}.buckets");
        let Some(members) = value.and_then(|value| self.members(value, path)) else { return BTreeMap::new() };
        let mut buckets = BTreeMap::new();
        for (name, value) in members {
            let path = &format!("{path}.{name}");
            let Some(members) = self.members(value, path) else { continue };
            let bucket = self.bucket(members, path, account);
            let name = placed(&name, account, &bucket.region);
            if let Some(why) = allowed::bucket_name(&name) {
                self.problem(path, why);
            }
            if buckets.insert(name, bucket).is_some() {
                self.problem(path, "the bucket is written twice");
            }
        }
        buckets
    }

    fn bucket(&mut self, members: Members, path: &str, account: &str) -> Bucket {
        let mut members = self.like(members, path, 0);
        let region = self.text(&mut members, "region", path).unwrap_or_else(|| "us-east-1".to_owned());
        self.known_region(&region, &format!("{path}.region"));
        members.values_mut().for_each(|member| place(member, account, &region));
        // The times in it are of conditions, and stay as they are.
        let policy = members.remove("policy").filter(|policy| !policy.is_null());
        let created = self.text(&mut members, "created", path).unwrap_or_else(|| "-200d".to_owned());
        let created = self.moment(&created, "created", path);
        for (key, whole) in [("versioning", versioning as fn(&str) -> Value), ("ownership", ownership)] {
            if let Some(Value::String(short)) = members.get(key) {
                let whole = whole(short);
                members.insert(key.to_owned(), whole);
            }
        }
        let unread = moment::settle_members(&mut members, self.now, Form::Text);
        self.unread(unread, path);
        self.closed(&members, allowed::OF_BUCKETS, path);
        let mut setting = |key: &str| {
            // Null is what AWS says of a bucket without encryption, and of no other setting.
            let setting = members.remove(key).filter(|setting| key == "encryption" || !setting.is_null())?;
            if !setting.is_object() && !setting.is_null() {
                self.problem(&format!("{path}.{key}"), "a mapping is expected");
            }
            Some(setting)
        };
        let bucket = Bucket {
            created: created.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            versioning: setting("versioning"),
            object_lock: setting("object_lock"),
            logging: setting("logging"),
            policy: policy.map(|policy| match policy {
                Value::String(text) => text,
                document => document.to_string(),
            }),
            encryption: setting("encryption"),
            lifecycle: setting("lifecycle"),
            replication: setting("replication"),
            ownership: setting("ownership"),
            acl: setting("acl"),
            public_access_block: setting("public_access_block"),
            tags: setting("tags"),
            region,
        };
        self.nothing_else(
            members,
            path,
            "region, created, versioning, object_lock, logging, policy, encryption, lifecycle, replication, ownership, \
             acl, public_access_block, tags, like",
        );
        bucket
    }

    fn resources(&mut self, value: Option<Value>, path: &str, account: &str, regions: &[String]) -> Resources {
        let path = &format!("{path}.resources");
        let Some(members) = value.and_then(|value| self.members(value, path)) else { return BTreeMap::new() };
        let mut resources = BTreeMap::new();
        for (region, value) in members {
            let path = &format!("{path}.{region}");
            if self.known_region(&region, path) && !regions.contains(&region) {
                let has = list_of(regions.iter().map(String::as_str));
                self.problem(path, format!("the account does not have the region; it has {has}"));
            }
            let Some(services) = self.members(value, path) else { continue };
            let services = self.like(services, path, 0);
            let mut of_region = Vec::new();
            for (service, value) in services {
                let path = &format!("{path}.{service}");
                if !kinds::is_service(&service) {
                    self.problem(path, format!("not known; there are {}", kinds::names(None).join(", ")));
                    continue;
                }
                let Some(kinds) = self.members(value, path) else { continue };
                for (name, value) in self.like(kinds, path, 0) {
                    let path = &format!("{path}.{name}");
                    match kinds::find(&service, &name) {
                        Some(kind) => of_region.push((kind, self.of_kind(kind, value, path, account, &region))),
                        None => {
                            let known = kinds::names(Some(&service)).join(", ");
                            self.problem(path, format!("not known; there are {known}"));
                        }
                    }
                }
            }
            resources.insert(region, of_region);
        }
        resources
    }

    fn of_kind(&mut self, kind: &Kind, value: Value, path: &str, account: &str, region: &str) -> Vec<Value> {
        let values = match value {
            Value::Null => Vec::new(),
            one if kind.single() => vec![one],
            Value::Array(items) => items,
            _ => {
                self.problem(path, "a list is expected");
                return Vec::new();
            }
        };
        let mut resources = Vec::with_capacity(values.len());
        let mut seen = BTreeSet::new();
        for (at, value) in values.into_iter().enumerate() {
            let path = &format!("{path}[{at}]");
            let Some(members) = self.members(value, path) else { continue };
            let mut resource = Value::Object(self.like(members, path, 0));
            place(&mut resource, account, region);
            let Value::Object(mut members) = resource else { continue };
            if !kind.single() && !members.get(kind.id).is_some_and(Value::is_string) {
                self.problem(path, format!("{} is missing", kind.id));
            }
            let unread = kinds::complete(kind, &mut members, account, region, self.now);
            self.unread(unread, path);
            if !seen.insert(kind.identity(&members)) {
                let name = members.get(kind.id).and_then(Value::as_str).unwrap_or_default();
                self.problem(path, format!("{name} is written twice"));
            }
            self.closed(&members, allowed::of_resources(kind.service, kind.name), path);
            resources.push(Value::Object(members));
        }
        resources
    }

    /// The members of a mapping over those of the template it is like.
    fn like(&mut self, mut members: Members, path: &str, depth: usize) -> Members {
        let Some(names) = members.remove("like") else {
            return members;
        };
        let names = match names {
            Value::String(name) => vec![name],
            Value::Array(names) => {
                let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
                names.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if names.is_empty() || depth == DEPTH {
            self.problem(path, "like: takes the name of a template, or a list of them, not in a circle");
            return members;
        }
        let mut base = Map::new();
        for name in names {
            let Some(template) = self.templates.get(&name).cloned() else {
                let known = list_of(self.templates.keys().map(String::as_str));
                self.problem(path, format!("no template {name}; there are {known}"));
                continue;
            };
            let Some(template) = self.members(template, &format!("templates.{name}")) else { continue };
            over(&mut base, self.like(template, path, depth + 1));
        }
        over(&mut base, members);
        base
    }

    fn members(&mut self, value: Value, path: &str) -> Option<Members> {
        match value {
            Value::Object(members) => Some(members),
            Value::Null => Some(Map::new()),
            _ => {
                self.problem(path, "a mapping is expected");
                None
            }
        }
    }

    fn text(&mut self, members: &mut Members, key: &str, path: &str) -> Option<String> {
        match members.remove(key)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => {
                self.problem(&format!("{path}.{key}"), "a text is expected; put it into quotes");
                None
            }
        }
    }

    fn needed(&mut self, members: &mut Members, key: &str, path: &str) -> Option<String> {
        if !members.contains_key(key) {
            self.problem(path, format!("{key} is missing"));
        }
        self.text(members, key, path)
    }

    fn flag(&mut self, members: &mut Members, key: &str, path: &str) -> bool {
        match members.remove(key) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                self.problem(&format!("{path}.{key}"), "true or false is expected");
                false
            }
        }
    }

    fn list(&mut self, members: &mut Members, key: &str, path: &str) -> Vec<Value> {
        match members.remove(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.problem(&format!("{path}.{key}"), "a list is expected");
                Vec::new()
            }
        }
    }

    fn texts(&mut self, members: &mut Members, key: &str, path: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.list(members, key, path) {
            match item {
                Value::String(text) => texts.push(text),
                _ => self.problem(&format!("{path}.{key}"), "a list of texts is expected; put them into quotes"),
            }
        }
        texts
    }

    fn regions(&mut self, members: &mut Members, key: &str, path: &str) -> Option<Arc<[String]>> {
        members.contains_key(key).then(|| {
            let regions = self.texts(members, key, path);
            for region in &regions {
                self.known_region(region, &format!("{path}.{key}"));
            }
            regions.into()
        })
    }

    /// Whether there is such a region; a problem if not.
    fn known_region(&mut self, region: &str, path: &str) -> bool {
        let known = allowed::regions().any(|known| known == region);
        if !known {
            self.problem(path, format!("no such region: {region}; there are {}", list_of(allowed::regions())));
        }
        known
    }

    fn one_of(&mut self, word: &str, key: &str, words: &[&str], path: &str) {
        if !words.contains(&word) {
            self.problem(path, format!("{key} is one of {}, not {word}", words.join(", ")));
        }
    }

    fn closed(&mut self, resource: &Members, all: &[Closed], path: &str) {
        for closed in all {
            let (member, words) = closed;
            for stray in allowed::strays(resource, closed) {
                self.problem(path, format!("{member} is one of {}, not {stray}", words.join(", ")));
            }
        }
    }

    fn moment(&mut self, text: &str, key: &str, path: &str) -> Timestamp {
        moment::parse(text, self.now).unwrap_or_else(|| {
            self.unread(vec![Unread { at: key.to_owned(), written: Value::from(text) }], path);
            self.now
        })
    }

    fn unread(&mut self, unread: Vec<Unread>, path: &str) {
        for Unread { at, written } in unread {
            self.problem(&format!("{path}.{at}"), format!("{written} is no time; write {}", moment::WRITTEN));
        }
    }

    /// Members see the trails of the organization, but do not have them.
    fn no_organization_trails(&mut self, resources: &Resources, path: &str) {
        for (region, kinds) in resources {
            let trails = kinds.iter().filter(|(kind, _)| kind.name == "trails").flat_map(|(_, trails)| trails);
            for trail in trails.filter(|trail| trail.get("IsOrganizationTrail") == Some(&Value::Bool(true))) {
                let name = trail.get("Name").and_then(Value::as_str).unwrap_or_default();
                let path = format!("{path}.resources.{region}.cloudtrail.trails");
                self.problem(&path, format!("{name}: an organization's trail is written in its management account"));
            }
        }
    }

    fn nothing_else(&mut self, members: Members, path: &str, known: &str) {
        for key in members.keys() {
            self.problem(path, format!("{key} is not known; there are {known}"));
        }
    }
}

/// Settings of buckets that may be written short.
fn versioning(status: &str) -> Value {
    serde_json::json!({ "Status": status })
}

fn ownership(rule: &str) -> Value {
    serde_json::json!({ "Rules": [{ "ObjectOwnership": rule }] })
}

/// What there is, for people who wrote something else.
fn list_of<'a>(known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl Refused {
    fn add(&mut self, other: &Self) {
        self.actions.extend(other.actions.iter().cloned());
        self.regions.extend(other.regions.iter().cloned());
    }
}

/// Puts members over others: mappings member by member, everything else whole.
fn over(base: &mut Members, members: Members) {
    for (key, value) in members {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => over(below, above),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

/// Replaces what stands for the account and the region in every text below a value.
fn place(value: &mut Value, account: &str, region: &str) {
    match value {
        Value::String(text) if text.contains('<') => *text = placed(text, account, region),
        Value::Array(items) => items.iter_mut().for_each(|item| place(item, account, region)),
        Value::Object(members) => members.values_mut().for_each(|member| place(member, account, region)),
        _ => {}
    }
}

fn placed(text: &str, account: &str, region: &str) -> String {
    text.replace("<account>", account).replace("<region>", region)
}
