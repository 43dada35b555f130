macro_rules! blob {
    ($name:ident) => {
        use $crate::{fault, store::Blob}; //~ source may not name store
        fn $name() -> $crate::fault::Fault { super::super::mount::none() } //~ source may not name mount
    };
}

fn log() {
    tracing::info!(volume = %crate::volume::name(), "crate::volume in a text is no edge"); //~ source may not name volume
}
