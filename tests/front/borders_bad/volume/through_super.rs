use super::super::source::Source; //~ volume may not name source
use super::super::volume::plan;
use super::plan::source;

mod deep {
    use super::super::super::source; //~ volume may not name source
    use super::super::source;
}
