//! Resources that are chosen.

use super::{ResourceIx, state::ix};

/// Resources that are chosen out of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection(Box<[bool]>);

impl Selection {
    pub(super) fn none(resources: usize) -> Self {
        Self(vec![false; resources].into())
    }

    pub(super) fn all(resources: usize) -> Self {
        Self(vec![true; resources].into())
    }

    /// Whether it is chosen.
    #[must_use]
    pub fn contains(&self, ix: ResourceIx) -> bool {
        self.0.get(ix.index()).copied().unwrap_or_default()
    }

    /// What is chosen, by unique id.
    pub fn iter(&self) -> impl Iterator<Item = ResourceIx> {
        let chosen = self.0.iter().enumerate().filter(|(_, chosen)| **chosen);
        chosen.filter_map(|(place, _)| ix(place))
    }

    pub(super) fn add(&mut self, more: impl IntoIterator<Item = ResourceIx>) {
        for ix in more {
            if let Some(chosen) = self.0.get_mut(ix.index()) {
                *chosen = true;
            }
        }
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one |= *other);
    }

    pub(super) fn meet(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one &= *other);
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one &= !*other);
    }
}
