//! How artifacts are read: what all kinds share.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    InvalidArtifact, Metadata, ParentMap,
    text::{Interner, Share, Text},
};
use crate::Timestamp;

/// A kind of artifact.
pub(super) struct Form {
    /// The name of its file.
    pub(super) file: &'static str,
    /// Its word in the schema: `manifest`, `run-results`.
    pub(super) schema: &'static str,
    /// The first and the last version that can be read.
    pub(super) versions: (u32, u32),
    /// The same in words.
    pub(super) known: &'static str,
}

impl Form {
    /// Reads an artifact, and holds its metadata to the versions that can be read.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        metadata: impl Fn(&T) -> &Metadata,
    ) -> Result<T, InvalidArtifact> {
        match serde_json::from_slice::<T>(bytes) {
            Ok(artifact) => {
                self.check(metadata(&artifact))?;
                Ok(artifact)
            }
            Err(wrong) => {
                // A version that is not known is the better reason, where one is said.
                if let Ok(Head { metadata }) = serde_json::from_slice(bytes)
                    && metadata.dbt_schema_version.is_some()
                {
                    self.check(&metadata)?;
                }
                Err(malformed(self.file, &wrong))
            }
        }
    }

    fn check(&self, metadata: &Metadata) -> Result<(), InvalidArtifact> {
        let found = metadata.dbt_schema_version.as_deref().unwrap_or_default();
        let version = found
            .strip_suffix(".json")
            .and_then(|found| found.rsplit_once("/v"))
            .filter(|(schema, _)| schema.rsplit('/').next() == Some(self.schema))
            .and_then(|(_, version)| version.parse::<u32>().ok());
        let (first, last) = self.versions;
        match version {
            Some(version) if (first..=last).contains(&version) => Ok(()),
            _ => Err(InvalidArtifact::UnknownVersion {
                file: self.file,
                found: found.chars().take(200).collect(),
                known: self.known,
            }),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    metadata: Metadata,
}

/// Where and what, of a mistake that the JSON reader found.
pub(super) fn malformed(file: &'static str, wrong: &serde_json::Error) -> InvalidArtifact {
    let (line, column) = (wrong.line(), wrong.column());
    let what = wrong.to_string();
    let place = format!(" at line {line} column {column}");
    let what = what.strip_suffix(&place).unwrap_or(&what).to_owned();
    InvalidArtifact::Malformed { file, line, column, what }
}

/// Null is as good as nothing.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A time, or nothing where it is none.
pub(super) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<Text> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| Timestamp::parse(&text).ok()))
}

/// A text or a number, as text: `1`, `"1"` and `1.5` are versions; of a list, its texts with
/// commas between.
pub(super) fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    deserializer.deserialize_any(Scalar)
}

struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<Text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(if flag { "true" } else { "false" }.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element::<Text>()? {
            texts.push(text);
        }
        let texts: Vec<&str> = texts.iter().map(Text::as_str).collect();
        Ok((!texts.is_empty()).then(|| texts.join(", ").as_str().into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// One text, or a list of them; null is an empty list.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[Text]>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Box<[Text]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Box::default())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Box::new([text.into()]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = seq.next_element()? {
                texts.push(text);
            }
            Ok(texts.into())
        }
    }
    deserializer.deserialize_any(Texts)
}

/// The values of an object, in the order of the file; their keys, which they hold themselves, are
/// left out. What is null is empty. Texts that repeat in them are kept once.
pub(super) fn values<'de, D, T>(deserializer: D) -> Result<Box<[T]>, D::Error>
where
    D: Deserializer<'de>,
    T: Share + Deserialize<'de>,
{
    struct Values<T>(PhantomData<T>);
    impl<'de, T: Share + Deserialize<'de>> Visitor<'de> for Values<T> {
        type Value = Box<[T]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Box::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut values, mut interner) = (Vec::new(), Interner::default());
            while let Some((IgnoredAny, mut value)) = map.next_entry::<_, T>()? {
                value.share(&mut interner);
                values.push(value);
            }
            Ok(values.into())
        }
    }
    deserializer.deserialize_any(Values(PhantomData))
}

/// An object of lists of texts: `parent_map`. What is null has nothing.
pub(super) fn map_of_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ParentMap>, D::Error> {
    struct Lists;
    impl<'de> Visitor<'de> for Lists {
        type Value = Option<ParentMap>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of lists")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut lists, mut interner) = (Vec::new(), Interner::default());
            while let Some((mut key, list)) = map.next_entry::<Text, Option<Vec<Text>>>()? {
                let mut list = list.unwrap_or_default();
                interner.text(&mut key);
                interner.texts(&mut list);
                lists.push((key, list.into()));
            }
            Ok(Some(lists.into()))
        }
    }
    deserializer.deserialize_any(Lists)
}
