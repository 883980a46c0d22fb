//! Whatever has a unique id.

use crate::artifact::{
    Config, Exposure, Group, Json, Kind, Macro, Metric, Node, SavedQuery, SemanticModel, Source,
    Text, UnitTest,
};

/// Whatever has a unique id.
#[derive(Debug, Clone)]
pub enum Resource {
    /// A model, test, seed, snapshot, analysis or operation.
    Node(Box<Node>),
    /// A source's table.
    Source(Box<Source>),
    /// A macro.
    Macro(Box<Macro>),
    /// An exposure.
    Exposure(Box<Exposure>),
    /// A metric.
    Metric(Box<Metric>),
    /// A group.
    Group(Box<Group>),
    /// A semantic model.
    SemanticModel(Box<SemanticModel>),
    /// A saved query.
    SavedQuery(Box<SavedQuery>),
    /// A unit test.
    UnitTest(Box<UnitTest>),
}

/// The field that all of them have.
macro_rules! of_all {
    ($self:ident, $it:ident => $get:expr) => {
        match $self {
            Self::Node($it) => $get,
            Self::Source($it) => $get,
            Self::Macro($it) => $get,
            Self::Exposure($it) => $get,
            Self::Metric($it) => $get,
            Self::Group($it) => $get,
            Self::SemanticModel($it) => $get,
            Self::SavedQuery($it) => $get,
            Self::UnitTest($it) => $get,
        }
    };
}

impl Resource {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Node(node) => node.resource_type,
            Self::Source(_) => Kind::Source,
            Self::Macro(_) => Kind::Macro,
            Self::Exposure(_) => Kind::Exposure,
            Self::Metric(_) => Kind::Metric,
            Self::Group(_) => Kind::Group,
            Self::SemanticModel(_) => Kind::SemanticModel,
            Self::SavedQuery(_) => Kind::SavedQuery,
            Self::UnitTest(_) => Kind::UnitTest,
        }
    }

    /// `model.shop.orders`
    #[must_use]
    pub fn unique_id(&self) -> &Text {
        of_all!(self, it => &it.unique_id)
    }

    /// `orders`
    #[must_use]
    pub fn name(&self) -> &Text {
        of_all!(self, it => &it.name)
    }

    /// `shop`
    #[must_use]
    pub fn package_name(&self) -> &Text {
        of_all!(self, it => &it.package_name)
    }

    /// Its file, from its own folder of resources on.
    #[must_use]
    pub fn path(&self) -> &Text {
        of_all!(self, it => &it.path)
    }

    /// Its file, from the project's folder on.
    #[must_use]
    pub fn original_file_path(&self) -> &Text {
        of_all!(self, it => &it.original_file_path)
    }

    /// In words.
    #[must_use]
    pub fn description(&self) -> Option<&Text> {
        of_all!(self, it => it.description.as_ref())
    }

    /// Where its description stands.
    #[must_use]
    pub fn patch_path(&self) -> Option<&Text> {
        match self {
            Self::Node(it) => it.patch_path.as_ref(),
            Self::Source(it) => it.patch_path.as_ref(),
            Self::Macro(it) => it.patch_path.as_ref(),
            Self::Exposure(_)
            | Self::Metric(_)
            | Self::Group(_)
            | Self::SemanticModel(_)
            | Self::SavedQuery(_)
            | Self::UnitTest(_) => None,
        }
    }

    /// Its tags. Those of a unit test stand in its configuration; macros, groups and semantic
    /// models have none.
    #[must_use]
    pub fn tags(&self) -> &[Text] {
        match self {
            Self::Node(it) => &it.tags,
            Self::Source(it) => &it.tags,
            Self::Exposure(it) => &it.tags,
            Self::Metric(it) => &it.tags,
            Self::SavedQuery(it) => &it.tags,
            Self::UnitTest(it) => &it.config.tags,
            Self::Macro(_) | Self::Group(_) | Self::SemanticModel(_) => &[],
        }
    }

    /// What the project says of it; where it stands in the configuration alone, from there.
    #[must_use]
    pub fn meta(&self) -> Option<&Json> {
        match self {
            Self::Node(it) => it.meta.as_ref(),
            Self::Source(it) => it.meta.as_ref(),
            Self::Macro(it) => it.meta.as_ref(),
            Self::Exposure(it) => it.meta.as_ref(),
            Self::Metric(it) => it.meta.as_ref(),
            Self::Group(_) | Self::SemanticModel(_) | Self::SavedQuery(_) | Self::UnitTest(_) => {
                None
            }
        }
        .or_else(|| self.config().and_then(|config| config.meta.as_ref()))
    }

    /// Package, folders, name; macros and groups have none.
    #[must_use]
    pub fn fqn(&self) -> &[Text] {
        match self {
            Self::Node(it) => &it.fqn,
            Self::Source(it) => &it.fqn,
            Self::Exposure(it) => &it.fqn,
            Self::Metric(it) => &it.fqn,
            Self::SemanticModel(it) => &it.fqn,
            Self::SavedQuery(it) => &it.fqn,
            Self::UnitTest(it) => &it.fqn,
            Self::Macro(_) | Self::Group(_) => &[],
        }
    }

    /// Its configuration; a macro has none.
    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        match self {
            Self::Node(it) => Some(&it.config),
            Self::Source(it) => Some(&it.config),
            Self::Exposure(it) => Some(&it.config),
            Self::Metric(it) => Some(&it.config),
            Self::Group(it) => Some(&it.config),
            Self::SemanticModel(it) => Some(&it.config),
            Self::SavedQuery(it) => Some(&it.config),
            Self::UnitTest(it) => Some(&it.config),
            Self::Macro(_) => None,
        }
    }

    /// The unique ids of what it is built on, in dbt's order, also of what is not in the manifest.
    #[must_use]
    pub fn depends_on(&self) -> &[Text] {
        match self {
            Self::Node(it) => it.depends_on(),
            Self::Exposure(it) => it.depends_on(),
            Self::Metric(it) => it.depends_on(),
            Self::SemanticModel(it) => it.depends_on(),
            Self::SavedQuery(it) => it.depends_on(),
            Self::UnitTest(it) => it.depends_on(),
            Self::Source(_) | Self::Macro(_) | Self::Group(_) => &[],
        }
    }

    /// The group it belongs to, by name.
    #[must_use]
    pub fn group(&self) -> Option<&Text> {
        match self {
            Self::Node(it) => it.group.as_ref(),
            Self::Metric(it) => it.group.as_ref(),
            Self::SemanticModel(it) => it.group.as_ref(),
            Self::SavedQuery(it) => it.group.as_ref(),
            Self::Source(_)
            | Self::Macro(_)
            | Self::Exposure(_)
            | Self::Group(_)
            | Self::UnitTest(_) => None,
        }
    }

    /// Database and schema of its relation.
    #[must_use]
    pub fn place(&self) -> (Option<&Text>, Option<&Text>) {
        match self {
            Self::Node(it) => (it.database.as_ref(), it.schema.as_ref()),
            Self::Source(it) => (it.database.as_ref(), it.schema.as_ref()),
            _ => (None, None),
        }
    }

    /// The name of its relation in the data platform: a node's alias, a source's identifier.
    #[must_use]
    pub fn identifier(&self) -> Option<&Text> {
        match self {
            Self::Node(it) => it.alias.as_ref(),
            Self::Source(it) => it.identifier.as_ref(),
            _ => None,
        }
    }

    /// The node, if it is one.
    #[must_use]
    pub fn as_node(&self) -> Option<&Node> {
        if let Self::Node(node) = self { Some(node) } else { None }
    }
}
