//! Reports of a hand-made run: complete, harmless with hostile names, self-contained, and the same every time.

use std::collections::BTreeSet;
use std::io::Cursor;

use locard::finding::{Status, Truth};
use locard::model::observed::{Unknown, Why};
use locard::report::{self, Format, Summary, json};
use locard::results::stream;
use locard::results::*;

use crate::samples::{Many, PROD, known, nothing, sample};

#[test]
fn html_shows_hostile_names_as_text() {
    let html = html(&sample());
    assert!(!html.contains("<script"), "no script at all");
    assert!(!html.contains("<img"), "no image at all");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the name is there as text");
    for c in html.chars().filter(|c| *c != '\n') {
        assert!(
            !c.is_control()
                && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        );
    }
    assert!(html.contains("javascript:alert(3)"), "a reference that is no web address is shown");
    assert!(!html.contains("href=\"javascript"), "and is no link");
}

#[test]
fn html_loads_nothing_and_forbids_loading() {
    let html = html(&sample());
    let tags: String = html.split('<').skip(1).filter_map(|t| t.split('>').next()).collect::<Vec<_>>().join("\n");
    for forbidden in ["link ", "iframe", "object", " src=", " style=", " on", "@import", "url(http", "url(//"] {
        assert!(!tags.contains(forbidden), "{forbidden}");
    }
    let css = between(&html, "<style>", "</style>");
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(between(policy, "'sha256-", "'"), base64_sha256(css), "the policy admits exactly this style sheet");
}

#[test]
fn html_has_every_section_in_order_and_every_link_leads_somewhere() {
    let html = html(&sample());
    let ids: Vec<&str> = attributes(&html, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "ids are unique: {:?}", repeated(&ids));
    let order: Vec<usize> = [
        "readiness",
        "fix-first",
        "questions",
        "sources",
        "accounts",
        "findings",
        "exceptions",
        "coverage",
        "frameworks",
        "method",
        "custody",
    ]
    .iter()
    .map(|id| html.find(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("no section {id}")))
    .collect();
    assert!(order.is_sorted(), "sections are in order: {order:?}");
    for href in attributes(&html, "href").into_iter().chain(attributes(&html, "aria-labelledby")) {
        for target in href.strip_prefix('#').unwrap_or(href).split(' ') {
            if !href.starts_with("https://") {
                assert!(unique.contains(target), "{href} leads nowhere");
            }
        }
    }
    assert!(unique.contains(format!("acct-{PROD}").as_str()));
    assert!(unique.contains("chk-bedrock-invocations-unlogged"));
    assert!(unique.contains("exc-1") && unique.contains("exc-2"));
    assert_eq!(html.matches("<h1").count(), 1);
    assert_eq!(html.matches("<table").count(), html.matches("<caption").count(), "every table says what it is");
    assert_eq!(html.matches("<th>").count(), 0, "every header cell has a scope");
    assert!(headings_nest(&html));
    assert!(well_nested(&html));
}

#[test]
fn html_says_what_is_known_and_what_is_not() {
    let text = html(&sample());
    for said in [
        "o-exampleorg1",
        "33.7–71.3",
        "R0 to R1",
        "undecided",
        "cannot tell",
        "not judged",
        "not applicable",
        "2026-01-15T00:00:00Z",
        "s3:GetBucketPolicy",
        "denied by a service control policy",
        "matches nothing",
        "expired",
        "locard evaluate SNAPSHOT --expect-digest 5a4b",
        "serverless endpoints cannot be captured",
        "2–3 of 5 points",
        "resource.logging.text",
        "Excepted",
        "60–71",
        "AU-12",
    ] {
        assert!(text.contains(said), "the report does not say {said:?}");
    }
    // NIST controls in reading order.
    assert!(text.find(">AU-3<") < text.find(">AU-12<"));
}

#[test]
fn markdown_shows_hostile_names_as_text() {
    let md = markdown(&sample());
    let outside = without_code(&md);
    for forbidden in ["<script", "<img", "@team", "#12", "https://evil", "www.evil"] {
        assert!(!outside.contains(forbidden), "{forbidden} outside of code in\n{outside}");
    }
    assert!(md.contains("&lt;script&gt;"), "in prose the name is there as text");
    assert!(md.contains("```a\\|b`c``d @team #12"), "in a table the name stands whole in a longer fence");
    for c in md.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'), "{c:?}");
    }
    assert_tables_are_whole(&md);
}

