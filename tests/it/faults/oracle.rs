//! What a run under faults may say, given what a run without faults says and what really went wrong.
//!
//! Each finding is the same or unknown, and unknown for a reason that is true. Everything that contradicts this is a
//! complaint in words.

use std::collections::{BTreeMap, BTreeSet};

use locard::finding::{Finding, Status, Truth};
use locard::model::ids::AccountId;
use locard::model::observed::{Unknown, Why};
use locard::results::{AccountStatus, Failure, Results, ScoreInterval, Verdict};
use locard_simulator::faults::Kind;
use locard_simulator::journal::Entry;

/// Sums of many numbers may differ in the last digits.
const EPSILON: f64 = 1e-6;

/// The reasons that are true of what a fault did to a call. None: it does nothing to it that could be noticed.
fn reasons(kind: Kind) -> &'static [Why] {
    match kind {
        Kind::Throttle => &[Why::Throttled],
        Kind::Error500 | Kind::Dropped | Kind::SkewRefused => &[Why::Failed],
        // Errors lose their code and message when they are cut; their status alone still tells some of them.
        Kind::Reset | Kind::Truncate => &[Why::Malformed, Why::Failed, Why::Denied],
        // A bucket policy whose statements are none is handed on as it is, and decides nothing.
        Kind::Malformed => &[Why::Malformed, Why::Failed, Why::Denied, Why::Undecidable],
        Kind::EmptyObject | Kind::RepeatToken | Kind::EndlessToken => &[Why::Malformed],
        Kind::Slow | Kind::Hang => &[Why::TimedOut],
        Kind::EmptyPageWithToken => &[],
        // As long as AWS takes the host's time, nothing else is believed.
        Kind::Skew => &[],
        Kind::ExpiredSession => &[Why::Failed],
        // Sessions are revoked by a policy that denies everything to those issued before.
        Kind::RevokedSession | Kind::Denied => &[Why::Denied],
        Kind::ScpDenied => &[Why::DeniedByScp],
        // Services that know the account no more do not know its credentials either, as where it has no region.
        Kind::AccountClosed => &[Why::Failed, Why::Denied, Why::RegionDisabled],
        Kind::Vanished => &[Why::Vanished],
    }
}

/// One run under faults, held against one without.
pub(super) struct Oracle<'a> {
    clean: &'a Results,
    faulty: &'a Results,
    journal: &'a [Entry],
    /// What is unknown without faults too, messages aside.
    known_unknowns: BTreeSet<Unknown>,
    complaints: Vec<String>,
    /// Timeouts that no fault explains: the machine was busy, which is no fault of the run.
    pub(super) busy: usize,
}

type Key<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

fn key(finding: &Finding) -> Key<'_> {
    let region = finding.region.as_ref().map(|region| region.as_str());
    (&finding.check, finding.account.as_str(), region, finding.resource.as_str())
}

fn quiet(unknown: &Unknown) -> Unknown {
    Unknown { message: None, ..unknown.clone() }
}

fn unknowns(finding: &Finding) -> impl Iterator<Item = &Unknown> {
    finding.criteria.iter().flat_map(|criterion| &criterion.unknown)
}

impl<'a> Oracle<'a> {
    pub(super) fn new(clean: &'a Results, faulty: &'a Results, journal: &'a [Entry]) -> Self {
        let mut known_unknowns: BTreeSet<Unknown> = clean.findings.iter().flat_map(unknowns).map(quiet).collect();
        known_unknowns.extend(clean.coverage.populations.iter().map(|open| quiet(&open.unknown)));
        Self { clean, faulty, journal, known_unknowns, complaints: Vec::new(), busy: 0 }
    }

    /// Everything that should not be.
    pub(super) fn complaints(&mut self) -> Vec<String> {
        let alone = self.faulty.run.mode != self.clean.run.mode;
        self.findings();
        if !alone {
            self.missing();
            self.accounts();
            self.questions();
            if !self.is_list_cut() {
                self.organization_score();
            } else if !self.struck("organizations", None) {
                self.complain("the list of accounts broke off and nothing happened to organizations");
            }
        } else if !self.struck("organizations", None) {
            self.complain(format!("mode is {} and nothing happened to organizations", self.faulty.run.mode));
        }
        self.coverage();
        std::mem::take(&mut self.complaints)
    }

