//! What authors of broken checks are told: the whole text, caret included.

use locard::check;

use super::{EXAMPLE, file};

/// Everything said about some files.
fn said(files: &[(&str, String)]) -> String {
    let files: Vec<_> = files.iter().map(|(name, text)| file(name, text)).collect();
    match check::load(&files) {
        Ok(set) => check::diagnostic::render(&set.warnings, false),
        Err(errors) => errors.to_string(),
    }
}

fn broken(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    said(&[("bedrock-invocations-unlogged.yaml", EXAMPLE.replacen(from, to, 1))])
}

/// The heads and carets only: what is wrong, and at which text.
fn brief(from: &str, to: &str) -> String {
    let text = broken(from, to);
    let lines =
        text.lines().filter(|line| line.starts_with("error") || line.starts_with("warning") || line.contains("= help"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_unknown_field_is_pointed_at_with_a_suggestion() {
    assert_eq!(
        broken("resource.logging.text,", "resource.loging.text,"),
        "\
error: `resource` has no field `loging`
  --> bedrock-invocations-unlogged.yaml:15:34
   |
15 |   - {points: 1, expect: resource.loging.text, gap: Prompts and answers are not recorded.}
   |                                  ^^^^^^ unknown field
   |
   = help: did you mean `logging`?"
    );
}

#[test]
fn two_types_are_never_compared() {
    assert_eq!(
        broken("resource.logging.text,", "resource.logging.text == 'yes',"),
        "\
error: cannot compare bool or null with string
  --> bedrock-invocations-unlogged.yaml:15:25
   |
15 |   - {points: 1, expect: resource.logging.text == 'yes', gap: Prompts and answers are not recorded.}
   |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ different types"
    );
}

#[test]
fn errors_inside_block_and_quoted_scalars_are_pointed_at() {
    assert_eq!(
        broken(
            "expect: resource.logging.s3 != null\n",
            "expect: | # literal\n      resource.in_use &&\n\n        resource.logging.s3 > 3 &&\n        bar(resource.region)\n"
        ),
        "\
error: record or null has no order
  --> bedrock-invocations-unlogged.yaml:15:9
   |
15 |         resource.logging.s3 > 3 &&
   |         ^^^^^^^^^^^^^^^^^^^

error: unknown function `bar`
  --> bedrock-invocations-unlogged.yaml:16:9
   |
16 |         bar(resource.region)
   |         ^^^
   |
   = help: there are has, size, age_hours, age_days"
    );
    assert_eq!(
        broken(
            "resource.logging.s3 != null ||\n      resource.logging.large_bodies_s3",
            "resource.logging.s3 != null ||\n      resource.logging.large_bodies"
        ),
        "\
error: `resource.logging` has no field `large_bodies`
  --> bedrock-invocations-unlogged.yaml:20:24
   |
20 |       resource.logging.large_bodies != null
   |                        ^^^^^^^^^^^^ unknown field
   |
   = help: did you mean `large_bodies_s3`?"
    );
    assert_eq!(
        broken("expect: resource.logging.text,", r#"expect: "resource.region == \"\u00e9\t\" && resource.in_used","#),
        r#"error: `resource` has no field `in_used`
  --> bedrock-invocations-unlogged.yaml:15:70
   |
15 |   - {points: 1, expect: "resource.region == \"\u00e9\t\" && resource.in_used", gap: Prompts and answers are not recorded.}
   |                                                                      ^^^^^^^ unknown field
   |
   = help: did you mean `in_use`?"#
    );
    assert_eq!(
        broken("expect: resource.logging.text,", "expect: 'resource.region == ''é'' && resource.regions',"),
        "\
error: `resource` has no field `regions`
  --> bedrock-invocations-unlogged.yaml:15:63
   |
15 |   - {points: 1, expect: 'resource.region == ''é'' && resource.regions', gap: Prompts and answers are not recorded.}
   |                                                               ^^^^^^^ unknown field
   |
   = help: did you mean `region`?"
    );
}

#[test]
fn all_errors_of_all_files_are_told_in_one_run() {
    let first = EXAMPLE.replace("severity: critical", "severty: critical").replace("status: pass,", "status: passed,");
    let second = EXAMPLE.replace("${resource.in_use_window}", "${resource.in_use_windo}");
    assert_eq!(
        said(&[("a/bedrock-invocations-unlogged.yaml", first), ("b/bedrock-invocations-unlogged.yaml", second)]),
        "\
error: a check has no key `severty`
 --> a/bedrock-invocations-unlogged.yaml:3:1
  |
3 | severty: critical
  | ^^^^^^^ unknown key
  |
  = help: did you mean `severity`?

error: unknown status `passed`
  --> a/bedrock-invocations-unlogged.yaml:35:22
   |
35 |     expect: {status: passed, points: 5}
   |                      ^^^^^^
   |
   = help: did you mean `pass`?

error: there is another check `bedrock-invocations-unlogged`
 --> b/bedrock-invocations-unlogged.yaml:1:5
  |
1 | id: bedrock-invocations-unlogged
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: it stands in a/bedrock-invocations-unlogged.yaml

error: `resource` has no field `in_use_windo`
 --> b/bedrock-invocations-unlogged.yaml:8:69
  |
8 | not_applicable: No Bedrock use seen in this region since ${resource.in_use_windo}.
  |                                                                     ^^^^^^^^^^^^ unknown field
  |
  = help: did you mean `in_use_window`?"
    );
}

#[test]
fn every_kind_of_fault_is_named() {
    let expr = |text: &str| brief("expect: resource.logging.text,", &format!("expect: {text:?},"));
    for (text, expected) in [
        ("resource.in_use &&", "error: expression ends too early"),
        ("resource.in_use = true", "error: unexpected `=`\n= help: compare with `==`"),
        ("resource.in_use and true", "error: unexpected `and`\n= help: CEL writes `&&`"),
        ("resource.region == 'x", "error: string is not closed"),
        ("in_use", "error: unknown name `in_use`\n= help: did you mean `resource.in_use`?"),
        ("resource.region", "error: a condition must be a bool, not string"),
        ("resource.logging", "error: a condition must be a bool, not record or null\n= help: ask `!= null`"),
        ("!resource.region", "error: what `!` negates must be a bool, not string"),
        ("resource.region.startWith('a')", "error: unknown function `startWith`\n= help: did you mean `startsWith`?"),
        ("resource.region.startsWith()", "error: `startsWith` takes 1 argument, not 0"),
        ("size(resource.region, 1) > 0", "error: `size` takes 1 argument, not 2"),
        ("resource.data_events.all(d)", "error: `all` takes 2 arguments, not 1"),
        (
            "resource.data_events.all(d, d.recorder)",
            "error: no field `recorder` here\n= help: did you mean `recorded`?",
        ),
        ("age_days(resource.region) > 1", "error: an age is that of must be timestamp, not string"),
        ("resource.region.matches('(')", "error: not a regular expression: unclosed group"),
        ("resource.region in ['a', 1]", "error: a list holds items of one type, not also int"),
        ("1 in ['a']", "error: a list of string never holds int"),
        ("requirements.retention_days * 2 > 3", "error: operator `*` is not available in checks"),
        (
            "1.5 > 1.0",
            "error: checks know no other numbers than integers, and no bytes\nerror: checks know no other numbers than integers, and no bytes",
        ),
        (
            "{'a': 1} == {'a': 1}",
            "error: maps and messages are not available in checks\nerror: maps and messages are not available in checks",
        ),
        ("resource.in_use == null", "warning: this is never null: always false"),
    ] {
        assert_eq!(expr(text), expected, "{text}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(expr(&deep), "error: expression is nested too deeply");
    assert_eq!(expr(&format!("1{} > 0", " + 1".repeat(500))), "error: expression is nested too deeply");
    let long = format!("resource.region == '{}'", "x".repeat(4096));
    assert_eq!(expr(&long), "error: expression of 4117 bytes is too long: at most 4096 are allowed");
}

#[test]
fn faults_of_keys_words_and_cases_are_named() {
    for (from, to, expected) in [
        (
            "id: bedrock",
            "id: Bedrock",
            "error: `Bedrock-invocations-unlogged` is not kebab-case\n= help: lower-case words and digits joined by `-`",
        ),
        (
            "id: bedrock-i",
            "id: bedrok-i",
            "error: id `bedrok-invocations-unlogged` differs from the file's name `bedrock-invocations-unlogged`\n= help: name the file `bedrok-invocations-unlogged.yaml`, or the check `bedrock-invocations-unlogged`",
        ),
        (
            "resource: bedrock_region",
            "resource: bedrock_regions",
            "error: unknown resource kind `bedrock_regions`\n= help: did you mean `bedrock_region`?",
        ),
        (
            "source: model-invocations",
            "source: model_invocations",
            "error: unknown source `model_invocations`\n= help: did you mean `model-invocations`?",
        ),
        ("title: Bedrock records prompts and answers\n", "", "error: a check needs `title`"),
        ("fix: {cli:", "fix: {CLI:", "error: a fix has no key `CLI`\n= help: did you mean `cli`?"),
        (
            "gap: No copy in S3.",
            "gaps: No copy in S3.",
            "error: a criterion has no key `gaps`\n= help: did you mean `gap`?",
        ),
        ("points: 2\n", "points: -2\n", "error: expected a whole number of at least 0"),
        (
            "given: {in_use: true, ",
            "given: {",
            "error: `bedrock_region.in_use` is required: give a bool, or name it under `unknown`",
        ),
        ("given: {in_use: true, ", "given: {in_use: 1, ", "error: `bedrock_region.in_use` is bool, not a number"),
        (
            "s3: {bucket: b}, text",
            "s3: {buckt: b}, text",
            "error: `bedrock_region.logging.s3` has no field `buckt`\n= help: did you mean `bucket`?\nerror: `bedrock_region.logging.s3.bucket` is required: give a string, or name it under `unknown`",
        ),
        (
            "unknown: {modalities: denied}",
            "unknown: {modalities: deny}",
            "error: unknown reason `deny`\n= help: did you mean `denied`?",
        ),
        (
            "unknown: {modalities: denied}",
            "unknown: {modalities: denied, in_use: denied}",
            "error: `in_use` is given and unknown at once",
        ),
    ] {
        assert_eq!(brief(from, to), expected, "{to}");
    }
}

#[test]
fn lint_says_what_a_working_check_lacks() {
    let text = EXAMPLE.split("why:").next().unwrap_or_default().replace("gap: No copy in S3.", "");
    let said = said(&[("bedrock-invocations-unlogged.yaml", text)]);
    let heads: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    assert_eq!(
        heads,
        [
            "`why` is missing: what does an investigator lose?",
            "`fix.cli` is missing",
            "`fix.terraform` is missing",
            "`fix.cloudformation` is missing",
            "`frameworks` is missing: it maps to no control",
            "no case expects `pass`",
            "no case expects `fail`",
            "no case expects `unknown`",
            "the criterion does not say what is missing when it fails: add `gap`",
        ]
    );
}

#[test]
fn yaml_that_is_no_check_is_refused_where_it_breaks() {
    let bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    let text = said(&[
        ("bomb.yaml", bomb.to_owned()),
        ("empty.yaml", String::new()),
        ("key.yaml", "id: key\nid: key\n".to_owned()),
        ("tab.yaml", "id: [x\n".to_owned()),
    ]);
    let heads: Vec<&str> =
        text.lines().filter(|line| line.starts_with("error") || line.contains("-->")).map(str::trim).collect();
    assert_eq!(
        heads,
        [
            "error: file is too large or multiplies aliases",
            "--> bomb.yaml:5:11",
            "error: a check is missing here",
            "--> empty.yaml:1:1",
            "error: duplicate mapping key: id",
            "--> key.yaml:2:1",
            "error: not YAML: unclosed bracket '['",
            "--> tab.yaml:1:5",
        ]
    );
}
