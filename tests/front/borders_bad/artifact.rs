// In a file of the first level `super` is the crate's root.
use super::fault::Fault;
use super::metrics; //~ artifact may not name metrics

mod inner {
    use super::super::fault;
    use super::super::store; //~ artifact may not name store

    pub(in crate::artifact) fn fine() {}
    pub(in super::super) fn root() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Volumes; //~ artifact may not name volume
}
