use crate::{
    acquire::{self, Flight},
    source::{self, Source}, //~ volume may not name source (crate::source) //~ volume may not name source (crate::source::Source)
    store,
    {source::Tree, fault::Fault}, //~ volume may not name source
};
