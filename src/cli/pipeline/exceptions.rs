//! Which approved exceptions match which findings. They annotate; status and score stay.

use crate::config::Exception;
use crate::finding::{ExceptionRef, Finding, Status};
use crate::model::time::Timestamp;
use crate::results::ExceptionResult;

/// A day, as seconds.
const DAY: i64 = 24 * 60 * 60;

/// Marks each finding that an exception matches, with the first that still holds, else the first; and tells of each
/// exception how many findings it matches.
pub(super) fn apply(exceptions: &[Exception], findings: &mut [Finding], as_of: Timestamp) -> Vec<ExceptionResult> {
    let holds = |exception: &Exception| exception.created <= as_of && as_of < exception.expires;
    let mut matches = vec![0; exceptions.len()];
    for finding in findings.iter_mut().filter(|finding| finding.status != Status::NotApplicable) {
        let mut best: Option<ExceptionRef> = None;
        for (index, exception) in exceptions.iter().enumerate().filter(|(_, exception)| covers(exception, finding)) {
            matches[index] += 1;
            let active = holds(exception);
            if best.as_ref().is_none_or(|best| active && !best.active) {
                best = Some(ExceptionRef { index, active });
            }
        }
        finding.exception = best;
    }
    exceptions.iter().zip(matches).map(|(exception, matches)| result(exception, matches, as_of)).collect()
}

fn covers(exception: &Exception, finding: &Finding) -> bool {
    exception.check == finding.check
        && (exception.accounts.is_empty() || exception.accounts.contains(&finding.account))
        && (exception.regions.is_empty()
            || finding.region.as_ref().is_some_and(|region| exception.regions.contains(region)))
        && exception.resource.as_ref().is_none_or(|pattern| matches(pattern, finding.resource.as_str()))
}

/// Whether a pattern, `*` standing for any run of characters, is the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn result(exception: &Exception, matches: u64, as_of: Timestamp) -> ExceptionResult {
    ExceptionResult {
        check: exception.check.clone(),
        accounts: exception.accounts.clone(),
        regions: exception.regions.clone(),
        resource: exception.resource.clone(),
        owner: exception.owner.clone(),
        approver: exception.approver.clone(),
        reason: exception.reason.clone(),
        ticket: exception.ticket.clone(),
        created: exception.created.date(),
        // As people wrote it: the last day, not the midnight that ends it.
        expires: Timestamp::from_unix(exception.expires.unix() - DAY).date(),
        compensating_control: exception.compensating_control.clone(),
        expired: as_of >= exception.expires,
        matches,
    }
}
