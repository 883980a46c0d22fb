//! What dbt has made of an environment: its resources, how their last runs went, what the data
//! platform says of them, and how they are built on each other.
//!
//! A [`ProjectState`] is folded from artifacts by [`Fold`], in any order:
//!
//! - the newest manifest says what there is: the *definition* state;
//! - per node, the newest run that executed it says how it went; a node that the newest manifest
//!   has no more goes. What has been executed is the *applied* state ([`ProjectState::is_applied`]);
//! - the newest catalog and the newest look at sources stand beside.
//!
//! A state never changes; it is shared, and replaced as a whole. Inside it a resource is a small
//! number ([`ResourceIx`]), in the order of unique ids.

mod execution;
mod fold;
mod glob;
mod graph;
mod pick;
mod resource;
mod selection;
mod selector;
mod state;
mod version;

pub use execution::{Execution, Invocation};
pub use fold::Fold;
pub use resource::Resource;
pub use selection::Selection;
pub use selector::InvalidSelector;
pub use state::{ProjectState, ResourceIx};
pub use version::ReleaseVersion;
