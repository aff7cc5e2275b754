//! `report.md`: GitHub-flavoured Markdown, the long parts folded.

use super::summary::Summary;
use super::view::{self, Limits};
use super::{ReportError, template};

/// Wider tables than this cannot be read on a review page.
const LIMITS: Limits = Limits {
    matrix_columns: 8,
    detailed_per_check: 50,
    detailed: usize::MAX,
    explained_findings: 1,
    listed: 50,
    named: 25,
    explained: 20,
    rows: 200,
};

/// The report as one Markdown document.
///
/// # Errors
/// Only when a template of this build is broken.
pub fn markdown(summary: &Summary) -> Result<String, ReportError> {
    let view = view::build(summary, LIMITS);
    let text = template("report.md.j2", view, &[]).map_err(|source| ReportError { format: "Markdown", source })?;
    Ok(tidy(&text))
}

/// One blank line where templates left several, none at the end of lines; fenced blocks stay as they are.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line.trim_end() == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
            None if line.trim().is_empty() && blank => continue,
            None => {}
        }
        blank = line.trim().is_empty();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