#[test]
fn markdown_comes_to_the_point_and_counts_what_it_leaves_out() {
    let md = markdown(&sample());
    assert!(md.starts_with("**Verdict: gate undecided.**"), "{}", &md[..200]);
    let order: Vec<usize> = [
        "33.7–71.3",
        "## Gate",
        "## Fix first",
        "## Could we",
        "## Accounts",
        "## Failing",
        "## Exceptions",
        "## Coverage",
    ]
    .iter()
    .map(|h| md.find(h).unwrap_or_else(|| panic!("no {h}")))
    .collect();
    assert!(order.is_sorted(), "{order:?}");
    let results = Many { accounts: 90, checks: 2 }.results();
    let big = markdown(&results);
    let more = results.findings.len() / 2 - 50;
    assert!(big.contains(&format!("{more} more failed or are unknown")), "50 findings of a check are shown");
    assert_tables_are_whole(&big);
    assert_eq!(big.matches("<details").count(), big.matches("</details>").count());
}

#[test]
fn terminal_summary_fits_and_cannot_steer_the_terminal() {
    for results in [sample(), Many { accounts: 500, checks: 3 }.results(), nothing(), known()] {
        for width in [0, 50, 80, 140, 10_000] {
            let styled = terminal(&results, Some(width));
            let plain = strip_styles(&styled);
            assert!(plain.lines().count() <= 24, "{plain}");
            let columns = plain.lines().map(|l| l.chars().count()).max().unwrap_or(0);
            assert!(columns <= width.max(40), "{columns} columns of {width}\n{plain}");
            assert!(!plain.contains('\u{1b}') && !plain.contains('\u{202E}'), "{plain}");
        }
    }
    // What nobody looks at is not cut: a log keeps what stands at the end of a line.
    let below_the_bar = |width| {
        terminal(&Many { accounts: 500, checks: 3 }.results(), width).lines().skip(2).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(below_the_bar(None), below_the_bar(Some(10_000)));
    let longest = |text: &str| text.lines().map(|line| line.chars().count()).max();
    assert!(longest(&below_the_bar(None)) > longest(&below_the_bar(Some(80))));
    let plain = strip_styles(&terminal(&sample(), Some(100)));
    for said in [
        "33.7–71.3 of 100",
        "R0 to R1",
        "UNDECIDED",
        "FAIL",
        "UNKNOWN",
        "PASS",
        "cannot tell",
        "not assessed",
        "s3:GetBucketPolicy in 1 account",
        "5a4b",
        "MISSING",
        "expected 48.5",
    ] {
        assert!(plain.contains(said), "no {said:?} in\n{plain}");
    }
}

#[test]
fn what_was_left_out_on_purpose_is_said_with_the_setting_that_did_it() {
    let mut results = sample();
    let said = |results: &Results| {
        let terminal = terminal(results, Some(120));
        [terminal, markdown(results), html(results)].map(|text| text.contains("max_described_jobs"))
    };
    assert_eq!(said(&results), [false; 3]);
    results.coverage.populations[0].unknown = Unknown::new("sagemaker:ListTrainingJobs", Why::Capped);
    assert_eq!(said(&results), [true; 3]);
    let line = "CAPPED sagemaker:ListTrainingJobs in 1 account";
    assert!(strip_styles(&terminal(&results, Some(120))).contains(line));
}

#[test]
fn equal_results_give_equal_bytes_and_survive_the_file() {
    for results in [sample(), Many { accounts: 20, checks: 4 }.results(), nothing(), known()] {
        let bytes = json::to_bytes(&results);
        assert_eq!(bytes.last(), Some(&b'\n'));
        let read = json::from_bytes(&bytes).unwrap();
        assert_eq!(read, results);
        for format in Format::ALL {
            assert_eq!(rendered(&results, format), rendered(&read, format));
        }
    }
}

#[test]
fn results_are_valid_by_the_published_schema_and_incomplete_ones_are_not() {
    let schema = json::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&json::to_bytes(&sample())).unwrap();
    let errors: Vec<String> = validator.iter_errors(&whole).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (pointer, key) in
        [("", "coverage"), ("/run", "snapshot_digest"), ("/findings/0", "status"), ("/questions/0", "low")]
    {
        let mut broken = whole.clone();
        broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
        assert!(!validator.is_valid(&broken), "valid without {pointer}/{key}");
        assert!(json::from_bytes(broken.to_string().as_bytes()).is_err());
    }
    let described = schema.pointer("/$defs/Finding/properties/counts_for/description");
    assert_eq!(described.unwrap(), "Every account whose workloads reach the resource.");
}

