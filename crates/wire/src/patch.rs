//! A field of a body that may be absent.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field of a body: keys that are absent keep their value, a key that is null clears it where it
/// may be null (contract, section 6). Needs `#[serde(default)]` on the field or its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The key was not there.
    #[default]
    Absent,
    /// The key was null.
    Null,
    /// The key had a value.
    Value(T),
}

impl<T> Patch<T> {
    /// Whether the key was not there (for `skip_serializing_if`).
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// What a field that may be null becomes.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Absent => old,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// What a field that may not be null becomes: null, like absent, keeps it. Clients echo nulls.
    pub fn or_keep(self, old: T) -> T {
        self.value().unwrap_or(old)
    }

    /// Reads the value further.
    ///
    /// # Errors
    /// Whatever `read` gives.
    pub fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Patch<U>, E> {
        Ok(match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(read(value)?),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Absent | Self::Null => serializer.serialize_none(),
        }
    }
}
