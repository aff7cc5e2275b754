//! Where people work: notebook instances, Studio domains, and the feature groups they share.

use aws_sdk_sagemaker::operation::describe_domain::DescribeDomainInput;
use aws_sdk_sagemaker::operation::describe_feature_group::DescribeFeatureGroupInput;
use aws_sdk_sagemaker::operation::describe_notebook_instance::DescribeNotebookInstanceInput;
use aws_sdk_sagemaker::operation::list_domains::ListDomainsInput;
use aws_sdk_sagemaker::operation::list_feature_groups::ListFeatureGroupsInput;
use aws_sdk_sagemaker::operation::list_notebook_instances::ListNotebookInstancesInput;
use aws_sdk_sagemaker::types::{
    AppNetworkAccessType, CustomFileSystemConfig, DirectInternetAccess, OfflineStoreConfig, OnlineStoreConfig,
    ResourceType, UserSettings,
};

use crate::collect::listing::{ALL, Page, malformed, pages, required, text};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{self, Described, Found, Keys, Uses, created, describe_each};
use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::inventory::{Line, Read};
use crate::model::observed::Told;

use super::PAGE;
use super::search::{Record, Searched};

pub(super) async fn notebooks(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListNotebookInstances", ALL, |token| async move {
        let request = ListNotebookInstancesInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.notebook_instances, next: value.next_token, read })
    })
    .await
    .named(scope, |n, read| {
        let created = created(scope, n.creation_time.as_ref(), read);
        let status = n.notebook_instance_status.as_ref().map(|s| s.as_str());
        Some(Found::new(n.notebook_instance_arn, n.notebook_instance_name, created)?.status(status))
    });
    describe_each(scope, WorkloadKind::Notebook, listed, |found| describe_notebook(scope, found)).await
}

/// With direct internet access, a notebook in a customer subnet has a second interface, in a VPC of AWS
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/appendix-notebook-and-internet-access.html>).
async fn describe_notebook(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeNotebookInstance";
    let request = DescribeNotebookInstanceInput::builder().notebook_instance_name(found.id);
    let Answer { value: notebook, read } = scope.ask(&request).await?;
    let direct = required(scope, call, "DirectInternetAccess", notebook.direct_internet_access.as_ref());
    let placement = match (text(notebook.subnet_id), direct) {
        (None, _) => Ok(Placement::AwsVpc),
        (Some(subnet), Ok(DirectInternetAccess::Disabled)) => Ok(Placement::Subnets(vec![subnet])),
        (Some(subnet), Ok(DirectInternetAccess::Enabled)) => Ok(Placement::Both(vec![subnet])),
        (Some(_), Ok(other)) => Err(malformed(scope, call, &format!("DirectInternetAccess is {}", other.as_str()))),
        (Some(_), Err(unknown)) => Err(unknown),
    };
    let mut keys = Keys::default();
    keys.add(notebook.kms_key_id.as_ref());
    Ok(Described::new(Uses::default(), placement, keys, read))
}

pub(super) async fn domains(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListDomains", ALL, |token| async move {
        let request = ListDomainsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.domains, next: value.next_token, read })
    })
    .await
    .named(scope, |d, read| {
        let created = created(scope, d.creation_time.as_ref(), read);
        let status = d.status.as_ref().map(|s| s.as_str());
        let id = text(d.domain_id)?;
        let name = text(d.domain_name).or_else(|| Some(id.clone()));
        Some(Found::new(d.domain_arn, name, created)?.id(id).status(status))
    });
    describe_each(scope, WorkloadKind::Domain, listed, |found| describe_domain(scope, found)).await
}

