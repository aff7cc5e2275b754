//! Puts approved exceptions beside the findings they match. Status and score stay what they are.

use crate::config::Exception;
use crate::finding::{ExceptionRef, Finding, Status};
use crate::model::time::Timestamp;
use crate::results::ExceptionResult;

/// Marks matching findings; the first active exception wins over expired ones. Returns how many each matches.
pub(super) fn mark(exceptions: &[Exception], findings: &mut [Finding], as_of: Timestamp) -> Vec<u64> {
    let mut matches = vec![0_u64; exceptions.len()];
    for finding in findings.iter_mut().filter(|f| matches!(f.status, Status::Fail | Status::Unknown)) {
        for (index, exception) in exceptions.iter().enumerate() {
            if !covers(exception, finding) {
                continue;
            }
            matches[index] += 1;
            let active = exception.created <= as_of && as_of < exception.expires;
            if finding.exception.as_ref().is_none_or(|earlier| active && !earlier.active) {
                finding.exception = Some(ExceptionRef { index, active });
            }
        }
    }
    matches
}

/// The register, with the findings that each exception matches.
pub(super) fn register(exceptions: &[Exception], matches: Vec<u64>, as_of: Timestamp) -> Vec<ExceptionResult> {
    exceptions
        .iter()
        .zip(matches)
        .map(|(exception, matches)| ExceptionResult {
            check: exception.check.clone(),
            accounts: exception.accounts.clone(),
            regions: exception.regions.clone(),
            resource: exception.resource.clone(),
            owner: exception.owner.clone(),
            approver: exception.approver.clone(),
            reason: exception.reason.clone(),
            ticket: exception.ticket.clone(),
            created: exception.created.date(),
            // The last day on which it holds, as written.
            expires: Timestamp::from_unix(exception.expires.unix() - 1).date(),
            compensating_control: exception.compensating_control.clone(),
            expired: exception.expires <= as_of,
            matches,
        })
        .collect()
}

fn covers(exception: &Exception, finding: &Finding) -> bool {
    let region = finding.region.as_ref();
    exception.check == finding.check
        && (exception.accounts.is_empty() || exception.accounts.contains(&finding.account))
        && (exception.regions.is_empty() || region.is_some_and(|r| exception.regions.contains(r)))
        && exception.resource.as_ref().is_none_or(|pattern| glob(pattern, finding.resource.as_str()))
}

/// The whole text must match; `*` stands for any run of characters and nothing else is special.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or(pattern);
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}