#[test]
fn results_of_another_version_are_refused_by_name() {
    let text = String::from_utf8(json::to_bytes(&sample())).unwrap();
    let newer = text.replacen("\"schema_version\": \"1.0\"", "\"schema_version\": \"2.7\"", 1);
    let error = json::from_bytes(newer.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("2.7") && error.contains("1.0"), "{error}");
    assert!(json::from_bytes(b"{}").unwrap_err().to_string().contains("no `schema_version`"));
    assert!(json::from_bytes(b"{").is_err());
}

#[test]
fn what_is_no_results_is_refused_piece_by_piece_as_a_whole() {
    let text = String::from_utf8(json::to_bytes(&sample())).unwrap();
    let moved = |version: &str| {
        let rest = text.replacen("{\n  \"schema_version\": \"1.0\",", "{", 1);
        format!("{},\n  \"schema_version\": \"{version}\"\n}}", rest.trim_end().trim_end_matches('}').trim_end())
    };
    assert!(stream::read(Cursor::new(moved("1.0")), &mut |_| {}).is_ok());
    let cases = [
        ("{".to_owned(), "not JSON"),
        (text.clone() + "{}", "not JSON"),
        ("[1]".to_owned(), "no `schema_version`"),
        ("{}".to_owned(), "no `schema_version`"),
        (text.replacen("\"1.0\"", "\"2.7\"", 1), "schema_version 2.7"),
        (text.replacen("\"1.0\"", "3", 1), "schema_version 3"),
        // Something else is wrong before the version is seen, because of it.
        (moved("2.7").replacen("\"high\"", "\"higher\"", 1), "schema_version 2.7"),
        (text.replacen("\"coverage\"", "\"covered\"", 1), "unknown field `covered`"),
        (text.replacen("\"regions\": [\n      {", "\"places\": [\n      {", 1), "unknown field `places`"),
        (text.replacen("\"fixes\": [\n    {", "\"config\": [\n    {", 1), "duplicate field `config`"),
        (text.replacen("\"schema_version\": \"1.0\",", "\"schema_version\": \"1.0\", \"run\": 7,", 1), "line 2"),
        (text.replacen("\"share\"", "\"shares\"", 1), "unknown field `shares`"),
    ];
    for (text, said) in cases {
        let read = stream::read(Cursor::new(&text), &mut |_| {}).unwrap_err();
        let told = |error: &dyn std::error::Error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        assert!(told(&read).contains(said), "{said}: {}", told(&read));
        let whole = json::from_bytes(text.as_bytes()).unwrap_err();
        assert_eq!(read.to_string(), whole.to_string(), "{said}");
    }
    let properties = json::schema()["properties"].as_object().unwrap().clone();
    for name in properties.keys().filter(|name| !["gate", "schema_version"].contains(&name.as_str())) {
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        document.as_object_mut().unwrap().shift_remove(name).unwrap();
        let error = stream::read(Cursor::new(document.to_string()), &mut |_| {}).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains(&format!("missing field `{name}`")));
    }
    assert_eq!(stream::read_run(text.as_bytes()).unwrap(), sample().run);
    assert!(stream::read_run(&b"{\"runs\": 1}"[..]).is_err());
}