    /// The run says that it does not know all accounts, and is partial for it.
    fn is_list_cut(&self) -> bool {
        self.faulty.run.partial_reasons.iter().any(|reason| reason.starts_with("the list of accounts broke off"))
    }

    fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }

    /// Every finding under faults is one without faults, or unknown.
    fn findings(&mut self) {
        let clean: BTreeMap<Key<'_>, &Finding> =
            self.clean.findings.iter().map(|finding| (key(finding), finding)).collect();
        for finding in &self.faulty.findings {
            let same = clean.get(&key(finding)).copied();
            if let Some(same) = same {
                self.compare(same, finding);
            } else if finding.status != Status::Unknown && !self.is_denial_judged(finding) {
                self.complain(format!("new {}: {}", finding.status.word(), told(finding)));
            }
            if finding.status == Status::Unknown && unknowns(finding).next().is_none() {
                self.complain(format!("unknown without a reason: {}", told(finding)));
            }
            for unknown in unknowns(finding) {
                if !self.is_true(unknown) {
                    self.complain(format!("untrue reason {unknown:?}: {}", told(finding)));
                }
            }
        }
    }

    /// That a policy denies Bedrock is good where nobody uses it, and a fault that denies it is such a policy.
    fn is_denial_judged(&self, finding: &Finding) -> bool {
        finding.check == "bedrock-unused-region-open"
            && finding.status == Status::Pass
            && self.journal.iter().any(|entry| {
                entry.fault == Some(Kind::ScpDenied)
                    && entry.account == finding.account.as_str()
                    && finding.region.as_ref().is_some_and(|region| region.as_str() == entry.region)
            })
    }

    fn compare(&mut self, clean: &Finding, faulty: &Finding) {
        if self.is_denial_judged(faulty) {
            return;
        }
        if faulty.status != clean.status && faulty.status != Status::Unknown {
            self.complain(format!("{} became {}: {}", clean.status.word(), faulty.status.word(), told(faulty)));
        }
        let (inner, outer) = (clean.points, faulty.points);
        if outer.low > inner.low || outer.high < inner.high || outer.max != inner.max {
            self.complain(format!("points {inner:?} became {outer:?}: {}", told(faulty)));
        }
        for (inner, outer) in clean.criteria.iter().zip(&faulty.criteria) {
            let fits = |inner: Truth, outer: Truth| outer == inner || outer == Truth::Unknown;
            if !fits(inner.status, outer.status) || !fits(inner.required, outer.required) {
                let (was, is) = ((inner.required, inner.status), (outer.required, outer.status));
                self.complain(format!("`{}` was {was:?} and is {is:?}: {}", inner.expect, told(faulty)));
            }
        }
    }

    /// What is not found any more is told to be possible: by an open population of an account that led to it, by the
    /// same resource under another owner, or because the account could not be entered.
    fn missing(&mut self) {
        let faulty: BTreeSet<Key<'_>> = self.faulty.findings.iter().map(key).collect();
        let out: BTreeSet<&AccountId> = self
            .faulty
            .accounts
            .iter()
            .filter(|account| account.status == AccountStatus::NotAssessed)
            .map(|account| &account.id)
            .collect();
        let listed: BTreeSet<&AccountId> = self.faulty.accounts.iter().map(|account| &account.id).collect();
        for finding in self.clean.findings.iter().filter(|finding| !faulty.contains(&key(finding))) {
            let concerned: BTreeSet<&AccountId> = finding.counts_for.iter().chain([&finding.account]).collect();
            let covered = self.faulty.findings.iter().any(|other| {
                let open = other.resource_kind == finding.resource_kind
                    && concerned.contains(&other.account)
                    && other.resource.as_str().starts_with(&format!("{}:", other.resource_kind));
                other.check == finding.check
                    && other.status == Status::Unknown
                    && (open || other.resource == finding.resource)
            });
            let unlisted = self.is_list_cut() && concerned.iter().any(|account| !listed.contains(account));
            if !covered && !unlisted && !concerned.iter().any(|account| out.contains(*account)) {
                self.complain(format!("gone without a trace: {}", told(finding)));
            }
        }
    }

    fn accounts(&mut self) {
        let faulty: BTreeMap<&AccountId, _> =
            self.faulty.accounts.iter().map(|account| (&account.id, account)).collect();
        for clean in &self.clean.accounts {
            let Some(account) = faulty.get(&clean.id) else {
                if self.faulty.run.mode == self.clean.run.mode && !self.struck("organizations", None) {
                    self.complain(format!("account {} is gone", clean.id));
                }
                continue;
            };
            if account.has_ai != clean.has_ai && account.has_ai != Truth::Unknown {
                self.complain(format!("has_ai of {} was {:?} and is {:?}", clean.id, clean.has_ai, account.has_ai));
            }
            let shut = account.status == AccountStatus::NotAssessed && clean.status != AccountStatus::NotAssessed;
            if shut && !self.struck("sts", Some(&clean.id)) && !self.closed(&clean.id) {
                self.complain(format!("{} was not entered: {:?}", clean.id, account.reason));
            }
            self.interval(&format!("score of {}", clean.id), clean.score, account.score);
            for (scenario, tier) in &clean.tiers {
                let now = account.tiers.get(scenario);
                if now.is_some_and(|now| now.low > tier.low || now.high < tier.high) {
                    self.complain(format!("tier of {} in {scenario}: {tier:?} became {now:?}", clean.id));
                }
            }
        }
    }

    fn questions(&mut self) {
        let faulty: BTreeMap<_, _> =
            self.faulty.questions.iter().map(|q| ((&q.account, &q.scenario, &q.id), q)).collect();
        for clean in &self.clean.questions {
            let Some(question) = faulty.get(&(&clean.account, &clean.scenario, &clean.id)) else { continue };
            // Of a bucket that AWS says is nowhere there is no question, where its owner's list did not say otherwise.
            if question.verdict == Verdict::NotApplicable && self.is_told_nowhere(&clean.account) {
                continue;
            }
            let what = format!("question {} of {}", clean.id, clean.account);
            let within = question.low <= clean.low + EPSILON && question.high >= clean.high - EPSILON;
            if !within {
                let (was, is) = ((clean.low, clean.high), (question.low, question.high));
                self.complain(format!("{what} was {was:?} and is {is:?}"));
            }
            if question.verdict != clean.verdict && question.verdict != Verdict::CannotTell {
                self.complain(format!("{what} was {:?} and is {:?}", clean.verdict, question.verdict));
            }
        }
        let faulty: BTreeMap<_, _> = self.faulty.sources.iter().map(|s| ((&s.account, s.source), s)).collect();
        for clean in &self.clean.sources {
            let Some(source) = faulty.get(&(&clean.account, clean.source)) else { continue };
            if source.low > clean.low + EPSILON || source.high < clean.high - EPSILON {
                let (was, is) = ((clean.low, clean.high), (source.low, source.high));
                self.complain(format!("{} of {} was {was:?} and is {is:?}", clean.source.id(), clean.account));
            }
        }
    }

    fn is_told_nowhere(&self, account: &AccountId) -> bool {
        self.journal.iter().any(|entry| {
            entry.operation == "GetBucketLocation"
                && entry.fault == Some(Kind::Vanished)
                && entry.account == account.as_str()
        })
    }

    fn organization_score(&mut self) {
        let interval = |results: &Results| {
            let score = &results.score;
            (!score.nothing_to_assess).then_some(ScoreInterval {
                low: score.low,
                expected: score.expected,
                high: score.high,
            })
        };
        self.interval("score of the organization", interval(self.clean), interval(self.faulty));
        let (clean, faulty) = (&self.clean.score, &self.faulty.score);
        if faulty.tier_low > clean.tier_low || faulty.tier_high < clean.tier_high {
            let (was, is) = ((clean.tier_low, clean.tier_high), (faulty.tier_low, faulty.tier_high));
            self.complain(format!("tier of the organization was {was:?} and is {is:?}"));
        }
    }

    fn interval(&mut self, what: &str, clean: Option<ScoreInterval>, faulty: Option<ScoreInterval>) {
        let fits = match (clean, faulty) {
            (Some(clean), Some(faulty)) => faulty.low <= clean.low + EPSILON && faulty.high >= clean.high - EPSILON,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if !fits {
            self.complain(format!("{what} was {clean:?} and is {faulty:?}"));
        }
    }

    /// Every call that came to nothing is named, and no other.
    fn coverage(&mut self) {
        let named: Vec<&Failure> = self.faulty.coverage.denied.iter().chain(&self.faulty.coverage.failed).collect();
        let known = |failure: &Failure| {
            self.clean.coverage.denied.iter().chain(&self.clean.coverage.failed).any(|clean| {
                (&clean.account, &clean.region, &clean.call, clean.why)
                    == (&failure.account, &failure.region, &failure.call, failure.why)
            })
        };
        let mut complaints = Vec::new();
        let mut busy = 0;
        for failure in named.iter().filter(|failure| !known(failure)) {
            let unknown = Unknown {
                call: failure.call.clone(),
                why: failure.why,
                account: Some(failure.account.clone()),
                region: failure.region.clone(),
                message: failure.message.clone(),
            };
            match self.explained(&unknown) {
                true => {}
                false if failure.why == Why::TimedOut => busy += 1,
                false => complaints.push(format!("coverage names {unknown:?}, which did not happen")),
            }
        }
        for entry in self.last_words() {
            let (account, call) = (account_of(entry), format!("{}:{}", entry.service, entry.operation));
            let told = named.iter().any(|failure| failure.account.as_str() == account && failure.call == call);
            // What the caller asks of itself is told by the exit; of an account that was not entered, the door is told.
            let out = self
                .faulty
                .accounts
                .iter()
                .any(|one| one.id.as_str() == account && one.status == AccountStatus::NotAssessed);
            // That a bucket is nowhere, or somebody else's, is an answer to the probe that asks; the status tells it.
            let answer = call == "s3:GetBucketLocation" && (entry.fault == Some(Kind::Vanished) || entry.status == 403);
            // What a search does not tell is described, and nothing is unknown for it.
            let search = call == "sagemaker:Search";
            // Of subnets that the first page held no later page is needed.
            let spare = search || (call == "ec2:DescribeSubnets" && !entry.page.is_empty());
            if !told && !out && !answer && !spare && self.faulty.run.mode == self.clean.run.mode {
                complaints
                    .push(format!("coverage does not name {call} in {account}/{}: {:?}", entry.region, entry.fault));
            }
        }
        self.busy += busy;
        self.complaints.append(&mut complaints);
    }

    /// The last attempts at requests that a fault kept from ever being answered.
    fn last_words(&self) -> Vec<&'a Entry> {
        let mut last: BTreeMap<_, &Entry> = BTreeMap::new();
        // In the order of asking: a slow answer to the first attempt ends after a quick one to the second.
        let mut journal: Vec<&Entry> = self.journal.iter().collect();
        journal.sort_by_key(|entry| entry.arrived);
        for entry in journal {
            let enters = entry.enters.as_deref();
            last.insert(
                (&entry.account, enters, &entry.region, &entry.service, &entry.operation, &entry.resource, &entry.page),
                entry,
            );
        }
        last.into_values().filter(|entry| is_lost(entry)).collect()
    }

    fn is_true(&mut self, unknown: &Unknown) -> bool {
        if self.known_unknowns.contains(&quiet(unknown)) || self.explained(unknown) {
            return true;
        }
        if unknown.why == Why::TimedOut {
            self.busy += 1;
            return true;
        }
        false
    }

    /// Whether something happened to the very call, or to the one the reason refers to, that the reason is true of.
    fn explained(&self, unknown: &Unknown) -> bool {
        if unknown.why == Why::NotEntered {
            return unknown.account.as_ref().is_none_or(|account| self.struck("sts", Some(account)));
        }
        // A service that gave no answer in several accounts is not asked in the next.
        let said = unknown.message.as_deref().unwrap_or("");
        if said.contains("not asked: no answer in") {
            let service = unknown.call.split(':').next().unwrap();
            let silent = self.journal.iter().filter(|entry| {
                entry.service == service
                    && unknown.region.as_ref().is_some_and(|region| region.as_str() == entry.region)
                    && entry.fault.is_some_and(|kind| reasons(kind).contains(&unknown.why))
            });
            return silent.map(account_of).collect::<BTreeSet<_>>().len() >= 3;
        }
        // Of a region where some calls of Bedrock are denied, those that are not show that others may not be.
        if unknown.why == Why::Undecidable && said.starts_with("a service control policy denies some calls of Bedrock")
        {
            return self.journal.iter().any(|entry| {
                entry.fault == Some(Kind::ScpDenied)
                    && entry.service.starts_with("bedrock")
                    && unknown.account.as_ref().is_some_and(|account| account.as_str() == entry.account)
                    && unknown.region.as_ref().is_some_and(|region| region.as_str() == entry.region)
            });
        }
        self.journal.iter().any(|entry| {
            let call = format!("{}:{}", entry.service, entry.operation);
            let meant = call == unknown.call || said.contains(&call);
            let region = entry.service == "sts" || unknown.region.as_ref().is_none_or(|r| r.as_str() == entry.region);
            // Others' buckets are refused without any fault, where their owners could not list them.
            let refused = entry.error.as_deref() == Some("AccessDenied") && unknown.why == Why::Denied;
            (refused || entry.fault.is_some_and(|kind| reasons(kind).contains(&unknown.why)))
                && meant
                && region
                && unknown.account.as_ref().is_none_or(|account| account.as_str() == account_of(entry))
        })
    }

    fn struck(&self, service: &str, account: Option<&AccountId>) -> bool {
        self.journal.iter().any(|entry| {
            entry.service == service
                && entry.fault.is_some_and(|kind| !reasons(kind).is_empty())
                && account.is_none_or(|account| account.as_str() == account_of(entry))
        })
    }

    fn closed(&self, account: &AccountId) -> bool {
        self.journal.iter().any(|e| e.fault == Some(Kind::AccountClosed) && account_of(e) == account.as_str())
    }
}

