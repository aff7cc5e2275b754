//! What a trail's event selectors record, narrowing understood.
//!
//! Only selectors that leave nothing out count as recording something; a narrower one is not "partly".
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/filtering-data-events.html>

use std::collections::BTreeSet;

use crate::inventory::cloudtrail::{AdvancedSelector, BasicSelector, FieldSelector, Selectors};

use super::location::meet;

/// Event sources whose management events are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Services {
    AllBut(BTreeSet<String>),
    Only(BTreeSet<String>),
}

impl Services {
    const NONE: Self = Self::Only(BTreeSet::new());

    /// Whether services that nobody thought of are recorded.
    pub(crate) fn open_ended(&self) -> bool {
        matches!(self, Self::AllBut(_))
    }

    pub(crate) fn has(&self, source: &str) -> bool {
        match self {
            Self::AllBut(out) => !out.contains(source),
            Self::Only(list) => list.contains(source),
        }
    }

    pub(crate) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::AllBut(a), Self::AllBut(b)) => Self::AllBut(&a & &b),
            (Self::AllBut(out), Self::Only(list)) | (Self::Only(list), Self::AllBut(out)) => Self::AllBut(&out - &list),
            (Self::Only(a), Self::Only(b)) => Self::Only(&a | &b),
        }
    }
}

/// What a selector, or several together, record of management events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Management {
    pub read: Services,
    pub write: Services,
}

impl Management {
    pub(crate) const NONE: Self = Self { read: Services::NONE, write: Services::NONE };

    pub(crate) fn with(self, other: Self) -> Self {
        Self { read: self.read.with(other.read), write: self.write.with(other.write) }
    }

    fn of(directions: ReadWrite, services: Services) -> Self {
        let pick = |recorded: bool| if recorded { services.clone() } else { Services::NONE };
        Self { read: pick(directions.read), write: pick(directions.write) }
    }
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
    parts.into_iter().fold(Management::NONE, Management::with)
}

fn basic_management(selector: &BasicSelector) -> Option<Management> {
    // AWS's defaults: IncludeManagementEvents true, ReadWriteType All.
    if selector.management_events == Some(false) {
        return None;
    }
    let out = selector.excluded_management_sources.iter().cloned().collect();
    Some(Management::of(basic_directions(selector), Services::AllBut(out)))
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
    let mut services = Services::AllBut(BTreeSet::new());
    for field in &selector.fields {
        match field.field.as_str() {
            "eventCategory" | "readOnly" => {}
            "eventSource" if only_not_equals(field) => {
                services = match services {
                    Services::AllBut(out) => {
                        Services::AllBut(out.into_iter().chain(field.not_equals.clone()).collect())
                    }
                    Services::Only(_) => return None,
                };
            }
            "eventSource" if only_equals(field) && services == Services::AllBut(BTreeSet::new()) => {
                services = Services::Only(field.equals.iter().cloned().collect());
            }
            _ => return None,
        }
    }
    Some(Management::of(directions, services))
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
/// resource of the type. The union of selectors is taken per ARN. ARNs of S3 objects are prefixes, and others that end
/// in a slash; the rest are whole.
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
                if !arn_covered(field, resource_type, arn) {
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

fn arn_covered(field: &FieldSelector, resource_type: &str, arn: Option<&str>) -> bool {
    if !field.ends_with.is_empty() || !field.not_ends_with.is_empty() {
        return false;
    }
    let Some(arn) = arn else {
        // Every resource is asked for: any condition on the ARN leaves some out.
        return false;
    };
    // Below a prefix lie many resources, of which an equal ARN is at most one.
    let below = resource_type == "AWS::S3::Object" || arn.ends_with('/');
    let wanted = field.equals.is_empty() && field.starts_with.is_empty()
        || field.starts_with.iter().any(|v| arn.starts_with(v.as_str()))
        || !below && field.equals.iter().any(|v| v == arn);
    let excluded = if below {
        field.not_starts_with.iter().any(|v| meet(arn, v)) || field.not_equals.iter().any(|v| v.starts_with(arn))
    } else {
        field.not_starts_with.iter().any(|v| arn.starts_with(v.as_str())) || field.not_equals.iter().any(|v| v == arn)
    };
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
        assert_eq!((all.read, all.write), (Services::AllBut(BTreeSet::new()), Services::AllBut(BTreeSet::new())));
        let no_kms = of(vec![
            equals("eventCategory", "Management"),
            field("eventSource", |f| f.not_equals = vec!["kms.amazonaws.com".into()]),
        ]);
        assert!(
            no_kms.read.open_ended() && no_kms.read.has("iam.amazonaws.com") && !no_kms.read.has("kms.amazonaws.com")
        );
        let only = of(vec![equals("eventCategory", "Management"), equals("eventSource", "iam.amazonaws.com")]);
        assert!(!only.read.open_ended(), "one service is not management events");
        assert!(only.write.has("iam.amazonaws.com") && !only.write.has("sts.amazonaws.com"));
        assert!(
            no_kms.with(of(vec![equals("eventCategory", "Management"), equals("eventSource", "kms.amazonaws.com")]))
                == of(vec![equals("eventCategory", "Management")])
        );
        let data_only = of(vec![equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object")]);
        assert_eq!(data_only, Management::NONE);
    }
}
