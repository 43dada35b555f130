//! What is read of an object that is watched; all the rest of it is passed over.

use std::borrow::Cow;

use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope, GroupVersionKind, ObjectMeta};
use serde::Deserialize;

/// Where PersistentVolumes are. More than their metadata is wanted.
pub(super) const PERSISTENT_VOLUMES: &str = "/api/v1/persistentvolumes";

/// A pod, a claim or a PersistentVolume. One type, because each makes the program larger by a watcher of its own.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Watched {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

/// Only of a PersistentVolume: of others it is not asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    /// Empty means none.
    volume_attributes_class_name: Option<String>,
}

impl Watched {
    /// The name of its class.
    pub(super) fn class(&self) -> Option<String> {
        let class = self.spec.volume_attributes_class_name.clone();
        class.filter(|name| !name.is_empty())
    }
}

/// A kind of the core group, all of which are of the version v1.
pub(super) fn core(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural)
}

impl Resource for Watched {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        true
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_names_its_class_or_none() {
        let class = |spec: &str| {
            let text = format!(r#"{{"metadata": {{"name": "pvc-1"}}{spec}}}"#);
            let volume: Watched = serde_json::from_str(&text).unwrap();
            assert_eq!(volume.metadata.name.as_deref(), Some("pvc-1"));
            volume.class()
        };
        assert_eq!(class(""), None);
        assert_eq!(class(r#", "spec": {}"#), None);
        let none = r#", "spec": {"volumeAttributesClassName": ""}"#;
        assert_eq!(class(none), None);
        let named = r#", "spec": {"csi": {"driver": "a"}, "volumeAttributesClassName": "stable"}"#;
        assert_eq!(class(named).as_deref(), Some("stable"));
    }

    #[test]
    fn persistent_volumes_are_where_more_than_metadata_is_asked_for() {
        let volumes = core("PersistentVolume", "persistentvolumes");
        assert_eq!(Watched::url_path(&volumes, None), PERSISTENT_VOLUMES);
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims");
        let path = Watched::url_path(&claims, Some("shop"));
        assert_eq!(path, "/api/v1/namespaces/shop/persistentvolumeclaims");
    }
}
