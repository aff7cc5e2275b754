//! What a trail's event selectors record, narrowing understood.
//!
//! Only selectors that leave nothing out count as recording something; a narrower one is not "partly".
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/filtering-data-events.html>

use std::collections::BTreeSet;

use crate::inventory::cloudtrail::{AdvancedSelector, BasicSelector, FieldSelector, Selectors};

use super::location::meet;

/// What a selector, or several together, record of management events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Management {
    pub read: bool,
    pub write: bool,
    /// Event sources left out wherever reads or writes are recorded.
    pub excluded: BTreeSet<String>,
}

/// Reads and writes of a data event type recorded without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadWrite {
    pub read: bool,
    pub write: bool,
}

/// Management events of all selectors together.
pub(crate) fn management(selectors: &Selectors) -> Management {
    let parts: Vec<Management> = match selectors {
        Selectors::Basic(list) => list.iter().filter_map(basic_management).collect(),
        Selectors::Advanced(list) => list.iter().filter_map(advanced_management).collect(),
    };
    let mut whole = Management::default();
    for part in &parts {
        whole.read |= part.read;
        whole.write |= part.write;
    }
    // A source is left out when every selector that records something leaves it out.
    if let Some((first, rest)) = parts.split_first() {
        whole.excluded = rest.iter().fold(first.excluded.clone(), |kept, part| &kept & &part.excluded);
    }
    whole
}

fn basic_management(selector: &BasicSelector) -> Option<Management> {
    // AWS's defaults: IncludeManagementEvents true, ReadWriteType All.
    if selector.management_events == Some(false) {
        return None;
    }
    let ReadWrite { read, write } = basic_directions(selector);
    Some(Management { read, write, excluded: selector.excluded_management_sources.iter().cloned().collect() })
}

fn basic_directions(selector: &BasicSelector) -> ReadWrite {
    match selector.read_write_type.as_deref() {
        None | Some("All") => ReadWrite { read: true, write: true },
        Some("ReadOnly") => ReadWrite { read: true, write: false },
        Some("WriteOnly") => ReadWrite { read: false, write: true },
        // A value newer than this program records we know not what.
        Some(_) => ReadWrite::default(),
    }
}

fn advanced_management(selector: &AdvancedSelector) -> Option<Management> {
    if !category_is(selector, "Management") {
        return None;
    }
    let directions = advanced_directions(selector)?;
    let mut excluded = BTreeSet::new();
    for field in &selector.fields {
        match field.field.as_str() {
            "eventCategory" | "readOnly" => {}
            "eventSource" if only_not_equals(field) => excluded.extend(field.not_equals.iter().cloned()),
            _ => return None,
        }
    }
    Some(Management { read: directions.read, write: directions.write, excluded })
}

fn category_is(selector: &AdvancedSelector, category: &str) -> bool {
    selector.fields.iter().any(|f| f.field == "eventCategory" && f.equals.iter().any(|v| v == category))
}

/// `readOnly` takes Equals only; none when it is written in a way AWS would not accept.
fn advanced_directions(selector: &AdvancedSelector) -> Option<ReadWrite> {
    let mut directions = ReadWrite { read: true, write: true };
    for field in selector.fields.iter().filter(|f| f.field == "readOnly") {
        let says = |value: &str| field.equals.iter().any(|v| v.eq_ignore_ascii_case(value));
        if field.equals.is_empty() {
            return None;
        }
        directions.read &= says("true");
        directions.write &= says("false");
    }
    Some(directions)
}

fn only_not_equals(field: &FieldSelector) -> bool {
    field.equals.is_empty()
        && field.starts_with.is_empty()
        && field.ends_with.is_empty()
        && field.not_starts_with.is_empty()
        && field.not_ends_with.is_empty()
}