#[test]
fn empty_states_are_said_in_words() {
    let none = html(&nothing());
    assert!(none.contains("No AI workload was found") && none.contains("No exception is configured"));
    assert!(!none.contains("class=\"scorebar\""), "no score is drawn where there is none");
    assert!(markdown(&nothing()).contains("nothing to be ready for"));
    let known = html(&known());
    assert!(known.find("<main") < known.find("One account only"), "limits of the run stand in the main part");
    assert!(known.contains("Nothing failed and nothing is unknown") && known.contains("Account 111122223333"));
    assert!(known.contains("AccessDenied on organizations:ListAccounts"));
    for text in [none, known] {
        let ids: BTreeSet<&str> = attributes(&text, "id").into_iter().collect();
        assert!(attributes(&text, "href").iter().all(|h| !h.starts_with('#') || ids.contains(&h[1..])));
    }
}

#[test]
fn a_large_organization_stays_within_the_budget() {
    let many = Many { accounts: 1_500, checks: 12 };
    let results = many.results();
    if let Ok(dir) = std::env::var("LOCARD_SAMPLE_REPORTS") {
        write_samples(&dir, &results);
    }
    let html = html(&results);
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    let elements = html.matches('<').count() - html.matches("</").count();
    assert!(elements < 50_000, "{elements} elements");
    let ids: BTreeSet<&str> = attributes(&html, "id").into_iter().collect();
    for href in attributes(&html, "href") {
        assert!(!href.starts_with('#') || ids.contains(&href[1..]), "{href} leads nowhere");
    }
    assert!(well_nested(&html));

    // What is not shown is counted: rows of a table and what is said to be left out of it are all there are.
    let count = |of: fn(&AccountResult) -> bool| results.accounts.iter().filter(|a| of(a)).count();
    let with_ai = count(|a| a.has_ai != Truth::False);
    let heat = results.sources.iter().map(|s| &s.account).collect::<BTreeSet<_>>().len();
    for (section, all) in [("accounts", with_ai), ("sources", heat)] {
        let section = between(&html, &format!("<section id=\"{section}\""), "</table>");
        let rows = section.matches("<tr><th scope=\"row\"").count();
        let more =
            between(&html[html.find(section).unwrap() + section.len()..], "<p class=\"small\">", " more account");
        assert_eq!(rows + more.parse::<usize>().unwrap(), all);
    }
    let unentered = count(|a| a.status == AccountStatus::NotAssessed);
    assert!(html.contains(&format!("{unentered} accounts not assessed")), "{unentered}");
    for (status, word) in [(Status::Fail, "fail"), (Status::Unknown, "unknown"), (Status::Pass, "pass")] {
        let all = results.findings.iter().filter(|f| f.status == status).count();
        assert!(html.contains(&format!("<li><b>{all}</b><span class=\"chip {word}\">")), "{all} {word}");
    }
    assert_tables_are_whole(&markdown(&results));
}

#[test]
fn a_report_grows_no_further_with_the_organization() {
    let of = |accounts| markdown(&Many { accounts, checks: 4 }.results()).len();
    let (large, larger) = (of(1_000), of(3_000));
    assert!(larger < large + large / 10, "{large} bytes, then {larger}");
}

#[test]
fn results_read_piece_by_piece_give_the_reports_of_the_whole() {
    let many = Many { accounts: 60, checks: 4 };
    let mut written = Vec::new();
    many.write(&mut written).unwrap();
    assert_eq!(json::from_bytes(&written).unwrap(), many.results(), "the samples agree with each other");
    for results in [sample(), nothing(), known(), many.results()] {
        let mut document: serde_json::Value = serde_json::from_slice(&json::to_bytes(&results)).unwrap();
        // Members may come in any order, the version last.
        document.as_object_mut().unwrap().values_mut().for_each(reverse);
        reverse(&mut document);
        let read = Summary::read(Cursor::new(serde_json::to_vec(&document).unwrap())).unwrap();
        assert_eq!(report::html::html(&read).unwrap(), html(&results));
        assert_eq!(report::markdown::markdown(&read).unwrap(), markdown(&results));
        assert_eq!(report::terminal::terminal(&read, Some(100)), terminal(&results, Some(100)));
    }
}

/// Turns the members of an object around.
fn reverse(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        *object = std::mem::take(object).into_iter().rev().collect();
    }
}

#[test]
fn a_gate_judged_afterwards_ends_the_file_as_if_it_had_been_there() {
    let gated = sample();
    let open = json::to_bytes(&Results { gate: None, ..gated.clone() });
    let kept = open.strip_suffix(json::END).unwrap();
    assert_eq!([kept, &json::gated_end(gated.gate.as_ref().unwrap())].concat(), json::to_bytes(&gated));
}

