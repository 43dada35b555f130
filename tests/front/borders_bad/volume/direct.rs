//! [`crate::source`] in a comment is no edge.
use crate::acquire::Flight;
use crate::source::http::Client; //~ volume may not name source (crate::source::http::Client)

/// Neither is "crate::source" in a string.
fn call() -> crate::source::Tree { //~ volume may not name source
    let text = "crate::source::http";
    ::war_vol::cli::run(); //~ volume may not name cli
    Vec::<crate::csi::Node>::new() //~ volume may not name csi
}
