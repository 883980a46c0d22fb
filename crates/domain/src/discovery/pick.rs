//! The methods of selectors: `tag:`, `path:`, `resource_type:`, …
//! <https://docs.getdbt.com/reference/node-selection/methods>

use serde::Deserialize as _;
use serde_json::Value;

use super::{
    ProjectState, ReleaseVersion, Resource, ResourceIx,
    glob::{fits, is_glob, path_fits},
};
use crate::artifact::{Kind, Text};

/// A method and its value.
#[derive(Debug)]
pub(super) struct Pick<'a> {
    method: Method<'a>,
    value: &'a str,
}

#[derive(Debug, Clone, Copy)]
enum Method<'a> {
    Access,
    /// A field of the configuration, by its names.
    Config(&'a str),
    File,
    Fqn,
    Group,
    /// By name, or by package and name.
    Named(Kind),
    Package,
    Path,
    ResourceType,
    Source,
    Tag,
    TestName,
    TestType,
    Version,
}

const KNOWN: &str = "access, config.…, exposure, file, fqn, group, metric, package, path, \
    resource_type, saved_query, semantic_model, source, tag, test_name, test_type, unit_test, version";

impl<'a> Pick<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let (method, value) = match text.split_once(':') {
            Some((method, value)) => (Method::parse(method)?, value),
            None => (Method::of_bare(text), text),
        };
        if value.is_empty() {
            return Err("has no value".to_owned());
        }
        let pick = Self { method, value };
        pick.check()?;
        Ok(pick)
    }

    /// Values that only some words are.
    fn check(&self) -> Result<(), String> {
        let among = |words: &[&str]| {
            let known = words.contains(&self.value);
            known.then_some(()).ok_or_else(|| format!("must be one of {}", words.join(", ")))
        };
        match self.method {
            Method::ResourceType => kind(self.value).map(|_| ()),
            Method::TestType => among(&["generic", "singular", "data", "unit"]),
            Method::Version => among(&["latest", "none", "old", "prerelease"]),
            Method::Access => among(&["private", "protected", "public"]),
            _ => Ok(()),
        }
    }

    pub(super) fn choose(&self, state: &ProjectState) -> Result<Vec<ResourceIx>, String> {
        // The unique id itself is taken too: clients have it at hand.
        if let Method::Fqn = self.method
            && let Some(ix) = state.find(self.value)
        {
            return Ok(vec![ix]);
        }
        if let Method::ResourceType = self.method {
            return Ok(state.of_kind(kind(self.value)?).to_vec());
        }
        let project = state.metadata().project_name.as_deref().unwrap_or_default();
        let all = state.all().filter(|(_, resource)| is_selectable(resource.kind()));
        Ok(all.filter(|(_, it)| self.fits(it, project)).map(|(ix, _)| ix).collect())
    }

    fn fits(&self, it: &Resource, project: &str) -> bool {
        let value = self.value;
        match self.method {
            Method::Fqn => it.kind() != Kind::Source && fqn_fits(value, it),
            Method::Tag => it.tags().iter().any(|tag| fits(value, tag)),
            Method::Path => is_at(value, it),
            Method::File => is_file(value, it.original_file_path()),
            Method::Package => {
                fits(if value == "this" { project } else { value }, it.package_name())
            }
            Method::Group => it.group().is_some_and(|group| fits(value, group)),
            Method::Access => it.as_node().and_then(|node| node.access.as_deref()) == Some(value),
            Method::Source => source_fits(value, it),
            Method::Named(kind) => it.kind() == kind && name_fits(value, it),
            Method::Config(field) => config_fits(it, field, value),
            Method::TestName => {
                let test = it.as_node().and_then(|node| node.test_metadata.as_ref());
                test.is_some_and(|test| fits(value, &test.name))
            }
            Method::TestType => test_type_fits(value, it),
            Method::Version => {
                let model = it.as_node().filter(|node| node.resource_type == Kind::Model);
                model.is_some_and(|model| ReleaseVersion::of(model).word() == value)
            }
            Method::ResourceType => false,
        }
    }
}

impl<'a> Method<'a> {
    fn parse(word: &'a str) -> Result<Self, String> {
        Ok(match word {
            "access" => Self::Access,
            "exposure" => Self::Named(Kind::Exposure),
            "file" => Self::File,
            "fqn" => Self::Fqn,
            "group" => Self::Group,
            "metric" => Self::Named(Kind::Metric),
            "package" => Self::Package,
            "path" => Self::Path,
            "resource_type" => Self::ResourceType,
            "saved_query" => Self::Named(Kind::SavedQuery),
            "semantic_model" => Self::Named(Kind::SemanticModel),
            "source" => Self::Source,
            "tag" => Self::Tag,
            "test_name" => Self::TestName,
            "test_type" => Self::TestType,
            "unit_test" => Self::Named(Kind::UnitTest),
            "version" => Self::Version,
            _ => match word.strip_prefix("config.") {
                Some(field) if !field.is_empty() => Self::Config(field),
                _ => return Err(format!("has the method `{word}`: there are {KNOWN}")),
            },
        })
    }