/// Data events of `resource_type` for all resources whose ARN starts with one of `arns`; `arns` empty asks for every
/// resource of the type. The union of selectors is taken per ARN.
pub(crate) fn data(selectors: &Selectors, resource_type: &str, arns: &[String]) -> ReadWrite {
    let recorded = |arn: Option<&str>| -> ReadWrite {
        let mut whole = ReadWrite::default();
        let mut add = |part: ReadWrite| {
            whole.read |= part.read;
            whole.write |= part.write;
        };
        match selectors {
            Selectors::Basic(list) => {
                for selector in list.iter().filter(|s| basic_covers(s, resource_type, arn)) {
                    add(basic_directions(selector));
                }
            }
            Selectors::Advanced(list) => {
                for selector in list.iter().filter(|s| advanced_covers(s, resource_type, arn)) {
                    if let Some(directions) = advanced_directions(selector) {
                        add(directions);
                    }
                }
            }
        }
        whole
    };
    if arns.is_empty() {
        return recorded(None);
    }
    arns.iter().map(|arn| recorded(Some(arn))).fold(ReadWrite { read: true, write: true }, |all, one| ReadWrite {
        read: all.read && one.read,
        write: all.write && one.write,
    })
}

fn basic_covers(selector: &BasicSelector, resource_type: &str, arn: Option<&str>) -> bool {
    selector.data_resources.iter().filter(|r| r.resource_type == resource_type).any(|resource| {
        resource.values.iter().any(|value| {
            // `arn:aws:s3` and `arn:aws:s3:::` stand for every bucket, now and later.
            let every = value.split(':').filter(|part| !part.is_empty()).count() <= 3;
            every
                || arn.is_some_and(|arn| {
                    value.ends_with('/') && arn.starts_with(value.as_str()) || is_prefix_of(value, arn)
                })
        })
    })
}

/// A basic value may name a prefix inside the bucket: `arn:aws:s3:::bucket/pre`.
fn is_prefix_of(value: &str, arn: &str) -> bool {
    value.split_once('/').is_some_and(|(bucket, _)| arn.starts_with(&format!("{bucket}/"))) && arn.starts_with(value)
}