/// Only the traffic of a `VpcOnly` domain passes customer subnets; else they carry nothing but its file system.
async fn describe_domain(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeDomain";
    let request = DescribeDomainInput::builder().domain_id(found.id);
    let Answer { value: domain, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    if let Some(settings) = &domain.default_user_settings {
        user_uses(&mut uses, &mut keys, settings);
    }
    if let Some(settings) = &domain.default_space_settings {
        file_system_uses(&mut uses, "DefaultSpaceSettings", settings.custom_file_system_configs());
    }
    let studio = domain.domain_settings.as_ref().and_then(|settings| settings.unified_studio_settings.as_ref());
    let project = studio.and_then(|studio| studio.project_s3_path.as_ref());
    uses.add(S3Role::AppData, "DomainSettings.UnifiedStudioSettings.ProjectS3Path", project);
    keys.add(domain.kms_key_id.as_ref());

    let placement = match required(scope, call, "AppNetworkAccessType", domain.app_network_access_type.as_ref()) {
        Ok(AppNetworkAccessType::VpcOnly) => {
            workloads::placement(scope, call, Some(domain.subnet_ids.as_deref()), Placement::AwsVpc)
        }
        Ok(AppNetworkAccessType::PublicInternetOnly) => Ok(Placement::AwsVpc),
        Ok(other) => Err(malformed(scope, call, &format!("AppNetworkAccessType is {}", other.as_str()))),
        Err(unknown) => Err(unknown),
    };
    Ok(Described::new(uses, placement, keys, read))
}

fn user_uses(uses: &mut Uses, keys: &mut Keys, settings: &UserSettings) {
    if let Some(sharing) = &settings.sharing_settings {
        let field = "DefaultUserSettings.SharingSettings.S3OutputPath";
        uses.add(S3Role::AppData, field, sharing.s3_output_path.as_ref());
        keys.add(sharing.s3_kms_key_id.as_ref());
    }
    if let Some(workspace) = settings.canvas_app_settings.as_ref().and_then(|c| c.workspace_settings.as_ref()) {
        let field = "DefaultUserSettings.CanvasAppSettings.WorkspaceSettings.S3ArtifactPath";
        uses.add(S3Role::AppData, field, workspace.s3_artifact_path.as_ref());
        keys.add(workspace.s3_kms_key_id.as_ref());
    }
    file_system_uses(uses, "DefaultUserSettings", settings.custom_file_system_configs());
}

fn file_system_uses(uses: &mut Uses, path: &str, configs: &[CustomFileSystemConfig]) {
    for (i, config) in configs.iter().enumerate() {
        if let CustomFileSystemConfig::S3FileSystemConfig(s3) = config {
            let field = format!("{path}.CustomFileSystemConfigs[{i}].S3FileSystemConfig.S3Uri");
            uses.add(S3Role::AppData, field, s3.s3_uri.as_ref());
        }
    }
}

pub(super) async fn feature_groups(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListFeatureGroups", ALL, |token| async move {
        let request = ListFeatureGroupsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.feature_group_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |g, read| {
        let created = created(scope, g.creation_time.as_ref(), read);
        let status = g.feature_group_status.as_ref().map(|s| s.as_str());
        Some(Found::new(g.feature_group_arn, g.feature_group_name, created)?.status(status))
    });
    let searched = Searched::of(scope, ResourceType::FeatureGroup, &listed, |record, read| {
        let group = record.feature_group.as_ref()?;
        let (offline, online) = (group.offline_store_config.as_ref(), group.online_store_config.as_ref());
        (offline.is_some() || online.is_some()).then(|| Record {
            arn: group.feature_group_arn.as_deref(),
            created: group.creation_time.as_ref(),
            status: group.feature_group_status.as_ref().map(|status| status.as_str()),
            described: stored(offline, online, read.clone()),
        })
    })
    .await;
    let describe = |found| searched.or(found, |found| describe_group(scope, found));
    describe_each(scope, WorkloadKind::FeatureGroup, listed, describe).await
}

async fn describe_group(scope: &Scope, found: Found) -> Told<Described> {
    let request = DescribeFeatureGroupInput::builder().feature_group_name(found.id);
    let Answer { value: group, read } = scope.ask(&request).await?;
    Ok(stored(group.offline_store_config.as_ref(), group.online_store_config.as_ref(), read))
}

/// A group without an offline store keeps nothing in S3.
fn stored(offline: Option<&OfflineStoreConfig>, online: Option<&OnlineStoreConfig>, read: Read) -> Described {
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    if let Some(store) = offline.and_then(|offline| offline.s3_storage_config.as_ref()) {
        let path = "OfflineStoreConfig.S3StorageConfig";
        uses.add(S3Role::Training, format!("{path}.S3Uri"), store.s3_uri.as_ref());
        uses.add(S3Role::Training, format!("{path}.ResolvedOutputS3Uri"), store.resolved_output_s3_uri.as_ref());
        keys.add(store.kms_key_id.as_ref());
    }
    let online = online.and_then(|online| online.security_config.as_ref());
    keys.add(online.and_then(|security| security.kms_key_id.as_ref()));
    Described::new(uses, Ok(Placement::Nowhere), keys, read)
}
