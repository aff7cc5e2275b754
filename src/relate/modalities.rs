//! Which modalities Bedrock models take and give, by family. A model not in the table may take anything: unknown.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>

use crate::model::observed::{Told, Unknown, Why};

use super::kinds::Modalities;
use super::kleene::any;

struct Family {
    prefix: &'static str,
    text: bool,
    image: bool,
    embedding: bool,
    video: bool,
    audio: bool,
}

macro_rules! families {
    ($($prefix:literal: $($modality:ident)*;)*) => {
        &[$(Family { $($modality: true,)* ..family($prefix) }),*]
    };
}

const fn family(prefix: &'static str) -> Family {
    Family { prefix, text: false, image: false, embedding: false, video: false, audio: false }
}

/// Longest prefix wins; order does not matter.
const FAMILIES: &[Family] = families! {
    "anthropic.claude-3": text image;
    "anthropic.claude-opus": text image;
    "anthropic.claude-sonnet": text image;
    "anthropic.claude-haiku": text image;
    "anthropic.claude-v2": text;
    "anthropic.claude-instant": text;
    "amazon.titan-text": text;
    "amazon.titan-embed-text": text embedding;
    "amazon.titan-embed-image": text image embedding;
    "amazon.titan-image": text image;
    "amazon.nova-micro": text;
    "amazon.nova-lite": text image video;
    "amazon.nova-pro": text image video;
    "amazon.nova-premier": text image video;
    "amazon.nova-canvas": text image;
    "amazon.nova-reel": text image video;
    "amazon.nova-sonic": text audio;
    "amazon.rerank": text;
    "ai21.": text;
    "cohere.command": text;
    "cohere.embed-english": text embedding;
    "cohere.embed-multilingual": text embedding;
    "cohere.rerank": text;
    "deepseek.": text;
    "meta.llama2": text;
    "meta.llama3-1": text;
    "meta.llama3-2-1b": text;
    "meta.llama3-2-3b": text;
    "meta.llama3-2-11b": text image;
    "meta.llama3-2-90b": text image;
    "meta.llama3-3": text;
    "meta.llama4": text image;
    "mistral.mistral": text;
    "mistral.mixtral": text;
    "mistral.pixtral": text image;
    "openai.gpt-oss": text;
    "stability.": text image;
    "twelvelabs.marengo": text image embedding video audio;
    "twelvelabs.pegasus": text video;
};

/// What the invoked models can take or give. `ids` are values of the metric's ModelId dimension: model ids, ids of
/// cross-region profiles (`eu.anthropic...`), or ARNs.
pub(crate) fn of_models(ids: &[String]) -> Modalities {
    let found: Vec<Result<&Family, Unknown>> = ids.iter().map(|id| find(id)).collect();
    let pick = |of: fn(&Family) -> bool| -> Told<bool> {
        any(found.iter().map(|f| f.as_ref().map(|f| of(f)).map_err(Clone::clone)))
    };
    Modalities {
        text: pick(|f| f.text),
        image: pick(|f| f.image),
        embedding: pick(|f| f.embedding),
        video: pick(|f| f.video),
        audio: pick(|f| f.audio),
    }
}

fn find(id: &str) -> Result<&'static Family, Unknown> {
    let name = id.rsplit('/').next().unwrap_or(id);
    let name = ["us.", "eu.", "apac.", "us-gov.", "global.", "jp.", "au.", "ca."]
        .iter()
        .find_map(|geo| name.strip_prefix(geo))
        .unwrap_or(name);
    FAMILIES.iter().filter(|f| name.starts_with(f.prefix)).max_by_key(|f| f.prefix.len()).ok_or_else(|| {
        Unknown::new("cloudwatch:ListMetrics", Why::Undecidable)
            .saying(format!("modalities of model {id} are not known"))
    })
}
