//! The summary a run ends with on a terminal: at most 24 lines, each status with its word.
//!
//! Styles are always written; whoever prints decides through `anstream` whether they reach the terminal.

use anstyle::{AnsiColor, Style};

use super::summary::Summary;
use super::text;
use super::view::{self, FixView, Limits, View, coverage::FailureGroup};

/// The terminal of a pager or a CI log shows this much without scrolling.
pub const MAX_LINES: usize = 24;
/// Scenarios with a line of their own.
const SCENARIOS: usize = 5;
const LIMITS: Limits = Limits {
    matrix_columns: 0,
    detailed_per_check: 0,
    detailed: 0,
    explained_findings: 0,
    listed: 3,
    named: 0,
    explained: 0,
    rows: 0,
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();
const GOOD: Style = AnsiColor::Cyan.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Magenta.on_default().bold();
const SOME: Style = AnsiColor::Yellow.on_default();

/// A line in pieces, each in one style.
type Line = Vec<(Style, String)>;

/// The summary, lines no wider than `width` columns (40 at least), each ended by a newline; none: laid out for 100, and
/// no line is cut.
pub fn terminal(summary: &Summary, width: Option<usize>) -> String {
    let most = width.map_or(usize::MAX, |width| width.max(40));
    let width = width.unwrap_or(100).clamp(40, 140);
    let view = view::build(summary, LIMITS);
    let mut lines = vec![heading(&view), readiness(&view, width)];
    lines.extend(tier(&view));
    lines.extend(gate(&view));
    lines.push(Vec::new());
    lines.extend(questions(&view));
    lines.push(accounts(&view));
    lines.push(statuses(&view));
    lines.extend(fixes(&view));
    lines.push(Vec::new());
    lines.extend(coverage(&view));
    lines.push(vec![label("Snapshot"), (PLAIN, view.run.snapshot_digest.clone())]);
    lines.truncate(MAX_LINES);
    lines.iter().map(|line| written(line, most)).collect()
}

fn label(text: &str) -> (Style, String) {
    (BOLD, format!("{text:<11}"))
}

fn heading(view: &View) -> Line {
    let kind = if view.run.single_account { "account" } else { "organization" };
    vec![
        (BOLD, format!("locard {}", view.run.version)),
        (PLAIN, format!("  {kind} {}", view.run.subject)),
        (DIM, format!("  as of {}  run {}", view.run.as_of, view.run.id)),
    ]
}

fn readiness(view: &View, width: usize) -> Line {
    let score = &view.score;
    if score.nothing_to_assess {
        return vec![label("Readiness"), (PLAIN, "no AI workload found: nothing to be ready for".to_owned())];
    }
    let expected = match &score.expected {
        Some(expected) if !score.known => format!(" (expected {expected})"),
        _ => String::new(),
    };
    let words = format!("  {} of 100{expected}", score.text);
    let cells = width.saturating_sub(13 + text::line(&words).chars().count()).min(50);
    let at = |bound: &str| (bound.parse::<f64>().unwrap_or(0.0) / 100.0 * cells as f64).clamp(0.0, cells as f64);
    let low = at(&score.low).floor() as usize;
    let high = if score.known { low } else { (at(&score.high).ceil() as usize).max(low + 1).min(cells.max(low)) };
    vec![
        label("Readiness"),
        (PLAIN, "[".to_owned()),
        (GOOD, "#".repeat(low)),
        (OPEN, "?".repeat(high - low)),
        (DIM, ".".repeat(cells.saturating_sub(high))),
        (PLAIN, "]".to_owned()),
        (BOLD, words),
    ]
}

fn tier(view: &View) -> Option<Line> {
    let score = &view.score;
    if score.nothing_to_assess {
        return None;
    }
    let tier = if score.tier_low == score.tier_high {
        score.tier_low.to_owned()
    } else {
        format!("{} to {}", score.tier_low, score.tier_high)
    };
    let mut line = vec![label("Tier"), (BOLD, tier), (PLAIN, format!("  over {}", plural(score.accounts, "account")))];
    if let Some(lowest) = score.lowest.as_ref().filter(|_| score.accounts > 1) {
        let points = lowest.score.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
        line.push((DIM, format!("  lowest {}{points}", account(&lowest.account))));
    }
    Some(line)
}

fn gate(view: &View) -> Vec<Line> {
    let Some(gate) = &view.gate else { return Vec::new() };
    let mut not_met = gate.conditions.iter().filter(|c| c.class != "pass");
    let mut line = vec![label("Gate"), (style(gate.class), gate.word.to_uppercase())];
    if let Some(c) = not_met.next() {
        line.push((PLAIN, format!("  {}: wanted {}, got {}", c.name, c.wanted, c.got)));
    }
    let more = not_met.count();
    if more > 0 {
        line.push((DIM, format!("  and {}", plural(more as u64, "more condition"))));
    }
    vec![line]
}

fn questions(view: &View) -> Vec<Line> {
    let scenarios = &view.questions.scenarios;
    if view.score.nothing_to_assess || scenarios.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<Line> = scenarios
        .iter()
        .take(SCENARIOS)
        .enumerate()
        .map(|(i, scenario)| {
            let mut line = vec![label(if i == 0 { "Questions" } else { "" })];
            line.push((PLAIN, format!("{:<30}", text::shorten(&text::line(&scenario.title), 30))));
            for (verdict, count) in view.questions.verdicts.iter().zip(&scenario.tally) {
                if *count > 0 {
                    line.push((style(verdict.class), format!("  {count} {}", verdict.word)));
                }
            }
            line
        })
        .collect();
    if scenarios.len() > SCENARIOS {
        lines.push(vec![label(""), (DIM, format!("and {} more scenarios", scenarios.len() - SCENARIOS))]);
    }
    lines
}

fn accounts(view: &View) -> Line {
    let a = &view.accounts;
    let mut line = vec![label("Accounts"), (PLAIN, format!("{} assessed", a.assessed))];
    for (count, word) in [(a.partly, "partly"), (a.not_assessed, "not assessed")] {
        if count > 0 {
            line.push((OPEN, format!("  {count} {word}")));
        }
    }
    line.push((PLAIN, format!("  {} with AI", a.with_ai)));
    if a.ai_unknown > 0 {
        line.push((OPEN, format!("  {} where AI use is unknown", a.ai_unknown)));
    }
    line
}

fn statuses(view: &View) -> Line {
    let c = &view.counts;
    let mut line = vec![
        label("Findings"),
        (style("fail"), format!("{} FAIL", c.fail)),
        (style("unknown"), format!("  {} UNKNOWN", c.unknown)),
        (style("pass"), format!("  {} PASS", c.pass)),
        (DIM, format!("  {} N/A", c.not_applicable)),
    ];
    if c.excepted > 0 {
        line.push((SOME, format!("  {} of these EXCEPTED", c.excepted)));
    }
    line
}

fn fixes(view: &View) -> Vec<Line> {
    view.first
        .iter()
        .enumerate()
        .map(|(i, fix)| {
            let mut line = vec![label(if i == 0 { "Fix first" } else { "" }), (PLAIN, format!("{}. ", i + 1))];
            line.extend(fix_line(fix));
            line
        })
        .collect()
}

fn fix_line(fix: &FixView) -> Line {
    let gain = fix.gain.as_ref().map_or("+0".to_owned(), |g| format!("+{g}"));
    vec![
        (GOOD, format!("{gain} points ")),
        (PLAIN, fix.check.id.clone()),
        (PLAIN, format!(" in {}", account(&fix.account))),
        (DIM, format!(" ({})", plural(fix.findings, "finding"))),
    ]
}

fn coverage(view: &View) -> Vec<Line> {
    let c = &view.coverage;
    let mut lines = vec![vec![label("Coverage"), (PLAIN, format!("{} % of required criteria known", c.percent))]];
    if let Some(top) = c.denied.first() {
        lines.push(vec![
            label(""),
            (OPEN, "MISSING ".to_owned()),
            (PLAIN, missing(top, c.denied.len() + c.denied_more)),
        ]);
    }
    if let Some(first) = c.not_entered.first() {
        let reason = first.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        let more = c.not_entered.len() + c.not_entered_more - 1;
        let more = if more > 0 { format!("; and {}", plural(more as u64, "more account")) } else { String::new() };
        lines.push(vec![
            label(""),
            (OPEN, "NOT ASSESSED ".to_owned()),
            (PLAIN, format!("{}{}{more}", account(&first.account), text::shorten(&reason, 60))),
        ]);
    }
    if let Some(capped) = &c.capped {
        let calls = match &capped.calls[..] {
            [call] => call.clone(),
            [call, others @ ..] => format!("{call} and {}", plural(others.len() as u64, "other list")),
            [] => String::new(),
        };
        let accounts = plural(capped.accounts as u64, "account");
        let said = format!("{calls} in {accounts}: more exist than were read, see max_described_jobs");
        lines.push(vec![label(""), (OPEN, "CAPPED ".to_owned()), (PLAIN, said)]);
    }
    if view.run.partial {
        lines.push(vec![label(""), (OPEN, "PARTIAL ".to_owned()), (PLAIN, view.run.partial_reasons.join("; "))]);
    }
    if let Some(reason) = &view.run.mode_reason {
        lines.push(vec![label(""), (OPEN, "ONE ACCOUNT ".to_owned()), (PLAIN, reason.clone())]);
    }
    lines
}

fn missing(top: &FailureGroup, groups: usize) -> String {
    let mut text = format!("{} in {}", top.what, plural(top.accounts_count as u64, "account"));
    if top.scp {
        text.push_str(", denied by a service control policy");
    }
    if top.questions > 0 {
        text.push_str(&format!(", would settle {}", plural(top.questions as u64, "answer")));
    }
    if groups > 1 {
        text.push_str(&format!("; {} more missing", groups - 1));
    }
    text
}

fn account(account: &view::AccountRef) -> String {
    match &account.name {
        Some(name) => format!("{} ({})", text::shorten(&text::line(name), 30), account.id),
        None => account.id.clone(),
    }
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { format!("{count} {word}") } else { format!("{count} {word}s") }
}

fn style(class: &str) -> Style {
    match class {
        "pass" | "yes" => GOOD,
        "fail" | "no" => BAD,
        "unknown" | "cannot-tell" => OPEN,
        "partly" => SOME,
        _ => DIM,
    }
}

/// Cleans, cuts to the width and styles one line.
fn written(line: &Line, width: usize) -> String {
    let total: usize = line.iter().map(|(_, t)| columns(&text::line(t))).sum();
    let mut left = if total > width { width - 1 } else { width };
    let mut out = String::new();
    let mut used_up = false;
    for (style, piece) in line {
        let mut kept = String::new();
        for c in text::line(piece).chars() {
            let wide = columns(c.encode_utf8(&mut [0; 4]));
            if used_up || wide > left {
                used_up = true;
                break;
            }
            left -= wide;
            kept.push(c);
        }
        if style.is_plain() {
            out.push_str(&kept);
        } else if !kept.is_empty() {
            out.push_str(&format!("{style}{kept}{style:#}"));
        }
    }
    if total > width {
        out.push('…');
    }
    let mut out = out.trim_end().to_owned();
    out.push('\n');
    out
}

/// Columns on a terminal: East Asian scripts and pictographs take two.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1FAFF
            | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}
