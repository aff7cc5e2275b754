//! A small tree of XML elements, written out as AWS writes them.
//!
//! Nothing is read here: requests of the XML protocols that matter are forms, paths and queries.

use std::borrow::Cow;

/// An element: text or children, never both.
pub(crate) struct Element {
    name: Cow<'static, str>,
    attributes: Vec<(&'static str, String)>,
    content: Content,
}

enum Content {
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    /// An element that children are added to.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), attributes: Vec::new(), content: Content::Children(Vec::new()) }
    }

    /// An element that holds text.
    pub(crate) fn text(name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { name: name.into(), attributes: Vec::new(), content: Content::Text(text.into()) }
    }

    /// The same under another name.
    pub(crate) fn renamed(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(crate) fn child(mut self, child: Element) -> Self {
        if let Content::Children(children) = &mut self.content {
            children.push(child);
        }
        self
    }

    pub(crate) fn children(mut self, more: impl IntoIterator<Item = Element>) -> Self {
        if let Content::Children(children) = &mut self.content {
            children.extend(more);
        }
        self
    }

    /// A child that holds text.
    pub(crate) fn with(self, name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        self.child(Element::text(name, text))
    }

    /// A child that holds text, if there is any.
    pub(crate) fn maybe(self, name: impl Into<Cow<'static, str>>, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// Makes a page one with more to come, by a token in a child of this name, without items if so wished. EC2 names its
    /// lists `...Set` and one `...Info`, S3 `Buckets`; objects stand side by side, and are counted.
    pub(crate) fn page(&mut self, empty: bool, name: &'static str, token: String) {
        let Content::Children(children) = &mut self.content else { return };
        if empty {
            children.retain(|child| !matches!(&*child.name, "Contents" | "CommonPrefixes"));
        }
        for child in children.iter_mut() {
            let list = ["Set", "Info", "Buckets"].iter().any(|end| child.name.ends_with(end));
            match &*child.name {
                _ if list && empty => child.clear(),
                "IsTruncated" => child.content = Content::Text("true".to_owned()),
                "KeyCount" if empty => child.content = Content::Text("0".to_owned()),
                _ => {}
            }
        }
        children.retain(|child| child.name != name);
        children.push(Element::text(name, token));
    }

    /// Takes all children out.
    pub(crate) fn clear(&mut self) {
        self.content = Content::Children(Vec::new());
    }

    /// Appends the element, without declaration.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            push_escaped(out, value);
            out.push('"');
        }
        match &self.content {
            Content::Children(children) if children.is_empty() => return out.push_str("/>"),
            Content::Children(children) => {
                out.push('>');
                children.iter().for_each(|child| child.write(out));
            }
            Content::Text(text) => {
                out.push('>');
                push_escaped(out, text);
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

/// Appends a text without what XML 1.0 cannot hold in any spelling (<https://www.w3.org/TR/xml/#charsets>), so that the
/// document stays well-formed whatever things are called. Carriage returns would be read as line feeds.
fn push_escaped(out: &mut String, text: &str) {
    let held =
        |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.chars().all(|c| held(c) && c != '\r') {
        return out.push_str(&quick_xml::escape::escape(text));
    }
    let text: String = text.chars().filter(|c| held(*c)).collect();
    out.push_str(&quick_xml::escape::escape(text.as_str()).replace('\r', "&#13;"));
}

/// A whole document.
pub(crate) fn document(root: &Element) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    root.write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_things_are_called_the_document_is_well_formed() {
        let name = "\u{1b}[31m<red>\r\n\u{fffe}&\0\tデ";
        let written = document(&Element::new("A").attribute("b", name).with("C", name));
        let kept = "[31m&lt;red&gt;&#13;\n&amp;\tデ";
        assert!(written.ends_with(&format!("<A b=\"{kept}\"><C>{kept}</C></A>")), "{written:?}");
        assert!(!written.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }
}
