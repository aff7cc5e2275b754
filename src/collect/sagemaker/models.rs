//! Models: where their artefacts lie and which network they run in.

use aws_sdk_sagemaker::operation::describe_model::DescribeModelInput;
use aws_sdk_sagemaker::operation::list_models::ListModelsInput;
use aws_sdk_sagemaker::types::{ContainerDefinition, ResourceType, S3ModelDataSource};

use crate::collect::listing::{ALL, Page, pages};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{Described, Found, Keys, Uses, created, describe_each};
use crate::inventory::Line;
use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::model::observed::Told;

use super::search::{Record, Searched};
use super::{PAGE, SEARCH, placement};

pub(super) async fn collect(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListModels", ALL, |token| async move {
        let request = ListModelsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.models, next: value.next_token, read })
    })
    .await
    .named(scope, |m, read| Found::new(m.model_arn, m.model_name, created(scope, m.creation_time.as_ref(), read)));
    let searched = Searched::of(scope, ResourceType::Model, &listed, |record, read| {
        let model = record.model.as_ref()?.model.as_ref()?;
        let uses = model_uses(model.primary_container.as_ref(), model.containers());
        let placement = placement(scope, SEARCH, model.vpc_config.as_ref(), Placement::AwsVpc);
        (model.primary_container.is_some() || !model.containers().is_empty()).then(|| Record {
            arn: model.model_arn.as_deref(),
            created: model.creation_time.as_ref(),
            status: None,
            described: Described::new(uses, placement, Keys::default(), read.clone()),
        })
    })
    .await;
    let describe = |found| searched.or(found, |found| describe(scope, found));
    describe_each(scope, WorkloadKind::Model, listed, describe).await
}

async fn describe(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeModel";
    let request = DescribeModelInput::builder().model_name(found.id);
    let Answer { value: model, read } = scope.ask(&request).await?;
    let uses = model_uses(model.primary_container.as_ref(), model.containers());
    let placement = placement(scope, call, model.vpc_config.as_ref(), Placement::AwsVpc);
    Ok(Described::new(uses, placement, Keys::default(), read))
}

fn model_uses(primary: Option<&ContainerDefinition>, containers: &[ContainerDefinition]) -> Uses {
    let mut uses = Uses::default();
    if let Some(container) = primary {
        container_uses(&mut uses, "PrimaryContainer", container);
    }
    for (i, container) in containers.iter().enumerate() {
        container_uses(&mut uses, &format!("Containers[{i}]"), container);
    }
    uses
}

fn container_uses(uses: &mut Uses, path: &str, container: &ContainerDefinition) {
    uses.add(S3Role::Artifact, format!("{path}.ModelDataUrl"), container.model_data_url.as_ref());
    // A model made from a package of the registry may name no data of its own: where that is, the package says.
    if container.model_data_url.is_none() && container.model_data_source.is_none() {
        uses.add(S3Role::Artifact, format!("{path}.ModelPackageName"), container.model_package_name.as_ref());
    }
    if let Some(source) = container.model_data_source.as_ref().and_then(|data| data.s3_data_source.as_ref()) {
        source_uses(uses, &format!("{path}.ModelDataSource.S3DataSource"), source);
    }
    for (i, additional) in container.additional_model_data_sources().iter().enumerate() {
        if let Some(source) = &additional.s3_data_source {
            source_uses(uses, &format!("{path}.AdditionalModelDataSources[{i}].S3DataSource"), source);
        }
    }
}

fn source_uses(uses: &mut Uses, path: &str, source: &S3ModelDataSource) {
    uses.add(S3Role::Artifact, format!("{path}.S3Uri"), source.s3_uri.as_ref());
    uses.add(S3Role::Artifact, format!("{path}.ManifestS3Uri"), source.manifest_s3_uri.as_ref());
}
