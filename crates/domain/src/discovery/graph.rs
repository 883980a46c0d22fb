//! What is built on what.

use super::ResourceIx;

/// Edges from each resource to others, in the order of unique ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Edges {
    /// Where the ends of each begin; one more than there are resources.
    starts: Box<[u32]>,
    ends: Box<[ResourceIx]>,
}

impl Edges {
    /// Of pairs (from, to), of so many resources.
    pub(super) fn new(resources: usize, mut pairs: Vec<(ResourceIx, ResourceIx)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(resources + 1);
        for from in 0..=resources {
            let before = pairs.partition_point(|(begin, _)| begin.index() < from);
            starts.push(u32::try_from(before).unwrap_or(u32::MAX));
        }
        Self { starts: starts.into(), ends: pairs.into_iter().map(|(_, to)| to).collect() }
    }

    /// Where the edges of one lead.
    pub(super) fn of(&self, from: ResourceIx) -> &[ResourceIx] {
        let at = |place: usize| self.starts.get(place).map(|start| *start as usize);
        let (Some(start), Some(end)) = (at(from.index()), at(from.index() + 1)) else {
            return &[];
        };
        self.ends.get(start..end).unwrap_or_default()
    }

    /// All that can be reached from these in at most so many steps, in any number if none is
    /// given; the first ones only where edges lead back to them.
    pub(super) fn reached(
        &self,
        from: impl IntoIterator<Item = ResourceIx>,
        depth: Option<u32>,
    ) -> Vec<ResourceIx> {
        let mut seen = vec![false; self.starts.len()];
        let (mut found, mut now): (Vec<ResourceIx>, Vec<ResourceIx>) =
            (Vec::new(), from.into_iter().collect());
        let mut steps = 0;
        while !now.is_empty() && depth.is_none_or(|depth| steps < depth) {
            let mut next = Vec::new();
            for to in now.iter().flat_map(|from| self.of(*from)) {
                if let Some(seen) = seen.get_mut(to.index())
                    && !std::mem::replace(seen, true)
                {
                    next.push(*to);
                }
            }
            found.extend_from_slice(&next);
            now = next;
            steps += 1;
        }
        found
    }
}
