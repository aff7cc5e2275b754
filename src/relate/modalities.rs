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
    /// AWS's pages contradict each other on whether it takes images.
    image_disputed: bool,
}

macro_rules! families {
    ($($prefix:literal: $($modality:ident)*;)*) => {
        &[$(Family { $($modality: true,)* ..family($prefix) }),*]
    };
}

const fn family(prefix: &'static str) -> Family {
    Family { prefix, text: false, image: false, embedding: false, video: false, audio: false, image_disputed: false }
}

/// Longest prefix wins; order does not matter. A prefix ends where a model that takes more could have the same: whole
/// families stand here only with all that any of their kind takes.
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
    "amazon.nova-micro-v1": text;
    "amazon.nova-lite-v1": text image video;
    "amazon.nova-pro-v1": text image video;
    "amazon.nova-premier-v1": text image video;
    "amazon.nova-canvas-v1": text image;
    "amazon.nova-reel-v1": text image video;
    "amazon.nova-sonic-v1": text audio;
    "amazon.rerank-v1": text;
    "ai21.j2": text;
    "ai21.jamba-instruct": text;
    "ai21.jamba-1-5": text;
    "cohere.command-text": text;
    "cohere.command-light": text;
    "cohere.command-r": text;
    "cohere.embed-english-v3": text embedding image_disputed;
    "cohere.embed-multilingual-v3": text embedding image_disputed;
    "cohere.rerank-v3": text;
    "deepseek.r1": text;
    "deepseek.v3": text;
    "meta.llama2": text;
    "meta.llama3-8b": text;
    "meta.llama3-70b": text;
    "meta.llama3-1": text;
    "meta.llama3-2-1b": text;
    "meta.llama3-2-3b": text;
    "meta.llama3-2-11b": text image;
    "meta.llama3-2-90b": text image;
    "meta.llama3-3": text;
    "meta.llama4": text image;
    "mistral.mistral-7b": text;
    "mistral.mistral-small-24": text;
    "mistral.mistral-large-24": text;
    "mistral.mixtral-8x7b": text;
    "mistral.pixtral-large-25": text image;
    "openai.gpt-oss-20b": text;
    "openai.gpt-oss-120b": text;
    "stability.stable-diffusion": text image;
    "stability.stable-image": text image;
    "stability.sd3": text image;
    "twelvelabs.marengo-embed": text image embedding video audio;
    "twelvelabs.pegasus-1": text video;
};

/// What the invoked models can take or give. `ids` are values of the metric's ModelId dimension: model ids, ids of
/// cross-region profiles (`eu.anthropic...`), or ARNs.
pub(crate) fn of_models(ids: &[String]) -> Modalities {
    let found: Vec<(&String, Option<&Family>)> = ids.iter().map(|id| (id, find(id))).collect();
    let pick = |of: fn(&Family) -> Option<bool>| -> Told<bool> {
        any(found.iter().map(|(id, family)| family.and_then(of).ok_or_else(|| not_known(id))))
    };
    Modalities {
        text: pick(|f| Some(f.text)),
        image: pick(|f| (!f.image_disputed).then_some(f.image)),
        embedding: pick(|f| Some(f.embedding)),
        video: pick(|f| Some(f.video)),
        audio: pick(|f| Some(f.audio)),
    }
}

fn not_known(id: &str) -> Unknown {
    Unknown::new("cloudwatch:ListMetrics", Why::Undecidable).saying(format!("modalities of model {id} are not known"))
}

fn find(id: &str) -> Option<&'static Family> {
    let name = id.rsplit('/').next().unwrap_or(id);
    let name = ["us.", "eu.", "apac.", "us-gov.", "global.", "jp.", "au.", "ca."]
        .iter()
        .find_map(|geo| name.strip_prefix(geo))
        .unwrap_or(name);
    FAMILIES.iter().filter(|f| name.starts_with(f.prefix)).max_by_key(|f| f.prefix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_in_the_table_may_take_anything() {
        let image = |id: &str| of_models(&[id.to_owned()]).image;
        assert_eq!(image("anthropic.claude-3-5-sonnet-20241022-v2:0"), Ok(true));
        assert_eq!(image("mistral.mistral-large-2407-v1:0"), Ok(false));
        for unsure in
            ["mistral.mistral-large-3-675b-instruct", "cohere.embed-multilingual-v3", "amazon.nova-micro-v2:0"]
        {
            assert!(image(unsure).is_err(), "{unsure}");
        }
        let embedding = of_models(&["cohere.embed-multilingual-v3".to_owned()]).embedding;
        assert_eq!(embedding, Ok(true));
    }
}
