//! Makes text harmless: everything AWS or a user's check says passes through here before it reaches a reader.
//!
//! Renderers call these from their output formatter, so that a template cannot forget to; no words of reports live here.

use std::borrow::Cow;

/// Stands for a character that would not be seen, or would change how its neighbours are shown.
const REPLACEMENT: char = '\u{FFFD}';
/// Breaks a mention or link apart without showing; only ever put into prose, never into names shown as code.
const BREAK: char = '\u{200B}';

/// Whether a terminal, a browser or a reader's eye could be led astray by the character: controls, direction
/// overrides, invisible and tag characters.
fn deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// One line without deceptive characters: white space becomes a space, the others a visible replacement character.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(deceptive) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
                c if deceptive(c) => REPLACEMENT,
                c => c,
            })
            .collect(),
    )
}

/// As [`line`], keeping line ends: for commands and templates, which people copy.
pub(crate) fn block(text: &str) -> String {
    text.lines().map(|l| line(&l.replace('\t', "  ")).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// At most `max` characters, the middle left out: the ends of an ARN are what tells it from others.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let tail = max / 3;
    let head = max.saturating_sub(tail + 1);
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(count - tail));
    short
}

/// For HTML text and quoted attributes.
pub(crate) fn html(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' | '\r' => ' ',
            c if deceptive(c) => REPLACEMENT,
            c => c,
        })
        .collect();
    entities(&visible)
}

/// For HTML inside Markdown, where the host still turns mentions, issue numbers and addresses into links.
pub(crate) fn html_in_markdown(text: &str) -> String {
    entities(&unlinked(&line(text)))
}

/// For Markdown prose, in a table or not: nothing in it is markup, a mention, an issue number or a link.
pub(crate) fn markdown(text: &str) -> String {
    let text = unlinked(line(text).trim());
    let mut out = String::with_capacity(text.len() + 8);
    let mut numbered = true;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // The first characters of a paragraph or list item could start a list, a rule or a heading.
        let starts_list = match c {
            '-' | '+' | '=' => out.is_empty(),
            '.' | ')' => numbered && !out.is_empty() && rest.peek().is_none_or(|next| *next == ' '),
            _ => false,
        };
        numbered &= c.is_ascii_digit();
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '$' | '#' | '!' => out.extend(['\\', c]),
            c if starts_list => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// A Markdown code span that shows exactly the text; its fence is longer than any run of backticks inside.
pub(crate) fn code(text: &str) -> String {
    let text = line(text);
    let text = text.trim();
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code span inside a Markdown table, where a pipe ends the cell even in code.
pub(crate) fn code_in_table(text: &str) -> String {
    // A table reads `\\|` as an escaped backslash and the end of the cell; the look-alike keeps the cell whole.
    code(&text.replace("\\|", "\u{29F5}|")).replace('|', "\\|")
}

/// A fenced Markdown block whose fence is longer than any run of backticks inside.
pub(crate) fn fenced(text: &str, language: &str) -> String {
    let text = block(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Breaks what a Markdown host turns into links by itself: `@name`, `#1`, `GH-1`, `https://`, `www.`, `a@b.c`.
fn unlinked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = ["://", "www.", "WWW.", "GH-", "gh-", "mailto:", "xmpp:"]
            .iter()
            .find(|p| rest.get(..p.len()).is_some_and(|head| head.eq_ignore_ascii_case(p)))
            .map_or(c.len_utf8(), |p| if *p == "://" { 1 } else { p.len() });
        out.push_str(&rest[..taken]);
        if matches!(c, '@' | '#') || taken > c.len_utf8() || rest.starts_with("://") {
            out.push(BREAK);
        }
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_cannot_become_markup_a_mention_or_a_link() {
        assert_eq!(markdown("<b>a|b</b> `x` *y*"), "&lt;b&gt;a\\|b&lt;/b&gt; \\`x\\` \\*y\\*");
        assert_eq!(markdown("@team #7 https://a.example"), "@\u{200B}team \\#\u{200B}7 https:\u{200B}//a.example");
        assert_eq!(markdown("1. item"), "1\\. item");
        assert_eq!(markdown("48.2–75"), "48.2–75");
        assert_eq!(markdown("- item\n# head"), "\\- item \\#\u{200B} head");
        assert_eq!(html_in_markdown("<i>@x\u{202E}"), "&lt;i&gt;@\u{200B}x\u{FFFD}");
    }

    #[test]
    fn code_shows_the_name_and_nothing_else() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x"), "`` `x ``");
        assert_eq!(code("a\u{1b}[31m\nb\u{202E}"), "`a\u{FFFD}[31m b\u{FFFD}`");
        assert_eq!(code_in_table("a|b\\|c"), "`a\\|b\u{29F5}\\|c`");
        assert_eq!(fenced("```\nx", "sh"), "````sh\n```\nx\n````");
    }

    #[test]
    fn shortening_keeps_both_ends() {
        assert_eq!(shorten("abcdefghij", 7), "abcd…ij");
        assert_eq!(shorten("abc", 7), "abc");
    }
}