/// For looking at the reports: `LOCARD_SAMPLE_REPORTS=/tmp/x cargo test --test it large_organization`.
fn write_samples(dir: &str, many: &Results) {
    for (name, results) in [("sample", &sample()), ("many", many), ("nothing", &nothing()), ("known", &known())] {
        for format in [Format::Html, Format::Markdown, Format::Json] {
            let folder = std::path::Path::new(dir).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format.file_name()), rendered(results, format)).unwrap();
        }
        let file = std::path::Path::new(dir).join(name).join("terminal.txt");
        std::fs::write(file, terminal(results, Some(100))).unwrap();
    }
}

#[test]
fn formats_are_read_as_people_write_them() {
    assert_eq!(Format::parse("HTML"), Ok(Format::Html));
    assert_eq!(Format::parse("md"), Ok(Format::Markdown));
    assert!(Format::parse("pdf").unwrap_err().contains("html, markdown, json, schema"));
    assert_eq!(Format::Json.file_name(), "results.json");
}

// --- looking at output ---

fn html(results: &Results) -> String {
    let html = report::html::html(&Summary::of(results.clone()));
    html.unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)))
}

fn markdown(results: &Results) -> String {
    let markdown = report::markdown::markdown(&Summary::of(results.clone()));
    markdown.unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)))
}

fn terminal(results: &Results, width: Option<usize>) -> String {
    report::terminal::terminal(&Summary::of(results.clone()), width)
}

fn rendered(results: &Results, format: Format) -> Vec<u8> {
    match format {
        Format::Html => html(results).into_bytes(),
        Format::Markdown => markdown(results).into_bytes(),
        Format::Json => json::to_bytes(results),
        Format::Schema => json::schema_bytes(),
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start}")) + start.len();
    &text[from..from + text[from..].find(end).unwrap_or_else(|| panic!("no {end}"))]
}

/// Values of an attribute, in order; a longer name that ends alike is another attribute.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn repeated<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    ids.iter().copied().filter(|id| !seen.insert(*id)).collect()
}

/// No heading is more than one level below the one before it.
fn headings_nest(html: &str) -> bool {
    let levels = html.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10));
    let mut last = 0;
    for level in levels {
        if level > last + 1 {
            return false;
        }
        last = level;
    }
    last > 0
}

/// Every element of the body that must be closed is, in the right order.
fn well_nested(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in between(html, "</head>", "</html>").split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or("");
        if tag.starts_with('/') {
            let top = open.pop();
            assert_eq!(top, Some(name), "</{name}> closes {top:?}");
        } else if !["br", "wbr"].contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

/// Markdown with code spans and fenced blocks taken out.
fn without_code(md: &str) -> String {
    let mut out = String::new();
    let mut rest = md;
    while let Some(start) = rest.find('`') {
        // An escaped backtick is text.
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..start + 1]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let run = rest[start..].chars().take_while(|c| *c == '`').count();
        let body = &rest[start + run..];
        let mut at = 0;
        let end = loop {
            let Some(found) = body[at..].find('`') else { panic!("a fence is never closed: {body:.80}") };
            let closing = body[at + found..].chars().take_while(|c| *c == '`').count();
            if closing == run {
                break at + found;
            }
            at += found + closing;
        };
        rest = &body[end + run..];
    }
    out + rest
}

/// Every row of a table has as many cells as its head.
fn assert_tables_are_whole(md: &str) {
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    let mut head = None;
    for line in md.lines() {
        if !line.starts_with('|') {
            head = None;
            continue;
        }
        let wanted = *head.get_or_insert(cells(line));
        assert_eq!(cells(line), wanted, "{line}");
    }
}

fn strip_styles(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn base64_sha256(text: &str) -> String {
    let hex = locard::model::hash::sha256(text.as_bytes());
    let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    let mut out: String = bits
        .chunks(6)
        .map(|c| alphabet[(0..6).fold(0, |n, i| n << 1 | usize::from(c.get(i).copied().unwrap_or(0)))])
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
