//! Licence maps (documents: `LicenseMapResponse`, `LicenseMapRequest`).

use domain::{kept::Kept, license_map::LicenseMap as Spec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_account};

/// Which groups of the identity provider mean which licence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LicenseMap {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// `developer`, `read_only`, `it` or `analyst`.
    pub license_type: String,
    /// The groups.
    pub sso_license_mapping_groups: Vec<String>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for LicenseMap {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            license_type: kept.spec.license_type.key().to_owned(),
            sso_license_mapping_groups: kept.spec.sso_license_mapping_groups.clone(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes a licence map. Keys that are absent keep their value; other
/// keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct LicenseMapBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// `developer`, `read_only`, `it` or `analyst`; required.
    #[schema(value_type = Option<String>)]
    pub license_type: Patch<String>,
    /// At most 100 groups of the identity provider.
    #[schema(value_type = Option<Vec<String>>)]
    pub sso_license_mapping_groups: Patch<Vec<String>>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = LicenseMap;
    type Body = LicenseMapBody;
}

impl KeptBody for LicenseMapBody {
    type Noun = Spec;

    of_account! {}

    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let given = self.license_type.value();
        let given = given.or_else(|| old.as_ref().map(|old| old.license_type.key().to_owned()));
        let license = field::license(&mut bad, given);
        let groups = field::read(
            &mut bad,
            "sso_license_mapping_groups",
            self.sso_license_mapping_groups,
            field::group_names,
        );
        bad.finish()?;
        let old = old.map(|old| old.sso_license_mapping_groups).unwrap_or_default();
        Ok(Spec {
            license_type: license.ok_or_else(|| Invalid::field("license_type", "is required"))?,
            sso_license_mapping_groups: groups.over(Some(old)).unwrap_or_default(),
        })
    }
}