    /// What dbt takes a value without a method for.
    fn of_bare(value: &str) -> Self {
        let ends = [".sql", ".py", ".csv"].iter().any(|end| value.to_lowercase().ends_with(end));
        match value {
            _ if value.contains('/') => Self::Path,
            _ if ends => Self::File,
            _ => Self::Fqn,
        }
    }
}

fn kind(word: &str) -> Result<Kind, String> {
    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(word);
    match Kind::deserialize(word) {
        Ok(kind) if is_selectable(kind) => Ok(kind),
        _ => Err("is no type of resource that can be selected".to_owned()),
    }
}

/// What selectors choose from.
fn is_selectable(kind: Kind) -> bool {
    !matches!(kind, Kind::Macro | Kind::Group | Kind::Operation | Kind::Other)
}

/// A name, or the beginning of an fqn, with or without the package.
fn fqn_fits(value: &str, it: &Resource) -> bool {
    let versioned = it.as_node().is_some_and(|node| node.version.is_some());
    let (fqn, parts) = (it.fqn(), value.split('.').collect::<Vec<_>>());
    is_named(value, &parts, fqn, versioned)
        || begins(&parts, fqn)
        || fqn.get(1..).is_some_and(|fqn| begins(&parts, fqn))
}

/// Whether the name at the end of an fqn is this, or fits a lone part with wildcards: of a version,
/// with or without it.
fn is_named(value: &str, parts: &[&str], fqn: &[Text], versioned: bool) -> bool {
    let named = |name: &str| name == value || parts.len() == 1 && fits(value, name);
    match fqn {
        [.., name, version] if versioned => {
            let last = parts.get(parts.len().saturating_sub(2)..).unwrap_or_default();
            named(name) || last.join("_") == format!("{name}_{version}")
        }
        [.., name] => named(name),
        [] => false,
    }
}

/// Whether an fqn begins with these parts; from the first wildcard on all of it must fit.
fn begins(parts: &[&str], fqn: &[Text]) -> bool {
    let fqn: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
    let plain = parts.iter().take_while(|part| !is_glob(part)).count();
    if fqn.len() < parts.len() || fqn.get(..plain) != parts.get(..plain) {
        return false;
    }
    let rest = |parts: &[&str]| parts.get(plain..).unwrap_or_default().join(".");
    plain == parts.len() || fits(&rest(parts), &rest(&fqn))
}

/// Whether its file, or the file that describes it, is or lies in what the pattern says.
fn is_at(pattern: &str, it: &Resource) -> bool {
    let described = it.patch_path().and_then(|path| path.split("://").nth(1));
    path_fits(pattern, it.original_file_path())
        || described.is_some_and(|path| path_fits(pattern, path) && !is_folder_of(pattern, path))
}

/// A description counts as a file alone, not by the folder that it lies in.
fn is_folder_of(pattern: &str, path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(folder, _)| path_fits(pattern, folder))
}

fn is_file(pattern: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    fits(pattern, name) || fits(pattern, stem)
}

/// `source`, `source.table` or `package.source.table`
fn source_fits(value: &str, it: &Resource) -> bool {
    let Resource::Source(source) = it else { return false };
    let parts: Vec<&str> = value.split('.').collect();
    match parts.as_slice() {
        [of] => fits(of, &source.source_name),
        [of, table] => fits(of, &source.source_name) && fits(table, &source.name),
        [package, of, table] => {
            fits(package, &source.package_name)
                && fits(of, &source.source_name)
                && fits(table, &source.name)
        }
        _ => false,
    }
}

/// `name` or `package.name`
fn name_fits(value: &str, it: &Resource) -> bool {
    match value.split_once('.') {
        Some((package, name)) => fits(package, it.package_name()) && fits(name, it.name()),
        None => fits(value, it.name()),
    }
}

fn test_type_fits(value: &str, it: &Resource) -> bool {
    let generic = it.as_node().is_some_and(|node| node.test_metadata.is_some());
    match (it.kind(), value) {
        (Kind::UnitTest, "unit") | (Kind::Test, "data") => true,
        (Kind::Test, "generic") => generic,
        (Kind::Test, "singular") => !generic,
        _ => false,
    }
}

/// Whether the field of a node's or source's configuration is this value, or has it in its list.
fn config_fits(it: &Resource, field: &str, value: &str) -> bool {
    let config = match it {
        Resource::Node(node) => &node.config,
        Resource::Source(source) => &source.config,
        _ => return false,
    };
    let config = config.json.to_value();
    let is = |one: &Value| match one {
        Value::String(text) if field == "severity" => text.eq_ignore_ascii_case(value),
        Value::String(text) => text == value,
        Value::Bool(flag) => value.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    };
    match field.split('.').try_fold(&config, |at, name| at.get(name)) {
        Some(Value::Array(list)) => list.iter().any(is),
        Some(one) => is(one),
        None => false,
    }
}