fn advanced_covers(selector: &AdvancedSelector, resource_type: &str, arn: Option<&str>) -> bool {
    if !category_is(selector, "Data") {
        return false;
    }
    let mut of_type = false;
    for field in &selector.fields {
        match field.field.as_str() {
            "eventCategory" | "readOnly" => {}
            "resources.type" => of_type = field.equals.iter().any(|v| v == resource_type),
            "resources.ARN" => {
                if !arn_covered(field, arn) {
                    return false;
                }
            }
            // Naming the one source such events come from narrows nothing.
            "eventSource" => {
                let source = event_source(resource_type);
                if field.equals.iter().all(|v| v != source) || !only_equals(field) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    of_type
}

fn only_equals(field: &FieldSelector) -> bool {
    field.starts_with.is_empty()
        && field.ends_with.is_empty()
        && field.not_equals.is_empty()
        && field.not_starts_with.is_empty()
        && field.not_ends_with.is_empty()
}

fn arn_covered(field: &FieldSelector, arn: Option<&str>) -> bool {
    if !field.ends_with.is_empty() || !field.not_ends_with.is_empty() {
        return false;
    }
    let Some(arn) = arn else {
        // Every resource is asked for: any condition on the ARN leaves some out.
        return false;
    };
    let wanted = field.equals.is_empty() && field.starts_with.is_empty()
        || field.starts_with.iter().any(|v| arn.starts_with(v.as_str()))
        || field.equals.iter().any(|v| v == arn);
    let excluded = field.not_starts_with.iter().chain(&field.not_equals).any(|v| meet(arn, v));
    wanted && !excluded
}

fn event_source(resource_type: &str) -> &'static str {
    match resource_type.split("::").nth(1) {
        Some("S3") => "s3.amazonaws.com",
        Some("SageMaker") => "sagemaker.amazonaws.com",
        Some("BedrockMantle") => "bedrock-mantle.amazonaws.com",
        Some("BedrockAgentCore") => "bedrock-agentcore.amazonaws.com",
        _ => "bedrock.amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::cloudtrail::DataResource;

    fn field(name: &str, set: impl Fn(&mut FieldSelector)) -> FieldSelector {
        let mut field = FieldSelector { field: name.into(), ..FieldSelector::default() };
        set(&mut field);
        field
    }

    fn equals(name: &str, value: &str) -> FieldSelector {
        field(name, |f| f.equals = vec![value.into()])
    }

    fn advanced(fields: Vec<FieldSelector>) -> Selectors {
        Selectors::Advanced(vec![AdvancedSelector { name: None, fields }])
    }

    fn objects(narrowing: Vec<FieldSelector>, arn: &str) -> (bool, bool) {
        let mut fields = vec![equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object")];
        fields.extend(narrowing);
        let both = data(&advanced(fields), "AWS::S3::Object", &[arn.to_owned()]);
        (both.read, both.write)
    }

    #[test]
    fn narrowed_data_selectors() {
        let arn = "arn:aws:s3:::data/train";
        let starts = |v: &str| field("resources.ARN", |f| f.starts_with = vec![v.into()]);
        let not = |v: &str| field("resources.ARN", |f| f.not_starts_with = vec![v.into()]);
        assert_eq!(objects(vec![], arn), (true, true));
        assert_eq!(objects(vec![starts("arn:aws:s3:::data/")], arn), (true, true));
        assert_eq!(objects(vec![starts("arn:aws:s3:::data/train/2026")], arn), (false, false), "narrower than the use");
        assert_eq!(objects(vec![starts("arn:aws:s3:::data-other/")], arn), (false, false), "a name is no prefix");
        assert_eq!(objects(vec![not("arn:aws:s3:::logs/")], arn), (true, true));
        assert_eq!(objects(vec![not("arn:aws:s3:::data/train/raw")], arn), (false, false), "part of it is left out");
        assert_eq!(objects(vec![equals("readOnly", "true")], arn), (true, false));
        assert_eq!(objects(vec![equals("eventName", "GetObject")], arn), (false, false));
        assert_eq!(objects(vec![equals("eventSource", "s3.amazonaws.com")], arn), (true, true));
    }

    #[test]
    fn basic_data_selectors() {
        let with = |value: &str, arn: &str| {
            let resource = DataResource { resource_type: "AWS::S3::Object".into(), values: vec![value.into()] };
            let selector = BasicSelector {
                read_write_type: None,
                management_events: Some(false),
                excluded_management_sources: Vec::new(),
                data_resources: vec![resource],
            };
            data(&Selectors::Basic(vec![selector]), "AWS::S3::Object", &[arn.to_owned()]).read
        };
        assert!(with("arn:aws:s3", "arn:aws:s3:::data/"));
        assert!(with("arn:aws:s3:::", "arn:aws:s3:::data/"));
        assert!(with("arn:aws:s3:::data/", "arn:aws:s3:::data/train"));
        assert!(with("arn:aws:s3:::data/train", "arn:aws:s3:::data/train/x"));
        assert!(!with("arn:aws:s3:::data/train", "arn:aws:s3:::data/"));
        assert!(!with("arn:aws:s3:::logs/", "arn:aws:s3:::logs-archive/"));
    }

    #[test]
    fn management_selectors() {
        let of = |fields| management(&advanced(fields));
        let all = of(vec![equals("eventCategory", "Management")]);
        assert!(all.read && all.write && all.excluded.is_empty());
        let no_kms = of(vec![
            equals("eventCategory", "Management"),
            field("eventSource", |f| f.not_equals = vec!["kms.amazonaws.com".into()]),
        ]);
        assert!(no_kms.read && no_kms.excluded.contains("kms.amazonaws.com"));
        let only = of(vec![equals("eventCategory", "Management"), equals("eventSource", "iam.amazonaws.com")]);
        assert!(!only.read && !only.write, "one service is not management events");
        let data_only = of(vec![equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object")]);
        assert!(!data_only.read && !data_only.write);
    }
}
