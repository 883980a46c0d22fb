//! How nouns that are kept alike (see [`domain::kept`]) stand in the JSON.

use domain::kept::{Hidden, Kept, Noun};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{Invalid, Patch};

/// A kept noun as the wire has it.
pub trait KeptFace: Noun {
    /// What an answer says of it; no secret.
    type Told: for<'a> From<&'a Kept<Self>> + Serialize + ToSchema + Send + 'static;
    /// The body that makes or changes it.
    type Body: KeptBody<Noun = Self>;
}

/// A body that makes or changes a kept noun. Keys that are absent keep their value.
pub trait KeptBody: DeserializeOwned + ToSchema + Clone + Send + 'static {
    /// What it is the body of.
    type Noun: Noun;

    /// The account that it names, if any: the path's.
    fn account(&self) -> &Patch<i64>;

    /// The project that it names, if any: the path's. A body whose noun is in none names none.
    fn project(&self) -> &Patch<i64> {
        &Patch::Absent
    }

    /// Whether its `state` deletes the noun.
    fn deletes(&self) -> bool;

    /// The secret that it brings; none keeps the old one.
    fn secret(&self) -> Option<Hidden> {
        None
    }

    /// What it makes of `old`; of nothing, where one is made.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    fn over(self, old: Option<Self::Noun>) -> Result<Self::Noun, Invalid>;
}

/// What the body of every noun of an account says alike, in an `impl KeptBody`: its account, and
/// whether it is deleted.
macro_rules! of_account {
    () => {
        fn account(&self) -> &$crate::Patch<i64> {
            &self.account_id
        }

        fn deletes(&self) -> bool {
            $crate::field::deletes(&self.state)
        }
    };
}

/// The same of a noun of a project.
macro_rules! of_project {
    () => {
        $crate::kept::of_account! {}

        fn project(&self) -> &$crate::Patch<i64> {
            &self.project_id
        }
    };
}

pub(crate) use {of_account, of_project};