/// Whether what was asked for was not told, nor that there is none.
fn is_lost(entry: &Entry) -> bool {
    match entry.fault {
        // A time that is off hurts only whoever uses it; of pages that lead nowhere the first may hold what was wanted.
        None | Some(Kind::EmptyPageWithToken | Kind::Skew | Kind::RepeatToken | Kind::EndlessToken) => false,
        // So may that before a page that fails, where one thing is looked for.
        _ if entry.operation == "DescribeLogGroups" && !entry.page.is_empty() => false,
        // What is left of an error may still name it, as one that means "none" among others.
        Some(Kind::Truncate) => entry.error.is_none(),
        // A member is told the same of an organization's trail that is gone as of one that is there.
        Some(Kind::Vanished) => entry.error.is_some() && entry.service != "cloudtrail",
        Some(Kind::Reset | Kind::Dropped | Kind::Malformed | Kind::EmptyObject | Kind::Slow | Kind::Hang) => true,
        // Those that answer with an error leave alone what they cannot strike.
        Some(_) => entry.error.is_some(),
    }
}

/// The account a request is about: for AssumeRole the one that is entered.
fn account_of(entry: &Entry) -> &str {
    entry.enters.as_deref().unwrap_or(&entry.account)
}

fn told(finding: &Finding) -> String {
    let region = finding.region.as_ref().map_or("-", |region| region.as_str());
    let Finding { status, check, account, resource, reason, .. } = finding;
    format!("{} {check} {account}/{region} {resource}: {reason}", status.word())
}
