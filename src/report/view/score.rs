//! The readiness score as text and as the geometry of its bar.

use serde::Serialize;

use super::{AccountRef, Context};
use crate::results::{OrganizationScore, ScoreInterval, Tier};

/// Width of the bar's drawing; one unit is a quarter of a point.
const WIDTH: f64 = 400.0;
/// What binary fractions may be off by; a tenth of a point is shown.
const NOISE: f64 = 1e-6;

#[derive(Debug, Serialize)]
pub(crate) struct ScoreView {
    /// `48.2–75`, or one number when nothing is unknown.
    pub(crate) text: String,
    pub(crate) low: String,
    pub(crate) high: String,
    pub(crate) expected: Option<String>,
    /// Nothing unknown is left in it.
    pub(crate) known: bool,
    /// Points between the bounds.
    pub(crate) width: String,
    pub(crate) nothing_to_assess: bool,
    pub(crate) tier_low: &'static str,
    pub(crate) tier_high: &'static str,
    pub(crate) accounts: u64,
    pub(crate) lowest: Option<LowestView>,
    pub(crate) spread: String,
    pub(crate) without_unentered: Option<String>,
    pub(crate) bar: Bar,
}

#[derive(Debug, Serialize)]
pub(crate) struct LowestView {
    pub(crate) account: AccountRef,
    pub(crate) score: Option<String>,
}

/// Horizontal positions in the drawing of the bar.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) low: String,
    pub(crate) expected: Option<String>,
    pub(crate) high: String,
    /// Width of the unknown part.
    pub(crate) unknown: String,
}

pub(crate) fn score(ctx: &Context<'_>) -> ScoreView {
    let s = &ctx.summary.score;
    let interval = whole(s);
    let lowest = s.lowest_account.as_ref().map(|id| LowestView {
        account: ctx.account(id),
        score: ctx.lists.accounts.find(id).and_then(|a| a.score.as_ref()).map(text),
    });
    ScoreView {
        text: text(&interval),
        low: down(s.low),
        high: up(s.high),
        expected: s.expected.map(decimal),
        known: known(&interval),
        width: decimal(s.high - s.low),
        nothing_to_assess: s.nothing_to_assess,
        tier_low: tier(s.tier_low),
        tier_high: tier(s.tier_high),
        accounts: s.accounts,
        lowest,
        spread: decimal(s.spread),
        // Only worth a line where it differs.
        without_unentered: s.without_unentered.as_ref().map(text).filter(|t| *t != text(&interval)),
        bar: bar(&interval),
    }
}

pub(crate) fn whole(s: &OrganizationScore) -> ScoreInterval {
    ScoreInterval { low: s.low, expected: s.expected, high: s.high }
}

fn bar(s: &ScoreInterval) -> Bar {
    let at = |points: f64| format!("{:.1}", points.clamp(0.0, 100.0) / 100.0 * WIDTH);
    Bar { low: at(s.low), expected: s.expected.map(at), high: at(s.high), unknown: at(s.high - s.low) }
}

fn tier(tier: Tier) -> &'static str {
    tier.word()
}

/// Whether both bounds are the same for a reader.
pub(crate) fn known(s: &ScoreInterval) -> bool {
    s.high - s.low < 0.05
}

/// An interval in points. Bounds are rounded outwards and a single number down, so that no text claims more than
/// was found.
pub(crate) fn text(s: &ScoreInterval) -> String {
    if known(s) { down(s.low) } else { format!("{}–{}", down(s.low), up(s.high)) }
}

/// A share from 0 to 1 as an interval in whole percent, rounded like [`text`].
pub(crate) fn percent(low: f64, high: f64) -> String {
    whole_numbers(low * 100.0, high * 100.0)
}

/// An interval in whole numbers, rounded like [`text`].
pub(crate) fn whole_numbers(low: f64, high: f64) -> String {
    let floor = (low + NOISE).floor();
    if high - low < 0.05 { format!("{floor:.0}") } else { format!("{floor:.0}–{:.0}", (high - NOISE).ceil()) }
}

pub(crate) fn down(value: f64) -> String {
    trimmed(((value + NOISE) * 10.0).floor() / 10.0)
}

fn up(value: f64) -> String {
    trimmed(((value - NOISE) * 10.0).ceil() / 10.0)
}

pub(crate) fn decimal(value: f64) -> String {
    trimmed((value * 10.0).round() / 10.0)
}

fn trimmed(value: f64) -> String {
    // `-0.0` would print its sign.
    let text = format!("{:.1}", value + 0.0);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
